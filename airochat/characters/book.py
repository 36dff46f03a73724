"""Lorebooks in every form that cards and files have them in, brought to the fields of version 3.

Read are the book of a version 2 card, that of version 3, the ``lorebook_v3`` file, and SillyTavern's world file, in
which ``entries`` is a table by number. What an entry has beyond the known fields stays in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airochat.characters.coerce import Coercion, as_number, as_text
from airochat.characters.containers.jsontext import parse_json
from airochat.characters.containers.limits import check_size
from airochat.characters.containers.notes import Notes
from airochat.characters.warning import CardWarning
from airochat.errors import CardError

POSITIONS = ("before_char", "after_char")
ORDER = 100
"""The insertion order of an entry that has none."""
_WORLD_FIELDS = {
    "uid": "id",
    "key": "keys",
    "keysecondary": "secondary_keys",
    "order": "insertion_order",
}
"""Keys of a world file's entries that version 3 calls otherwise."""
_WORLD_EXTENSIONS = {
    "position": "position",
    "excludeRecursion": "exclude_recursion",
    "preventRecursion": "prevent_recursion",
    "delayUntilRecursion": "delay_until_recursion",
    "probability": "probability",
    "useProbability": "useProbability",
    "depth": "depth",
    "selectiveLogic": "selectiveLogic",
    "role": "role",
    "group": "group",
    "groupOverride": "group_override",
    "groupWeight": "group_weight",
    "useGroupScoring": "use_group_scoring",
    "scanDepth": "scan_depth",
    "caseSensitive": "case_sensitive",
    "matchWholeWords": "match_whole_words",
    "automationId": "automation_id",
    "vectorized": "vectorized",
    "displayIndex": "display_index",
    "sticky": "sticky",
    "cooldown": "cooldown",
    "delay": "delay",
    "ignoreBudget": "ignore_budget",
    "outletName": "outlet_name",
    "triggers": "triggers",
    "matchPersonaDescription": "match_persona_description",
    "matchCharacterDescription": "match_character_description",
    "matchCharacterPersonality": "match_character_personality",
    "matchCharacterDepthPrompt": "match_character_depth_prompt",
    "matchScenario": "match_scenario",
    "matchCreatorNotes": "match_creator_notes",
    "characterFilter": "character_filter",
}
"""Keys of a world file's entries that a card's book keeps in an entry's extensions, and what they are called there."""
_EXTENSION_NUMBERS = (
    "position",
    "depth",
    "probability",
    "selectiveLogic",
    "group_weight",
    "scan_depth",
    "sticky",
    "cooldown",
    "delay",
    "display_index",
)
_KEYS = re.compile(r"\s*(/(?:\\.|[^/\\])+/[a-z]*|[^,]+)")


def parse_book(raw: Mapping[str, Any], where: str) -> tuple[dict[str, Any], tuple[CardWarning, ...]]:
    """Return a lorebook with the fields of version 3 in every entry, and what is odd about it.

    ``where`` begins the warnings. Every entry has ``keys``, ``secondary_keys``, ``content``, ``extensions``,
    ``enabled``, ``insertion_order``, ``constant``, ``selective``, ``use_regex``, ``position``, ``name``, ``comment``
    and ``id``; ``priority`` and ``case_sensitive`` only if they are set.
    """
    if raw.get("spec") == "lorebook_v3" and isinstance(raw.get("data"), Mapping):
        raw = raw["data"]
    notes = Notes()
    book = Coercion(raw, where, notes)
    entries = _entries(book)
    for key in ("name", "description"):
        if key in raw:
            book.text(key)
    known: dict[str, Any] = {key: as_text(raw.get(key)) for key in ("name", "description")}
    known |= {key: _whole(book.number(key)) for key in ("scan_depth", "token_budget")}
    known["recursive_scanning"] = book.flag("recursive_scanning")
    known["extensions"] = dict(book.table("extensions"))
    read = [_entry(number, entry, where, notes) for number, entry in entries]
    normal = {**raw, **known, "entries": read}
    return _without_none(normal, ("scan_depth", "token_budget")), tuple(notes.warnings())


def read_book_file(path: Path) -> tuple[dict[str, Any], tuple[CardWarning, ...]]:
    """Read a lorebook file of any known form like `parse_book`; one without a name gets that of the file."""
    where = f"The lorebook {path}"
    try:
        check_size(path.stat().st_size, where)
        content = path.read_bytes()
    except OSError as error:
        raise CardError(f"{where} cannot be read: {error.strerror}.") from None
    raw, odd = parse_json(content, where)
    if isinstance(raw, Mapping) and isinstance(raw.get("data"), Mapping) and "character_book" in raw["data"]:
        raw = raw["data"]["character_book"]
    if not isinstance(raw, Mapping):
        raise CardError(f"{where} is no lorebook: it has no entries.")
    book, found = parse_book(raw, where)
    book["name"] = book["name"] or path.stem
    return book, (*odd, *found)


def strip_decorators(text: str) -> str:
    """Return an entry's content without the decorators at its top and the empty lines around them."""
    return split_decorators(text)[1]


def split_decorators(text: str) -> tuple[tuple[str, ...], str]:
    r"""Return the lines of decorators at the top of an entry's content, and what follows them.

    >>> split_decorators("@@depth 4\n@@@position after_desc\n\nIt rains.")
    (('@@depth 4', '@@@position after_desc'), 'It rains.')
    """
    lines = text.split("\n")
    found: list[str] = []
    for number, line in enumerate(lines):
        if line.strip().startswith("@@"):
            found.append(line.strip())
        elif line.strip():
            return tuple(found), "\n".join(lines[number:]) if found else text
    return tuple(found), "" if found else text


def without_decorators(book: Mapping[str, Any]) -> dict[str, Any]:
    """Return a lorebook as it is, but without decorators, which version 2 does not know."""
    entries = book.get("entries")
    if not isinstance(entries, list):
        return dict(book)
    plain = [
        {**entry, "content": strip_decorators(entry["content"])}
        if isinstance(entry, Mapping) and isinstance(entry.get("content"), str)
        else entry
        for entry in entries
    ]
    return {**book, "entries": plain}


def _entries(book: Coercion) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the entries with their numbers, counted from 1; those of a world file in the order of their ids."""
    entries = book.values.get("entries")
    if isinstance(entries, Mapping):
        ordered = sorted(
            entries.items(), key=lambda item: (as_number(item[0]) is None, as_number(item[0]) or 0.0)
        )
        found = [_from_world(entry) if isinstance(entry, Mapping) else entry for _, entry in ordered]
    elif isinstance(entries, list):
        found = entries
    else:
        if entries is not None or "entries" not in book.values:
            book.note("book-no-entries", "has no list of entries; it is empty.")
        return []
    for entry in found:
        if not isinstance(entry, Mapping):
            book.note("book-bad-entry", "has an entry that is not a table of fields, which is not used.")
    return [(number, entry) for number, entry in enumerate(found, 1) if isinstance(entry, Mapping)]


def _from_world(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a world file under the names of version 3."""
    extensions = dict(entry["extensions"]) if isinstance(entry.get("extensions"), Mapping) else {}
    found: dict[str, Any] = {}
    for key, value in entry.items():
        if key in _WORLD_EXTENSIONS:
            extensions[_WORLD_EXTENSIONS[key]] = value
        elif key == "disable":
            found["enabled"] = not value
        else:
            found[_WORLD_FIELDS.get(key, key)] = value
    found["position"] = POSITIONS[entry.get("position", 0) not in (0, "0", None, "")]
    found.setdefault("selective", True)
    return {**found, "extensions": extensions}


def _entry(number: int, entry: Mapping[str, Any], where: str, notes: Notes) -> dict[str, Any]:
    values = Coercion(_with_lists(entry), f"{where}, entry {number},", notes)
    if not isinstance(entry.get("extensions"), Mapping):
        values.note("book-no-extensions", "has no extensions, which the form demands; they count as empty.")
    order = values.number("insertion_order")
    case = entry.get("case_sensitive")
    known: dict[str, Any] = {
        "keys": list(values.texts("keys")),
        "secondary_keys": list(values.texts("secondary_keys")),
        "content": values.text("content"),
        "extensions": _extensions(entry, values),
        "enabled": values.flag("enabled", True),
        "insertion_order": ORDER if order is None else _whole(order),
        "constant": values.flag("constant"),
        "selective": values.flag("selective"),
        "use_regex": values.flag("use_regex"),
        "position": _position(values),
        "name": as_text(entry.get("name")),
        "comment": as_text(entry.get("comment")),
        "id": entry.get("id") if isinstance(entry.get("id"), (int, str)) else number - 1,
        "priority": _whole(values.number("priority")),
        "case_sensitive": None if case is None else values.flag("case_sensitive"),
    }
    return _without_none({**entry, **known}, ("priority", "case_sensitive"))


def _with_lists(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry whose keys are lists: they may be one text with commas, in which a regex may have its own."""
    found = dict(entry)
    for key in ("keys", "secondary_keys"):
        if isinstance(found.get(key), str):
            found[key] = [match[1].strip() for match in _KEYS.finditer(found[key]) if match[1].strip()]
        elif key in found and found[key] is None:
            del found[key]
    return found


def _extensions(entry: Mapping[str, Any], values: Coercion) -> dict[str, Any]:
    extensions = entry.get("extensions")
    if not isinstance(extensions, Mapping):
        return {}
    inner = Coercion(extensions, values.place, values.notes)
    numbers = {
        key: _whole(inner.number(key)) for key in _EXTENSION_NUMBERS if extensions.get(key) is not None
    }
    return _without_none({**extensions, **numbers}, tuple(numbers))


def _position(values: Coercion) -> str:
    position = values.values.get("position")
    if position in POSITIONS:
        return str(position)
    if position is not None:
        values.note(
            "book-position",
            f"has the position {as_text(position)[:20]!r}; it is placed before the character.",
        )
    return POSITIONS[0]


def _whole(number: float | None) -> float | int | None:
    return int(number) if number is not None and number.is_integer() else number


def _without_none(values: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None or key not in keys}
