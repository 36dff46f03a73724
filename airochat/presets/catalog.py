"""The presets at hand: those shipped, and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from airochat.checks import did_you_mean
from airochat.errors import SettingsError
from airochat.sampling import Sampling

_SHIPPED = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True, slots=True)
class Preset:
    """Sampling fields with a name; those that it does not mention are left as they are."""

    name: str
    why: str
    """One sentence: what it is good for, or where it comes from."""
    values: Mapping[str, Any] = field(default_factory=dict)

    def sampling(self) -> Sampling:
        """Return the fields over airochat's defaults."""
        return Sampling().replace(**self.values)


class Presets:
    """All presets by name; a file in ``user_dir`` takes the place of a shipped one of its name."""

    def __init__(self, user_dir: Path | None = None) -> None:
        self._user_dir = user_dir
        self._problems: dict[str, SettingsError] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names in order."""
        return tuple(self._found)

    def all(self) -> tuple[Preset, ...]:
        """Return the presets in the order of their names."""
        return tuple(self._found.values())

    def get(self, name: str) -> Preset:
        """Return a preset; `SettingsError` with the closest name if there is none, or why its file is broken."""
        if name in self._found:
            return self._found[name]
        if name in self._problems:
            raise self._problems[name]
        raise SettingsError(f"There is no preset {name!r}.", did_you_mean(name, self._found))

    @cached_property
    def own(self) -> frozenset[str]:
        """The names of the user's own presets."""
        return frozenset(self._own())

    @property
    def problems(self) -> tuple[SettingsError, ...]:
        """What is wrong with the user's files that could not be read."""
        self.names()
        return tuple(self._problems.values())

    @cached_property
    def _found(self) -> dict[str, Preset]:
        shipped = {path.stem: _read(path) for path in _SHIPPED.glob("*.toml")}
        return dict(sorted({**shipped, **self._own()}.items()))

    def _own(self) -> dict[str, Preset]:
        found: dict[str, Preset] = {}
        try:
            paths = sorted(self._user_dir.glob("*.toml")) if self._user_dir else []
        except OSError as error:
            self._problems[""] = SettingsError(
                f"The folder {self._user_dir} cannot be read: {error.strerror}."
            )
            return found
        for path in paths:
            try:
                found[path.stem] = _read(path)
            except SettingsError as problem:
                self._problems[path.stem] = problem
        return found


def parse_preset(name: str, text: str, where: str = "") -> Preset:
    """Make a preset of a file's text; `SettingsError` names the file and what is wrong in it."""
    import tomli

    where = where or name
    try:
        found = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"The preset {where} is not TOML: {error}.", "Correct that line.") from None
    why, values = found.pop("why", ""), found.pop("sampling", {})
    if found or not isinstance(why, str) or not isinstance(values, dict):
        raise SettingsError(
            f"The preset {where} has more than a text why and a table [sampling].",
            "Write the sampling fields below a line [sampling].",
        )
    preset = Preset(name, why, values)
    try:
        preset.sampling()
    except SettingsError as error:
        raise SettingsError(f"The preset {where} cannot be used: {error.message}", error.hint) from None
    return preset


def preset_toml(values: Mapping[str, Any], why: str) -> str:
    """Return the file of a preset, its fields in the order of `Sampling`."""
    import tomlkit

    document = tomlkit.document()
    document["why"] = why
    order = list(Sampling.__dataclass_fields__)
    known = {name: values[name] for name in sorted(values, key=order.index)}
    document["sampling"] = {name: _listed(value) for name, value in known.items()}
    return tomlkit.dumps(document)


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple | list) else value


def _read(path: Path) -> Preset:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"The preset {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The preset {path} is not UTF-8 text.", "Save it as UTF-8.") from None
    return parse_preset(path.stem, text, str(path))
