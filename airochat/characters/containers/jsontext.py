"""JSON as card files have it: with byte order marks, rubbish behind it, raw line breaks in texts, and worse."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable
from typing import Any

from airochat.characters.containers.limits import MAX_DEPTH, MAX_TEXT, MAX_VALUES
from airochat.characters.containers.notes import Notes
from airochat.characters.warning import CardWarning
from airochat.errors import CardError
from airochat.text import whole

_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_MAX_DIGITS = 640
"""Digits of a whole number that is read as one: what no setting of Python refuses, which is slow at thousands."""


def parse_json(content: bytes, where: str) -> tuple[Any, list[CardWarning]]:
    """Parse JSON leniently; ``where`` names the file in messages.

    NaN and infinities become null, whole numbers of more than 640 digits texts, halves of surrogate pairs U+FFFD.
    `CardError`: it is empty, larger than `MAX_TEXT`, nested deeper than `MAX_DEPTH`, has more than `MAX_VALUES`
    values, or is no JSON at all.
    """
    notes = Notes()
    _check_text(content, where)
    plain = _utf8(content, where, notes).strip(_SPACE)
    if plain.endswith(b"\0"):
        notes.add("nul-end", f"{where} ends in NUL bytes, which were left out.")
        plain = plain.rstrip(_SPACE + b"\0")
    if not plain:
        raise CardError(f"{where} is empty.")
    _check_shape(plain, where)
    value = _decode(plain.decode("utf-8"), where, notes)
    if _SURROGATE.search(plain):
        value = _mended(
            value, lambda: notes.add("lone-surrogate", f"{where} had half a character; it became �.")
        )
    return value, notes.warnings()


def _check_text(content: bytes, where: str) -> None:
    if len(content) > MAX_TEXT:
        raise CardError(f"{where} has {len(content):,} bytes of JSON; at most {MAX_TEXT:,} are read.")


def _utf8(content: bytes, where: str, notes: Notes) -> bytes:
    if content.startswith(_BOM):
        notes.add("bom", f"{where} begins with a byte order mark, which was left out.")
        content = content.removeprefix(_BOM)
    encoding = json.detect_encoding(content)
    if encoding.startswith(("utf-16", "utf-32")):
        notes.add("utf16", f"{where} is written in {encoding.upper()} instead of UTF-8.")
        return content.decode(encoding, "replace").encode("utf-8", "replace")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _mojibake(content, where, notes)
    return content


def _mojibake(content: bytes, where: str, notes: Notes) -> bytes:
    # Where no byte above 127 makes sense as UTF-8, an old Windows editor wrote it; else a few bytes were damaged.
    encoding, name = ("utf-8", "damaged UTF-8") if _MULTIBYTE.search(content) else ("cp1252", "Windows-1252")
    notes.add("not-utf8", f"{where} is not UTF-8; it was read as {name}.")
    return content.decode(encoding, "replace").encode()


def _check_shape(plain: bytes, where: str) -> None:
    """Count brackets and commas outside texts, before anything recurses or allocates for them."""
    unescaped = plain.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in plain else plain
    if unescaped.count(b'"') > 4 * MAX_VALUES:
        raise _too_much(where)
    outside = b"".join(unescaped.split(b'"')[::2])
    brackets = outside.translate(None, _NOT_BRACKETS)
    if len(brackets) + outside.count(b",") > MAX_VALUES:
        raise _too_much(where)
    depths = itertools.accumulate(1 if byte in b"[{" else -1 for byte in brackets)
    if max(depths, default=0) > MAX_DEPTH:
        raise CardError(
            f"{where} is nested more than {MAX_DEPTH} levels deep.", "It is no card of any known kind."
        )


def _too_much(where: str) -> CardError:
    return CardError(f"{where} holds more than {MAX_VALUES:,} values.", "Split its lorebook.")


def _decode(text: str, where: str, notes: Notes) -> Any:
    def number(digits: str) -> float | None:
        value = float(digits)
        if math.isfinite(value):
            return value
        notes.add("nan", f"{where} has NaN or Infinity, which JSON does not know; they became null.")
        return None

    def integer(digits: str) -> int | str:
        count = len(digits.lstrip("-"))
        if count <= _MAX_DIGITS:
            return int(digits)
        notes.add("long-number", f"{where} has a number of {count:,} digits; it became text.")
        return digits

    try:
        value, end = _scan(text, number, integer, where, notes)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text) or error.msg.startswith("Unterminated")
        raise CardError(
            f"{where} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}.",
            "It seems to be cut off; export or download it anew." if cut else "",
        ) from None
    if end < len(text):
        notes.add(
            "trailing-data",
            f"{where} has {len(text) - end:,} characters after its JSON, which were left out.",
        )
    return value


def _scan(
    text: str, number: Callable[[str], Any], integer: Callable[[str], Any], where: str, notes: Notes
) -> tuple[Any, int]:
    try:
        return _decoder(number, integer).raw_decode(text)
    except json.JSONDecodeError as error:
        if "control character" not in error.msg:
            raise
    notes.add("control-characters", f"{where} has line breaks or control characters inside its texts.")
    return _decoder(number, integer, strict=False).raw_decode(text)


def _decoder(
    number: Callable[[str], Any], integer: Callable[[str], Any], strict: bool = True
) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=number, parse_constant=number, parse_int=integer, strict=strict)


def _mended(value: Any, found: Callable[[], None]) -> Any:
    if isinstance(value, str):
        mended = whole(value)
        if mended != value:
            found()
        return mended
    if isinstance(value, dict):
        return {_mended(key, found): _mended(item, found) for key, item in value.items()}
    return [_mended(item, found) for item in value] if isinstance(value, list) else value
