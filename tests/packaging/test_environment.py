"""The set-up script: what makes it compile again, what it takes from the lock, what it says when tools are missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "environment.py"
LOCKED = """\
# A header.
numpy==2.2.6 ; python_full_version < '3.11' \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via
    #   gguf
    #   llama-cpp-python
llama-cpp-python==0.3.36 \\
    --hash=sha256:bb
    # via airochat (pyproject.toml)
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with a cache and a .venv of its own."""
    spec = importlib.util.spec_from_file_location("airochat_environment", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(module)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in module.BUILD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "VENV", tmp_path / "venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / "stamp.json")
    return module


def test_the_compiled_package_is_told_from_the_others_and_keeps_its_hash(environment: ModuleType) -> None:
    numpy, llama = environment.requirements(LOCKED)
    assert [environment.is_compiled(entry) for entry in (numpy, llama)] == [False, True]
    assert "--hash=sha256:ab" in numpy
    assert "--hash=sha256:bb" in llama


def test_other_settings_other_hash_or_other_processor_make_another_wheel(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    llama = environment.requirements(LOCKED)[1]
    folders = [
        environment.wheel_folder(llama, {}),
        environment.wheel_folder(llama, {"CMAKE_ARGS": "-DGGML_CUDA=on"}),
        environment.wheel_folder(llama.replace("bb", "cc"), {}),
        environment.wheel_folder(llama.replace("0.3.36", "0.3.37"), {}),
    ]
    monkeypatch.setattr(environment, "machine", lambda: "another processor")
    folders.append(environment.wheel_folder(llama, {}))
    assert len(set(folders)) == len(folders)
    assert {folder.parent for folder in folders} == {environment.cache_folder()}


def test_a_processor_whose_tiles_do_not_work_is_compiled_for_without_them(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    llama = environment.requirements(LOCKED)[1]
    monkeypatch.setattr(environment, "machine", lambda: "x86_64 avx512f amx_tile amx_int8")
    assert environment.compiler_flags({"CFLAGS": "-O2"}) == {
        "CFLAGS": f"-O2 {environment.NO_TILES}",
        "CXXFLAGS": environment.NO_TILES,
    }
    with_tiles = environment.wheel_folder(llama, {})
    monkeypatch.setattr(environment, "NO_TILES", "")
    assert environment.wheel_folder(llama, {}) != with_tiles
    monkeypatch.setattr(environment, "machine", lambda: "x86_64 avx512f")
    assert environment.compiler_flags({}) == {}


def test_a_comment_in_the_lock_does_not_compile_again(environment: ModuleType) -> None:
    llama = environment.requirements(LOCKED)[1]
    assert environment.wheel_folder(llama + "    # via another\n", {}) == environment.wheel_folder(llama, {})


def test_settings_are_remembered_until_named_again(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.write_stamp(build={"CMAKE_ARGS": "-DGGML_CUDA=on"})
    assert environment.build_settings() == {"CMAKE_ARGS": "-DGGML_CUDA=on"}
    monkeypatch.setenv("CMAKE_ARGS", "")
    assert environment.build_settings() == {}


def test_a_wheel_in_the_cache_is_not_compiled_again(environment: ModuleType) -> None:
    llama = environment.requirements(LOCKED)[1]
    folder = environment.wheel_folder(llama, {})
    folder.mkdir(parents=True)
    (folder / "llama_cpp_python-0.3.36-py3-none-any.whl").touch()
    assert environment.compiled_wheel(llama, {}).parent == folder


def test_a_failed_compilation_leaves_no_wheel_and_shows_the_end_of_the_log(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    llama = environment.requirements(LOCKED)[1]
    abandoned = environment.cache_folder() / ".building-before"
    abandoned.mkdir(parents=True)
    failing = [sys.executable, "-c", "print('[3/9] Building'); print('fatal: no space'); raise SystemExit(1)"]
    monkeypatch.setattr(environment, "pip_command", lambda *_: failing)
    with pytest.raises(environment.SetupError, match="fatal: no space"):
        environment.compiled_wheel(llama, {})
    assert not environment.wheel_folder(llama, {}).exists()
    assert not abandoned.exists()


def test_missing_tools_are_named_with_the_way_to_get_them(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(environment.SetupError, match=r"(?s)C\+\+ compiler.*CMake.*apt install g\+\+ cmake"):
        environment.require_tools({})


def test_two_set_ups_wait_for_each_other(environment: ModuleType, tmp_path: Path) -> None:
    try_lock = (
        "import fcntl, os, sys\n"
        "handle = os.open(sys.argv[1], os.O_RDONLY)\n"
        "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    )
    command = [sys.executable, "-c", try_lock, str(tmp_path / "lock")]
    with environment.locked(tmp_path / "lock", "a test"):
        assert (
            "BlockingIOError" in subprocess.run(command, capture_output=True, text=True, check=False).stderr
        )
    assert subprocess.run(command, check=False).returncode == 0
