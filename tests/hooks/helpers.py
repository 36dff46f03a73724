"""Plugins that the tests write, and a chat to call them on."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, MutableMapping
from pathlib import Path
from typing import Any

from airochat.conversation import Message
from airochat.hooks import ChatContext, PluginHost, PluginReport
from airochat.resources import resource_dir

MANIFEST = 'name = "{name}"\nversion = "1.0"\nsummary = "For a test."\napi = 1\n'
BUNDLED = tuple(sorted(folder.name for folder in resource_dir("plugins").iterdir() if folder.is_dir()))
"""The plugins that would run by themselves."""
IMPORTS = "from airochat.hooks import *\nfrom airochat.hooks import hookimpl\n"


def write_plugin(place: Path, name: str, code: str, manifest: str = MANIFEST) -> Path:
    """Write a plugin's folder and return it."""
    folder = place / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plugin.toml").write_text(manifest.format(name=name), encoding="utf-8")
    (folder / "__init__.py").write_text(IMPORTS + textwrap.dedent(code), encoding="utf-8")
    return folder


class Bench:
    """A host on a folder of plugins, with what it kept and told."""

    def __init__(
        self,
        place: Path,
        enabled: Collection[str] | None = None,
        disabled: Collection[str] = BUNDLED,
    ) -> None:
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}
        self.told: list[tuple[str, str]] = []
        if enabled is None:
            enabled = [folder.name for folder in place.iterdir()] if place.is_dir() else []
        self.host = PluginHost(place, self._data, enabled, lambda *words: self.told.append(words), disabled)

    def context(self, plugin: str) -> ChatContext:
        said = Message("m1", None, "user", "You", "hello")
        return self.host.context(
            plugin,
            session_id="s1",
            title="The Mill",
            history=(said,),
            cards=(),
            persona=None,
            user_name="You",
        )

    def report(self, name: str) -> PluginReport:
        (found,) = [report for report in self.host.reports() if report.name == name]
        return found

    def _data(self, plugin: str, scope: str) -> MutableMapping[str, Any]:
        return self.kept.setdefault((plugin, scope), {})
