"""Texts in PNG and APNG pictures, read and replaced chunk by chunk without looking at a pixel.

A PNG is a signature and chunks of length, kind, body and checksum (PNG specification, third edition, §5). Cards are
base64 in text chunks with the keyword ``chara`` (versions 1 and 2) or ``ccv3``.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from airochat.characters.containers.inflate import inflate
from airochat.characters.containers.limits import MAX_CHUNKS, MAX_TEXT
from airochat.characters.containers.notes import Notes
from airochat.characters.containers.sniff import describe, sniff
from airochat.characters.warning import CardWarning
from airochat.errors import CardError
from airochat.text import one_line

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT_KINDS: dict[bytes, Literal["tEXt", "zTXt", "iTXt"]] = {
    b"tEXt": "tEXt",
    b"zTXt": "zTXt",
    b"iTXt": "iTXt",
}
_PIXEL_KINDS = (b"IDAT", b"fcTL")
_IMAGE_KINDS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT")
_FRAME = 12
"""Bytes of a chunk beside its body: length, kind, checksum."""


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A text of a picture: its keyword as spelled there, and its bytes, inflated if they were packed."""

    keyword: str
    text: bytes
    kind: Literal["tEXt", "zTXt", "iTXt"]


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    start: int
    body: int
    """Where the body starts."""
    stop: int
    """Where the body ends, or the file within it."""
    end: int
    """Where the next chunk starts, or the file ends."""
    cut: bool
    """The file ends within this chunk."""

    def sound(self, content: bytes) -> bool:
        """Tell whether the checksum is right."""
        covered = memoryview(content)[self.start + 4 : self.stop]
        return zlib.crc32(covered) == int.from_bytes(content[self.stop : self.end], "big")

    def keyword(self, content: bytes) -> str | None:
        """Return a text's keyword, or None if it is not set off from the text."""
        nul = content.find(b"\0", self.body, self.stop)
        return None if nul < 0 else content[self.body : nul].decode("latin-1")


def is_png(content: bytes) -> bool:
    """Tell whether a file begins as a PNG does."""
    return content.startswith(SIGNATURE)


def read_texts(content: bytes, where: str = "The picture") -> tuple[list[TextChunk], list[CardWarning]]:
    """Return the texts of a PNG in file order, of damaged files too, and what is wrong with the file.

    ``where`` names the file in messages. `CardError`: it is no PNG, has more than `MAX_CHUNKS` chunks, or its texts
    inflate to more than `MAX_TEXT` bytes.
    """
    notes = Notes()
    texts: list[TextChunk] = []
    room = MAX_TEXT
    last = None
    for last in _chunks(content, where):
        text = _text(content, last, room, where, notes) if last.kind in _TEXT_KINDS else None
        if text is not None:
            texts.append(text)
            room -= 0 if text.kind == "tEXt" else len(text.text)
        if not last.cut and not last.sound(content):
            notes.add(
                "bad-crc", f"{where}: {_name(content, last)} has a wrong checksum; it was read all the same."
            )
    _note_end(content, last, where, notes)
    return texts, notes.warnings()


def replace_texts(
    content: bytes,
    keywords_to_drop: Collection[str],
    texts: Sequence[tuple[str, bytes]],
    where: str = "The picture",
) -> bytes:
    """Return a PNG without the texts of some keywords (any case, any kind) and with new ``tEXt`` chunks.

    The new ones, pairs of a Latin-1 keyword and bytes without NUL, stand before the pixels. All other chunks stay
    byte for byte and in their order, bytes after the end too; a missing end chunk is added. `CardError`: it is no
    PNG, or has more than `MAX_CHUNKS` chunks.
    """
    dropped = {keyword.casefold() for keyword in keywords_to_drop}
    new = [_packed(b"tEXt", keyword.encode("latin-1") + b"\0" + text) for keyword, text in texts]
    parts = [SIGNATURE]
    at, closed = len(SIGNATURE), False
    for chunk in _chunks(content, where):
        at = chunk.end
        if chunk.kind in _TEXT_KINDS and (chunk.keyword(content) or "").casefold() in dropped:
            continue
        closed = chunk.cut or chunk.kind == b"IEND"
        if closed or chunk.kind in _PIXEL_KINDS:
            parts += new
            new = []
        parts.append(content[chunk.start : at])
    end = b"" if closed or at < len(content) else _packed(b"IEND", b"")
    return b"".join([*parts, *new, content[at:], end])


def image_data_hash(content: bytes, where: str = "The picture") -> str:
    """Return the SHA-256, in hexadecimal, over everything in a PNG that decides about its pixels and frames."""
    total = hashlib.sha256()
    for chunk in _chunks(content, where):
        if chunk.kind in _IMAGE_KINDS:
            total.update(memoryview(content)[chunk.start : chunk.end])
    return total.hexdigest()


def _chunks(content: bytes, where: str) -> Iterator[_Chunk]:
    """Walk to the end chunk, or as far as the file makes sense."""
    if not is_png(content):
        raise CardError(f"{where} is {describe(sniff(content))}, not a PNG picture.")
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if len(content) - at < _FRAME:
            return
        length, kind = struct.unpack_from(">I4s", content, at)
        if not kind.isalpha():
            return
        body, end = at + 8, at + _FRAME + length
        cut = end > len(content)
        yield _Chunk(kind, at, body, min(body + length, len(content)), min(end, len(content)), cut)
        if cut or kind == b"IEND":
            return
        at = end
    raise CardError(f"{where} has more than {MAX_CHUNKS:,} chunks; it is no ordinary picture.")


def _packed(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _name(content: bytes, chunk: _Chunk) -> str:
    keyword = chunk.keyword(content) if chunk.kind in _TEXT_KINDS else None
    kind = chunk.kind.decode("ascii")
    return f"its text {one_line(keyword)} ({kind})" if keyword else f"its chunk {kind}"


def _note_end(content: bytes, last: _Chunk | None, where: str, notes: Notes) -> None:
    at = last.end if last else len(SIGNATURE)
    if last and last.cut:
        notes.add("cut-off", f"{where} is cut off within {_name(content, last)}.")
    elif last and last.kind == b"IEND":
        if at < len(content):
            notes.add("trailing-bytes", f"{where} has {len(content) - at:,} bytes after its end.")
    elif at < len(content):
        notes.add("damaged", f"{where} makes no sense from byte {at:,} on; what stands before was read.")
    else:
        notes.add("no-end", f"{where} has no end chunk; it may be cut off.")


def _text(content: bytes, chunk: _Chunk, room: int, where: str, notes: Notes) -> TextChunk | None:
    keyword = chunk.keyword(content)
    name = _name(content, chunk)
    text = None if keyword is None else content[chunk.body + len(keyword) + 1 : chunk.stop]
    if text is not None and chunk.kind != b"tEXt":
        text = _unpacked(chunk.kind, text, room, where, name, notes)
    if keyword is None or text is None:
        notes.add("broken-text", f"{where}: {name} is not laid out as a text; it was left out.")
        return None
    return TextChunk(keyword, text, _TEXT_KINDS[chunk.kind])


def _unpacked(kind: bytes, rest: bytes, room: int, where: str, name: str, notes: Notes) -> bytes | None:
    # zTXt: method (0), stream. iTXt: packed (0 or 1), method, language NUL, translated keyword NUL, text or stream.
    flag, text = (b"\1", rest[1:]) if kind == b"zTXt" else (rest[:1], rest[2:])
    if kind == b"iTXt":
        fields = text.split(b"\0", 2)
        if len(fields) < 3:
            return None
        text = fields[2]
    if flag != b"\1":
        return text
    made, whole = inflate(text, room, f"{where}: {name}")
    if not whole:
        notes.add("cut-text", f"{where}: {name} is damaged or cut off; what could be unpacked was read.")
    return made
