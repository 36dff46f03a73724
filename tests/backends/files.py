"""Model files made by the tests: GGUF byte by byte, so that they can also be wrong in any way."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

Tensor = tuple[str, tuple[int, ...], int]
"""Name, shape, ggml type."""

F32, F16, Q4_0 = 0, 1, 2
_BYTES = {F32: (1, 4), F16: (1, 2), Q4_0: (32, 18)}

MODEL: dict[str, Any] = {
    "general.architecture": "llama",
    "general.name": "Tiny Llama",
    "llama.context_length": 2048,
    "llama.block_count": 3,
    "tokenizer.ggml.tokens": ["<s>", "</s>", "hello"],
}
TENSORS: tuple[Tensor, ...] = (("token_embd.weight", (64, 3), Q4_0), ("output_norm.weight", (64,), F32))


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(item: Any) -> bytes:
    """A metadata value with its type: text, bool, int (u32), float (f32), or a list of one of these."""
    match item:
        case bytes():
            return item
        case str():
            return struct.pack("<I", 8) + text(item)
        case bool():
            return struct.pack("<I?", 7, item)
        case int():
            return struct.pack("<II", 4, item)
        case float():
            return struct.pack("<If", 6, item)
        case _:
            items = [value(one) for one in item]
            return (
                struct.pack("<I", 9)
                + items[0][:4]
                + struct.pack("<Q", len(items))
                + b"".join(one[4:] for one in items)
            )


def gguf(
    metadata: Mapping[str, Any] = MODEL,
    tensors: Sequence[Tensor] = TENSORS,
    *,
    version: int = 3,
    data: bool = True,
) -> bytes:
    """A whole file; ``data`` False leaves out the weights."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, item in metadata.items():
        head += text(key) + value(item)
    offset = 0
    for name, shape, kind in tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += -(-tensor_size(shape, kind) // 32) * 32
    head += b"\0" * (-len(head) % 32)
    return head + b"\1" * offset if data else head


def tensor_size(shape: tuple[int, ...], kind: int) -> int:
    weights = 1
    for length in shape:
        weights *= length
    block, size = _BYTES.get(kind, (1, 1))
    return weights // block * size


def legacy(
    magic: bytes = b"tjgg", version: int = 3, *, layers: int = 40, width: int = 5120, file_type: int = 9
) -> bytes:
    """The beginning of a file from before GGUF; by default GGJT v3, 13B, Q5_1."""
    return (
        magic
        + struct.pack("<8I", version, 32000, width, 256, 40, layers, 128, file_type)
        + b"\5\0\0\0<unk>" * 9
    )
