"""Reading the text and the JSON of chat files, which may be damaged, huge, or made to do harm."""

from __future__ import annotations

import codecs
import io
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

from airochat.errors import UsageError
from airochat.text import one_line, whole

MAX_MESSAGES = 200_000
"""Messages of one file that are read; the longest chats known have some ten thousand."""
MAX_VALUES = 5_000_000
"""Values in one JSON text. Each costs about 100 bytes of memory, and a message with all its facts has about 25."""
_MAX_DIGITS = 640
"""Digits of a whole number that is read as one: what no setting of Python refuses, which is slow at thousands."""
_LOOKED_AT = 20
"""Lines from the beginning by which files of JSON lines are told apart; the first ones may be damaged."""
_LISTED = 5
"""Places that a warning names before it counts the others."""


class Notes:
    """What could not be taken over, with the places: the same thing at many places is one warning."""

    def __init__(self, unit: str = "line") -> None:
        self._unit = unit
        self._places: dict[str, list[int]] = {}

    def add(self, what: str, place: int = 0) -> None:
        """Note a sentence about a place, counted from 1, or with 0 about the whole file."""
        self._places.setdefault(what, []).append(place)

    def warnings(self) -> tuple[str, ...]:
        """Return the sentences, each after its places."""
        return tuple(
            f"{self._named(places)}: {what}" if any(places) else what[:1].upper() + what[1:]
            for what, places in self._places.items()
        )

    def _named(self, places: list[int]) -> str:
        known = list(dict.fromkeys(filter(None, places)))
        unit = self._unit.capitalize()
        if len(known) == 1:
            return f"{unit} {known[0]}"
        shown = ", ".join(map(str, known[:_LISTED]))
        if len(known) > _LISTED:
            return f"{unit}s {shown} and {len(known) - _LISTED:,} more"
        return f"{unit}s {shown}"


def title_of(name: str) -> str:
    """Return the title for a chat of a file's name.

    >>> title_of("Maya - 2024-09-28@01h02m03s.jsonl")
    'Maya - 2024-09-28@01h02m03s'
    """
    return one_line(PurePath(name).stem, 80)


def utf8(data: bytes) -> bytes:
    """Return text bytes as UTF-8 without a byte order mark; bytes that are no UTF-8 stay as they are."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, each with its number from 1."""
    for number, line in enumerate(io.BytesIO(utf8(data)), 1):
        if stripped := line.strip(b" \t\r\n\0"):
            yield number, stripped


def objects(data: bytes, notes: Notes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the JSON objects of a file that has one a line, each with the line's number; others are noted."""
    for number, line in lines(data):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            notes.add("some bytes are not UTF-8; � stands for them.", number)
            text = line.decode("utf-8", "replace")
        try:
            value = parse(text)
        except ValueError as error:
            notes.add(f"{_reason(error)}; the line was left out.", number)
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            notes.add("it is no JSON object; the line was left out.", number)


def begins_with(data: bytes, fits: Callable[[dict[str, Any]], bool], among: int = _LOOKED_AT) -> bool:
    """Return whether one of the first lines is a JSON object that fits; never in a file that is one JSON list."""
    if data.lstrip()[:1] == b"[":
        return False
    for _, line in itertools.islice(lines(data), among):
        if not line.startswith(b"{"):
            continue
        try:
            value = parse(line.decode("utf-8", "replace"))
        except ValueError:
            continue
        if isinstance(value, dict) and fits(value):
            return True
    return False


def document(data: bytes, name: str) -> Any:
    """Return the value of a file that is one JSON text; `UsageError` says where it is not."""
    text = utf8(data).strip(b" \t\r\n\0").decode("utf-8", "replace")
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        place = f"{error.msg} in line {error.lineno:,}, column {error.colno:,}"
        cut = error.pos >= len(text) or error.msg.startswith("Unterminated")
        hint = "It seems to be cut off; export it anew." if cut else "Export it anew."
        raise UsageError(f"{name} is not valid JSON: {place}.", hint) from None
    except ValueError as error:
        raise UsageError(f"{name} cannot be read: {_reason(error)}.") from None


def parse(text: str) -> Any:
    """Parse JSON. NaN and infinities become None, too long numbers 0; `ValueError` if there is too much of it."""
    if _values(text) > MAX_VALUES:
        raise ValueError(f"it holds more than {MAX_VALUES:,} values")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_count(count: int, name: str) -> None:
    """Raise `UsageError` if a file has more messages than are read."""
    if count > MAX_MESSAGES:
        raise UsageError(
            f"{name} has more than {MAX_MESSAGES:,} messages.", "Split it into several files first."
        )


def text_in(value: Any) -> str:
    """Return a text from a file, halves of characters replaced; empty if the value is none."""
    return whole(value) if isinstance(value, str) else ""


def name_in(value: Any) -> str:
    """Return a name from a file on one line; empty if the value is none."""
    return one_line(value, 120) if isinstance(value, str) else ""


def table_in(value: Any) -> dict[str, Any]:
    """Return a JSON object from a file; empty if the value is none."""
    return value if isinstance(value, dict) else {}


def list_in(value: Any) -> list[Any]:
    """Return a JSON list from a file; empty if the value is none."""
    return value if isinstance(value, list) else []


def _values(text: str) -> int:
    """Return about how many values a JSON text has; exactly only if there are too many."""
    count = sum(map(text.count, "[{,"))
    if count <= MAX_VALUES:
        return count
    plain = text.replace("\\\\", "").replace('\\"', "")
    return sum(part.count(mark) for part in plain.split('"')[::2] for mark in "[{,")


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else 0


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is no valid JSON ({error.msg} in column {error.colno:,})"
    return str(error)


# Raw line breaks inside texts are let through: damage, but nothing is lost by it.
_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=lambda _: None, strict=False)
