"""How large a model gets in each quantisation: the effective bits per weight of llama.cpp's mixes."""

from __future__ import annotations

from airochat import checks
from airochat.backends.llama.ggml import TENSOR_TYPES
from airochat.errors import UsageError

BITS: dict[str, float] = {
    "Q2_K": 3.3637,
    "Q3_K_S": 3.4507,
    "Q3_K_M": 3.8599,
    "Q3_K_L": 4.2459,
    "Q4_0": 4.5008,
    "Q4_K_S": 4.5094,
    "Q4_K_M": 4.8219,
    "Q4_1": 5.0008,
    "Q5_0": 5.5007,
    "Q5_K_S": 5.5044,
    "Q5_K_M": 5.6661,
    "Q5_1": 6.0007,
    "Q6_K": 6.5630,
    "Q8_0": 8.5004,
    "F16": 16.0,
}
"""Bits per weight of the usual quantisations, smallest first.

The quantised ones are the file sizes on the model card of the 65B Airoboros GPT4 1.3 GGML over its 65.286e9
weights. Files of 2024 and later in Q2_K are smaller: about 3.0 bits.
"""

RARE: dict[str, float] = {
    "IQ1_S": 2.0042,
    "IQ1_M": 2.1460,
    "IQ2_XXS": 2.3824,
    "IQ2_XS": 2.5882,
    "IQ2_S": 2.7403,
    "IQ2_M": 2.9294,
    "Q2_K_S": 2.9697,
    "IQ3_XXS": 3.2548,
    "IQ3_XS": 3.4977,
    "IQ3_S": 3.6606,
    "IQ3_M": 3.7628,
    "MXFP4": 4.25,
    "IQ4_XS": 4.4597,
    "IQ4_NL": 4.6818,
    "BF16": 16.0,
    "F32": 32.0,
}
"""Bits per weight of the others, from the table for Llama 3.1 8B in llama.cpp's tools/quantize/README.md."""

CARD_EXTRA = 2_500_000_000
"""What that card, and most cards of GGML and early GGUF files, add to the size of a file for "max RAM", in bytes."""


def named(text: str) -> str:
    """Return a quantisation's name as it is written, whatever the case; `UsageError` if there is none."""
    name = text.strip().upper()
    if name in BITS or name in RARE:
        return name
    raise UsageError(f"There is no quantisation {text!r}.", checks.did_you_mean(name, [*BITS, *RARE]))


def bits(name: str) -> float:
    """Return the effective bits per weight of a quantisation; 0 if it is unknown."""
    return BITS.get(name, RARE.get(name, 0.0))


def estimate(parameters: int, name: str) -> int:
    """Return the size in bytes of a model's file in a known quantisation."""
    return round(parameters * bits(name) / 8)


def kv_bytes(kind: str) -> float:
    """Return the bytes that one number of a KV cache takes in a type such as ``f16`` or ``q8_0``."""
    return _KV[kind]


_KV = {one.name.lower(): one.size / one.block for one in TENSOR_TYPES.values()}
