"""Which parts of the KV cache serve a new prompt: pure functions over token ids."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEAST_MOVED = 24
"""A shorter stretch of tokens is read again: a shift goes over the whole cache, whatever is moved."""
MOST_MOVES = 4
"""How many stretches are moved at most; each one is parked in a lane of its own meanwhile."""
_GRAM = 12
"""Tokens that must follow on each other to count as the same place of two texts."""
_OFFSETS = 6
"""How many offsets are looked at, the most frequent ones first; one block that comes or goes makes one or two."""
_STRETCHES = 64
"""How many stretches are weighed against each other, the longest ones; a text of repetitions has thousands."""


@dataclass(frozen=True, slots=True)
class Move:
    """The cached tokens from ``start`` to ``stop`` are to stand from ``to`` on."""

    start: int
    stop: int
    to: int

    @property
    def end(self) -> int:
        """Where the moved tokens end."""
        return self.to + self.stop - self.start


@dataclass(frozen=True, slots=True)
class Plan:
    """How a cache becomes another prompt: ``keep`` leading tokens stay, some stretches move, the rest is evaluated."""

    total: int
    """Tokens of the wanted prompt."""
    keep: int
    moves: tuple[Move, ...] = ()
    """By the place where they go; they neither overlap nor overtake each other."""

    @property
    def moved(self) -> int:
        """The number of tokens that are moved."""
        return sum(move.stop - move.start for move in self.moves)

    @property
    def evaluated(self) -> int:
        """The number of tokens that must be evaluated; at least the last one."""
        return self.total - self.keep - self.moved

    def gaps(self) -> Iterator[tuple[int, int, Move | None]]:
        """Yield the stretches to evaluate, in order, each with the move that comes after it; stretches may be empty."""
        at = self.keep
        for move in self.moves:
            yield at, move.to, move
            at = move.end
        yield at, self.total, None


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many leading tokens two sequences have in common."""
    one, other = tuple(one), tuple(other)
    limit = min(len(one), len(other))
    if one[:limit] == other[:limit]:
        return limit
    low, high = 0, limit
    # Comparing slices is done in C: halving the place finds it sooner than a loop over its tokens.
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def reusable(cached: Sequence[int], wanted: Sequence[int], *, can_rewind: bool = True) -> int:
    """Return how many leading tokens of the cache can stay for the prompt ``wanted``.

    At least one token is left to evaluate, since the cache holds no logits. ``can_rewind`` is false for models whose
    state cannot forget its tail (recurrent ones): then it is all of the cache or nothing.
    """
    keep = min(shared(cached, wanted), max(len(wanted) - 1, 0))
    return keep if can_rewind or keep == len(cached) else 0


def plan(cached: Sequence[int], wanted: Sequence[int], *, can_shift: bool, can_rewind: bool = True) -> Plan:
    """Return how to turn the cache into the prompt ``wanted``, with the fewest tokens evaluated.

    With ``can_shift`` stretches behind the common beginning may be moved. What stands before them is then not what it
    was when they were evaluated, so that this is an approximation.
    """
    keep = reusable(cached, wanted, can_rewind=can_rewind)
    if not can_shift or not can_rewind or keep == len(cached):
        return Plan(len(wanted), keep)
    return Plan(len(wanted), keep, _chain(_stretches(cached, wanted, keep)))


def _stretches(cached: Sequence[int], wanted: Sequence[int], keep: int) -> list[Move]:
    """Return where the rest of the prompt is the rest of the cache, only elsewhere; by place and maybe overlapping."""
    limit = len(wanted) - 1
    found = []
    for offset in _offsets(cached, wanted, keep, limit):
        begin = max(keep, keep - offset)
        end = min(limit, len(cached) - offset)
        at = begin
        while at < end:
            if wanted[at] != cached[at + offset]:
                at += 1
                continue
            stop = at
            while stop < end and wanted[stop] == cached[stop + offset]:
                stop += 1
            if stop - at >= LEAST_MOVED:
                found.append(Move(at + offset, stop + offset, at))
            at = stop
    longest = heapq.nlargest(_STRETCHES, found, key=lambda move: move.stop - move.start)
    return sorted(longest, key=lambda move: (move.end, move.to))


def _offsets(cached: Sequence[int], wanted: Sequence[int], keep: int, limit: int) -> list[int]:
    """Return by how much the same text stands further behind in the cache than in the prompt, the usual ones first."""
    places: dict[tuple[int, ...], int | None] = {}
    for at in range(keep, len(cached) - _GRAM + 1):
        gram = tuple(cached[at : at + _GRAM])
        places[gram] = None if gram in places else at
    votes: Counter[int] = Counter()
    for at in range(keep, limit - _GRAM + 1):
        place = places.get(tuple(wanted[at : at + _GRAM]))
        if place is not None:
            votes[place - at] += 1
    return [offset for offset, _ in votes.most_common(_OFFSETS)]


def _chain(stretches: list[Move]) -> tuple[Move, ...]:
    """Return the stretches that together hold the most tokens, at most `MOST_MOVES`, cut so that none overlap."""
    best: list[list[tuple[int, tuple[Move, ...]]]] = []
    for move in stretches:
        row: list[tuple[int, tuple[Move, ...]]] = [(move.stop - move.start, (move,))]
        for number, earlier in enumerate(best):
            cut = _behind(move, stretches[number])
            if cut is None:
                continue
            for tokens, chain in earlier:
                if len(chain) < MOST_MOVES:
                    row.append((tokens + cut.stop - cut.start, (*chain, cut)))
        longest: dict[int, tuple[int, tuple[Move, ...]]] = {}
        for entry in row:
            count = len(entry[1])
            if count not in longest or entry[0] > longest[count][0]:
                longest[count] = entry
        best.append(list(longest.values()))
    return max((entry for row in best for entry in row), key=lambda entry: entry[0], default=(0, ()))[1]


def _behind(move: Move, earlier: Move) -> Move | None:
    """Return what of a stretch comes after an earlier one in cache and prompt; None if that is too little."""
    late = max(0, earlier.end - move.to, earlier.stop - move.start)
    cut = Move(move.start + late, move.stop, move.to + late)
    return cut if cut.stop - cut.start >= LEAST_MOVED and earlier.start < move.start else None
