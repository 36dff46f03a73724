"""A card from the fields of its JSON form, whatever the version and however they are bent.

Known are the flat version 1, versions 2 and 3 with the fields under ``data``, and the flat forms of Pygmalion
(``char_name`` …) and of text-generation-webui (``name``, ``context``, ``greeting``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airochat.characters.book import parse_book
from airochat.characters.card import TALKATIVENESS, Card
from airochat.characters.coerce import Coercion, as_number, as_text, within
from airochat.characters.containers.notes import Notes
from airochat.characters.names import safe_name
from airochat.characters.warning import CardWarning
from airochat.errors import CardError

VERSION_1 = ("name", "description", "personality", "scenario", "first_mes", "mes_example")
"""The fields of version 1, all texts."""
TEXTS = (
    *VERSION_1,
    "system_prompt",
    "post_history_instructions",
    "creator_notes",
    "nickname",
    "creator",
    "character_version",
)
LISTS = ("alternate_greetings", "group_only_greetings", "tags", "source")
"""The fields that are lists of texts."""
DATES = ("creation_date", "modification_date")
FIELDS = (
    *TEXTS,
    *LISTS,
    *DATES,
    "creator_notes_multilingual",
    "assets",
    "character_book",
    "talkativeness",
    "extensions",
)
"""All fields of `Card` but ``raw``; but for talkativeness they are the keys of version 3."""
ALIASES: Mapping[str, tuple[str, ...]] = {
    "name": ("char_name",),
    "description": ("char_persona", "context"),
    "scenario": ("world_scenario",),
    "first_mes": ("char_greeting", "greeting"),
    "mes_example": ("example_dialogue",),
    "creator_notes": ("creatorcomment",),
}
"""The keys that a flat form may have in place of those of version 1."""
_KNOWN = {*FIELDS, *(alias for aliases in ALIASES.values() for alias in aliases)}
_UNNAMED = "Unnamed"
_NOT_CARDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"entries"}), "a lorebook"),
    (frozenset({"chat_metadata"}), "a chat"),
    (frozenset({"input_sequence"}), "an instruct template"),
    (frozenset({"temp"}), "a sampling preset"),
    (frozenset({"temperature"}), "a sampling preset"),
)


def parse_card(raw: Mapping[str, Any], where: str) -> Card:
    """Make a card from the fields of its JSON form; ``where`` names it in errors. `CardError`: it is no card."""
    return parse_fields(raw, where)[0]


def parse_fields(raw: Mapping[str, Any], where: str) -> tuple[Card, tuple[CardWarning, ...]]:
    """Make a card like `parse_card`, and tell what is odd about its fields.

    A card without a name is called by its nickname, or else by the file's name in ``where``.
    """
    place = f"The card {where}"
    refuse(raw, place)
    notes = Notes()
    card = read_fields(raw, place, Path(where).stem, notes)
    return card, tuple(notes.warnings())


def is_nested(raw: Mapping[str, Any]) -> bool:
    """Tell whether the fields stand under ``data``, as in versions 2 and 3, and not at the top."""
    data = raw.get("data")
    if not isinstance(data, Mapping):
        return False
    return str(raw.get("spec", "")).startswith("chara_card") or bool(_KNOWN & data.keys())


def read_fields(raw: Mapping[str, Any], place: str, file_name: str, notes: Notes) -> Card:
    """Make a card from anything that has fields; ``place`` begins the warnings. Nothing raises."""
    top = Coercion(raw, place, notes)
    nested = is_nested(raw)
    data = Coercion(raw["data"], place, notes) if nested else Coercion(flat_fields(raw), place, notes)
    _check_spec(top, nested)
    if nested:
        _compare_mirror(top, data)
    book = _book(data, top if nested else data, notes)
    texts = {key: data.text(key) for key in TEXTS if key not in ("name", "nickname")}
    nickname = data.name("nickname")
    return Card(
        name=_name(data, nickname, file_name),
        nickname=nickname,
        **texts,
        alternate_greetings=data.texts("alternate_greetings"),
        group_only_greetings=data.texts("group_only_greetings"),
        tags=tuple(tag.strip() for tag in data.texts("tags", ",")),
        source=data.texts("source"),
        creation_date=data.date("creation_date"),
        modification_date=data.date("modification_date"),
        creator_notes_multilingual=_notes(data),
        assets=data.assets("assets"),
        character_book=book,
        talkativeness=_talkativeness(data, top),
        extensions={key: value for key, value in data.table("extensions").items() if key != "talkativeness"},
        raw=raw,
    )


def flat_fields(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a flat form under the keys of version 1."""
    found = dict(raw)
    for key, used in used_aliases(raw).items():
        found[key] = raw[used]
    return found


def used_aliases(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return which field of a flat form stands under which other key, its own being missing or empty."""
    found = {}
    for key, aliases in ALIASES.items():
        present = [alias for alias in aliases if alias in raw and not _derived(alias, raw)]
        filled = (alias for alias in present if as_text(raw[alias]).strip())
        if not as_text(raw.get(key)).strip():
            used = next(filled, None if key in raw else next(iter(present), None))
            if used:
                found[key] = used
    return found


def _derived(alias: str, raw: Mapping[str, Any]) -> bool:
    """Tell whether a key only sums up other fields, as `context` does."""
    return alias == "context" and raw[alias] == context(raw) != ""


def context(fields: Mapping[str, Any]) -> str:
    """Return the definition of a character as text-generation-webui has it, in one text."""
    named = (
        ("{}", fields.get("description")),
        ("{{{{char}}}}'s personality: {}", fields.get("personality")),
        ("Scenario: {}", fields.get("scenario")),
        ("{}", fields.get("mes_example")),
    )
    return "\n".join(form.format(text) for form, text in named if isinstance(text, str) and text.strip())


def refuse(raw: Any, place: str) -> None:
    """Raise `CardError` if a JSON value is no card at all, with what it is instead."""
    if not isinstance(raw, Mapping):
        raise CardError(f"{place} is no card: it holds no fields.")
    if raw.get("spec") == "lorebook_v3":
        raise CardError(f"{place} is no card: it is a lorebook.")
    if is_nested(raw) or str(raw.get("spec", "")).startswith("chara_card"):
        return
    others = (what for keys, what in _NOT_CARDS if keys <= raw.keys())
    other = next(others, None)
    found = _KNOWN & raw.keys()
    if not found or (other and found <= {"name", "description", "extensions", "scenario", "context"}):
        reason = f"it is {other}" if other else "it has none of the fields of a card"
        raise CardError(f"{place} is no card: {reason}.")


def _check_spec(top: Coercion, nested: bool) -> None:
    spec, version = top.values.get("spec"), top.values.get("spec_version")
    if spec is None:
        if nested:
            top.note("no-spec", "does not say which version it is; its fields are read from data.")
        return
    if not nested:
        top.note(
            "no-data",
            "claims to be of version 2 or later but has no fields under data; those at the top are read.",
        )
    if spec not in ("chara_card_v2", "chara_card_v3"):
        top.note("unknown-spec", f"is of the unknown form {as_text(spec)[:40]!r}; it is read like version 3.")
        return
    number = as_number(version)
    if number is None:
        top.note("bad-version", "has no number as spec_version.")
    elif number > 3:
        top.note("newer-version", f"is of version {number:g}; what is new in it is kept but not used.")


def _compare_mirror(top: Coercion, data: Coercion) -> None:
    """Note texts of version 1, kept at the top for older programs, that say something else than ``data``."""
    for key in VERSION_1:
        mirrored = top.values.get(key)
        if isinstance(mirrored, str) and mirrored != as_text(data.values.get(key)):
            top.note(
                "mirror-differs",
                f"has two texts as {key}: the one under data counts, not the one at the top.",
            )


def _name(data: Coercion, nickname: str, file_name: str) -> str:
    name = data.name("name")
    if name:
        return name
    found = nickname or safe_name(file_name) or _UNNAMED
    data.note("no-name", f"has no name; it is called {found!r}.")
    return found


def _book(data: Coercion, top: Coercion, notes: Notes) -> Mapping[str, Any] | None:
    book: Any = data.values.get("character_book")
    if not is_book(book):
        other = top.values.get("character_book")
        if book is not None:
            data.note("book-not-a-table", "has a lorebook without entries, which is not used.")
        elif other is None:
            data.nothing("character_book")
        if top is data or not is_book(other):
            return None
        top.note("book-at-top", "has its lorebook at the top instead of under data.")
        book = other
    if isinstance(book, list):
        data.note("book-not-a-table", "has a list as its lorebook; it is read as the entries of one.")
        book = {"entries": book}
    for warning in parse_book(book, f"The lorebook of {within(data.place)}")[1]:
        notes.add(warning.code, warning.message)
    return dict(book)


def is_book(value: Any) -> bool:
    """Tell whether a JSON value can be read as a lorebook."""
    return isinstance(value, (Mapping, list))


def _notes(data: Coercion) -> dict[str, str]:
    table = Coercion(data.table("creator_notes_multilingual"), data.place, data.notes)
    return {str(key): table.text(key) for key in table.values}


def _talkativeness(data: Coercion, top: Coercion) -> float:
    """Return how talkative a character is: by its extensions, or else by the key that version 1 files have."""
    extensions = data.values.get("extensions")
    holders = [data, top]
    if isinstance(extensions, Mapping):
        holders.insert(0, Coercion(extensions, data.place, data.notes))
    holder = next((holder for holder in holders if holder.values.get("talkativeness") is not None), top)
    value = holder.number("talkativeness")
    if value is None:
        return TALKATIVENESS
    if not 0 <= value <= 1:
        holder.note("out-of-range", f"has the talkativeness {value:g}, which must be from 0 to 1.")
    return min(max(value, 0.0), 1.0)
