"""The shape of a model, as far as its memory depends on it: from a GGUF's header, or from a name such as ``70b``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

from airochat.backends.llama.header import Header, LayerShape, whole
from airochat.errors import UsageError

_WINDOW_PERIODS = {
    "cohere2": 4,
    "exaone4": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt-oss": 2,
    "llama4": 4,
}
"""One layer in so many looks at the whole context, in architectures whose files need not say so (llama-model.cpp)."""
_WINDOWLESS = ("llama", "qwen2")
"""Architectures for which llama.cpp does not read ``attention.sliding_window``."""
_STATE_BYTES = 4
_NO_LAYER = LayerShape()
_MAX_LAYERS = 10_000
_SIZE = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?(?:e\d+)?)([kmbt]?)")
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the need for memory depends on; numbers are 0 if unknown."""

    name: str
    parameters: int
    n_embd: int
    n_ff: int
    """Width of the feed-forward part that one token passes: of all its experts together."""
    n_heads: int
    kv_widths: tuple[tuple[int, int], ...] = field(repr=False)
    """For every layer the widths of a token's key and value; zeros for a layer without attention."""
    n_vocab: int
    n_ctx_train: int
    head_width: int = 0
    window: int = 0
    """Tokens that the layers of a sliding window look back; 0 if there are none."""
    windowed: int = 0
    """How many layers have that window."""
    state: int = 0
    """Bytes of a recurrent model's state, whatever the context."""
    experts: int = 0
    experts_used: int = 0
    layer_shares: tuple[float, ...] = field(default=(), repr=False)
    """The share of the file that each layer takes."""
    embedding_share: float = 0.0
    output_share: float = 0.0
    """The share of the output matrix; 0 if the embeddings serve for it."""
    guessed_from: str = ""
    """For a size that no known model has, the model whose shape was scaled."""

    @property
    def n_layers(self) -> int:
        """Number of layers, without the output."""
        return len(self.kv_widths)

    @property
    def kv_width(self) -> int:
        """Numbers that one token adds to the KV cache, over all layers."""
        return sum(key + value for key, value in self.kv_widths)


def shape_of(header: Header) -> Shape:
    """Return the shape of a model from its header, that of all parts if it is split."""
    heads = _number(header, "attention.head_count")
    embd = _number(header, "embedding_length")
    n_layers = min(header.n_layers, _MAX_LAYERS)
    key = _number(header, "attention.key_length") or embd // max(heads, 1)
    value = _number(header, "attention.value_length") or key
    kv_heads = _number(header, "attention.head_count_kv") or heads
    widths = _widths(header, n_layers, (kv_heads * key, kv_heads * value))
    size = max(header.size, 1)
    return Shape(
        name=header.name,
        parameters=header.parameters,
        n_embd=embd,
        n_ff=_feed_forward(header, embd),
        n_heads=heads,
        kv_widths=widths,
        n_vocab=header.n_vocab,
        n_ctx_train=header.n_ctx_train,
        head_width=key,
        window=_window(header),
        windowed=_windowed(header, n_layers),
        state=_state(header, n_layers),
        experts=_number(header, "expert_count"),
        experts_used=_number(header, "expert_used_count"),
        layer_shares=tuple(header.layers.get(number, _NO_LAYER).size / size for number in range(n_layers)),
        embedding_share=header.embedding_size / size,
        output_share=header.output_size / size,
    )


def shape_named(text: str) -> Shape:
    """Return the shape that ``70b``, ``8x7b``, ``l3-70b`` or a count of weights means; `UsageError` if none."""
    plain = text.strip().casefold().replace("_", "-").replace(" ", "")
    if plain in KNOWN:
        return KNOWN[plain]
    if plain in _ALIASES:
        return KNOWN[_ALIASES[plain]]
    match = _SIZE.fullmatch(plain)
    count = _count(*match.groups()) if match else 0.0
    if not 1e6 <= count <= 1e14:
        raise UsageError(
            f"--params {text} is no size of a model.",
            f"Give a number of weights such as 70b or 8x7b, or one of: {', '.join(KNOWN)}.",
        )
    return _scaled(round(count), mixture="x" in plain)


def smaller(parameters: int) -> list[Shape]:
    """Return one known shape of each smaller size, the largest first."""
    usual = {_ALIASES[size] for size in _USUAL}
    below = [shape for name, shape in KNOWN.items() if name in usual and shape.parameters < 0.9 * parameters]
    return sorted(below, key=lambda shape: -shape.parameters)


def _number(header: Header, key: str) -> int:
    return min(whole(header.metadata.get(f"{header.architecture}.{key}", "0")), 1 << 40)


def _widths(header: Header, n_layers: int, stated: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the widths per layer: of the key and value tensors if there are any, else what the metadata says."""
    latent = _number(header, "attention.kv_lora_rank")
    if latent and "key_length_mla" in " ".join(header.metadata):
        return ((_number(header, "attention.key_length"), latent),) * n_layers
    layers = [header.layers.get(number, _NO_LAYER) for number in range(n_layers)]
    if any(layer.key_width and layer.value_width for layer in layers):
        return tuple((layer.key_width, layer.value_width) for layer in layers)
    return (stated,) * n_layers


def _feed_forward(header: Header, embd: int) -> int:
    dense = _number(header, "feed_forward_length")
    used = _number(header, "expert_used_count")
    expert = _number(header, "expert_feed_forward_length") or dense
    return max(dense, used * expert) or 4 * embd


def _window(header: Header) -> int:
    return 0 if header.architecture in _WINDOWLESS else _number(header, "attention.sliding_window")


def _windowed(header: Header, n_layers: int) -> int:
    if not _window(header):
        return 0
    stated = _number(header, "attention.sliding_window_pattern")
    period = stated or _WINDOW_PERIODS.get(header.architecture, 0)
    return n_layers - n_layers // period if period else n_layers


def _state(header: Header, n_layers: int) -> int:
    """Return the bytes of a state-space model's states: those of convolutions and its own (llama-hparams.cpp)."""
    inner, state = _number(header, "ssm.inner_size"), _number(header, "ssm.state_size")
    kernel, groups = _number(header, "ssm.conv_kernel"), _number(header, "ssm.group_count")
    convolution = max(kernel - 1, 0) * (inner + 2 * groups * state)
    return n_layers * (convolution + inner * state) * _STATE_BYTES


def _count(experts: str | None, number: str, unit: str) -> float:
    # The experts of a mixture share what is not feed-forward, about a sixth of each.
    return (int(experts) * 0.83 if experts else 1) * min(float(number), 1e15) * _UNITS[unit]


def _scaled(parameters: int, mixture: bool) -> Shape:
    """Return the nearest known shape, of a mixture of experts or not, with another count of weights.

    Weights grow with layers times width squared, so both are scaled by the cube root.
    """
    alike = [shape for shape in KNOWN.values() if bool(shape.experts) == mixture]
    known = min(alike, key=lambda shape: abs(math.log(shape.parameters / parameters)))
    ratio = parameters / known.parameters
    if 0.97 < ratio < 1.03:
        return replace(known, parameters=parameters)
    root = ratio ** (1 / 3)
    n_layers, n_embd = max(1, round(known.n_layers * root)), round(known.n_embd * root)
    width = max(1, round(known.kv_widths[0][0] * root))
    return replace(
        known,
        name=f"{parameters / 1e9:.3g}B",
        parameters=parameters,
        n_embd=n_embd,
        n_ff=round(known.n_ff * root),
        kv_widths=((width, width),) * n_layers,
        guessed_from=known.name,
        **_even_shares(n_layers, known.n_vocab * n_embd / parameters),
    )


def _even_shares(n_layers: int, table: float) -> dict[str, Any]:
    """Return the shares of layers that are all alike, with an embedding table and an output of the same size."""
    layers = ((1 - 2 * table) / n_layers,) * n_layers
    return {"layer_shares": layers, "embedding_share": table, "output_share": table}


def _known(
    name: str,
    billions: float,
    n_layers: int,
    n_embd: int,
    n_ff: int,
    heads: int,
    kv_width: int,
    n_vocab: int,
    n_ctx: int,
    used: int = 0,
) -> Shape:
    parameters = round(billions * 1e9)
    return Shape(
        name=name,
        parameters=parameters,
        n_embd=n_embd,
        n_ff=n_ff * max(used, 1),
        n_heads=heads,
        kv_widths=((kv_width, kv_width),) * n_layers,
        n_vocab=n_vocab,
        n_ctx_train=n_ctx,
        head_width=n_embd // heads,
        experts=8 if used else 0,
        experts_used=used,
        **_even_shares(n_layers, n_vocab * n_embd / parameters),
    )


_ROWS = (
    ("smollm2-135m", 0.1345, 30, 576, 1536, 9, 192, 49152, 8192),
    ("tinyllama-1.1b", 1.100, 22, 2048, 5632, 32, 256, 32000, 2048),
    ("stablelm-3b", 2.795, 32, 2560, 6912, 32, 2560, 50304, 4096),
    ("l1-7b", 6.738, 32, 4096, 11008, 32, 4096, 32000, 2048),
    ("l2-7b", 6.738, 32, 4096, 11008, 32, 4096, 32000, 4096),
    ("mistral-7b", 7.242, 32, 4096, 14336, 32, 1024, 32000, 32768),
    ("l3-8b", 8.030, 32, 4096, 14336, 32, 1024, 128256, 8192),
    ("l1-13b", 13.016, 40, 5120, 13824, 40, 5120, 32000, 2048),
    ("l2-13b", 13.016, 40, 5120, 13824, 40, 5120, 32000, 4096),
    ("mpt-30b", 29.96, 48, 7168, 28672, 64, 7168, 50432, 8192),
    ("l1-33b", 32.529, 60, 6656, 17920, 52, 6656, 32000, 2048),
    ("codellama-34b", 33.744, 48, 8192, 22016, 64, 1024, 32000, 16384),
    ("yi-34b", 34.389, 60, 7168, 20480, 56, 1024, 64000, 4096),
    ("mixtral-8x7b", 46.703, 32, 4096, 14336, 32, 1024, 32000, 32768, 2),
    ("l1-65b", 65.286, 80, 8192, 22016, 64, 8192, 32000, 2048),
    ("l2-70b", 68.977, 80, 8192, 28672, 64, 1024, 32000, 4096),
    ("l3-70b", 70.554, 80, 8192, 28672, 64, 1024, 128256, 8192),
    ("mixtral-8x22b", 140.62, 56, 6144, 16384, 48, 1024, 32768, 65536, 2),
)
KNOWN: dict[str, Shape] = {row[0]: _known(*row) for row in _ROWS}
"""The models that Airoboros was trained on, and a few others, by name: as their makers' ``config.json`` says."""
_ALIASES = {
    "135m": "smollm2-135m",
    "1.1b": "tinyllama-1.1b",
    "3b": "stablelm-3b",
    "7b": "l2-7b",
    "8b": "l3-8b",
    "13b": "l2-13b",
    "30b": "l1-33b",
    "33b": "l1-33b",
    "34b": "yi-34b",
    "8x7b": "mixtral-8x7b",
    "65b": "l1-65b",
    "70b": "l2-70b",
    "8x22b": "mixtral-8x22b",
}
_USUAL = ("1.1b", "3b", "7b", "13b", "33b", "70b")
