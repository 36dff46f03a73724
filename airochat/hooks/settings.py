"""The settings that plugins declare in ``plugin.toml``, and the file with the values that the user has set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airochat import checks
from airochat.errors import AirochatError, PluginError, SettingsError
from airochat.settings import read_file, remember
from airochat.text import one_line

FILE = "settings.toml"
"""Lies in the user's plugins folder, with a table for each plugin."""
ORDER = "order"
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "text": (str,),
    "lines": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "choice": (str,),
}
_FIELDS = frozenset({"type", "default", "help", "label", "least", "most", "choices"})
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what a form must know to show it, and to refuse what it does not take."""

    name: str
    kind: str
    """``text``, ``lines`` (a text of several lines), ``int``, ``float``, ``bool`` or ``choice``."""
    default: Any
    help: str = ""
    least: float = -math.inf
    most: float = math.inf
    choices: tuple[str, ...] = ()
    label: str = ""
    """How a form calls it; by default its name with spaces."""

    @property
    def title(self) -> str:
        """How a form calls it."""
        return self.label or self.name.replace("_", " ")

    def checked(self, value: Any) -> Any:
        """Return a value as the plugin will see it; `SettingsError` if the setting does not take it."""
        if self.kind in ("int", "float"):
            checks.number(self.name, value, self.least, self.most, whole=self.kind == "int")
            return float(value) if self.kind == "float" else value
        if self.kind == "choice":
            checks.choice(self.name, value, self.choices)
        elif not isinstance(value, _KINDS[self.kind]):
            words = "true or false" if self.kind == "bool" else "a text"
            raise SettingsError(f"{self.name} = {one_line(repr(value), 60)} is not {words}.")
        return value

    def parsed(self, text: str) -> Any:
        """Return the value that a user has typed; `SettingsError` if the setting does not take it."""
        value: Any = text
        if self.kind == "bool":
            value = _WORDS.get(text.strip().lower(), text)
        elif self.kind in ("int", "float"):
            try:
                value = int(text) if self.kind == "int" else float(text)
            except ValueError:
                value = text
        return self.checked(value)


PLACE = Setting(ORDER, "int", 0, "Plugins of a lower number are called first.", -1000, 1000)
"""A setting that every plugin has."""


def read_schema(table: Any) -> tuple[Setting, ...]:
    """Return the settings that the table ``settings`` of a ``plugin.toml`` declares; `PluginError` if it is wrong."""
    if not isinstance(table, Mapping):
        raise PluginError(
            "settings in plugin.toml is not a table.", "Write [settings.NAME] for each setting."
        )
    return tuple(_declared(name, fields) for name, fields in table.items())


def values_of(
    schema: tuple[Setting, ...], table: Mapping[str, Any]
) -> tuple[dict[str, Any], list[SettingsError]]:
    """Return all values, and what is wrong with those that the user has set; of these the default counts."""
    values: dict[str, Any] = {}
    problems: list[SettingsError] = []
    for setting in schema:
        values[setting.name] = setting.default
        if setting.name in table:
            try:
                values[setting.name] = setting.checked(table[setting.name])
            except SettingsError as error:
                problems.append(error)
    known = [setting.name for setting in schema]
    for name in sorted(table.keys() - known):
        problems.append(
            SettingsError(f"There is no setting {one_line(name, 40)!r}.", checks.did_you_mean(name, known))
        )
    return values, problems


class ValuesFile:
    """The file with what the user has set for plugins; one that cannot be read counts as empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.problem: AirochatError | None = None
        """Why the file could not be read."""
        self._tables: dict[str, Any] = {}
        if path is not None:
            try:
                self._tables = read_file(path)
            except SettingsError as error:
                self.problem = error

    def table(self, plugin: str) -> dict[str, Any]:
        """Return what is set for a plugin."""
        found = self._tables.get(plugin, {})
        return dict(found) if isinstance(found, Mapping) else {}

    def write(self, plugin: str, changes: Mapping[str, Any]) -> None:
        """Set values of a plugin, durably; None takes one back."""
        if self._path is None or self.problem is not None:
            raise self.problem or SettingsError("There is no file for the settings of plugins.")
        table = {key: value for key, value in {**self.table(plugin), **changes}.items() if value is not None}
        remember(self._path, {plugin: table})
        self._tables[plugin] = table


def _declared(name: str, fields: Any) -> Setting:
    where = f"The setting {one_line(name, 40)} in plugin.toml"
    if not isinstance(fields, Mapping):
        raise PluginError(f"{where} is not a table.", f"Write [settings.{one_line(name, 40)}].")
    if not name.isidentifier() or name == ORDER:
        raise PluginError(f"{where} has a name that cannot be used.")
    if unknown := sorted(fields.keys() - _FIELDS):
        raise PluginError(f"{where} has {unknown[0]!r}.", checks.did_you_mean(unknown[0], _FIELDS))
    kind, choices = fields.get("type"), fields.get("choices", [])
    if not isinstance(kind, str) or kind not in _KINDS:
        raise PluginError(f"{where} has type = {kind!r}.", f"It takes one of: {', '.join(_KINDS)}.")
    if "default" not in fields:
        raise PluginError(f"{where} has no default.")
    if not isinstance(choices, list) or not all(isinstance(word, str) for word in choices):
        raise PluginError(f"{where} has choices that are not a list of texts.")
    bounds = [fields.get("least", -math.inf), fields.get("most", math.inf)]
    if not all(isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in bounds):
        raise PluginError(f"{where} has a least or most that is not a number.")
    told, label = fields.get("help", ""), fields.get("label", "")
    if not isinstance(told, str) or not isinstance(label, str):
        raise PluginError(f"{where} has a help or a label that is not a text.")
    least, most = bounds
    setting = Setting(
        name, kind, fields["default"], one_line(told, 200), least, most, tuple(choices), one_line(label, 60)
    )
    try:
        setting.checked(setting.default)
    except SettingsError as error:
        raise PluginError(f"{where} does not take its own default: {error.message}") from None
    return setting
