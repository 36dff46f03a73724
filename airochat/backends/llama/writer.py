"""The decode loop: one token after the other, for one reply or for several side by side."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from airochat.backends.base import TextDelta
from airochat.backends.guess import Pace
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.cache import Cache
from airochat.backends.llama.context import ABORTED, OK, Context
from airochat.backends.llama.line import Line

Deltas = Generator[TextDelta, None, None]


class Guesser(Protocol):
    """What guesses the tokens that may come next."""

    def propose(self, tokens: Sequence[int], count: int) -> list[int]:
        """Return up to ``count`` tokens that may follow on ``tokens``."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@dataclass(slots=True)
class Guesses:
    """How guessed tokens are checked: up to ``count`` at once, as long as the pace says that it pays."""

    guesser: Guesser
    count: int
    pace: Pace = field(default_factory=Pace)

    def next(self, tokens: Sequence[int], room: int) -> list[int]:
        """Return the tokens to check behind ``tokens``, of which ``room`` more fit in; none if it would not pay."""
        count = min(self.count, room - 1)
        return self.guesser.propose(tokens, count) if count > 0 and self.pace.guessing else []

    def close(self) -> None:
        """Free the guesser."""
        self.guesser.close()


def write_one(
    cache: Cache, line: Line, begin: Callable[[], TextDelta | None], guesses: Guesses | None = None
) -> Deltas:
    """Write a reply in the lane of the chat until it has a reason to end; ``begin`` chooses its first token.

    What it adds to the lane stays there.
    """
    context, limit, stop = cache.context, cache.context.limits.n_ctx, cache.context.stop
    delta = begin()
    while True:
        if delta is not None:
            yield delta
        if line.reason is not None:
            return
        position = line.position
        if position < len(cache.tokens):
            cache.cut(position)
        if guesses is not None and not stop:
            guessed = guesses.next([*cache.tokens, line.tokens[-1]], limit - position)
            if guessed:
                yield from _leap(cache, line, guessed, guesses.pace)
                if line.reason is not None:
                    return
                delta = None
                continue
        began = time.perf_counter()
        code = ABORTED if stop else cache.step(line.tokens[-1]) if position < limit else -1
        if guesses is not None and code == OK:
            guesses.pace.plain(time.perf_counter() - began)
        if code != OK:
            line.reason = "user" if code == ABORTED else "length"
            delta = line.cut()
            if delta is not None:
                yield delta
            return
        delta = line.advance(context, -1)


def _leap(cache: Cache, line: Line, guessed: Sequence[int], pace: Pace) -> Deltas:
    """Compute guessed tokens together with the last one, and keep those that the model chooses itself."""
    position, began = line.position, time.perf_counter()
    code = cache.evaluate([line.tokens[-1], *guessed], outputs=len(guessed) + 1)
    if code != OK:
        # Stopped, or no room for all: what was computed is dropped, and the loop sees why with a single token.
        cache.cut(position)
        pace.rest()
        return
    accepted = 0
    for row, expected in enumerate([*guessed, None]):
        delta = line.advance(cache.context, row)
        if delta is not None:
            yield delta
        same_place = line.reason is None and line.position == position + row + 1
        if not same_place or line.tokens[-1] != expected:
            break
        accepted += 1
    # A reply that ended by itself has all its tokens in the lane, else the last one is still to be computed.
    cache.cut(line.position + (line.reason == "eos"))
    pace.tried(time.perf_counter() - began, len(guessed), accepted)


def write_many(context: Context, batch: Batch, lines: Sequence[Line]) -> Deltas:
    """Write replies side by side, each in a lane of its own, whose first token has been chosen."""
    limit = context.limits.n_ctx
    going = [line for line in lines if line.reason is None]
    while going:
        full = [line for line in going if line.position >= limit]
        code = OK
        running = [line for line in going if line not in full]
        if context.stop:
            code = ABORTED
        elif running:
            code = context.compute(
                batch.many([(line.tokens[-1], line.position, line.lane) for line in running])
            )
        if code != OK:
            # With no room for all, the one that is the longest already makes room for the others.
            full = running if code == ABORTED else [max(running, key=lambda line: len(line.tokens))]
            running = []
        for row, line in enumerate(running):
            computed = line.position + 1
            yield from _numbered(line, line.advance(context, row))
            if line.position < computed:
                # Tokens were taken back, and another one may stand there now.
                context.cut(line.lane, line.position)
        for line in full:
            line.reason = "user" if code == ABORTED else "length"
            yield from _numbered(line, line.cut())
            if code not in (OK, ABORTED):
                context.cut(line.lane, 0)
        going = [line for line in going if line.reason is None]


def _numbered(line: Line, delta: TextDelta | None) -> Deltas:
    if delta is not None:
        yield dataclasses.replace(delta, index=line.index)
