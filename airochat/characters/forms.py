"""Cards as JSON values: in the form they were read from, and in versions 1, 2 and 3.

All of them keep what airochat does not know. Version 1 is flat; versions 2 and 3 have the fields under ``data`` and
may repeat those of version 1 at the top for older programs, which is called the mirror.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from airochat.characters.book import without_decorators
from airochat.characters.card import TALKATIVENESS, Card
from airochat.characters.coerce import as_number
from airochat.characters.containers.notes import Notes
from airochat.characters.fields import (
    ALIASES,
    DATES,
    FIELDS,
    LISTS,
    TEXTS,
    VERSION_1,
    context,
    flat_fields,
    is_book,
    is_nested,
    read_fields,
    used_aliases,
)

_ALL_ALIASES = {alias: key for key, aliases in ALIASES.items() for alias in aliases}
_SPEC = ("spec", "spec_version", "data")
_VERSION_2 = (
    "name",
    "description",
    "personality",
    "scenario",
    "first_mes",
    "mes_example",
    "creator_notes",
    "system_prompt",
    "post_history_instructions",
    "alternate_greetings",
    "tags",
    "creator",
    "character_version",
    "extensions",
)
"""The fields that version 2 demands."""
_VERSION_3 = (*_VERSION_2, "group_only_greetings")
"""The fields that version 3 demands."""
_BACKFILL = "This is the version 2 copy of a card of version 3, for programs that do not read that."
"""What the specification wants a copy for older programs to say in its notes."""


def json_value(value: Any) -> Any:
    """Return a field of a card as the JSON value that files have."""
    if isinstance(value, tuple):
        return [dataclasses.asdict(item) if dataclasses.is_dataclass(item) else item for item in value]  # type: ignore[arg-type]
    return dict(value) if isinstance(value, Mapping) else value


def own_form(card: Card) -> dict[str, Any]:
    """Return a card in the form it was read from, with the fields that differ by now.

    A card made by hand is of version 3.
    """
    if not card.raw:
        return as_version(card, 3)
    notes = Notes()
    before = read_fields(card.raw, "", "", notes)
    changed = {key for key in FIELDS if getattr(card, key) != getattr(before, key)}
    if any(warning.code == "no-name" for warning in notes.warnings()):
        changed.add("name")
    return with_values(card.raw, {key: json_value(getattr(card, key)) for key in FIELDS if key in changed})


def with_values(raw: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON form of a card with some fields exchanged, also where its mirror repeats them.

    ``values`` are JSON values by the names in `FIELDS`; None takes a field out.
    """
    top = dict(raw)
    if not is_nested(raw):
        for key, value in values.items():
            _put_flat(top, key, value)
        return top
    top["data"] = data = dict(raw["data"])
    for key, value in values.items():
        _put(data, key, value)
        _put_mirror(top, key, value)
    return top


def as_version(card: Card, version: int) -> dict[str, Any]:
    """Return a card as version 1, 2 or 3. Version 2 has no decorators in its lorebook."""
    base = own_form(card) if card.raw else {}
    nested = is_nested(base)
    top, rest = _unknown(base, nested)
    source = base["data"] if nested else flat_fields(base)
    fields = _fields(card, source)
    if version == 1:
        return _flat(top, rest, fields)
    if version == 2 and "character_book" in fields:
        fields["character_book"] = without_decorators(fields["character_book"])
    stated = {*(_VERSION_3 if version == 3 else _VERSION_2), "character_book", *source}
    data = {
        key: fields[key] for key in FIELDS if key in fields and (key in stated or fields[key] not in ([], {}))
    }
    return {**top, **_spec(base, version), "data": {**data, **rest}}


def backfill(card: Card) -> dict[str, Any]:
    """Return the version 2 copy that stands beside a version 3 card for older programs: nothing but what they know."""
    data = as_version(card, 2)["data"]
    known = {key: data[key] for key in (*_VERSION_2, "character_book") if key in data}
    known["creator_notes"] = f"{data['creator_notes']}\n\n{_BACKFILL}".strip()
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": known}


def as_webui(card: Card) -> dict[str, Any]:
    """Return a card in the flat form of text-generation-webui, with all else in fields that it leaves alone."""
    flat = as_version(card, 1)
    whole = context(flat)
    greeting = flat.pop("first_mes")
    known = {"name": flat.pop("name"), "greeting": greeting, "context": whole}
    if whole == flat["description"]:
        del flat["description"]
    return {**known, **{key: value for key, value in flat.items() if value != "" or key not in VERSION_1}}


def _spec(base: Mapping[str, Any], version: int) -> dict[str, Any]:
    # A newer version than the one known is kept, since what is new in it is kept too.
    newer = (as_number(base.get("spec_version")) or 0) > 3 or str(base.get("spec")) > "chara_card_v3"
    if version == 3 and newer and is_nested(base) and "spec" in base:
        return {key: base[key] for key in ("spec", "spec_version") if key in base}
    return {"spec": f"chara_card_v{version}", "spec_version": f"{version}.0"}


def _unknown(base: Mapping[str, Any], nested: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what stands at the top beside the fields, the mirror included, and what stands under data beside them."""
    top = {key: value for key, value in base.items() if key not in _SPEC}
    if nested:
        rest = {key: value for key, value in base["data"].items() if key not in FIELDS}
        if not is_book(base["data"].get("character_book")) and is_book(top.get("character_book")):
            del top["character_book"]
        return top, rest
    read = set(used_aliases(base).values())
    for key, value in base.items():
        field = _ALL_ALIASES.get(key)
        repeated = field is not None and (
            value == base.get(field) or (key == "context" and value == context(base))
        )
        if key in FIELDS or key in read or repeated:
            top.pop(key, None)
    return top, {}


def _fields(card: Card, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return all fields of a card as JSON values: as they stood in its file if they are well-formed there."""
    found: dict[str, Any] = {}
    for key in FIELDS:
        typed = json_value(getattr(card, key))
        value = source[key] if key in source and _well_formed(key, source[key], typed) else typed
        if (
            key != "talkativeness"
            and value is not None
            and (value != "" or key in _VERSION_3 or key in source)
        ):
            found[key] = value
    stated = source.get("extensions")
    extensions = {key: value for key, value in found["extensions"].items() if key != "talkativeness"}
    inner = isinstance(stated, Mapping) and "talkativeness" in stated
    if inner or "talkativeness" in source or card.talkativeness != TALKATIVENESS:
        extensions["talkativeness"] = card.talkativeness
    return {**found, "extensions": extensions}


def _well_formed(key: str, value: Any, typed: Any) -> bool:
    """Tell whether a field stands in a file as the format wants it, be it with more than is known."""
    if key in TEXTS:
        return isinstance(value, str)
    if key == "assets":
        return (
            isinstance(value, list)
            and len(value) == len(typed)
            and all(isinstance(item, dict) for item in value)
        )
    if key in LISTS or key in DATES:
        return bool(value == typed)
    return isinstance(value, Mapping)


def _flat(top: Mapping[str, Any], rest: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return version 1: the six fields, and everything else beside them under names that do not clash."""
    found: dict[str, Any] = {key: fields[key] for key in VERSION_1}
    found |= {
        key: value for key, value in fields.items() if value not in ("", [], {}) or key == "character_book"
    }
    extensions = dict(fields["extensions"])
    if "talkativeness" in extensions:
        found["talkativeness"] = extensions.pop("talkativeness")
    found.pop("extensions", None)
    if extensions:
        found["extensions"] = extensions
    for prefix, unknown in (("top", top), ("data", rest)):
        for key, value in unknown.items():
            field = _ALL_ALIASES.get(key, key)
            repeated = prefix == "top" and field in FIELDS and value in ("", found.get(field))
            if not repeated:
                found[_free(key, prefix, found)] = value
    return found


def _free(key: str, prefix: str, taken: Mapping[str, Any]) -> str:
    """Return a key at the top of version 1 that means nothing else there."""
    while key in taken or key in FIELDS or key in _ALL_ALIASES or key in _SPEC:
        key = f"{prefix}.{key}"
    return key


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    extensions = data.get("extensions")
    known = dict(extensions) if isinstance(extensions, Mapping) else {}
    if key == "talkativeness":
        data["extensions"] = {**known, key: value}
    elif key == "extensions":
        kept = {"talkativeness": known["talkativeness"]} if "talkativeness" in known else {}
        data[key] = {**value, **kept}
    elif value is None:
        data.pop(key, None)
    else:
        data[key] = value


def _put_mirror(top: dict[str, Any], key: str, value: Any) -> None:
    if key == "extensions":
        return
    for name in (key, *ALIASES.get(key, ())):
        if name in top:
            top[name] = value


def _put_flat(top: dict[str, Any], key: str, value: Any) -> None:
    extensions = top.get("extensions")
    inner = isinstance(extensions, Mapping) and "talkativeness" in extensions
    if key == "talkativeness" and not inner:
        top[key] = value
        return
    source = used_aliases(top).get(key)
    _put(top, source or key, value)
    # Another key must not take the place of a field that was emptied.
    for alias in ALIASES.get(key, ()):
        if alias in top:
            top[alias] = value
    if source and key in top:
        top[key] = value
