"""The decode loop: one token after the other, for one reply or for several side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Sequence

from airochat.backends.base import TextDelta
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.cache import Cache
from airochat.backends.llama.context import ABORTED, OK, Context
from airochat.backends.llama.line import Line

Deltas = Generator[TextDelta, None, None]


def write_one(cache: Cache, line: Line, begin: Callable[[], TextDelta | None]) -> Deltas:
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
        code = ABORTED if stop else cache.step(line.tokens[-1]) if position < limit else -1
        if code != OK:
            line.reason = "user" if code == ABORTED else "length"
            delta = line.cut()
            if delta is not None:
                yield delta
            return
        delta = line.advance(context, -1)


def write_many(context: Context, batch: Batch, lines: Sequence[Line]) -> Deltas:
    """Write replies side by side, each in a lane of its own, whose first token has been chosen."""
    limit, computed = context.limits.n_ctx, {line.index: line.prompt for line in lines}
    going = [line for line in lines if line.reason is None]
    while going:
        full = [line for line in going if line.position >= limit]
        code = OK
        running = [line for line in going if line not in full]
        if context.stop:
            code = ABORTED
        elif running:
            for line in running:
                if line.position < computed[line.index]:
                    context.cut(line.lane, line.position)
            code = context.compute(
                batch.many([(line.tokens[-1], line.position, line.lane) for line in running])
            )
        if code != OK:
            # With no room for all, the one that is the longest already makes room for the others.
            full = running if code == ABORTED else [max(running, key=lambda line: len(line.tokens))]
            running = []
        for row, line in enumerate(running):
            computed[line.index] = line.position + 1
            yield from _numbered(line, line.advance(context, row))
        for line in full:
            line.reason = "user" if code == ABORTED else "length"
            yield from _numbered(line, line.cut())
            if code not in (OK, ABORTED):
                context.cut(line.lane, 0)
        going = [line for line in going if line.reason is None]


def _numbered(line: Line, delta: TextDelta | None) -> Deltas:
    if delta is not None:
        yield dataclasses.replace(delta, index=line.index)
