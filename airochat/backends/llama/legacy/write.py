"""The header of a GGUF file: metadata, and where which tensor lies.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Value = str | bool | int | float | Sequence[bytes] | Sequence[float] | Sequence[int]
"""A metadata value; llama.cpp wants whole numbers as u32, in lists as i32, and fractions as f32."""

_U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_VERSION = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of the new file; ``size`` in bytes, ``shape`` with the length of a row first."""

    name: str
    kind: int
    shape: tuple[int, ...]
    size: int


def padding(size: int, alignment: int) -> int:
    """Return how many zeros bring ``size`` to a multiple of ``alignment``."""
    return -size % alignment


def header(metadata: Mapping[str, Value], entries: Iterable[Entry], alignment: int) -> bytes:
    """Return all that comes before the weights, which follow in this order, each padded to ``alignment``."""
    tensors, offset, count = [], 0, 0
    for entry in entries:
        dims = struct.pack(f"<I{len(entry.shape)}Q", len(entry.shape), *entry.shape)
        tensors.append(_text(entry.name) + dims + struct.pack("<IQ", entry.kind, offset))
        offset += entry.size + padding(entry.size, alignment)
        count += 1
    start = b"GGUF" + struct.pack("<IQQ", _VERSION, count, len(metadata))
    whole = (
        start + b"".join(_text(key) + _value(value) for key, value in metadata.items()) + b"".join(tensors)
    )
    return whole + b"\0" * padding(len(whole), alignment)


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _U32, value)
    if isinstance(value, float):
        return struct.pack("<If", _F32, value)
    return struct.pack("<I", _ARRAY) + _array(value)


def _array(values: Sequence[bytes] | Sequence[float] | Sequence[int]) -> bytes:
    if isinstance(values[0], bytes):
        kind, data = _STRING, b"".join(_text(value) for value in values if isinstance(value, bytes))
    elif isinstance(values[0], float):
        kind, data = _F32, struct.pack(f"<{len(values)}f", *values)
    else:
        kind, data = _I32, struct.pack(f"<{len(values)}i", *values)
    return struct.pack("<IQ", kind, len(values)) + data


def _text(text: str | bytes) -> bytes:
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data
