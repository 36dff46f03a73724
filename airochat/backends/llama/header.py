"""The header of a GGUF file, read without llama.cpp.

It is untrusted: nothing is allocated by a length in the file, and no loop runs past the end of the file.
Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from airochat.backends.llama import foreign
from airochat.backends.llama.ggml import FILE_TYPES, TENSOR_TYPES, size_text
from airochat.errors import ModelError

_VERSIONS = (2, 3)
_NEWEST_PLAUSIBLE = 0xFFFF
_MAX_KEYS = 65_536
_MAX_TENSORS = 262_144
_MAX_NAME = 65_535
_MAX_STRINGS = 1 << 22
_MAX_TEXT = 1 << 20
_MAX_TEXTS = 1 << 25
_WINDOW = 1 << 20
_GUESSED = 1024
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_SCALAR = {kind: struct.Struct("<" + code) for kind, code in _SCALARS.items()}
_LAYER = re.compile(r"blk\.(\d{1,4})\.(?:attn_([kv])\.weight$)?")


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What the tensors of one layer take, and how wide its keys and values are; a width of 0 if it has none."""

    size: int = 0
    """Bytes."""
    key_width: int = 0
    value_width: int = 0

    def __add__(self, other: LayerShape) -> LayerShape:
        key, value = self.key_width + other.key_width, self.value_width + other.value_width
        return LayerShape(self.size + other.size, key, value)


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says about itself.

    ``metadata`` holds the scalar values as text; arrays and texts above 1 MiB are left out. ``parameters``
    counts the weights in this file, which for a part of a split model is a share. Numbers are 0 and texts
    empty if unknown.
    """

    version: int
    size: int
    """Bytes of the file."""
    metadata: Mapping[str, str] = field(repr=False)
    n_tensors: int
    parameters: int
    quantisation: str
    n_vocab: int
    data_end: int
    """Where the last tensor ends, in bytes; more than ``size`` if the file is cut off."""
    unknown_types: tuple[int, ...] = ()
    """Tensor types that the bundled llama.cpp cannot read."""
    layers: Mapping[int, LayerShape] = field(default_factory=dict, repr=False)
    """The layers in this file by number."""
    embedding_size: int = 0
    """Bytes of the table of token embeddings."""
    output_size: int = 0
    """Bytes of the output matrix; 0 if the model uses its embeddings for that."""

    @property
    def architecture(self) -> str:
        """The family of the network, such as ``llama``."""
        return self.metadata.get("general.architecture", "")

    @property
    def name(self) -> str:
        """The model's own name, as its maker wrote it."""
        return self.metadata.get("general.name", "")

    @property
    def n_ctx_train(self) -> int:
        """Context in tokens that the model was trained for."""
        return self._number("context_length")

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self._number("block_count")

    @property
    def has_chat_template(self) -> bool:
        """Whether the file brings a chat template of its own."""
        return "tokenizer.chat_template" in self.metadata

    @property
    def n_parts(self) -> int:
        """Number of files that the model is split into; 1 if it is whole."""
        return max(1, whole(self.metadata.get("split.count", "1")))

    def _number(self, key: str) -> int:
        return whole(self.metadata.get(f"{self.architecture}.{key}", "0"))


def read_header(path: Path) -> Header:
    """Read the header of a regular file; `ModelError` if it is no GGUF or damaged; `OSError` passes."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(foreign.HEAD)
        if head[:4] != b"GGUF":
            raise foreign.explain(path, head, size)
        return _Reader(file, size, path).header()


def whole(text: str) -> int:
    """Return a metadata value as a number that is not negative; 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


class _Reader:
    """Reads one header from a file; the position is always inside the file."""

    def __init__(self, file: BinaryIO, size: int, path: Path) -> None:
        self._file = file
        self._size = size
        self._path = path
        self._at = 0
        self._texts = 0
        self._strings = 0

    def header(self) -> Header:
        version = self._version()
        n_tensors = self._count(_MAX_TENSORS, "tensors")
        n_keys = self._count(_MAX_KEYS, "metadata keys")
        metadata: dict[str, str] = {}
        lengths: dict[str, int] = {}
        for _ in range(n_keys):
            self._entry(metadata, lengths)
        return self._tensors(version, n_tensors, metadata, lengths)

    def _version(self) -> int:
        self._seek(4)
        (version,) = self._unpack("<I")
        if version in _VERSIONS:
            return int(version)
        if version == 1:
            raise ModelError(
                f"{self._path} is a GGUF of version 1, which llama.cpp no longer loads.", "Get a newer file."
            )
        if version > _NEWEST_PLAUSIBLE:
            message = f"{self._path} is a GGUF for big-endian machines, which cannot be loaded here."
            raise ModelError(message, "Get the usual little-endian file of the model.")
        message = f"{self._path} is a GGUF of version {version}, which this airochat does not know."
        raise ModelError(message, "Update airochat and llama-cpp-python.")

    def _entry(self, metadata: dict[str, str], lengths: dict[str, int]) -> None:
        key = self._name()
        (kind,) = self._unpack("<I")
        if kind == _ARRAY:
            lengths[key] = self._skip_array()
        elif kind == _STRING:
            text = self._text()
            if text is not None:
                metadata[key] = text
        else:
            value = self._unpack(self._scalar(kind).format)[0]
            metadata[key] = _as_text(value)

    def _tensors(
        self, version: int, count: int, metadata: Mapping[str, str], lengths: Mapping[str, int]
    ) -> Header:
        types: Counter[int] = Counter()
        layers: dict[int, LayerShape] = {}
        single = {"token_embd.weight": 0, "output.weight": 0}
        data_end = 0
        for _ in range(count):
            name, shape, kind, end, size = self._tensor()
            types[kind] += math.prod(shape)
            data_end = max(data_end, end)
            if name in single:
                single[name] = size
            _add_to_layer(layers, name, shape, size)
        alignment = whole(metadata.get("general.alignment", "32"))
        if alignment == 0 or alignment & (alignment - 1) or alignment > 1 << 20:
            raise self._damaged(f"its alignment is {alignment}")
        start = -(-self._at // alignment) * alignment
        architecture = metadata.get("general.architecture", "")
        own_vocab = whole(metadata.get(f"{architecture}.vocab_size", "0"))
        return Header(
            version=version,
            size=self._size,
            metadata=metadata,
            n_tensors=count,
            parameters=sum(types.values()),
            quantisation=_quantisation(metadata, types),
            n_vocab=lengths.get("tokenizer.ggml.tokens", own_vocab),
            data_end=start + data_end if count else self._at,
            unknown_types=tuple(sorted(types.keys() - TENSOR_TYPES.keys())),
            layers=layers,
            embedding_size=single["token_embd.weight"],
            output_size=single["output.weight"],
        )

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int, int]:
        """Return a tensor's name, shape, type, where it ends in the data, and its bytes."""
        name = self._name()
        (n_dims,) = self._unpack("<I")
        if n_dims > 4:
            raise self._damaged(f"a tensor has {n_dims} dimensions")
        shape = self._unpack(f"<{n_dims}Q")
        kind, offset = self._unpack("<IQ")
        weights = math.prod(shape)
        if weights >= 1 << 63 or offset >= 1 << 63:
            raise self._damaged(f"the size of the tensor {name[:60]!r} cannot be")
        known = TENSOR_TYPES.get(kind)
        size = -(-weights // known.block) * known.size if known else 0
        return name, shape, int(kind), offset + size if known else 0, size

    def _skip_array(self) -> int:
        kind, count = self._unpack("<IQ")
        if kind == _ARRAY:
            raise self._damaged("an array holds arrays")
        if kind == _STRING:
            self._skip_strings(count)
        else:
            self._seek(self._at + count * self._scalar(kind).size)
        return int(count)

    def _skip_strings(self, count: int) -> None:
        self._strings += count
        if self._strings > _MAX_STRINGS:
            raise self._damaged(f"it claims to hold a list of {count:,} texts")
        number = int.from_bytes
        while count:
            window = self._file.read(min(_WINDOW, self._size - self._at))
            offset, last = 0, len(window) - 8
            while count and offset <= last:
                offset += 8 + number(window[offset : offset + 8], "little")
                count -= 1
            if offset == 0:
                raise self._cut()
            self._seek(self._at + offset)

    def _count(self, limit: int, what: str) -> int:
        (count,) = self._unpack("<Q")
        if count > limit:
            raise self._damaged(f"it claims to hold {count:,} {what}")
        return int(count)

    def _name(self) -> str:
        (length,) = self._unpack("<Q")
        if length > _MAX_NAME:
            raise self._damaged(f"it claims to hold a name of {length:,} bytes")
        return self._take(length).decode("utf-8", "replace")

    def _text(self) -> str | None:
        (length,) = self._unpack("<Q")
        if length > _MAX_TEXT:
            self._seek(self._at + length)
            return None
        self._texts += length
        if self._texts > _MAX_TEXTS:
            raise self._damaged(f"it holds more than {size_text(_MAX_TEXTS)} of texts")
        return self._take(length).decode("utf-8", "replace")

    def _scalar(self, kind: int) -> struct.Struct:
        if kind not in _SCALAR:
            raise self._damaged(f"a value has the unknown type {kind}")
        return _SCALAR[kind]

    def _unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))

    def _take(self, length: int) -> bytes:
        data = self._file.read(length)
        self._at += len(data)
        if len(data) < length:
            raise self._cut()
        return data

    def _seek(self, position: int) -> None:
        if position > self._size:
            raise self._cut()
        self._file.seek(position)
        self._at = position

    def _cut(self) -> ModelError:
        return ModelError(
            f"{self._path} is cut off inside its header, or the header is damaged.",
            "Finish the download, or download the file again.",
        )

    def _damaged(self, why: str) -> ModelError:
        return ModelError(f"The header of {self._path} is damaged: {why}.", "Download the file again.")


def _add_to_layer(layers: dict[int, LayerShape], name: str, shape: tuple[int, ...], size: int) -> None:
    match = _LAYER.match(name)
    if match is None:
        return
    width = shape[1] if len(shape) > 1 else 0
    tensor = LayerShape(size, width if match[2] == "k" else 0, width if match[2] == "v" else 0)
    number = int(match[1])
    layers[number] = layers.get(number, LayerShape()) + tensor


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _quantisation(metadata: Mapping[str, str], types: Counter[int]) -> str:
    stated = whole(metadata.get("general.file_type", "")) if "general.file_type" in metadata else -1
    if stated >= 0 and stated & ~_GUESSED in FILE_TYPES:
        return FILE_TYPES[stated & ~_GUESSED]
    known = Counter({kind: weights for kind, weights in types.items() if kind in TENSOR_TYPES})
    return TENSOR_TYPES[known.most_common(1)[0][0]].name if known else ""
