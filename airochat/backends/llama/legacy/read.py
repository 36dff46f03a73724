"""Reading a GGJT file: all but the weights, of which only the places are noted.

The file is untrusted: nothing is allocated by a length in it, and no loop runs past its end. Layout (little-endian):
magic and version; seven numbers; for each token its length, bytes and score; then to the end of the file for each
tensor its number of dimensions, the length of its name, its type, its dimensions (the length of a row first), its
name, zeros up to a multiple of 32, and its weights.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from airochat.backends.llama import foreign, gguf
from airochat.backends.llama.ggml import REMOVED_TYPES, TENSOR_TYPES
from airochat.errors import ModelError

ALIGNMENT = 32
"""Bytes of which the start of a tensor's weights is a multiple, in GGJT as in GGUF."""

_MAX_VOCAB, _MAX_PIECE = 1 << 20, 4096
_MAX_LAYERS, _MAX_WIDTH, _MAX_NAME = 1024, 1 << 20, 256
_PER_LAYER, _BESIDE = 9, 3
_AGAIN = "Finish the download, or download the file again."


@dataclass(frozen=True, slots=True)
class OldTensor:
    """One tensor: ``shape`` with the length of a row first, ``kind`` ggml's type, place and size in bytes."""

    name: str
    kind: int
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class OldModel:
    """What a GGJT file holds beside its weights; ``pieces`` are the tokens' bytes with their scores."""

    path: Path
    version: int
    n_embd: int
    n_head: int
    n_layer: int
    n_rot: int
    file_type: int
    """As `FILE_TYPES` numbers them."""
    label: str
    """Such as ``GGJT v3, 13B, Q5_1``."""
    pieces: Sequence[tuple[bytes, float]] = field(repr=False)
    tensors: Mapping[str, OldTensor] = field(repr=False)

    @property
    def head_size(self) -> int:
        """Numbers that one attention head works on."""
        return self.n_embd // self.n_head


def read_legacy(path: Path) -> OldModel:
    """Read a GGJT file; `ModelError` if it is none, damaged, or stored in a way that no GGUF can hold."""
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path} is not a file.", "Give the path of an old model file.")
        with path.open("rb") as file:
            return _Reader(file, path).model()
    except FileNotFoundError:
        raise gguf.missing(path) from None
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror or error}.", "Check its permissions."
        ) from None


class _Reader:
    """Reads one file from its beginning; the position never passes the end."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._size = file.seek(0, 2)
        file.seek(0)
        self._at = 0
        self._version = 0

    def model(self) -> OldModel:
        label = self._label()
        n_vocab, n_embd, _n_mult, n_head, n_layer, n_rot, file_type = self._unpack("<7I")
        self._check_numbers(n_vocab, n_embd, n_head, n_layer, n_rot)
        pieces = [self._piece() for _ in range(n_vocab)]
        expected = _PER_LAYER * n_layer + _BESIDE
        tensors: dict[str, OldTensor] = {}
        for tensor in self._tensors(expected):
            if tensor.name in tensors:
                raise self._damaged(f"it holds {tensor.name!r} twice")
            tensors[tensor.name] = tensor
        # Later files add 1000 times the version of the quantisation to the file type.
        return OldModel(
            self._path,
            self._version,
            n_embd,
            n_head,
            n_layer,
            n_rot,
            file_type % 1000,
            label,
            pieces,
            tensors,
        )

    def _label(self) -> str:
        head = self._file.read(foreign.HEAD)
        if head[:4] == b"GGUF":
            raise ModelError(f"{self._path} is a GGUF already.", "Open it as it is.")
        if foreign.LEGACY_MAGICS.get(head[:4]) != "GGJT":
            raise foreign.explain(self._path, head, self._size)
        self._seek(4)
        (self._version,) = self._unpack("<I")
        if self._version not in foreign.KEPT_TYPES:
            raise self._damaged(f"there is no version {self._version} of its format")
        return foreign.legacy_label(head)

    def _check_numbers(self, n_vocab: int, n_embd: int, n_head: int, n_layer: int, n_rot: int) -> None:
        if not 3 <= n_vocab <= _MAX_VOCAB:
            raise self._damaged(f"it claims a vocabulary of {n_vocab:,} tokens")
        if not 1 <= n_layer <= _MAX_LAYERS:
            raise self._damaged(f"it claims {n_layer:,} layers")
        if not (1 <= n_head <= n_embd <= _MAX_WIDTH and n_embd % n_head == 0):
            raise self._damaged(f"it claims {n_head:,} heads over a width of {n_embd:,}")
        if n_rot != n_embd // n_head:
            raise self._damaged(f"it claims to rotate {n_rot:,} numbers of {n_embd // n_head:,} in each head")

    def _piece(self) -> tuple[bytes, float]:
        (length,) = self._unpack("<I")
        if length > _MAX_PIECE:
            raise self._damaged(f"it claims a token of {length:,} bytes")
        text = self._take(length)
        (score,) = struct.unpack("<f", self._take(4))
        if not math.isfinite(score):
            raise self._damaged("the score of a token is no number")
        return text, score

    def _tensors(self, expected: int) -> Iterator[OldTensor]:
        # Some files also carry tables of rotations, one in all or one a layer.
        for number in range(1, 2 * expected):
            if self._at == self._size:
                return
            tensor = self._tensor()
            missing = tensor.start + tensor.size - self._size
            if missing > 0:
                place = f"tensor {number} of {expected}, {tensor.name!r}"
                raise ModelError(f"{self._path} is cut off: it ends inside {place}.", _AGAIN)
            self._seek(tensor.start + tensor.size)
            yield tensor
        raise self._damaged("it holds far more tensors than its layers need")

    def _tensor(self) -> OldTensor:
        n_dims, length, kind = self._unpack("<3I")
        if n_dims not in (1, 2) or not 1 <= length <= _MAX_NAME:
            raise self._damaged(
                f"what should be a tensor has {n_dims:,} dimensions and a name of {length:,} bytes"
            )
        shape = self._unpack(f"<{n_dims}I")
        name = self._take(length).decode("utf-8", "replace")
        return OldTensor(
            name, kind, shape, -(-self._at // ALIGNMENT) * ALIGNMENT, self._bytes(name, kind, shape)
        )

    def _bytes(self, name: str, kind: int, shape: tuple[int, ...]) -> int:
        type_name = TENSOR_TYPES[kind].name if kind in TENSOR_TYPES else REMOVED_TYPES.get(kind)
        if type_name is None:
            raise self._damaged(f"{name!r} has the unknown type {kind}")
        if type_name not in foreign.KEPT_TYPES[self._version]:
            raise self._changed(type_name)
        known = TENSOR_TYPES[kind]
        if 0 in shape:
            raise self._damaged(f"{name!r} is empty")
        if shape[0] % known.block:
            message = f"{self._path} stores rows of {shape[0]:,} weights as {known.name}, in blocks of its own size."
            raise ModelError(message, "Get a Q4_0, Q5_1 or Q8_0 file, or a GGUF, of the same model.")
        return math.prod(shape) // known.block * known.size

    def _changed(self, type_name: str) -> ModelError:
        return ModelError(
            f"{self._path} is a GGJT v{self._version} file with {type_name} weights, whose layout changed later: "
            "they cannot become a GGUF without loss.",
            "Get a GGUF or a GGJT v3 file (.ggmlv3.) of the same model; KoboldCpp still loads this one.",
        )

    def _unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))

    def _take(self, length: int) -> bytes:
        data = self._file.read(length)
        self._at += len(data)
        if len(data) < length:
            raise ModelError(f"{self._path} is cut off.", _AGAIN)
        return data

    def _seek(self, position: int) -> None:
        self._file.seek(position)
        self._at = position

    def _damaged(self, why: str) -> ModelError:
        return ModelError(f"{self._path} is damaged: {why}.", "Download the file again.")
