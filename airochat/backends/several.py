"""Several replies to one prompt from a backend that writes one reply after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator

from airochat.backends.base import (
    Event,
    Failed,
    Finished,
    PromptProgress,
    ReplyEnded,
    Request,
    TextDelta,
    Usage,
)


def one_by_one(request: Request, serve: Callable[[Request], Iterator[Event]]) -> Generator[Event, None, None]:
    """Serve a request for several replies as requests for one each, all under its id, and yield events as for one."""
    end: Finished | None = None
    used = Usage()
    for index in range(request.n):
        for event in serve(_numbered(request, index)):
            match event:
                case PromptProgress():
                    if index == 0:
                        yield event
                case TextDelta():
                    yield dataclasses.replace(event, index=index)
                case Failed():
                    yield dataclasses.replace(event, usage=_sum(used, event.usage))
                    return
                case Finished():
                    used = _sum(used, event.usage)
                    end = end or event
                    over = event.reason == "user" or index == request.n - 1
                    if index or not over:
                        yield ReplyEnded(index, event.reason, event.tokens, event.bans)
                    if over:
                        yield dataclasses.replace(end, usage=used)
                        return


def _numbered(request: Request, index: int) -> Request:
    return dataclasses.replace(request, n=1, sampling=request.sampling.numbered(index))


def _sum(first: Usage, more: Usage) -> Usage:
    """Add what was written, and the prompt as the first reply met it."""
    if not first.prompt:
        return more
    return dataclasses.replace(first, generated=first.generated + more.generated)
