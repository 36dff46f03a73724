"""Cards in the EXIF data of WEBP pictures, as programs of 2023 wrote them; no specification covers it.

A WEBP is a RIFF file; its EXIF chunk is a small TIFF file whose tag UserComment (0x9286) holds the JSON.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from airochat.characters.containers.base64text import decode_base64
from airochat.characters.containers.limits import MAX_CHUNKS
from airochat.characters.containers.notes import Notes
from airochat.characters.containers.sniff import describe, sniff
from airochat.characters.warning import CardWarning
from airochat.errors import CardError

_USER_COMMENT, _EXIF_DIRECTORY = 0x9286, 0x8769
_MAX_ENTRIES = 1_000
"""Entries of one directory; cameras write less than a hundred."""
_MAX_NUMBERS = 8_000_000
"""Bytes of a card written as a list of numbers; each number is handled by itself."""
_NUMBER = re.compile(rb"\d+")
_NUMBERS = re.compile(rb"\s*\d{1,3}(?:\s*,\s*\d{1,3})*\s*")


def is_webp(content: bytes) -> bool:
    """Tell whether a file begins as a WEBP does."""
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def read_exif_comment(content: bytes, where: str = "The picture") -> tuple[bytes | None, list[CardWarning]]:
    """Return the JSON in a WEBP's EXIF UserComment, or None if there is none, and what is odd about it.

    ``where`` names the file in messages. JSON in base64, as a list of byte numbers, or in UTF-16 is returned as
    UTF-8 JSON. `CardError`: it is no WEBP.
    """
    if not is_webp(content):
        raise CardError(f"{where} is {describe(sniff(content))}, not a WEBP picture.")
    notes = Notes()
    exif = _exif(content, where, notes)
    comment = None if exif is None else _comment(exif, where, notes)
    json = None if comment is None else _json(comment, where, notes)
    return json, notes.warnings()


def _exif(content: bytes, where: str, notes: Notes) -> bytes | None:
    at = 12
    for _ in range(MAX_CHUNKS):
        if len(content) - at < 8:
            return None
        kind, length = struct.unpack_from("<4sI", content, at)
        end = at + 8 + length
        if end > len(content):
            notes.add("cut-off", f"{where} is cut off.")
        if kind == b"EXIF":
            return content[at + 8 : end].removeprefix(b"Exif\0\0")
        at = end + length % 2
    raise CardError(f"{where} has more than {MAX_CHUNKS:,} chunks; it is no ordinary picture.")


def _comment(exif: bytes, where: str, notes: Notes) -> bytes | None:
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        notes.add("broken-exif", f"{where} has EXIF data that are not laid out as TIFF.")
        return None
    (first,) = struct.unpack_from(order + "I", exif, 4)
    entries = dict(_entries(exif, first, order))
    nested = _entries(exif, entries[_EXIF_DIRECTORY][1], order) if _EXIF_DIRECTORY in entries else ()
    found = {**entries, **dict(nested)}.get(_USER_COMMENT)
    if found is None:
        return None
    size, start = found
    if start + size > len(exif):
        notes.add("cut-off", f"{where} is cut off within its comment.")
    return _text(exif[start : start + size])


def _entries(exif: bytes, start: int, order: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield tag, then size in bytes and either place or, for the link to another directory, its value."""
    if start + 2 > len(exif):
        return
    (count,) = struct.unpack_from(order + "H", exif, start)
    for at in range(start + 2, start + 2 + 12 * min(count, _MAX_ENTRIES), 12):
        if at + 12 > len(exif):
            return
        tag, kind, size, value = struct.unpack_from(order + "HHII", exif, at)
        small = tag != _EXIF_DIRECTORY and kind in (1, 2, 7) and size <= 4
        yield tag, (size, at + 8 if small else value)


def _text(comment: bytes) -> bytes:
    """Take off the eight bytes that name the character code (EXIF 2.3, table 9), and return UTF-8."""
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        # Writers do not agree on the byte order, whatever the file's own is; JSON begins with an ASCII character.
        return text.decode("utf-16-le" if text[1:2] == b"\0" else "utf-16-be", "replace").encode(
            "utf-8", "replace"
        )
    return text if code in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)) else comment


def _json(comment: bytes, where: str, notes: Notes) -> bytes | None:
    if len(comment) <= _MAX_NUMBERS and _NUMBERS.fullmatch(comment):
        comment = bytes(int(number[0]) & 255 for number in _NUMBER.finditer(comment))
    comment = comment.strip(b" \t\r\n\0").removeprefix(b"\xef\xbb\xbf")
    if comment[:1] != b"{":
        comment, warnings = decode_base64(comment, f"The comment of {where}")
        for warning in warnings:
            notes.add(warning.code, warning.message)
    return comment if comment.lstrip()[:1] in (b"{", b"\xef") else None
