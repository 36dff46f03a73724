"""Damaging files at random, the same way for the same seed."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Callable, Sequence

from airochat.characters.containers.base64text import decode_base64
from tests.characters import files

_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (
    b"PK\1\2",
    b"PK\3\4",
    b"PK\5\6",
    b"IEND",
    b"IDAT",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"EXIF",
    b"chara\0",
    b"../",
)
_JSON_WORDS = (
    b"{",
    b"[" * 300,
    b"}",
    b'"',
    b"\\",
    b"\\ud83d",
    b"NaN",
    b"1e999",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff",
)
Chunks = list[tuple[bytes, bytes]]
Buffer = bytes | bytearray


def mutated(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return ``content`` with one to six kinds of damage; ``others`` give bytes to mix in."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        made = bytearray(rng.choice(_DAMAGES)(made, others, rng))
    return bytes(made)


def _place(made: bytearray, rng: random.Random) -> int:
    return rng.randint(0, len(made))


def _flip(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    for _ in range(rng.choice((1, 1, 4, 30))):
        if made:
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return made


def _cut(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    at = _place(made, rng)
    return made[:at] if rng.random() < 0.5 else made[:at] + made[at + rng.choice((1, 4, 50)) :]


def _insert(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    at = _place(made, rng)
    new = rng.choice((rng.randbytes(rng.randint(1, 40)), rng.choice(_WORDS), rng.choice(_JSON_WORDS)))
    return made[:at] + new + made[at:]


def _number(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    at = _place(made, rng)
    new = struct.pack(rng.choice("<>") + rng.choice("BHI"), 0)
    return (
        made[:at]
        + rng.choice(_NUMBERS).to_bytes(8, rng.choice(("little", "big")))[-len(new) :]
        + made[at + 4 :]
    )


def _repeat(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    at = _place(made, rng)
    piece = made[at : at + rng.choice((1, 12, 100, 1000))]
    return made[:at] + piece * rng.choice((2, 3, 20)) + made[at:]


def _splice(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    other = rng.choice(others)
    return made[: _place(made, rng)] + other[rng.randint(0, len(other)) :]


def _reorder_chunks(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    chunks = _chunks(bytes(made))
    for _ in range(rng.randint(1, 3)):
        if chunks:
            chosen = rng.choice(chunks)
            rng.choice((chunks.remove, chunks.append, lambda chunk: chunks.insert(0, chunk)))(chosen)
    return _joined(chunks) if chunks else made


def _damage_card(made: bytearray, others: Sequence[bytes], rng: random.Random) -> Buffer:
    """Damage the JSON or the packed stream inside a text, and let the checksums be right."""
    chunks = _chunks(bytes(made))
    for number, (kind, body) in enumerate(chunks):
        keyword, nul, text = body.partition(b"\0")
        if kind == b"tEXt" and nul:
            card = bytearray(decode_base64(text)[0])
            chunks[number] = (kind, keyword + nul + base64.b64encode(rng.choice(_PLAIN)(card, others, rng)))
        elif kind in (b"zTXt", b"iTXt"):
            chunks[number] = (kind, keyword + nul + bytes(rng.choice(_PLAIN)(bytearray(text), others, rng)))
    return _joined(chunks) if chunks else made


def _chunks(content: bytes) -> Chunks:
    found: Chunks = []
    at = len(files.SIGNATURE)
    while content.startswith(files.SIGNATURE) and len(content) - at >= 12:
        length, kind = struct.unpack_from(">I4s", content, at)
        found.append((kind, content[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _joined(chunks: Chunks) -> bytes:
    framed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return files.SIGNATURE + b"".join(framed)


_Damage = Callable[[bytearray, Sequence[bytes], random.Random], Buffer]
_PLAIN: tuple[_Damage, ...] = (_flip, _cut, _insert, _number, _repeat)
_DAMAGES: tuple[_Damage, ...] = (*_PLAIN, _splice, _reorder_chunks, _damage_card, _damage_card)
