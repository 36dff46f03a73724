"""From the fields of version 3 to a `Book`, with nothing taken on trust."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from airochat.characters import CardWarning, parse_book, split_decorators
from airochat.text import whole

from . import decorators
from .entry import AND_ALL, POSITIONS, ROLES, SOURCES, Book, Decorators, Entry, Position
from .timed import lasting

MOST_ENTRIES: Final = 100_000
LARGEST: Final = 1_000_000
"""The largest number that a field may hold; beyond it, the number is cut to this."""


def read_book(
    raw: Mapping[str, Any], where: str, name: str = "", *, every_decorator: bool = True
) -> tuple[Book, tuple[CardWarning, ...]]:
    """Return the book in a table of one of airochat's own forms, and what is odd about it.

    Those are the books of cards, the ``lorebook_v3`` file and the world file. ``name`` is for a book that has none.
    """
    if raw.get("spec") == "lorebook_v3" and isinstance(raw.get("data"), Mapping):
        raw = raw["data"]
    normal, odd = parse_book(raw, where)
    called = (normal.get("name") or name or "lore").strip()
    given = _given(raw.get("entries"))
    found: Sequence[Mapping[str, Any]] = normal["entries"][:MOST_ENTRIES]
    entries: list[Entry] = []
    taken: set[str] = set()
    for number, entry in enumerate(found):
        placed = given is None or given[number].get("position") is not None
        made = read_entry(called, entry, placed or "position" in entry["extensions"], every_decorator)
        entries.append(_alone(made, taken))
    book = Book(
        name=called,
        entries=tuple(entries),
        scan_depth=_size(normal.get("scan_depth")),
        token_budget=_size(normal.get("token_budget")) or None,
        recursive=bool(normal["recursive_scanning"]) if raw.get("recursive_scanning") is not None else None,
        raw=normal,
    )
    return book, odd


def read_entry(book: str, raw: Mapping[str, Any], placed: bool, every_decorator: bool) -> Entry:
    """Return an entry from its fields as `parse_book` leaves them."""
    more: Mapping[str, Any] = raw["extensions"]
    lines, text = split_decorators(raw["content"])
    said, replaced = decorators.read(lines, every_known=every_decorator) if lines else (Decorators(), {})
    position = _position(raw, more)
    who = more.get("character_filter")
    who = who if isinstance(who, Mapping) else {}
    fields: dict[str, Any] = {
        "book": book,
        "uid": str(raw["id"]),
        "title": " ".join((raw["name"] or raw["comment"]).split())[:200],
        "content": text,
        "keys": tuple(key.strip() for key in raw["keys"]),
        "secondary": tuple(key.strip() for key in raw["secondary_keys"]),
        "selective": raw["selective"],
        "logic": _within(more.get("selectiveLogic"), AND_ALL),
        "enabled": raw["enabled"],
        "constant": raw["constant"],
        "use_regex": raw["use_regex"],
        "order": _whole(raw["insertion_order"], 100),
        "priority": raw.get("priority"),
        "position": position,
        "placed": placed or position != "before_char",
        "depth": _size(more.get("depth"), 4),
        "role": _role(more.get("role")),
        "outlet": _text(more.get("outlet_name")),
        **_recursion(more),
        **_chance(more),
        "scan_depth": _size(more.get("scan_depth")),
        "case_sensitive": raw.get("case_sensitive", _flag(more.get("case_sensitive"))),
        "whole_words": _flag(more.get("match_whole_words")),
        **{key: _size(more.get(key)) or 0 for key in ("sticky", "cooldown", "delay")},
        "ignore_budget": bool(_flag(more.get("ignore_budget"))),
        "triggers": _texts(more.get("triggers")),
        "sees": frozenset(key for key in SOURCES if _flag(more.get(key))),
        "names": _texts(who.get("names")),
        "tags": _texts(who.get("tags")),
        "exclude": bool(_flag(who.get("isExclude"))),
        "decorators": said,
    }
    entry = Entry(**{**fields, **replaced})
    return replace(entry, digest=_digest(raw)) if lasting(entry) else entry


def _recursion(more: Mapping[str, Any]) -> dict[str, Any]:
    delayed = more.get("delay_until_recursion")
    level = int(delayed) if isinstance(delayed, bool) else _size(delayed, 1 if _flag(delayed) else 0)
    return {
        "exclude_recursion": bool(_flag(more.get("exclude_recursion"))),
        "prevent_recursion": bool(_flag(more.get("prevent_recursion"))),
        "delay_until_recursion": level or 0,
    }


def _chance(more: Mapping[str, Any]) -> dict[str, Any]:
    probability = _number(more.get("probability"))
    used = _flag(more.get("useProbability"))
    group = _text(more.get("group"))
    weight = _number(more.get("group_weight"))
    return {
        "probability": 100.0
        if probability is None or used is False
        else min(max(float(probability), 0.0), 100.0),
        "groups": tuple(dict.fromkeys(part.strip() for part in group.split(",") if part.strip())),
        "group_override": bool(_flag(more.get("group_override"))),
        "group_weight": 100.0 if weight is None else min(max(float(weight), 0.0), float(LARGEST)),
        "group_scoring": _flag(more.get("use_group_scoring")),
    }


def _position(raw: Mapping[str, Any], more: Mapping[str, Any]) -> Position:
    number = _number(more.get("position"))
    if number is not None and 0 <= number < len(POSITIONS):
        return POSITIONS[int(number)]
    return "after_char" if raw["position"] == "after_char" else "before_char"


def _given(entries: Any) -> list[Mapping[str, Any]] | None:
    """Return the entries as they stand in a list, of which `parse_book` drops those that are no tables."""
    return [one for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else None


def _alone(entry: Entry, taken: set[str]) -> Entry:
    """Return an entry with a number that no other one of its book has."""
    uid, number = entry.uid, 1
    while uid in taken:
        number += 1
        uid = f"{entry.uid}#{number}"
    taken.add(uid)
    return entry if uid == entry.uid else replace(entry, uid=uid)


def _digest(raw: Mapping[str, Any]) -> str:
    text = json.dumps(raw, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < 1e18 else None


def _size(value: Any, default: int | None = None) -> int | None:
    """Return a number that is not negative; what is none is ``default``."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 12:
        value = int(value)
    number = _number(value)
    return default if number is None else min(max(int(number), 0), LARGEST)


def _whole(value: Any, default: int) -> int:
    number = _number(value)
    return default if number is None else min(max(int(number), -LARGEST), LARGEST)


def _within(value: Any, most: int) -> int:
    number = _size(value, 0) or 0
    return number if number <= most else 0


def _role(value: Any) -> Any:
    if value in ROLES:
        return value
    return ROLES[_within(value, len(ROLES) - 1)]


def _flag(value: Any) -> bool | None:
    """Return yes, no, or None for nothing."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return bool(value)
    if isinstance(value, str):
        text = value.strip().lower()
        return text in ("1", "true", "yes", "on") if text else None
    return None


def _text(value: Any) -> str:
    return whole(value).strip() if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_strings(value))


def _strings(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, (str, int)) and str(one).strip():
            yield whole(str(one)).strip()
