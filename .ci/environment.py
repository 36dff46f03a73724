"""Make .venv from the lock file: everything with checked hashes, llama-cpp-python compiled once per machine.

Needs nothing but Python, a C++ compiler and CMake. Safe to run again after an interrupt, and quick when
nothing changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "airochat-environment.json"
UNFINISHED = VENV / "airochat-unfinished"
COMPILED = "llama-cpp-python"
# What a user may set to get another build; part of the cache key, so that no CPU wheel passes for a CUDA one.
BUILD_VARIABLES = (
    "CMAKE_ARGS",
    "SKBUILD_CMAKE_ARGS",
    "SKBUILD_CMAKE_DEFINE",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
)
# llama.cpp computes with AMX where the processor has it, and then dies on the first prompt: the compiler leaves out
# parts of the tiles' configuration (ggml-org/llama.cpp issue 20824, pull request 26954).
NO_TILES = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
OLDEST_PYTHON = (3, 10)
TOOLS_HINT = (
    "Debian, Ubuntu: apt install g++ cmake make    Fedora: dnf install gcc-c++ cmake make\n"
    "Arch: pacman -S gcc cmake make                macOS: xcode-select --install && brew install cmake"
)


class SetupError(Exception):
    """What went wrong and what to do, in words for the person at the terminal."""


def say(text: str) -> None:
    print("airochat: " + text, flush=True)


def main() -> int:
    try:
        with locked(ROOT / "pyproject.toml", "another set-up of this checkout"):
            set_up()
    except SetupError as error:
        print("\nairochat: " + str(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nairochat: interrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def set_up() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            "Python {}.{} or newer is needed, this is {}. Name one: make PYTHON=python3.12 …".format(
                *OLDEST_PYTHON, platform.python_version()
            )
        )
    build = build_settings()
    wanted = fingerprint(build)
    if read_stamp().get("fingerprint") == wanted and not UNFINISHED.exists():
        return
    started = time.monotonic()
    entries = requirements(LOCK.read_text(encoding="utf-8"))
    (compiled,) = filter(is_compiled, entries)
    if not wheel_folder(compiled, build).is_dir():
        require_tools(build)
    make_venv()
    install_locked([entry for entry in entries if entry != compiled])
    wheel = compiled_wheel(compiled, build)
    if read_stamp().get("wheel") != str(wheel):
        write_stamp(build=build)
        install_wheel(wheel)
    install_checkout()
    write_stamp(fingerprint=wanted, build=build, wheel=str(wheel))
    say(f"the environment is ready ({duration(time.monotonic() - started)}).")


def build_settings() -> dict[str, str]:
    """The build variables of this call; those not named now stay as they were for this environment."""
    before = read_stamp().get("build", {})
    settings = {name: os.environ.get(name, before.get(name, "")) for name in BUILD_VARIABLES}
    return {name: value for name, value in settings.items() if value}


def read_stamp() -> dict[str, Any]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(**stamp: Any) -> None:
    STAMP.write_text(json.dumps({"venv": str(VENV), **stamp}, indent=1), encoding="utf-8")


def fingerprint(build: dict[str, str]) -> str:
    """Changes whenever .venv has to be brought up to date or made anew."""
    parts = [path.read_bytes() for path in (LOCK, ROOT / "pyproject.toml", Path(__file__))]
    parts += [repr((str(VENV), sys.version, sorted(build.items()), machine())).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def machine() -> str:
    """The processor with its abilities: llama.cpp is compiled for the very one it is compiled on."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith(("flags", "features")):
                return platform.machine() + " ".join(sorted(line.partition(":")[2].split()))
    return platform.machine() + platform.processor()


def compiler_flags(build: dict[str, str]) -> dict[str, str]:
    """CFLAGS and CXXFLAGS as the user set them, with what this processor must be spared."""
    spared = NO_TILES if "amx_tile" in machine().split() else ""
    flags = {name: " ".join(filter(None, (build.get(name), spared))) for name in ("CFLAGS", "CXXFLAGS")}
    return {name: value for name, value in flags.items() if value}


def make_venv() -> None:
    if UNFINISHED.exists() or (VENV.exists() and not usable_venv()):
        say("removing an unfinished or foreign .venv …")
        shutil.rmtree(VENV)
    if VENV.exists():
        return
    say(f"making .venv with Python {platform.python_version()} …")
    # A venv cannot be moved once it is made, so an unfinished one is marked instead.
    VENV.mkdir()
    UNFINISHED.touch()
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
        raise SetupError("python -m venv failed (see above). Debian, Ubuntu: apt install python3-venv")
    UNFINISHED.unlink()


def usable_venv() -> bool:
    """Whether .venv was made here, with this Python, and has a pip that starts."""
    if read_stamp().get("venv", str(VENV)) != str(VENV):
        return False
    code = "import pip, sys; print(sys.version)"
    try:
        found = subprocess.run([str(VENV_PYTHON), "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.returncode == 0 and found.stdout.strip() == sys.version


def install_locked(entries: list[str]) -> None:
    say("installing the locked packages (about a minute the first time) …")
    UNFINISHED.touch()
    with requirements_file(entries) as path:
        pip("install", "-qq", "--no-deps", "--require-hashes", "-r", path)
    UNFINISHED.unlink()


def install_wheel(wheel: Path) -> None:
    # Two builds may have the same version, so pip would keep the one that is there.
    pip("install", "-qq", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    command = [str(VENV_PYTHON), "-c", "import llama_cpp"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    if check.returncode:
        raise SetupError(
            "the compiled llama-cpp-python does not load:\n{}\nRemove {} to compile it again.".format(
                check.stderr.strip()[-2000:] or f"it ended with status {check.returncode}", wheel.parent
            )
        )


def install_checkout() -> None:
    pip("install", "-qq", "--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT))


def pip(*arguments: str) -> None:
    if subprocess.run(pip_command(*arguments), check=False, stdin=subprocess.DEVNULL).returncode:
        raise SetupError("pip failed (see above). Once the cause is gone, run the same command again.")


def pip_command(*arguments: str) -> list[str]:
    command, *rest = arguments
    return [str(VENV_PYTHON), "-m", "pip", command, "--disable-pip-version-check", "--no-input", *rest]


def requirements(locked_text: str) -> list[str]:
    """The entries of the lock file, each with its hashes."""
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", locked_text)
    return [entry for entry in entries if "--hash=" in entry]


def is_compiled(requirement: str) -> bool:
    return requirement.startswith(COMPILED + "==")


@contextlib.contextmanager
def requirements_file(entries: Iterable[str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requirements.txt")
        path.write_text("".join(entries), encoding="utf-8")
        yield str(path)


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base, "airochat", "wheels")


def wheel_folder(requirement: str, build: dict[str, str]) -> Path:
    """Where the wheel for this machine and these settings is kept.

    It is tagged py3-none-PLATFORM: it serves every Python, but not every processor or C library.
    """
    pinned = requirement.split("    #")[0].split()
    settings = sorted({**build, **compiler_flags(build)}.items())
    identity = repr((pinned, settings, machine(), platform.libc_ver(), sys.platform))
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return cache_folder() / f"{pinned[0].replace('==', '-')}-{key}"


def compiled_wheel(requirement: str, build: dict[str, str]) -> Path:
    """The wheel of llama-cpp-python, from the cache or compiled now."""
    folder = wheel_folder(requirement, build)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / "lock", "another compilation of llama-cpp-python"):
        if not folder.is_dir():
            compile_wheel(requirement, build, folder)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SetupError(f"{folder} does not hold one wheel; remove it and try again.")
    return wheels[0]


def compile_wheel(requirement: str, build: dict[str, str], target: Path) -> None:
    for leftover in target.parent.glob(".building-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=str(target.parent)))
    log_path = target.parent / "build.log"
    name = requirement.split()[0]
    say(f"compiling {name} for this machine. This takes about 7 minutes on two cores, once.")
    say(f"the wheel is kept in {target.parent}, the log is {log_path}")
    if build:
        say("settings: " + " ".join("{}={!r}".format(*item) for item in sorted(build.items())))
    with requirements_file([requirement]) as path:
        # pip's own cache of wheels does not look at CMAKE_ARGS.
        command = pip_command(
            "wheel", "--verbose", "--no-cache-dir", "--no-deps", "--no-build-isolation",
            "--no-binary", COMPILED, "--require-hashes", "--wheel-dir", str(building), "-r", path,
        )  # fmt: skip
        environment = {**os.environ, **build, **compiler_flags(build)}
        environment["PATH"] = str(VENV_PYTHON.parent) + os.pathsep + environment.get("PATH", "")
        status = run_with_progress(command, environment, log_path)
    if status:
        tail = log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        raise SetupError("\n".join([*tail, "", f"compiling llama-cpp-python failed; all of it: {log_path}"]))
    building.chmod(0o755)
    building.rename(target)


def require_tools(build: dict[str, str]) -> None:
    compilers = [build["CXX"].split()[0]] if "CXX" in build else ["c++", "g++", "clang++"]
    missing = []
    if not any(shutil.which(name) for name in compilers):
        missing.append("a C++ compiler ({})".format(", ".join(compilers)))
    if not shutil.which("cmake"):
        missing.append("CMake 3.21 or newer")
    if missing:
        raise SetupError(
            "llama-cpp-python is compiled for this machine, and {} cannot be found.\n{}".format(
                " and ".join(missing), TOOLS_HINT
            )
        )


def run_with_progress(command: list[str], environment: dict[str, str], log_path: Path) -> int:
    """Run a compilation, its output going to a log, and say about every half minute how far it is."""
    started = time.monotonic()
    progress = {"text": "unpacking and configuring"}
    done = threading.Event()

    def report() -> None:
        while not done.wait(30):
            say("still compiling: {} after {}".format(progress["text"], duration(time.monotonic() - started)))

    with log_path.open("w", encoding="utf-8") as log, subprocess.Popen(
        command, env=environment, text=True, encoding="utf-8", errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        threading.Thread(target=report, daemon=True).start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                step = re.match(r"\s*\[(\d+)/(\d+)\] ", line)
                if step:
                    progress["text"] = "step {} of {}".format(*step.groups())
            return process.wait()
        finally:
            done.set()
            process.terminate()


@contextlib.contextmanager
def locked(path: Path, holder: str) -> Iterator[None]:
    """Hold an exclusive lock on a file, waiting for whoever holds it."""
    handle = os.open(str(path), os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for {holder} to finish …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


if __name__ == "__main__":
    sys.exit(main())
