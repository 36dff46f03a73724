"""Writing lorebooks in the forms that other programs read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from airochat.characters import split_decorators, strip_decorators
from airochat.checks import did_you_mean
from airochat.errors import UsageError

from .entry import POSITIONS, Book, Entry

_ALREADY_CAMEL: Final = ("selectiveLogic", "useProbability")
_WORLD_NAMES: Final = {"character_filter": "characterFilter"}


def written(book: Book, form: str = "lorebook_v3") -> str:
    """Return the text of a file; `UsageError` if there is no such form."""
    if form not in WRITERS:
        raise UsageError(
            f"There is no form {form[:40]!r}.",
            did_you_mean(form, WRITERS) or f"There are {', '.join(WRITERS)}.",
        )
    return json.dumps(WRITERS[form](book), ensure_ascii=False, indent=2) + "\n"


def _pairs(book: Book) -> list[tuple[Entry, Mapping[str, Any]]]:
    return list(zip(book.entries, book.raw.get("entries", ()), strict=False))


def _third(book: Book) -> dict[str, Any]:
    entries = [
        {key: value for key, value in raw.items() if key != "position" or entry.placed}
        for entry, raw in _pairs(book)
    ]
    return {"spec": "lorebook_v3", "data": {**_own(book), "entries": entries}}


def _second(book: Book) -> dict[str, Any]:
    """Return the book of a version 2 card, which knows neither decorators nor regexes."""
    entries = []
    for entry, raw in _pairs(book):
        plain = {key: value for key, value in raw.items() if key != "use_regex"}
        plain["content"] = strip_decorators(raw["content"])
        plain["position"] = "before_char" if entry.position == "before_char" else "after_char"
        entries.append(plain)
    return {**_own(book), "entries": entries}


def _own(book: Book) -> dict[str, Any]:
    raw = dict(book.raw)
    if book.recursive is None:
        raw.pop("recursive_scanning", None)
    return {**raw, "name": book.name, "extensions": dict(raw.get("extensions") or {})}


def _world(book: Book) -> dict[str, Any]:
    """Return SillyTavern's world file."""
    entries: dict[str, Any] = {}
    for number, (entry, raw) in enumerate(_pairs(book)):
        more = {_camel(key): value for key, value in raw["extensions"].items()}
        entries[str(number)] = {
            **_WORLD_DEFAULTS,
            **{key: value for key, value in more.items() if value is not None},
            "uid": number,
            "key": raw["keys"],
            "keysecondary": raw["secondary_keys"],
            "comment": raw["comment"] or raw["name"],
            "content": raw["content"],
            "constant": entry.constant,
            "selective": entry.selective,
            "order": entry.order,
            "position": POSITIONS.index(_position_of(raw, entry)),
            "disable": not entry.enabled,
            "caseSensitive": entry.case_sensitive,
        }
    return {"entries": entries, "name": book.name}


_WORLD_DEFAULTS: Final[Mapping[str, Any]] = {
    "vectorized": False,
    "addMemo": True,
    "selectiveLogic": 0,
    "excludeRecursion": False,
    "preventRecursion": False,
    "delayUntilRecursion": False,
    "probability": 100,
    "useProbability": True,
    "depth": 4,
    "group": "",
    "groupOverride": False,
    "groupWeight": 100,
    "scanDepth": None,
    "matchWholeWords": None,
    "useGroupScoring": None,
    "automationId": "",
    "role": 0,
    "sticky": None,
    "cooldown": None,
    "delay": None,
}


def _position_of(raw: Mapping[str, Any], entry: Entry) -> Any:
    """Return the place that the fields give, since decorators stay in the text."""
    number = raw["extensions"].get("position")
    if isinstance(number, int) and 0 <= number < len(POSITIONS):
        return POSITIONS[number]
    replaced = bool(split_decorators(raw["content"])[0])
    return raw["position"] if replaced else entry.position


def _camel(name: str) -> str:
    if name in _ALREADY_CAMEL:
        return name
    return _WORLD_NAMES.get(name) or re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _novelai(book: Book) -> dict[str, Any]:
    return {
        "lorebookVersion": 5,
        "name": book.name,
        "entries": [
            {
                "text": entry.content,
                "displayName": entry.name,
                "keys": list(entry.keys),
                "enabled": entry.enabled,
                "forceActivation": entry.constant,
                "contextConfig": {"budgetPriority": entry.order},
            }
            for entry in book.entries
        ],
    }


def _agnai(book: Book) -> dict[str, Any]:
    return {
        "kind": "memory",
        "name": book.name,
        "entries": [
            {
                "name": entry.name,
                "entry": entry.content,
                "keywords": list(entry.keys),
                "weight": entry.order,
                "priority": entry.order,
                "enabled": entry.enabled,
            }
            for entry in book.entries
        ],
    }


def _risu(book: Book) -> dict[str, Any]:
    return {
        "type": "risu",
        "ver": 1,
        "name": book.name,
        "data": [
            {
                "key": ", ".join(entry.keys),
                "secondkey": ", ".join(entry.secondary),
                "comment": entry.name,
                "content": entry.content,
                "insertorder": entry.order,
                "alwaysActive": entry.constant,
                "selective": entry.selective and bool(entry.secondary),
                "activationPercent": entry.probability,
                "mode": "normal",
            }
            for entry in book.entries
            if entry.enabled
        ],
    }


def _kobold(book: Book) -> dict[str, Any]:
    return {
        "name": book.name,
        "worldinfo": [
            {
                "key": ",".join(entry.keys),
                "keysecondary": ",".join(entry.secondary),
                "keyanti": ",".join(entry.decorators.exclude),
                "content": entry.content,
                "comment": entry.name,
                "folder": None,
                "selective": entry.selective and bool(entry.secondary),
                "constant": entry.constant,
                "probability": entry.probability,
                "wigroup": ",".join(entry.groups),
                "widisabled": not entry.enabled,
            }
            for entry in book.entries
        ],
    }


WRITERS: Final[Mapping[str, Callable[[Book], dict[str, Any]]]] = {
    "lorebook_v3": _third,
    "character_book": _second,
    "sillytavern": _world,
    "novelai": _novelai,
    "agnai": _agnai,
    "risu": _risu,
    "kobold": _kobold,
}
"""The forms by name; only the first and the third keep everything."""
