"""What plugins have cost and where they failed, kept from one run of the program to the next."""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from airochat.errors import StoreError
from airochat.hooks.discovery import Source
from airochat.hooks.plugin import Plugin, State
from airochat.hooks.services import Data
from airochat.text import one_line

_log = logging.getLogger(__name__)
_OWNER, _PLACE = "airochat", "plugins"
_FAILURES = 5
"""How many failures are kept of each plugin, the newest ones."""


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What `airochat plugins list` shows of a plugin; ``hooks`` are known once it has been loaded."""

    name: str
    version: str
    source: Source
    summary: str
    state: State
    error: str
    hooks: tuple[str, ...]
    path: str
    order: int = 0
    """Plugins of a lower number are called first."""
    calls: int = 0
    """How often it was called, in all runs of the program that have ended and in this one."""
    seconds: float = 0.0
    """How long these calls took together."""
    failures: tuple[str, ...] = ()
    """When and how it was switched off, the newest last."""


class UsageBook:
    """Adds up the use of plugins in what the program keeps; a database that fails costs only the numbers."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def report(self, plugin: Plugin) -> PluginReport:
        """Return what is known of a plugin, from this run and those before."""
        kept = self._read(plugin.name)
        found = plugin.found
        return PluginReport(
            plugin.name,
            found.version,
            found.source,
            found.summary,
            plugin.state,
            plugin.error,
            plugin.hooks or tuple(map(str, kept.get("hooks", ()))),
            found.path,
            plugin.order,
            int(kept.get("calls", 0)) + plugin.calls,
            float(kept.get("seconds", 0.0)) + plugin.seconds,
            tuple(map(str, kept.get("failures", ()))),
        )

    def add(self, plugin: Plugin) -> None:
        """Keep what was counted since the last call of this."""
        if not plugin.calls:
            return
        kept = self._read(plugin.name)
        kept["calls"] = int(kept.get("calls", 0)) + plugin.calls
        kept["seconds"] = float(kept.get("seconds", 0.0)) + plugin.seconds
        kept["hooks"] = list(plugin.hooks)
        self._write(plugin.name, kept)
        plugin.calls, plugin.seconds = 0, 0.0

    def failed(self, plugin: Plugin) -> None:
        """Keep why a plugin was switched off."""
        kept = self._read(plugin.name)
        moment = time.strftime("%Y-%m-%d %H:%M", time.localtime())
        failure = f"{moment} {one_line(plugin.found.version, 40)}: {plugin.error}"
        kept["failures"] = [*kept.get("failures", []), failure][-_FAILURES:]
        self._write(plugin.name, kept)

    def _open(self) -> MutableMapping[str, Any]:
        return self._data(_OWNER, _PLACE)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = self._open().get(name)
        except StoreError:
            found = None
        return dict(found) if isinstance(found, dict) else {}

    def _write(self, name: str, kept: dict[str, Any]) -> None:
        try:
            self._open()[name] = kept
        except StoreError as error:
            _log.warning("What the plugin %s has cost is not kept: %s", name, error)
