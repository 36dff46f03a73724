"""Making the values of a card what they should be: files have numbers as texts, texts as lists, and worse."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from airochat.characters.card import Asset
from airochat.characters.containers.notes import Notes
from airochat.characters.names import safe_name
from airochat.text import whole

_MILLISECONDS = 100_000_000_000
"""A date above this is in milliseconds: in seconds it would lie in the year 5138."""


class Coercion:
    """Reads values by key from the fields of one card or lorebook entry, and notes what had to be bent.

    ``place`` begins the warnings: it names the file, and the entry if there are many.
    """

    def __init__(self, values: Mapping[str, Any], place: str, notes: Notes) -> None:
        self.values = values
        self.place = place
        self.notes = notes

    def note(self, code: str, what: str) -> None:
        """Note a warning about this card or entry; ``what`` continues the sentence that the place begins."""
        self.notes.add(code, f"{self.place} {what}")

    def text(self, key: str) -> str:
        """Return a text; nothing is an empty one."""
        value = self.values.get(key)
        if value is None:
            return self.nothing(key)
        if not isinstance(value, str):
            self.note("not-a-text", f"has a {_kind(value)} as {key}; it was made a text.")
        return as_text(value)

    def name(self, key: str) -> str:
        """Return a text made safe to be shown, to label lines and to name files."""
        text = self.text(key)
        safe = safe_name(text)
        if safe != text.strip():
            self.note(
                "unsafe-name",
                f"has control characters, line breaks or slashes in its {key}, or too much text.",
            )
        return safe

    def texts(self, key: str, split: str = "") -> tuple[str, ...]:
        """Return a list of texts without empty ones; a lone text is a list of one, or is split at ``split``."""
        value = self.values.get(key)
        if value is None:
            self.nothing(key)
            return ()
        if not isinstance(value, list):
            self.note("not-a-list", f"has a {_kind(value)} as {key} instead of a list.")
            text = as_text(value)
            value = text.split(split) if split else [text]
        return tuple(self._items(key, value))

    def _items(self, key: str, values: list[Any]) -> Iterator[str]:
        for value in values:
            if not isinstance(value, str) and value is not None:
                self.note("not-a-text", f"has a {_kind(value)} among its {key}; it was made a text.")
            text = as_text(value)
            if text.strip():
                yield text
            else:
                self.note("empty-item", f"has an empty text among its {key}, which was left out.")

    def table(self, key: str) -> Mapping[str, Any]:
        """Return a table of further values; anything else is an empty one."""
        value = self.values.get(key)
        if isinstance(value, Mapping):
            return value
        if value is not None:
            self.note("not-a-table", f"has a {_kind(value)} as {key} instead of a table; it is not used.")
        elif key in self.values:
            self.nothing(key)
        return {}

    def number(self, key: str) -> float | None:
        """Return a number, also from a text; nothing, NaN and what is no number are None."""
        value = self.values.get(key)
        if value is None:
            return None
        found = as_number(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or found is None:
            bent = f"read as {found:g}" if found is not None else "not used"
            self.note("not-a-number", f"has {_shown(value)} as {key} instead of a number; it is {bent}.")
        return found

    def date(self, key: str) -> int | None:
        """Return seconds since 1970."""
        value = self.number(key)
        if value is None:
            return None
        if abs(value) >= _MILLISECONDS:
            self.note("milliseconds", f"has {key} in milliseconds; it is read as seconds.")
            value /= 1000
        if abs(value) >= _MILLISECONDS:
            return None
        return int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """Return yes or no, also from a number or a word."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.note("not-a-flag", f"has {_shown(value)} as {key} instead of true or false.")
        return str(value).strip().lower() not in ("", "0", "0.0", "false", "no", "off", "none", "null")

    def assets(self, key: str) -> tuple[Asset, ...]:
        """Return the assets without those that lack an address."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.note("not-a-list", f"has a {_kind(value)} as {key} instead of a list; it is not used.")
            return ()
        return tuple(asset for item in value if (asset := self._asset(item)) is not None)

    def _asset(self, value: Any) -> Asset | None:
        uri = value.get("uri") if isinstance(value, Mapping) else None
        if not isinstance(uri, str) or not uri.strip():
            self.note("bad-asset", "has an asset without an address, which is not used.")
            return None
        kind, name, ext = (as_text(value.get(key)).strip() for key in ("type", "name", "ext"))
        return Asset(kind or "x_unknown", whole(uri), name, ext.lower().lstrip(".") or "unknown")

    def nothing(self, key: str) -> str:
        """Return an empty text for what is missing, and note it if the key is there all the same."""
        if key in self.values:
            self.note("null-field", f"has null as {key}; it counts as empty.")
        return ""


def within(place: str) -> str:
    """Return a place that begins a sentence as it stands inside of one."""
    return place[:1].lower() + place[1:]


def as_text(value: Any) -> str:
    """Return any JSON value as a text: lists of texts line by line, tables as JSON, nothing as an empty one."""
    if isinstance(value, str):
        return whole(value)
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return whole("\n".join(value))
    return whole(json.dumps(value, ensure_ascii=False, default=str))


def as_number(value: Any) -> float | None:
    """Return the finite number that a value is or spells, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "number", float: "number", str: "text", list: "list"}
    return names.get(type(value), "table")


def _shown(value: Any) -> str:
    text = as_text(value)
    return repr(text if len(text) <= 20 else f"{text[:19]}…")
