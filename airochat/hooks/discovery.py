"""Finding plugins without running any of their code."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from airochat.errors import PluginError
from airochat.hooks.hookspecs import PROJECT
from airochat.hooks.manifest import CODE, FILE, Manifest, check_name, manifest_in, read_manifest
from airochat.hooks.settings import Setting
from airochat.resources import resource_dir
from airochat.text import one_line

Source = Literal["bundled", "installed", "user", "missing"]
"""Where a plugin is from: shipped with airochat, an entry point ``airochat``, the user's folder; or nowhere."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that could be loaded, or the reason why it cannot."""

    name: str
    source: Source
    path: str
    load: Callable[[], object]
    """Runs the plugin's code and returns its module or object."""
    version: str = ""
    summary: str = ""
    error: str = ""
    order: int = 0
    settings: tuple[Setting, ...] = ()


def find_plugins(user_dir: Path | None) -> list[Found]:
    """Return all plugins: bundled ones, then installed packages, then those of the user's folder, each by name.

    Of two with one name the bundled one stays; two strangers of one name are both refused, since the user allowed
    only one of them.
    """
    found = [*_folders(resource_dir("plugins"), "bundled"), *_entry_points()]
    if user_dir is not None:
        found += _folders(user_dir, "user")
    return _without_clashes(found)


def missing(name: str) -> Found:
    """Return what stands for a plugin that was asked for by name and is not there."""
    return Found(one_line(name, 60), "missing", "", _nothing, error="There is no plugin of this name.")


def _folders(place: Path, source: Source) -> Iterator[Found]:
    try:
        folders = sorted(entry for entry in place.iterdir() if entry.is_dir() and entry.name[0] not in "._")
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("The plugins in %s cannot be listed: %s", place, error.strerror)
        return
    for folder in folders:
        try:
            manifest = read_manifest(folder)
        except PluginError as error:
            yield Found(one_line(folder.name, 60), source, str(folder), _nothing, error=str(error))
        else:
            load = partial(_import_folder, manifest.name, folder)
            yield Found(
                manifest.name, source, str(folder), load, manifest.version, manifest.summary,
                order=manifest.order, settings=manifest.settings,
            )  # fmt: skip


def _entry_points() -> Iterator[Found]:
    points = importlib.metadata.entry_points(group=PROJECT)
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        version, summary, error = "", "", ""
        order: int = 0
        settings: tuple[Setting, ...] = ()
        if point.dist is not None:
            facts = point.dist.metadata
            version = point.dist.version
            summary = one_line(facts["Summary"], 200) if "Summary" in facts else ""
        try:
            check_name(point.name)
            if manifest := _manifest_of(point):
                order, settings = manifest.order, manifest.settings
        except PluginError as refused:
            error = str(refused)
        yield Found(
            one_line(point.name, 60),
            "installed",
            point.value,
            point.load,
            version,
            summary,
            error,
            order,
            settings,
        )


def _manifest_of(point: importlib.metadata.EntryPoint) -> Manifest | None:
    """Return what the ``plugin.toml`` beside an installed plugin's module says; it may have none."""
    if point.dist is None:
        return None
    package = Path(str(point.dist.locate_file(point.module.replace(".", "/"))))
    if not (package / FILE).is_file():
        return None
    manifest = manifest_in(package / FILE)
    if manifest.name != point.name:
        raise PluginError(f"The entry point is called {point.name!r}, but {FILE} says {manifest.name!r}.")
    return manifest


def _without_clashes(found: Iterable[Found]) -> list[Found]:
    owners: dict[str, list[Found]] = {}
    found = list(found)
    for plugin in found:
        if not plugin.error:
            owners.setdefault(plugin.name, []).append(plugin)
    result = []
    for plugin in found:
        others = [other for other in owners.get(plugin.name, ()) if other is not plugin]
        if others and not plugin.error and plugin.source != "bundled":
            places = ", ".join(other.path for other in others)
            plugin = dataclasses.replace(
                plugin, error=f"There is another plugin of this name: {places}. Remove one."
            )
        result.append(plugin)
    return result


def _import_folder(name: str, folder: Path) -> object:
    """Run a plugin's code as a package of its own, so that it may import its other modules relatively."""
    module_name = f"airochat_plugin_{name}"
    spec = importlib.util.spec_from_file_location(
        module_name, folder / CODE, submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise PluginError(f"Its code in {folder} cannot be loaded.")
    # Another host of this process may have loaded a plugin of this name from another folder.
    _forget(module_name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        _forget(module_name)
        raise
    return module


def _forget(package: str) -> None:
    for name in [key for key in sys.modules if key == package or key.startswith(f"{package}.")]:
        del sys.modules[name]


def _nothing() -> object:
    raise PluginError("There is nothing to load.")
