"""Which part of the KV cache serves a new prompt."""

from __future__ import annotations

from collections.abc import Sequence


def reusable(cached: Sequence[int], wanted: Sequence[int], *, can_rewind: bool = True) -> int:
    """Return how many leading tokens of the cache can stay for the prompt ``wanted``.

    At least one token is left to evaluate, since the cache holds no logits. ``can_rewind`` is false for models whose
    state cannot forget its tail (recurrent ones): then it is all of the cache or nothing.
    """
    limit = min(len(cached), len(wanted) - 1)
    keep = next((i for i in range(limit) if cached[i] != wanted[i]), max(limit, 0))
    return keep if can_rewind or keep == len(cached) else 0
