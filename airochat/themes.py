"""Themes: named colours from TOML files, the same for the terminal and the notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airochat import checks
from airochat.errors import UsageError
from airochat.paths import Home
from airochat.resources import resource_dir

DEFAULT = "ember"
"""The theme used if none is set, or the set one cannot be used."""

ANSI = "ansi"
"""The theme for terminals with 16 colours."""

REQUIRED = ("background", "ink", "accent")
"""Colours that a theme must give."""

FALLBACKS = {
    "surface": "background",
    "panel": "surface",
    "soft": "ink",
    "faint": "soft",
    "user": "soft",
    "character": "accent",
    "speech": "ink",
    "action": "soft",
    "code": "panel",
    "error": "accent",
    "on_accent": "background",
    "selection": "panel",
}
"""Every other colour a theme can give, with the one that stands in for it."""

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
ANSI_COLORS = (
    "ansi_default",
    *(f"ansi_{name}" for name in _NAMES),
    *(f"ansi_bright_{name}" for name in _NAMES),
)
"""The colours that a theme for 16 colours may name; what they look like is the terminal's choice."""

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme with every colour resolved.

    ``colors`` holds all of `REQUIRED` and `FALLBACKS`: ``#rrggbb``, or names of `ANSI_COLORS` if ``ansi`` is true.
    """

    name: str
    summary: str
    dark: bool
    ansi: bool
    colors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Themes:
    """All themes that were found, and a sentence for each file that could not be used."""

    found: Mapping[str, Theme]
    problems: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """Return the names in order, the default first."""
        return sorted(self.found, key=lambda name: (name != DEFAULT, name))

    def get(self, name: str) -> Theme:
        """Return a theme; `UsageError` names the known ones, and the file if it is there but broken."""
        if name in self.found:
            return self.found[name]
        broken = [problem for problem in self.problems if f"{name}.toml" in problem]
        if broken:
            raise UsageError(broken[0], "Correct the file, or choose another theme.")
        raise UsageError(f"There is no theme {name!r}.", checks.did_you_mean(name, self.found))


def load_themes(home: Home, others: Iterable[Path] = ()) -> Themes:
    """Read the shipped themes, those in ``others``, the folders of plugins, and the user's own.

    Of several of one name the last one wins.
    """
    found: dict[str, Theme] = {}
    problems: list[str] = []
    for folder in (resource_dir("themes"), *others, home.folder("themes")):
        for path in sorted(folder.glob("*.toml")):
            try:
                found[path.stem] = read_theme(path)
            except UsageError as error:
                problems.append(str(error))
    return Themes(found, tuple(problems))


def read_theme(path: Path) -> Theme:
    """Read one theme file; its name is the file's. `UsageError` names the file, the key and the value."""
    import tomli

    try:
        data = tomli.loads(path.read_text(encoding="utf-8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The theme {path} cannot be read: {error}.") from None
    except OSError as error:
        raise UsageError(f"The theme {path} cannot be read: {error.strerror}.") from None
    return _theme(path, data)


def _theme(path: Path, data: dict[str, Any]) -> Theme:
    for key in data.keys() - {"summary", "dark", "colors"}:
        raise UsageError(f"The theme {path} has an unknown key {key!r}.", "Known: summary, dark, colors.")
    given, dark, summary = data.get("colors"), data.get("dark", True), data.get("summary", "")
    if not isinstance(given, dict):
        raise UsageError(f"The theme {path} has no table [colors].")
    if not isinstance(dark, bool) or not isinstance(summary, str):
        raise UsageError(f"The theme {path}: dark is true or false, and summary a text.")
    for key, value in given.items():
        _check_color(path, key, value)
    for key in REQUIRED:
        if key not in given:
            raise UsageError(f"The theme {path} has no colour {key!r} in [colors].")
    ansi = any(value in ANSI_COLORS for value in given.values())
    if ansi and any(value not in ANSI_COLORS for value in given.values()):
        raise UsageError(
            f"The theme {path} mixes ansi_… names with other colours.", "Use one kind throughout."
        )
    return Theme(path.stem, summary, dark, ansi, _resolved(given))


def _check_color(path: Path, key: str, value: object) -> None:
    if key not in REQUIRED and key not in FALLBACKS:
        hint = checks.did_you_mean(key, (*REQUIRED, *FALLBACKS))
        raise UsageError(f"The theme {path} has an unknown colour {key!r}.", hint)
    if not isinstance(value, str) or not (value in ANSI_COLORS or _HEX.fullmatch(value)):
        raise UsageError(f"The theme {path}: {key} = {value!r} is not a colour.", "Write it like #d9a76a.")


def _resolved(given: Mapping[str, str]) -> dict[str, str]:
    colors = dict(given)
    for key, stand_in in FALLBACKS.items():
        colors.setdefault(key, colors[stand_in])
    return {key: _six_digits(value) for key, value in colors.items()}


def _six_digits(color: str) -> str:
    return "#" + "".join(digit * 2 for digit in color[1:]) if len(color) == 4 else color
