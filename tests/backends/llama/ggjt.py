"""Old model files that tests write themselves, and the same weights as GGUF by the `gguf` package."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from llama_cpp import llama_cpp as _llama

from tests.models import Tokens, spm_tokens

L: Any = _llama
Array = np.ndarray[Any, Any]
WIDTH, FF, LAYERS, HEADS = 256, 512, 2, 4
HEAD = WIDTH // HEADS
EPS = 1e-6
_NORMAL, _USER_DEFINED = 1, 4
TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 8: "Q5_0", 9: "Q5_1", 7: "Q8_0",
    10: "Q2_K", 11: "Q3_K", 14: "Q4_K", 16: "Q5_K", 18: "Q6_K",
}  # fmt: skip
"""File types with the type of most of their tensors."""


def vocabulary() -> Tokens:
    """Return LLaMA's kind of vocabulary: specials, bytes, pieces, and at the end two that were added."""
    pieces = [(text, score, kind) for text, score, kind in spm_tokens()[259:] if kind == _NORMAL]
    added = [(text, -1000.0, _USER_DEFINED) for text in ("<|im_start|>", "[PAD]")]
    return [*spm_tokens()[:259], *pieces, *added]


def weights(kv_heads: int = HEADS, seed: int = 0) -> dict[str, Array]:
    """Return random weights by their old names; matrices have a row for each output."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "tok_embeddings.weight": (len(vocabulary()), WIDTH),
        "norm.weight": (WIDTH,),
        "output.weight": (len(vocabulary()), WIDTH),
    }
    for layer in range(LAYERS):
        shapes |= {
            f"layers.{layer}.{name}.weight": shape
            for name, shape in {
                "attention.wq": (WIDTH, WIDTH),
                "attention.wk": (kv_heads * HEAD, WIDTH),
                "attention.wv": (kv_heads * HEAD, WIDTH),
                "attention.wo": (WIDTH, WIDTH),
                "attention_norm": (WIDTH,),
                "feed_forward.w1": (FF, WIDTH),
                "feed_forward.w2": (WIDTH, FF),
                "feed_forward.w3": (FF, WIDTH),
                "ffn_norm": (WIDTH,),
            }.items()
        }
    return {name: _random(random, shape) for name, shape in shapes.items()}


def _random(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    values = random.standard_normal(shape).astype(np.float32)
    scaled: Array = 1 + values / 10 if len(shape) == 1 else values / np.float32(np.sqrt(shape[1]) / 2)
    return scaled


def stored(array: Array, kind: int) -> Array:
    """Return rows of bytes as ggml stores them in a type; vectors are always F32."""
    if kind == 0 or array.ndim == 1:
        return np.ascontiguousarray(array, np.float32)
    if kind == 1:
        return array.astype(np.float16)
    rows, columns = array.shape
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
    result = np.zeros((rows, columns // block * size), np.uint8)
    quantize = L._lib.ggml_quantize_chunk
    quantize.restype = ctypes.c_size_t
    numbers = [ctypes.c_int64(number) for number in (0, rows, columns)]
    places = [ctypes.c_void_p(data.ctypes.data) for data in (array, result)]
    assert quantize(ctypes.c_int(kind), *places, *numbers, None) == result.size
    return result


def kind_of(file_type: int) -> int:
    """Return ggml's number of the tensor type of a file type."""
    return int(gguf.GGMLQuantizationType[TYPES[file_type]])


def old_file(
    tensors: Mapping[str, Array],
    file_type: int = 0,
    *,
    version: int = 3,
    tokens: Tokens | None = None,
    header: Iterable[int] | None = None,
) -> bytes:
    """Return a whole GGJT file; ``header`` stands for its seven numbers."""
    tokens = vocabulary() if tokens is None else tokens
    numbers = header or (len(tokens), WIDTH, 256, HEADS, LAYERS, HEAD, file_type)
    data = bytearray(b"tjgg" + struct.pack("<I7I", version, *numbers))
    for number, (text, score, _) in enumerate(tokens):
        raw = _old_piece(number, text)
        data += struct.pack("<I", len(raw)) + raw + struct.pack("<f", score)
    for name, array in tensors.items():
        shape, kind = array.shape[::-1], kind_of(file_type) if array.ndim == 2 else 0
        data += struct.pack(f"<3I{len(shape)}I", len(shape), len(name), kind, *shape) + name.encode()
        data += b"\0" * (-len(data) % 32) + stored(array, kind).tobytes()
    return bytes(data)


def _old_piece(number: int, text: str) -> bytes:
    if number < 3:
        return (" \u2047 ".encode(), b"", b"")[number]
    if number < 259:
        return bytes([number - 3])
    return text.replace("\u2581", " ").encode()


def new_file(path: Path, tensors: Mapping[str, Array], file_type: int = 0, kv_heads: int = HEADS) -> Path:
    """Write the same weights with the `gguf` package."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FF)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(EPS)
    writer.add_rope_dimension_count(HEAD)
    tokens = vocabulary()
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _, _ in tokens])
    writer.add_token_scores([score for _, score, _ in tokens])
    writer.add_token_types([kind for _, _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS)
    for name, array in tensors.items():
        kind = gguf.GGMLQuantizationType(kind_of(file_type) if array.ndim == 2 else 0)
        new_name = names.get_name(name, try_suffixes=(".weight",))
        assert new_name
        writer.add_tensor(new_name, stored(array, int(kind)), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def logits(path: Path, tokens: list[int]) -> Array:
    """Return llama.cpp's logits after each token, computed with a cache of full precision."""
    model = L.llama_model_load_from_file(str(path).encode(), L.llama_model_default_params())
    assert model
    params = L.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 256, 1, 1
    params.type_k = params.type_v = params.flash_attn_type = 0
    context = L.llama_init_from_model(model, params)
    batch = L.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for index, token in enumerate(tokens):
        batch.token[index], batch.pos[index], batch.logits[index] = token, index, 1
        batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
    assert L.llama_decode(context, batch) == 0
    n_vocab = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))
    result: Array = np.ctypeslib.as_array(L.llama_get_logits(context), (len(tokens), n_vocab)).copy()
    L.llama_batch_free(batch)
    L.llama_free(context)
    L.llama_model_free(model)
    return result


def llama_by_hand(tensors: Mapping[str, Array], tokens: list[int], eps: float = EPS) -> Array:
    """Return the logits by the published definition of LLaMA, which multiplies neighbours as complex numbers."""
    x = tensors["tok_embeddings.weight"][tokens].astype(np.float64)
    angles = np.outer(np.arange(len(tokens)), 1e4 ** (-np.arange(0, HEAD, 2) / HEAD))
    turn = np.exp(1j * angles)[:, None, :]
    mask = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)

    def norm(values: Array, name: str) -> Array:
        result: Array = values / np.sqrt((values**2).mean(-1, keepdims=True) + eps) * tensors[name]
        return result

    def rotated(values: Array) -> Array:
        pairs = values.reshape(*values.shape[:2], -1, 2)
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * turn
        result: Array = np.stack([turned.real, turned.imag], -1).reshape(values.shape)
        return result

    for layer in range(LAYERS):
        w = {key: tensors[f"layers.{layer}.{key}.weight"] for key in _PARTS}
        h = norm(x, f"layers.{layer}.attention_norm.weight")
        q, k, v = ((h @ w[f"attention.w{name}"].T).reshape(len(tokens), -1, HEAD) for name in "qkv")
        shared = HEADS // k.shape[1]
        q, k, v = rotated(q), rotated(k).repeat(shared, 1), v.repeat(shared, 1)
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(HEAD) + mask
        chances = np.exp(scores - scores.max(-1, keepdims=True))
        chances /= chances.sum(-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", chances, v).reshape(len(tokens), -1)
        x = x + mixed @ w["attention.wo"].T
        h = norm(x, f"layers.{layer}.ffn_norm.weight")
        gate = h @ w["feed_forward.w1"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["feed_forward.w3"].T)) @ w["feed_forward.w2"].T
    result: Array = norm(x, "norm.weight") @ tensors["output.weight"].T
    return result


_PARTS = tuple(f"attention.w{name}" for name in "qkvo") + tuple(f"feed_forward.w{n}" for n in "123")
