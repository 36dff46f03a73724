"""What of a prompt fits into the context: pure arithmetic over token counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airochat.errors import PromptError


@dataclass(frozen=True, slots=True)
class BlockSize:
    """A block as the budget sees it."""

    tokens: int
    priority: int = 0
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class TurnSize:
    """A message as the budget sees it.

    ``weight`` is an estimate from its text alone: it never changes, whatever model or neighbours it has, and marks
    out where the history may be cut. ``border`` is true where a history may begin.
    """

    tokens: int
    weight: int
    border: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """What stays: the blocks by number, and the messages from ``first`` on."""

    blocks: tuple[bool, ...]
    first: int


def fit(blocks: Sequence[BlockSize], turns: Sequence[TurnSize], base: int, budget: int) -> Fit:
    """Choose what stays within ``budget`` tokens, ``base`` of which the template takes.

    Evicted are, until the rest fits: blocks of negative priority (example dialogue), the oldest messages in blocks of
    about a quarter of the budget, then blocks of the lowest priority. Pinned blocks and the newest message stay;
    `PromptError` says how large they are if they do not fit.
    """
    kept = [True] * len(blocks)
    order = sorted((block.priority, -number) for number, block in enumerate(blocks) if not block.pinned)
    optional = [(priority, -number) for priority, number in order]
    newest = turns[-1].tokens if turns else 0

    def left() -> int:
        return budget - base - sum(block.tokens for block, stays in zip(blocks, kept, strict=True) if stays)

    everything = sum(turn.tokens for turn in turns)
    for priority, number in optional:
        if left() >= everything or (priority >= 0 and left() >= newest):
            break
        kept[number] = False
    if left() < newest:
        raise _too_large(base + newest + sum(block.tokens for block in blocks if block.pinned), budget)
    return Fit(tuple(kept), _first(turns, left(), budget))


def _first(turns: Sequence[TurnSize], room: int, budget: int) -> int:
    """Return the number of the oldest message that stays.

    The history is ruled off every so many units of weight, counted from its very beginning, and cut at the first
    line after which it fits. The cut so depends on no earlier cut, and stays where it is until the history has grown
    by a whole block. Blocks are halved where there is too little room for whole ones.
    """
    if sum(turn.tokens for turn in turns) <= room:
        return 0
    block = max(budget // 4, 1)
    while block > max(room // 2, 1):
        block //= 2
    while block:
        found = _first_line(turns, room, block)
        if found is not None:
            return found
        block //= 2
    return len(turns) - 1


def _first_line(turns: Sequence[TurnSize], room: int, block: int) -> int | None:
    remaining = sum(turn.tokens for turn in turns)
    passed = 0
    line = block
    for number, turn in enumerate(turns):
        if turn.border and passed >= line:
            if remaining <= room:
                return number
            line = (passed // block + 1) * block
        passed += turn.weight
        remaining -= turn.tokens
    return None


def _too_large(needed: int, budget: int) -> PromptError:
    return PromptError(
        f"The prompt needs at least {needed:,} tokens, but the context leaves room for {max(budget, 0):,}.",
        "Raise n_ctx, lower max_tokens, or shorten the message or the card.",
    )
