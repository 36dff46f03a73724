"""The form of an entry: how each of its fields is shown, and what saving it changes in the book's file.

Only what was changed is written, so that whatever else a file says of an entry stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from airochat.characters import strip_decorators
from airochat.hooks import Field, Setting, Text
from airochat.text import one_line

from .book import LARGEST, read_entry
from .entry import POSITIONS, ROLES, SOURCES, TRIGGERS, Entry
from .patterns import pattern_of

_LOGIC: Final = ("one is there", "not all are there", "none is there", "all are there")
_PLACES: Final = (
    *("before the character", "after the character", "above the author's note", "below the author's note"),
    *("at a depth", "before the examples", "after the examples", "at an outlet"),
)
"""The places in words, in the order of `POSITIONS`."""
_ANYWHERE: Final = "not said"
_AS_SET: Final = "as in the settings"
_YES, _NO = "yes", "no"
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Input:
    """One field of the form: how it is shown, and how it is written into the fields of the file."""

    setting: Setting
    get: Callable[[Entry, Mapping[str, Any]], Any]
    put: Callable[[Fields, Any], None]


def inputs() -> tuple[Input, ...]:
    """Return all fields of the form, in their order."""
    return tuple(one for _, made in _GROUPS for one in made())


def shown(entry: Entry, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the form for an entry, by name; those of decorators in its text are not among them."""
    plain = read_entry(entry.book, {**raw, "content": strip_decorators(raw["content"])}, entry.placed, False)
    return {one.setting.name: one.get(plain, raw) for one in inputs()}


def parts_of(entry: Entry, raw: Mapping[str, Any]) -> list[Field | Text]:
    """Return the form for an entry, with headings."""
    values = shown(entry, raw)
    parts: list[Field | Text] = []
    for heading, made in _GROUPS:
        parts += [Text(heading, "heading")] if heading else []
        parts += [Field(one.setting, values[one.setting.name]) for one in made()]
    return parts


def changed(entry: Entry, raw: Mapping[str, Any], values: Mapping[str, Any]) -> Fields:
    """Return the fields of an entry in the file with what of the form has changed."""
    new = {**raw, "extensions": dict(raw["extensions"])}
    if not entry.placed:
        new.pop("position", None)
    before = shown(entry, raw)
    for one in inputs():
        name = one.setting.name
        if name in values and values[name] != before[name]:
            one.put(new, values[name])
    return new


# -- the fields -------------------------------------------------------------------------------------------------


def doubts(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each key of a form that looks like a regex and finds nothing as one."""
    found = []
    for key in (*_lines(values["keys"]), *_lines(values["secondary"])):
        pattern = pattern_of(key)
        if pattern is not None and pattern.error:
            found.append(f"The key {one_line(key, 60)} finds nothing: {pattern.error}.")
        elif pattern is None and key.startswith("/") and "/" in key[1:]:
            found.append(f"The key {one_line(key, 60)} is no whole regex, and is looked for as it is.")
    return found


def _what() -> Iterable[Input]:
    yield Input(_text("title", "title"), lambda entry, raw: raw["name"] or raw["comment"], _put_title)
    yield Input(
        Setting("keys", "lines", "", "One in each line; /…/ is a regex."),
        lambda entry, raw: "\n".join(raw["keys"]),
        lambda fields, value: fields.update(keys=_lines(value)),
    )
    yield Input(Setting("content", "lines", ""), lambda entry, raw: raw["content"], partial(_put, "content"))
    yield _flag("enabled", "is used")
    yield _flag("constant", "always in the prompt")
    yield _number(
        "order", "order", -LARGEST, "Higher ones stand later, and get tokens first.", "insertion_order"
    )


def _when() -> Iterable[Input]:
    yield Input(
        Setting("secondary", "lines", "", "One in each line.", label="secondary keys"),
        lambda entry, raw: "\n".join(raw["secondary_keys"]),
        _put_secondary,
    )
    yield _choice("logic", "of the secondary keys", _LOGIC, "selectiveLogic")
    yield _flag("selective", "secondary keys count")
    yield _flag("use_regex", "keys are regexes")
    yield Input(
        Setting(
            "scan_depth", "int", -1, "-1 is as in the settings.", -1, LARGEST, label="newest messages read"
        ),
        lambda entry, raw: -1 if entry.scan_depth is None else entry.scan_depth,
        lambda fields, value: fields["extensions"].update(scan_depth=None if value < 0 else value),
    )
    yield Input(
        _three("case_sensitive", "upper and lower case differ"),
        lambda entry, raw: _said(entry.case_sensitive),
        _put_case,
    )
    yield Input(
        _three("whole_words", "whole words only"),
        lambda entry, raw: _said(entry.whole_words),
        lambda fields, value: fields["extensions"].update(match_whole_words=_meant(value)),
    )
    for name, label in SOURCES.items():
        yield Input(
            Setting(name, "bool", False, label=f"keys may stand in {label}"),
            lambda entry, raw, name=name: name in entry.sees,  # type: ignore[misc]
            partial(_put_more, name),
        )
    for name, helped in (
        ("sticky", "Messages for which it stays."),
        ("cooldown", "Messages for which it cannot come again."),
        ("delay", "Messages that there must be."),
    ):
        yield _number(name, name, 0, f"{helped} 0 is off.")


def _where() -> Iterable[Input]:
    yield Input(
        Setting("position", "choice", _ANYWHERE, choices=(_ANYWHERE, *_PLACES)),
        lambda entry, raw: _PLACES[POSITIONS.index(entry.position)] if entry.placed else _ANYWHERE,
        _put_position,
    )
    yield _number("depth", "depth", 0, "Messages below it, if it stands at a depth.")
    yield _choice("role", "said by, at a depth", ROLES, "role")
    yield Input(
        _text("outlet", "name of the outlet"),
        lambda entry, raw: entry.outlet,
        partial(_put_more, "outlet_name"),
    )
    yield Input(
        Setting("ignore_budget", "bool", False, label="takes nothing from the budget"),
        lambda entry, raw: entry.ignore_budget,
        partial(_put_more, "ignore_budget"),
    )


def _chance() -> Iterable[Input]:
    yield Input(
        Setting("probability", "float", 100.0, "Percent.", 0, 100),
        lambda entry, raw: entry.probability,
        lambda fields, value: fields["extensions"].update(probability=value, useProbability=True),
    )
    yield Input(
        Setting("group", "text", "", "Of the entries of a group, one is in the prompt."),
        lambda entry, raw: ", ".join(entry.groups),
        partial(_put_more, "group"),
    )
    yield Input(
        Setting("group_weight", "float", 100.0, "", 0, LARGEST, label="weight in the group"),
        lambda entry, raw: entry.group_weight,
        partial(_put_more, "group_weight"),
    )
    yield Input(
        Setting("group_override", "bool", False, label="wins its group"),
        lambda entry, raw: entry.group_override,
        partial(_put_more, "group_override"),
    )
    yield Input(
        _three("group_scoring", "most keys win the group"),
        lambda entry, raw: _said(entry.group_scoring),
        lambda fields, value: fields["extensions"].update(use_group_scoring=_meant(value)),
    )


def _recursion() -> Iterable[Input]:
    for name, label in (
        ("exclude_recursion", "not found by recursion"),
        ("prevent_recursion", "nothing is found through it"),
    ):
        yield Input(
            Setting(name, "bool", False, label=label),
            lambda entry, raw, name=name: getattr(entry, name),  # type: ignore[misc]
            partial(_put_more, name),
        )
    yield _number("delay_until_recursion", "level of recursion", 0, "Waits for it; 0 is off.")


def _who() -> Iterable[Input]:
    words = ", ".join(TRIGGERS)
    yield Input(
        Setting("triggers", "text", "", f"Only for these, with commas: {words}."),
        lambda entry, raw: ", ".join(entry.triggers),
        lambda fields, value: fields["extensions"].update(triggers=_commas(value)),
    )
    for name, label in (
        ("names", "only for these characters"),
        ("tags", "only for characters with these tags"),
    ):
        yield Input(
            _text(name, label),
            lambda entry, raw, name=name: ", ".join(getattr(entry, name)),  # type: ignore[misc]
            lambda fields, value, name=name: _put_who(fields, name, _commas(value)),  # type: ignore[misc]
        )
    yield Input(
        Setting("exclude", "bool", False, label="for all characters but these"),
        lambda entry, raw: entry.exclude,
        lambda fields, value: _put_who(fields, "isExclude", value),
    )


# -- how they are made ------------------------------------------------------------------------------------------


def _text(name: str, label: str) -> Setting:
    return Setting(name, "text", "", label=label)


def _three(name: str, label: str) -> Setting:
    return Setting(name, "choice", _AS_SET, choices=(_AS_SET, _YES, _NO), label=label)


def _flag(name: str, label: str) -> Input:
    return Input(
        Setting(name, "bool", False, label=label),
        lambda entry, raw: getattr(entry, name),
        partial(_put, name),
    )


def _number(name: str, label: str, least: int, helped: str, key: str = "") -> Input:
    """Return a field for a whole number, which is one of the extensions unless it has a ``key`` of its own."""
    return Input(
        Setting(name, "int", 0, helped, least, LARGEST, label=label),
        lambda entry, raw: getattr(entry, name),
        partial(_put, key) if key else partial(_put_more, name),
    )


def _choice(name: str, label: str, words: tuple[str, ...], key: str) -> Input:
    """Return a field for what files have numbers for."""

    def get(entry: Entry, raw: Mapping[str, Any]) -> str:
        value = getattr(entry, name)
        return str(value) if value in words else words[value]

    return Input(
        Setting(name, "choice", words[0], choices=words, label=label),
        get,
        lambda fields, value: fields["extensions"].update({key: words.index(value)}),
    )


def _put(key: str, fields: Fields, value: Any) -> None:
    fields[key] = value


def _put_more(key: str, fields: Fields, value: Any) -> None:
    fields["extensions"][key] = value


def _put_title(fields: Fields, value: str) -> None:
    """Write a title where the old one was: in the name or in the comment, or in both."""
    old = fields["name"] or fields["comment"]
    for key in ("name", "comment"):
        if fields[key] == old or not old:
            fields[key] = value


def _put_secondary(fields: Fields, value: str) -> None:
    fields["secondary_keys"] = _lines(value)
    if fields["secondary_keys"]:
        fields["selective"] = True


def _put_case(fields: Fields, value: str) -> None:
    fields.pop("case_sensitive", None)
    fields["extensions"]["case_sensitive"] = _meant(value)


def _put_position(fields: Fields, value: str) -> None:
    fields.pop("position", None)
    fields["extensions"].pop("position", None)
    if value in _PLACES:
        number = _PLACES.index(value)
        fields["extensions"]["position"] = number
        fields["position"] = POSITIONS[min(number, 1)]


def _put_who(fields: Fields, key: str, value: Any) -> None:
    known = fields["extensions"].get("character_filter")
    base = known if isinstance(known, Mapping) else {"isExclude": False, "names": [], "tags": []}
    fields["extensions"]["character_filter"] = {**base, key: value}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _commas(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _said(flag: bool | None) -> str:
    return _AS_SET if flag is None else _YES if flag else _NO


def _meant(word: str) -> bool | None:
    return {_YES: True, _NO: False}.get(word)


_GROUPS: Final[tuple[tuple[str, Callable[[], Iterable[Input]]], ...]] = (
    ("", _what),
    ("Where it stands", _where),
    ("When it comes", _when),
    ("Chance and groups", _chance),
    ("Recursion", _recursion),
    ("For whom", _who),
)
"""The fields of the form under their headings."""
