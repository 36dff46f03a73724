"""Changing a card: by values, or as one plain text for any editor."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airochat import checks
from airochat.characters.card import Asset, Card
from airochat.characters.fields import DATES, FIELDS, LISTS, TEXTS, parse_card
from airochat.characters.forms import json_value, own_form, with_values
from airochat.characters.names import safe_name
from airochat.errors import CardError, SettingsError

EDITABLE = tuple(key for key in FIELDS if key not in (*DATES, "source"))
"""The fields that users may change; the specification wants dates and sources left alone."""
_HEAD = """\
# {name}: change what you like, save, and close the editor.
# Lines of === begin a field. Put a backslash before a line of your own that looks like one.
# For another greeting add a heading and a text below it; without its heading a greeting is gone.
"""
_FIELDS = {
    "name": "name",
    "nickname": "nickname",
    "description": "description",
    "personality": "personality",
    "scenario": "scenario",
    "greeting": "first_mes",
    "other greeting": "alternate_greetings",
    "group greeting": "group_only_greetings",
    "example dialogue": "mes_example",
    "system prompt": "system_prompt",
    "after the history": "post_history_instructions",
    "creator's notes": "creator_notes",
    "tags, one a line": "tags",
    "creator": "creator",
    "version": "character_version",
}
"""The headings in their order, and the fields that stand below them."""
_HEADINGS = {field: heading for heading, field in _FIELDS.items()}
_TRANSLATED = re.compile(r"creator's notes \[([\w-]{1,20})\]")
_HEADING = re.compile(r"=== *(.*?) *(?:===)?\s*")
_LOOKS = re.compile(r"\\*===")


def edited(card: Card, changes: Mapping[str, Any]) -> Card:
    """Return a card with some of the `EDITABLE` fields exchanged, all that is unknown in its file kept.

    ``changes`` are values by field, as `Card` or as JSON has them; None empties a field. `CardError`: a field is
    unknown, not to be changed, or its value of a wrong type.
    """
    values = {key: _checked(key, value) for key, value in changes.items()}
    return parse_card(with_values(own_form(card), values), f"{card.name}.card")


def as_text(card: Card) -> str:
    """Return a card's texts below headings, as `from_text` reads them."""
    sections = (f"\n=== {heading} ===\n{_escaped(text)}\n" for heading, text in _sections(card))
    return _HEAD.format(name=_normal(card.name)) + "".join(sections)


def from_text(text: str, card: Card) -> Card:
    """Return ``card`` with what was changed in the text that `as_text` made of it.

    A field whose heading is gone stays as it is; a greeting whose heading is gone goes. Empty lines around a text
    that was changed do not count. `CardError` names the line that is not understood.
    """
    found = _parse(text)
    before = dict(_grouped(_Section(heading, _normal(body), 0) for heading, body in _sections(card)))
    after = dict(_grouped(found))
    changes: dict[str, Any] = {}
    translated = dict(card.creator_notes_multilingual)
    for heading in _kept_or_listed(before, after):
        texts = [section.text for section in after.get(heading, [])]
        if [text.strip("\n") for text in texts] == [
            section.text.strip("\n") for section in before.get(heading, [])
        ]:
            continue
        language = _TRANSLATED.fullmatch(heading)
        if language:
            translated[language[1]] = texts[0].strip("\n")
            changes["creator_notes_multilingual"] = translated
        else:
            changes[_FIELDS[heading]] = _value(_FIELDS[heading], texts, card)
    _check_name(changes, after)
    return edited(card, changes) if changes else card


@dataclass(frozen=True, slots=True)
class _Section:
    heading: str
    text: str
    line: int


def _checked(key: str, value: Any) -> Any:
    """Return a changed value as JSON has it."""
    if key not in EDITABLE:
        known = f"A card's {key} is not to be changed" if key in FIELDS else f"A card has no field {key!r}"
        raise CardError(f"{known}.", checks.did_you_mean(key, EDITABLE))
    if key == "name" and (not isinstance(value, str) or not safe_name(value)):
        raise CardError("A card needs a name.", "Give it at least one letter.")
    if value is None:
        return _empty(key)
    if key in TEXTS:
        return (
            safe_name(value) if key in ("name", "nickname") and isinstance(value, str) else _text(key, value)
        )
    if key in LISTS:
        return [_text(key, item) for item in _list(key, value)]
    if key == "assets":
        return [_asset(item) for item in _list(key, value)]
    if key == "talkativeness":
        return _number(key, value)
    return _table(key, value)


def _empty(key: str) -> Any:
    return None if key == "character_book" else json_value(getattr(Card(name=""), key))


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise CardError(f"{key} must be text, not {value!r:.60}.")
    return value


def _list(key: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise CardError(f"{key} must be a list, not {value!r:.60}.")
    return value


def _asset(value: Any) -> dict[str, Any]:
    fields = dataclasses.asdict(value) if isinstance(value, Asset) else value
    named = isinstance(fields, Mapping) and all(
        isinstance(fields.get(key), str) for key in ("type", "uri", "name", "ext")
    )
    if not named or not fields["uri"].strip():
        raise CardError(f"An asset must have the texts type, uri, name and ext; this has not: {value!r:.60}.")
    return dict(fields)


def _number(key: str, value: Any) -> float:
    try:
        checks.number(key, value, 0, 1)
    except SettingsError as error:
        raise CardError(error.message, error.hint) from None
    return float(value)


def _table(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise CardError(f"{key} must be a table of values, not {value!r:.60}.")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CardError(f"{key} holds what JSON does not have: {error}.") from None
    return dict(value)


def _sections(card: Card) -> Iterator[tuple[str, str]]:
    for heading, field in _FIELDS.items():
        value = getattr(card, field)
        if field == "tags":
            yield heading, "\n".join(value)
        elif isinstance(value, str):
            yield heading, value
        else:
            yield from ((heading, text) for text in value)
        if field == "creator_notes":
            for language, notes in card.creator_notes_multilingual.items():
                translated = f"{heading} [{language}]"
                if _TRANSLATED.fullmatch(translated):
                    yield translated, notes


def _normal(text: str) -> str:
    # Editors make one kind of line end of all of them, so that they cannot be told apart afterwards.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _escaped(text: str) -> str:
    return "\n".join(f"\\{line}" if _LOOKS.match(line) else line for line in _normal(text).split("\n"))


def _parse(text: str) -> list[_Section]:
    """Return the sections of a text, in order; headings and texts are checked."""
    found: list[_Section] = []
    lines: list[str] = []
    for number, line in enumerate(_normal(text.removeprefix("\ufeff")).split("\n"), 1):
        if line.startswith("==="):
            if found:
                found[-1] = dataclasses.replace(found[-1], text="\n".join(lines))
            found.append(_Section(_heading(line, number), "", number))
            lines = []
        elif found:
            lines.append(line[1:] if line.startswith("\\") and _LOOKS.match(line) else line)
        elif line.strip() and not line.startswith("#"):
            raise CardError(f"Line {number} stands before the first heading: {line[:40]!r}.", _headings())
    if not found:
        raise CardError("Line 1: the text has no headings.", _headings())
    found[-1] = dataclasses.replace(found[-1], text="\n".join(lines))
    return found


def _heading(line: str, number: int) -> str:
    match = _HEADING.fullmatch(line)
    words = match[1].strip() if match else ""
    translated = _TRANSLATED.fullmatch(words)
    if words.lower() not in _FIELDS and not translated:
        raise CardError(
            f"Line {number}: there is no field {words[:40]!r}.", checks.did_you_mean(words, _FIELDS)
        )
    return words if translated else words.lower()


def _headings() -> str:
    return f"Headings are lines like === name ===; there are: {', '.join(_FIELDS)}."


def _grouped(sections: Iterator[_Section] | Sequence[_Section]) -> Iterator[tuple[str, list[_Section]]]:
    groups: dict[str, list[_Section]] = {}
    for section in sections:
        group = groups.setdefault(section.heading, [])
        if group and not _is_list(section.heading):
            raise CardError(
                f"Line {section.line}: {section.heading} stands here a second time; it is in line {group[0].line} too.",
                "Join the two.",
            )
        group.append(section)
    yield from groups.items()


def _is_list(heading: str) -> bool:
    return heading in (_HEADINGS["alternate_greetings"], _HEADINGS["group_only_greetings"])


def _kept_or_listed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the headings that can tell of a change: those there now, and lists, of which all may be gone."""
    return [*after, *(heading for heading in before if _is_list(heading) and heading not in after)]


def _value(field: str, texts: list[str], card: Card) -> Any:
    stripped = [text.strip("\n") for text in texts]
    if field == "tags":
        return [tag.strip() for tag in stripped[0].split("\n") if tag.strip()]
    if isinstance(getattr(card, field), str):
        return stripped[0]
    # A greeting that was not touched keeps its line ends.
    known = {_normal(text).strip("\n"): text for text in getattr(card, field)}
    return [known.get(text, text) for text in stripped if text.strip()]


def _check_name(changes: Mapping[str, Any], after: Mapping[str, list[_Section]]) -> None:
    if "name" in changes and not safe_name(changes["name"]):
        line = after[_HEADINGS["name"]][0].line
        raise CardError(f"Line {line}: the card needs a name.", "Write it below the heading.")
