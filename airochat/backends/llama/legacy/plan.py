"""What a GGJT file becomes as a GGUF: the metadata, the vocabulary, and the new name of every tensor.

No weight changes. Both formats store the rows of the query and key matrices in the order of Meta's own files, with the
two numbers that rotate together side by side; only Hugging Face's order would have to be permuted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from airochat.backends.llama.ggml import FILE_TYPES
from airochat.backends.llama.legacy.origin import Origin, Wishes, origin
from airochat.backends.llama.legacy.read import ALIGNMENT, OldModel, OldTensor
from airochat.backends.llama.legacy.write import Entry, Value, header, padding
from airochat.errors import ModelError

_OUTER = {
    "tok_embeddings.weight": "token_embd.weight",
    "norm.weight": "output_norm.weight",
    "output.weight": "output.weight",
}
_INNER = {
    "attention.wq": "attn_q",
    "attention.wk": "attn_k",
    "attention.wv": "attn_v",
    "attention.wo": "attn_output",
    "attention_norm": "attn_norm",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w2": "ffn_down",
    "feed_forward.w3": "ffn_up",
    "ffn_norm": "ffn_norm",
}
# llama.cpp would take such a table for Llama 3's factors; it computes the angles itself.
_ROTATIONS = re.compile(r"(layers\.\d+\.attention\.inner_attention\.)?rope\.freqs")
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6
_SPECIALS = ((b"<unk>", _UNKNOWN), (b"<s>", _CONTROL), (b"</s>", _CONTROL))
_BYTES = range(3, 259)
_ADDED = -1000.0
"""The score that llama.cpp's converter of that time gave to tokens that were added to LLaMA's vocabulary."""
_QUANTISATION_VERSION = 2
"""ggml's ``GGML_QNT_VERSION`` since GGJT v3."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A conversion that is known to be possible; ``size`` is that of the whole new file, in bytes."""

    old: OldModel
    origin: Origin
    n_head_kv: int
    header: bytes = field(repr=False)
    tensors: Sequence[OldTensor] = field(repr=False)
    """In the order in which their weights follow the header."""
    size: int


def plan(old: OldModel, wishes: Wishes) -> Plan:
    """Return what the file becomes; `ModelError` if its tensors or its tokens are not those of a whole Llama model."""
    n_head_kv, n_ff = _check_shapes(old)
    _check_bytes(old)
    found = origin(old, n_head_kv, wishes)
    names = dict(_names(old.n_layer))
    tensors = [tensor for name, tensor in old.tensors.items() if name in names]
    entries = [Entry(names[tensor.name], tensor.kind, tensor.shape, tensor.size) for tensor in tensors]
    metadata = _metadata(old, found, n_head_kv, n_ff) | _vocabulary(old.pieces)
    head = header(metadata, entries, ALIGNMENT)
    weights = sum(entry.size + padding(entry.size, ALIGNMENT) for entry in entries)
    return Plan(old, found, n_head_kv, head, tensors, len(head) + weights)


def _names(n_layer: int) -> Iterator[tuple[str, str]]:
    yield from _OUTER.items()
    for layer in range(n_layer):
        for old, new in _INNER.items():
            yield f"layers.{layer}.{old}.weight", f"blk.{layer}.{new}.weight"


def _check_shapes(old: OldModel) -> tuple[int, int]:
    """Return the number of key heads and the width of the feed-forward net, which all layers must share."""
    names = dict(_names(old.n_layer))
    for name in names:
        if name not in old.tensors:
            message = f"{old.path} is not whole: it lacks {name!r}, and perhaps more."
            raise ModelError(message, "Finish the download, or get another copy of the model.")
    for name in old.tensors:
        if name not in names and not _ROTATIONS.fullmatch(name):
            message = f"{old.path} holds the unknown tensor {name[:60]!r}: it is no Llama model."
            raise ModelError(message, "Look for a GGUF of the same model.")
    n_kv = old.tensors["layers.0.attention.wk.weight"].shape[-1]
    n_ff = old.tensors["layers.0.feed_forward.w1.weight"].shape[-1]
    if n_kv % old.head_size or n_kv > old.n_embd or old.n_head % (n_kv // old.head_size):
        raise _misshapen(old, "layers.0.attention.wk.weight")
    for name, tensor in old.tensors.items():
        if name in names and tensor.shape != _shape(name, old, n_kv, n_ff):
            raise _misshapen(old, name)
    return n_kv // old.head_size, n_ff


def _check_bytes(old: OldModel) -> None:
    """Every vocabulary of LLaMA's kind has a token for each byte here; without them llama.cpp ends its process."""
    if [text for text, _ in old.pieces[_BYTES.start : _BYTES.stop]] != [bytes([byte]) for byte in range(256)]:
        message = (
            f"{old.path} has a vocabulary that is not of LLaMA's kind: its tokens 3 to 258 are not the bytes."
        )
        raise ModelError(message, "Look for a GGUF of the same model.")


def _shape(name: str, old: OldModel, n_kv: int, n_ff: int) -> tuple[int, ...]:
    if name.endswith("norm.weight"):
        return (old.n_embd,)
    rows = {
        "wq": old.n_embd,
        "wk": n_kv,
        "wv": n_kv,
        "wo": old.n_embd,
        "w1": n_ff,
        "w2": old.n_embd,
        "w3": n_ff,
    }
    part = name.split(".")[-2]
    return (n_ff if part == "w2" else old.n_embd, rows.get(part, len(old.pieces)))


def _misshapen(old: OldModel, name: str) -> ModelError:
    shape = " × ".join(str(length) for length in old.tensors[name].shape)
    message = (
        f"{old.path} is damaged, or one of several parts: {name!r} is {shape}, which does not fit its header."
    )
    return ModelError(message, "Get a whole file of the model.")


def _metadata(old: OldModel, found: Origin, n_head_kv: int, n_ff: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {
        "general.architecture": "llama",
        "general.name": _name(old.path.name),
        "general.quantization_version": _QUANTISATION_VERSION,
        "llama.context_length": found.n_ctx,
        "llama.embedding_length": old.n_embd,
        "llama.block_count": old.n_layer,
        "llama.feed_forward_length": n_ff,
        "llama.attention.head_count": old.n_head,
        "llama.attention.head_count_kv": n_head_kv,
        "llama.attention.layer_norm_rms_epsilon": float(found.eps),
        "llama.rope.dimension_count": old.n_rot,
        "llama.rope.freq_base": float(found.rope_base),
        "llama.vocab_size": len(old.pieces),
    }
    if old.file_type in FILE_TYPES:
        metadata["general.file_type"] = old.file_type
    if found.rope_scale != 1:
        metadata["llama.rope.scaling.type"] = "linear"
        metadata["llama.rope.scaling.factor"] = float(found.rope_scale)
    return metadata


def _name(file: str) -> str:
    """Return a model's name by that of its file, without an end such as ``.ggmlv3.q5_0.bin``."""
    stem = re.sub(r"\.bin$", "", file, flags=re.IGNORECASE)
    return re.sub(r"(?<=.)[.-]ggml(v\d)?([.-].*)?$", "", stem, flags=re.IGNORECASE)


def _vocabulary(pieces: Sequence[tuple[bytes, float]]) -> dict[str, Value]:
    first_added = len(pieces)
    while first_added > _BYTES.stop and pieces[first_added - 1][1] == _ADDED:
        first_added -= 1
    tokens = [_token(number, text, number >= first_added) for number, (text, _) in enumerate(pieces)]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [text for text, _ in tokens],
        "tokenizer.ggml.scores": [score for _, score in pieces],
        "tokenizer.ggml.token_type": [kind for _, kind in tokens],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
    }


def _token(number: int, text: bytes, added: bool) -> tuple[bytes, int]:
    """Return a token as SentencePiece spells it, and its type; old files have bytes and spaces as they are."""
    if number < len(_SPECIALS):
        return _SPECIALS[number]
    if number in _BYTES:
        return b"<0x%02X>" % text[0], _BYTE
    if not text:
        return text, _CONTROL
    if added:
        return text, _USER_DEFINED
    return text.replace(b" ", "\u2581".encode()), _NORMAL
