"""Small GGUF models that tests write themselves: a llama of two layers with random or scripted weights."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np

N_CTX_TRAIN = 1024
_N_EMBD, _N_FF, _N_LAYER = 64, 128, 2
_TEXT = "the and of to in he she said was with a lantern river llama hello world user"
_WORDS = tuple(_TEXT.split())
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6
Tokens = list[tuple[str, float, int]]
"""Spelling, score and type of each token."""


def write_model(
    path: Path,
    kind: Literal["spm", "bpe"] = "spm",
    *,
    chain: Mapping[int, int] | None = None,
    seed: int = 0,
    metadata: Mapping[str, str] | None = None,
    broken: Literal["", "all", "rows"] = "",
    head_size: int = 32,
    without: str = "",
) -> Path:
    """Write a model of a few hundred kilobytes and return its path; the same arguments give the same bytes.

    With ``chain`` the likeliest token after each of its keys is the value, whatever came before: such a model says
    what a test wants. ``broken`` makes all logits NaN, or all
    but the first (``rows``); the tensor ``without`` is left out.
    """
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny")
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(_N_EMBD)
    writer.add_block_count(_N_LAYER)
    writer.add_feed_forward_length(_N_FF)
    writer.add_head_count(_N_EMBD // head_size)
    writer.add_head_count_kv(_N_EMBD // head_size)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head_size)
    for key, value in (metadata or {}).items():
        writer.add_string(key, value)
    tokens = spm_tokens() if kind == "spm" else bpe_tokens()
    _add_vocabulary(writer, kind, tokens)
    weights = _weights(len(tokens), seed, chain)
    weights.pop(without, None)
    if broken:
        weights["output.weight"][1 if broken == "rows" else 0 :] = np.nan
    for name, array in weights.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_recurrent_model(path: Path, seed: int = 0) -> Path:
    """Write a Mamba model with random weights and the SentencePiece vocabulary: its state cannot be rewound."""
    inner, state, rank, width = 2 * _N_EMBD, 8, 4, 4
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "mamba")
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(_N_EMBD)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(_N_LAYER)
    writer.add_ssm_conv_kernel(width)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = spm_tokens()
    _add_vocabulary(writer, "spm", tokens)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(tokens), _N_EMBD),
        "output_norm.weight": (_N_EMBD,),
    }
    for layer in range(_N_LAYER):
        shapes |= {
            f"blk.{layer}.attn_norm.weight": (_N_EMBD,),
            f"blk.{layer}.ssm_in.weight": (2 * inner, _N_EMBD),
            f"blk.{layer}.ssm_conv1d.weight": (inner, width),
            f"blk.{layer}.ssm_conv1d.bias": (inner,),
            f"blk.{layer}.ssm_x.weight": (rank + 2 * state, inner),
            f"blk.{layer}.ssm_dt.weight": (inner, rank),
            f"blk.{layer}.ssm_dt.bias": (inner,),
            f"blk.{layer}.ssm_a": (inner, state),
            f"blk.{layer}.ssm_d": (inner,),
            f"blk.{layer}.ssm_out.weight": (_N_EMBD, inner),
        }
    for name, shape in shapes.items():
        values = random.standard_normal(shape).astype(np.float32) / np.float32(4)
        writer.add_tensor(name, -np.abs(values) if name.endswith("ssm_a") else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_window_model(path: Path, window: int = 32, seed: int = 0) -> Path:
    """Write a Gemma 2 model with random weights, in which every other layer sees the last ``window`` tokens only."""
    random = np.random.default_rng(seed)
    head = 32
    writer = gguf.GGUFWriter(str(path), "gemma2")
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(_N_EMBD)
    writer.add_block_count(_N_LAYER)
    writer.add_feed_forward_length(_N_FF)
    writer.add_head_count(_N_EMBD // head)
    writer.add_head_count_kv(_N_EMBD // head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_sliding_window(window)
    writer.add_attn_logit_softcapping(50.0)
    writer.add_final_logit_softcapping(30.0)
    tokens = spm_tokens()
    _add_vocabulary(writer, "spm", tokens)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(tokens), _N_EMBD),
        "output_norm.weight": (_N_EMBD,),
    }
    for layer in range(_N_LAYER):
        norms = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        squares = ("attn_q", "attn_k", "attn_v", "attn_output")
        shapes |= {f"blk.{layer}.{name}.weight": (_N_EMBD,) for name in norms}
        shapes |= {f"blk.{layer}.{name}.weight": (_N_EMBD, _N_EMBD) for name in squares}
        shapes |= {f"blk.{layer}.{name}.weight": (_N_FF, _N_EMBD) for name in ("ffn_gate", "ffn_up")}
        shapes[f"blk.{layer}.ffn_down.weight"] = (_N_EMBD, _N_FF)
    for name, shape in shapes.items():
        # Tokens that are small beside what the layers add, so that the last one does not say all.
        scale = np.float32(1 / 32 if name == "token_embd.weight" else 1 / 4)
        values = random.standard_normal(shape).astype(np.float32) * scale
        writer.add_tensor(name, np.ones(shape, np.float32) if len(shape) == 1 else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_encoder_model(
    path: Path, pooling: int | None = 1, *, seed: int = 0, n_ctx: int = 64, broken: bool = False
) -> Path:
    """Write a BERT model with random weights, which only reads; ``pooling`` is llama.cpp's type, None leaves it out."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "bert")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(_N_EMBD)
    writer.add_block_count(_N_LAYER)
    writer.add_feed_forward_length(_N_FF)
    writer.add_head_count(2)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_uint32("bert.pooling_type", pooling)
    tokens = wordpiece_tokens()
    writer.add_tokenizer_model("bert")
    writer.add_token_list([text for text, _, _ in tokens])
    writer.add_token_types([kind for _, _, kind in tokens])
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_sep_token_id(3)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(tokens), _N_EMBD),
        "token_types.weight": (2, _N_EMBD),
        "position_embd.weight": (n_ctx, _N_EMBD),
        "token_embd_norm.weight": (_N_EMBD,),
        "token_embd_norm.bias": (_N_EMBD,),
    }
    for layer in range(_N_LAYER):
        head = f"blk.{layer}"
        shapes |= {
            f"{head}.{name}.weight": (_N_EMBD, _N_EMBD)
            for name in ("attn_q", "attn_k", "attn_v", "attn_output")
        }
        shapes[f"{head}.ffn_up.weight"], shapes[f"{head}.ffn_up.bias"] = (_N_FF, _N_EMBD), (_N_FF,)
        shapes[f"{head}.ffn_down.weight"] = (_N_EMBD, _N_FF)
        biased = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_down")
        shapes |= {f"{head}.{name}.bias": (_N_EMBD,) for name in biased}
        for name in ("attn_output_norm", "layer_output_norm"):
            shapes[f"{head}.{name}.weight"] = shapes[f"{head}.{name}.bias"] = (_N_EMBD,)
    for name, shape in shapes.items():
        values = random.standard_normal(shape).astype(np.float32) / np.float32(8)
        if name.endswith("norm.weight"):
            values += 1
        if broken and name == "token_embd.weight":
            values[:] = np.nan
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def wordpiece_tokens() -> Tokens:
    """Return a WordPiece vocabulary as llama.cpp has it: beginnings of words with a mark, what follows without one."""
    tokens: Tokens = [(text, 0.0, _CONTROL) for text in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    letters = "abcdefghijklmnopqrstuvwxyz.,"
    pieces = dict.fromkeys(["\u2581" + word for word in _WORDS] + ["\u2581" + letter for letter in letters])
    pieces |= dict.fromkeys(letters)
    return tokens + [(piece, 0.0, _NORMAL) for piece in pieces]


def write_adapter(path: Path) -> Path:
    """Write a LoRA adapter for the models of `write_model`, strong enough to change what they say."""
    random = np.random.default_rng(5)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 64.0)
    for layer in range(_N_LAYER):
        name = f"blk.{layer}.attn_output.weight"
        writer.add_tensor(f"{name}.lora_a", random.standard_normal((4, _N_EMBD)).astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", random.standard_normal((_N_EMBD, 4)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def spm_tokens() -> Tokens:
    """Return a SentencePiece vocabulary: bytes, prefixes of a few words, and control tokens of all kinds."""
    tokens: Tokens = [("<unk>", 0.0, _UNKNOWN), ("<s>", 0.0, _CONTROL), ("</s>", 0.0, _CONTROL)]
    tokens += [(f"<0x{byte:02X}>", 0.0, _BYTE) for byte in range(256)]
    pieces = dict.fromkeys("\u2581" + word[:end] for word in _WORDS for end in range(0, len(word) + 1))
    pieces |= dict.fromkeys(chr(code) for code in range(33, 127))
    tokens += [
        (piece, -float(rank), _NORMAL) for rank, piece in enumerate(sorted(pieces, key=lambda p: -len(p)))
    ]
    tokens += [("<|im_start|>", 0.0, _CONTROL), ("<|im_end|>", 0.0, _CONTROL)]
    tokens += [("[INST]", 0.0, _USER_DEFINED), ("<|user|>", 0.0, _USER_DEFINED), ("  ", 0.0, _USER_DEFINED)]
    return tokens


def bpe_tokens() -> Tokens:
    """Return a byte-level BPE vocabulary with the merges of a few words."""
    tokens: Tokens = [(text, 0.0, _CONTROL) for text in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    tokens += [(letter, 0.0, _NORMAL) for letter in _byte_letters()]
    tokens += [(left + right, 0.0, _NORMAL) for left, right in _merges()]
    tokens += [("<|user|>", 0.0, _USER_DEFINED), ("  ", 0.0, _USER_DEFINED)]
    return tokens


def find(tokens: Tokens, spelling: str) -> int:
    """Return the id of a token by its spelling in the vocabulary."""
    return next(index for index, (text, _, _) in enumerate(tokens) if text == spelling)


def says(text: str | bytes, start: int, end: int) -> dict[int, int]:
    """Return a chain for an SPM model that says ``text`` byte by byte after ``start``, then ``end``; no byte twice."""
    data = text.encode() if isinstance(text, str) else text
    assert len(set(data)) == len(data), "each byte can have one successor only"
    path = [start, *(3 + byte for byte in data), end]
    return dict(itertools.pairwise(path))


def _merges() -> list[tuple[str, str]]:
    words = [word for word in _WORDS if len(word) > 1]
    words += ["\u0120" + word for word in _WORDS]
    return list(dict.fromkeys((word[:end], word[end]) for word in words for end in range(1, len(word))))


def _byte_letters() -> list[str]:
    """Return the letter that GPT-2's byte-level BPE writes for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _add_vocabulary(writer: Any, kind: str, tokens: Tokens) -> None:
    writer.add_tokenizer_model("llama" if kind == "spm" else "gpt2")
    writer.add_token_list([text for text, _, _ in tokens])
    writer.add_token_scores([score for _, score, _ in tokens])
    writer.add_token_types([kind_ for _, _, kind_ in tokens])
    if kind == "spm":
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_bos_token(True)
    else:
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges([f"{left} {right}" for left, right in _merges()])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(False)


def _weights(n_vocab: int, seed: int, chain: Mapping[int, int] | None) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray[Any, Any]:
        values: np.ndarray[Any, Any] = random.standard_normal(shape).astype(np.float32)
        values /= np.float32(np.sqrt(_N_EMBD))
        return values

    scale = np.float32(0 if chain else 1)  # a scripted model's layers add nothing to the token's own vector
    weights = {
        "token_embd.weight": matrix(n_vocab, _N_EMBD),
        "output_norm.weight": np.ones(_N_EMBD, np.float32),
    }
    for layer in range(_N_LAYER):
        head = f"blk.{layer}"
        weights |= {
            f"{head}.{name}.weight": np.ones(_N_EMBD, np.float32) for name in ("attn_norm", "ffn_norm")
        }
        weights |= {
            f"{head}.{name}.weight": matrix(_N_EMBD, _N_EMBD) for name in ("attn_q", "attn_k", "attn_v")
        }
        weights |= {f"{head}.{name}.weight": matrix(_N_FF, _N_EMBD) for name in ("ffn_gate", "ffn_up")}
        weights[f"{head}.attn_output.weight"] = matrix(_N_EMBD, _N_EMBD) * scale
        weights[f"{head}.ffn_down.weight"] = matrix(_N_EMBD, _N_FF) * scale
    weights["output.weight"] = (
        _output(weights["token_embd.weight"], chain) if chain else matrix(n_vocab, _N_EMBD)
    )
    return weights


def _output(embedding: np.ndarray[Any, Any], chain: Mapping[int, int]) -> np.ndarray[Any, Any]:
    output = np.zeros_like(embedding)
    for token, following in chain.items():
        output[following] += 4 * embedding[token]
    return output
