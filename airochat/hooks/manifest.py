"""``plugin.toml``: what a plugin tells about itself before any of its code runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airochat import checks
from airochat.errors import PluginError, SettingsError
from airochat.hooks.hookspecs import API
from airochat.hooks.settings import ORDER, PLACE, Setting, read_schema
from airochat.text import one_line

FILE = "plugin.toml"
CODE = "__init__.py"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LARGEST = 100_000
"""Bytes of a plugin.toml that are read."""
_KEYS = ("name", "version", "summary", "api", ORDER, "settings", "author", "license", "url")
RESERVED = frozenset({"airochat", "audience", "tui", "variables"})
"""Names under which airochat itself keeps things where plugins do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The facts of a ``plugin.toml``; ``api`` is the version of the hooks that the plugin was written for."""

    name: str
    version: str
    summary: str
    api: int
    order: int = 0
    """Plugins of a lower number are called first."""
    settings: tuple[Setting, ...] = ()


def check_name(name: str) -> None:
    """Raise `PluginError` unless ``name`` can be a plugin's name."""
    if not _NAME.fullmatch(name):
        raise PluginError(
            f"{one_line(name, 60)!r} is not a plugin's name.",
            "It takes up to 40 lower-case letters, digits and underscores, a letter first.",
        )
    if name in RESERVED:
        raise PluginError(f"{name!r} is a name that airochat uses itself.", "Give the plugin another one.")


def read_manifest(folder: Path) -> Manifest:
    """Read the ``plugin.toml`` of a plugin's folder; `PluginError` says what is wrong with it."""
    manifest = manifest_in(folder / FILE)
    if manifest.name != folder.name:
        raise PluginError(
            f"The folder is called {folder.name!r}, but {FILE} says {manifest.name!r}.", "Rename one."
        )
    if not (folder / CODE).is_file():
        raise PluginError(f"Its folder has no {CODE}.")
    return manifest


def manifest_in(path: Path) -> Manifest:
    """Read a ``plugin.toml``; `PluginError` says what is wrong with it."""
    table = _read(path)
    for key, kind, words in (
        ("name", str, "text"),
        ("version", str, "text"),
        ("summary", str, "text"),
        ("api", int, "number"),
    ):
        if key not in table:
            raise PluginError(f"{FILE} has no {key}.")
        if not isinstance(table[key], kind) or isinstance(table[key], bool):
            raise PluginError(f"{key} = {one_line(repr(table[key]), 60)} in {FILE} is not a {words}.")
    check_name(table["name"])
    # Before all that a later version may have brought.
    if not 1 <= table["api"] <= API:
        raise PluginError(
            f"It needs version {table['api']} of the hooks, this airochat has {API}.", "Update airochat."
        )
    if unknown := sorted(table.keys() - set(_KEYS)):
        raise PluginError(f"{FILE} has {one_line(unknown[0], 40)!r}.", checks.did_you_mean(unknown[0], _KEYS))
    try:
        order = PLACE.checked(table.get(ORDER, PLACE.default))
    except SettingsError as error:
        raise PluginError(f"{FILE}: {error.message}", error.hint) from None
    return Manifest(
        table["name"],
        one_line(table["version"], 40),
        one_line(table["summary"], 200),
        table["api"],
        order,
        read_schema(table.get("settings", {})),
    )


def _read(path: Path) -> dict[str, Any]:
    import tomli

    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise PluginError(f"{FILE} is larger than {_LARGEST} bytes.")
        return tomli.loads(content.decode("utf-8"))
    except OSError as error:
        raise PluginError(f"{FILE} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise PluginError(f"{FILE} cannot be read: {one_line(str(error), 200)}.") from None
