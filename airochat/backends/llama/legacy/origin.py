"""What an old file does not record: which Llama its model is, and so its epsilon, context and rotation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airochat import checks
from airochat.backends.llama.legacy.read import OldModel
from airochat.errors import UsageError

_CODE = re.compile(r"code-?llama|(?<![a-z0-9])c34b")
_SECOND = re.compile(r"(?<![a-z0-9])l2(?![a-z0-9])|llama-?2")
_STRETCHED = re.compile(r"(?<![a-z0-9])(?:superhot|pi)-(8k|8192|16k|16384)(?![a-z0-9])")
_TOKENS = {"8k": 8192, "8192": 8192, "16k": 16384, "16384": 16384}
_CODE_34B, _FIRST_65B = (48, 8192), (80, 8192)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants instead of what `origin` finds; None leaves it to that. `UsageError` if out of range."""

    eps: float | None = None
    gqa: int | None = None
    n_ctx: int | None = None
    rope_base: float | None = None
    rope_scale: float | None = None

    def __post_init__(self) -> None:
        for option, value, low, high in (
            ("--eps", self.eps, 1e-12, 1),
            ("--gqa", self.gqa, 1, 1024),
            ("--ctx", self.n_ctx, 1, 10_000_000),
            ("--rope-base", self.rope_base, 1, 1e12),
            ("--rope-scale", self.rope_scale, 1, 1024),
        ):
            if value is not None:
                checks.number(option, value, low, high)


@dataclass(frozen=True, slots=True)
class Origin:
    """The numbers that a GGUF needs beside those in the file, and where they come from."""

    base: str
    """The model that this one was trained from: ``LLaMA 1``, ``Llama 2`` or ``Code Llama``."""
    reason: str
    """How that was told, in a few words."""
    eps: float
    """What the normalisation adds, so that nothing is divided by zero."""
    n_ctx: int
    """Tokens that the model was trained for."""
    rope_base: float
    """What the angles of the positions are powers of."""
    rope_scale: float
    """By how much positions are squeezed (SuperHOT and its like); 1 for most models."""


def origin(old: OldModel, n_head_kv: int, wishes: Wishes) -> Origin:
    """Tell the origin of a model by its name and shape; `UsageError` if ``wishes.gqa`` contradicts the shape.

    The numbers are those of the published models. LLaMA 1 has an epsilon of 1e-6, but for its 65B.
    """
    gqa = old.n_head // n_head_kv
    if wishes.gqa not in (None, gqa):
        raise UsageError(
            f"The weights of {old.path} have {gqa} query heads to each key, not {wishes.gqa}.",
            f"Leave out --gqa, or give --gqa {gqa}.",
        )
    name = old.path.name.lower().replace("_", "-").replace(" ", "-")
    base, reason = _base(old, name, gqa)
    eps = 1e-6 if base == "LLaMA 1" and (old.n_layer, old.n_embd) != _FIRST_65B else 1e-5
    n_ctx = {"LLaMA 1": 2048, "Llama 2": 4096, "Code Llama": 16384}[base]
    rope_base = 1e6 if base == "Code Llama" else 1e4
    stretched = _STRETCHED.search(name)
    trained = _TOKENS[stretched[1]] if stretched else n_ctx
    return Origin(
        base,
        reason,
        wishes.eps or eps,
        wishes.n_ctx or trained,
        wishes.rope_base or rope_base,
        wishes.rope_scale or max(1.0, trained / n_ctx),
    )


def _base(old: OldModel, name: str, gqa: int) -> tuple[str, str]:
    if _CODE.search(name):
        return "Code Llama", "its name says so"
    if (old.n_layer, old.n_embd) == _CODE_34B:
        return "Code Llama", "only that has 48 layers of this width"
    if _SECOND.search(name):
        return "Llama 2", "its name says so"
    if gqa > 1:
        return "Llama 2", "its heads share keys"
    return "LLaMA 1", "nothing speaks for a later one"
