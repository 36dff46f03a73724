"""The checks of ``airochat doctor``; each looks at one thing and says in a sentence what it found."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from airochat import __version__
from airochat.errors import AirochatError
from airochat.paths import Home
from airochat.settings import Settings

LITTLE_SPACE = 2_000_000_000
"""Bytes of free space below which there is hardly room for another model."""

_GPU_PROBE = """
import llama_cpp
from airochat.backends.llama.devices import gpus
print(int(llama_cpp.llama_supports_gpu_offload()), *gpus())
"""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found, and what to do if it is not ``ok``."""

    name: str
    status: Literal["ok", "warn", "fail"]
    text: str
    hint: str = ""


def all_checks(home: Home) -> Iterator[Check]:
    """Run every check, one after the other; one that finds an error does not keep the others from running."""
    checks: tuple[tuple[str, Callable[[Home], Iterable[Check]]], ...] = (
        ("airochat", _program),
        ("llama.cpp", _engine),
        ("data folder", _data_folder),
        ("settings", _settings),
        ("chats", _chats),
        ("models", _models),
        ("cache", _cache),
        ("templates", _templates),
        ("plugins", _plugins),
        ("themes", _themes),
        ("terminal", _terminal),
        ("notebook", _notebook),
    )
    for name, check in checks:
        try:
            yield from check(home)
        except AirochatError as error:
            yield Check(name, "fail", error.message, error.hint)


def _program(_: Home) -> Iterator[Check]:
    yield Check("airochat", "ok", f"{__version__} in {Path(__file__).resolve().parents[1]}")
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Check("python", "ok", f"{platform.python_version()} on {system}")


def _engine(_: Home) -> Iterator[Check]:
    version = _installed("llama-cpp-python")
    if version is None:
        yield Check("llama.cpp", "fail", "llama-cpp-python is not installed", "pip install llama-cpp-python")
        return
    # A build for another processor ends its process when it is imported, so this is done in another one.
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _GPU_PROBE], capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Check("llama.cpp", "fail", f"llama-cpp-python {version} cannot be tried: {error}")
        return
    if probe.returncode:
        said = (probe.stderr.strip().splitlines() or [f"it ended with code {probe.returncode}"])[-1]
        yield Check(
            "llama.cpp",
            "fail",
            f"llama-cpp-python {version} does not start: {said}",
            "Build it for this machine: pip install --force-reinstall --no-binary llama-cpp-python llama-cpp-python",
        )
        return
    offload, *gpus = probe.stdout.split() or ["0"]
    if gpus:
        yield Check("llama.cpp", "ok", f"llama-cpp-python {version} with {', '.join(gpus)}")
    elif offload == "1":
        hint = "Check the GPU's driver; models run on the CPU meanwhile."
        yield Check(
            "llama.cpp", "warn", f"llama-cpp-python {version} is built for a GPU and finds none", hint
        )
    else:
        yield Check("llama.cpp", "ok", f"llama-cpp-python {version}, built for the CPU alone")


def _data_folder(home: Home) -> Iterator[Check]:
    root = home.root
    place = next(folder for folder in (root, *root.parents) if folder.exists())
    hint = "Set AIROCHAT_HOME to a folder that you can write to."
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Check("data folder", "fail", f"{place} cannot be written: {error.strerror}", hint)
        return
    yield Check("data folder", "ok", f"{root}" if place == root else f"{root} will be made when needed")
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free in {place}"
    if free < LITTLE_SPACE:
        yield Check("disk", "warn", text, "Make room, or set model_dirs to a folder on another disk.")
    else:
        yield Check("disk", "ok", text)


def _settings(home: Home) -> Iterator[Check]:
    Settings.load(home.settings)
    yield Check("settings", "ok", str(home.settings) if home.settings.exists() else "no file; all as shipped")


def _chats(home: Home) -> Iterator[Check]:
    if not home.database.exists():
        yield Check("chats", "ok", "none yet")
        return
    from airochat.store import Store

    store = Store(home.database)
    try:
        yield Check("chats", "ok", f"{len(store.sessions())} in {home.database}")
    finally:
        store.close()


def _models(home: Home) -> Iterator[Check]:
    from airochat.backends.llama import library

    settings = Settings.load(home.settings)
    folders = library.model_folders(settings, home)
    found = [model for model in library.find_models(folders) if not model.note]
    listed = ", ".join(str(folder) for folder in folders)
    yield Check("models", "ok", f"{len(found)} that can be used in {listed}")
    demo = library.demo_model()
    if demo is None:
        yield Check("demo model", "ok", "not installed; pip install 'airochat[demo]'")
    else:
        yield Check("demo model", "ok", str(demo))
    if not settings.model:
        hint = "Use `--model demo`, or set model in settings.toml." if demo else "Give one with --model."
        yield Check("model", "warn", "none is configured", hint)
    elif settings.model == "scripted" or settings.model.startswith("remote:"):
        yield Check("model", "ok", settings.model)
    else:
        yield Check("model", "ok", str(library.resolve(settings.model, folders)))


def _cache(home: Home) -> Iterator[Check]:
    from airochat.backends.states import SUFFIX, states_folder

    engine = Settings.load(home.settings).engine
    folder = states_folder(home.folder("cache"))
    sizes = []
    for file in folder.glob(f"*{SUFFIX}"):
        # A running airochat may remove one meanwhile.
        with contextlib.suppress(OSError):
            sizes.append(file.stat().st_size)
    kept = f"{len(sizes)} saved chats, {sum(sizes) / 1e6:.1f} MB in {folder}" if sizes else "no saved chats"
    limit = f"at most {engine.cache_disk} MiB" if engine.cache_disk else "none are saved (cache_disk = 0)"
    moves = {"shift": "parts may move to other places", "exact": "nothing is moved"}[engine.kv_reuse]
    yield Check("cache", "ok", f"{kept}, {limit}; {moves} (kv_reuse = {engine.kv_reuse})")


def _templates(home: Home) -> Iterator[Check]:
    from airochat.cli.common import known_templates

    known = known_templates(home)
    for problem in known.problems:
        yield Check("templates", "warn", problem.message, problem.hint)
    yield Check("templates", "ok", f"{len(known.names())}: {', '.join(known.names())}")


def _plugins(home: Home) -> Iterator[Check]:
    from airochat.hooks import PluginHost

    settings = Settings.load(home.settings)
    host = PluginHost(
        home.folder("plugins"),
        lambda plugin, scope: {},
        settings.plugins_enabled,
        disabled=settings.plugins_disabled,
    )
    found = host.reports()
    for plugin in found:
        if plugin.error:
            yield Check(
                "plugins", "warn", f"{plugin.name}: {plugin.error}", f"It is in {plugin.path or 'no folder'}."
            )
    running = [plugin.name for plugin in found if plugin.state == "on"]
    yield Check("plugins", "ok", f"{len(running)} of {len(found)} may run: {', '.join(running) or 'none'}")


def _themes(home: Home) -> Iterator[Check]:
    from airochat.cli.common import plugin_folders
    from airochat.themes import load_themes

    known = load_themes(home, plugin_folders(home, "themes"))
    for problem in known.problems:
        yield Check("themes", "warn", problem, "Correct that file, or remove it.")
    yield Check("themes", "ok", f"{len(known.names())}: {', '.join(known.names())}")


def _terminal(_: Home) -> Iterator[Check]:
    encoding = (sys.stdout.encoding or "unknown").lower()
    if encoding.replace("-", "") != "utf8":
        hint = "Set LANG to a UTF-8 locale such as C.UTF-8, or PYTHONUTF8=1."
        yield Check("terminal", "warn", f"text is written as {encoding}", hint)
    if not sys.stdout.isatty():
        yield Check("terminal", "ok", "output goes to a file or a pipe")
        return
    size = shutil.get_terminal_size()
    if os.environ.get("NO_COLOR"):
        colors = "no colours, as NO_COLOR asks"
    elif os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        colors = "all colours"
    else:
        colors = "few colours; set COLORTERM=truecolor if it has more"
    yield Check(
        "terminal", "ok", f"{os.environ.get('TERM') or 'unknown'}, {size.columns}×{size.lines}, {colors}"
    )


def _notebook(_: Home) -> Iterator[Check]:
    missing = [name for name in ("anywidget", "ipywidgets", "ipython") if _installed(name) is None]
    text = (
        f"not installed ({', '.join(missing)}); pip install 'airochat[notebook]'" if missing else "installed"
    )
    yield Check("notebook", "ok", text)


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
