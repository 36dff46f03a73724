"""Saved stretches of token sequences, found by the sequence that is wanted: a radix tree laid flat.

A stretch knows all tokens before it, so what branches have in common is saved once: it is the stretch that ends, or is
left, where they part. A conversation has a few dozen of them, which a loop compares faster than a tree is walked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from airochat.backends.kv import shared

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Saved(Generic[T]):
    """The state of the tokens from ``start`` to the end of ``tokens``, which begin with the first of the sequence.

    A ``whole`` one serves only sequences that go on where it ends: it cannot be cut. ``size`` is in bytes.
    """

    tokens: tuple[int, ...]
    start: int
    state: T
    size: int
    whole: bool = False
    used: int = field(default=0)
    """When it was put here or used, in steps of the shelf's clock."""

    def reach(self, wanted: Sequence[int]) -> int:
        """Return how many leading tokens of ``wanted`` there are once this is added to those before it."""
        length = shared(self.tokens, wanted)
        return 0 if self.whole and length < len(self.tokens) else length


class Shelf(Generic[T]):
    """Keeps stretches up to ``limit`` bytes; those that were not used for the longest time go first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        """Bytes on the shelf."""
        self._all: list[Saved[T]] = []
        self._clock = 0

    def __len__(self) -> int:
        return len(self._all)

    def put(self, saved: Saved[T]) -> None:
        """Add a stretch, and drop what no longer fits; one that is larger than all of the shelf is not kept."""
        if saved.size > self.limit:
            return
        self._touch([saved])
        self._all.append(saved)
        self.size += saved.size
        while self.size > self.limit:
            # Of two used at the same time the later part goes: without the earlier one it is of no use.
            self.drop(min(self._all, key=lambda one: (one.used, -one.start)))

    def drop(self, saved: Saved[T]) -> None:
        """Remove a stretch, for instance one that turned out not to be usable."""
        if saved in self._all:
            self._all.remove(saved)
            self.size -= saved.size

    def clear(self) -> None:
        """Remove everything."""
        self._all.clear()
        self.size = 0

    def cover(self, wanted: Sequence[int], live: int) -> list[Saved[T]]:
        """Return the stretches that bring the most leading tokens of ``wanted``, of which ``live`` are there already.

        They are in the order in which they are to be added, each beginning where the ones before it reach, or before.
        """
        reaches = [(one.reach(wanted), one) for one in self._all]
        chain: list[Saved[T]] = []
        at = live
        while True:
            further = [(reach, one.start, one) for reach, one in reaches if reach > at and one.start <= at]
            if not further:
                return chain
            # Of two that reach as far the shorter one is brought back sooner.
            at, _, best = max(further, key=lambda entry: entry[:2])
            chain.append(best)

    def candidates(self, wanted: Sequence[int], count: int) -> list[Saved[T]]:
        """Return the stretches that reach furthest into ``wanted``, if what is before them is there; the best first."""
        ranked = sorted(self._all, key=lambda one: (-one.reach(wanted), -one.used))
        return ranked[:count]

    def use(self, chain: Sequence[Saved[T]]) -> None:
        """Note that stretches are in use now."""
        self._touch(chain)

    def _touch(self, chain: Sequence[Saved[T]]) -> None:
        self._clock += 1
        for saved in chain:
            saved.used = self._clock
