"""A turn: all that answers one request, from its beginning to the finished message, as its caller sees it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import Any

from airochat.backends.bans import NO_BANS, BanReport
from airochat.backends.base import Timings, Usage
from airochat.conversation import Message
from airochat.session.events import (
    AlternativeEnded,
    RoundEnded,
    RoundStarted,
    TextAdded,
    TurnEnded,
    TurnEvent,
    TurnStarted,
)


class Turn:
    """A running or finished turn: a reply, and while the model calls tools, the replies that know their results.

    Iterating yields its events from the first one on, also after it has ended; ``async for`` and ``await`` do the
    same inside an event loop. All attributes may be read at any time from any thread; those about a reply are about
    the newest one, and `rounds` has all.
    """

    def __init__(
        self, session_id: str, turn_id: str, message_ids: Sequence[str], on_stop: Callable[[str], None]
    ) -> None:
        self.session_id = session_id
        self.id = turn_id
        self.message_ids = tuple(message_ids)
        """The ids that the replies have, or will have: the reply itself, then the alternatives beside it."""
        self.request = turn_id
        """The id of the request that the backend has, or will get next."""
        self.started: TurnStarted | None = None
        """How the newest round began; None before the first event."""
        self._on_stop = on_stop
        self._rounds: list[Message] = []
        self._changed = threading.Condition(threading.RLock())
        self._events: list[TurnEvent] = []
        self._watchers: list[Callable[[], None]] = []
        self._texts: list[list[str]] = [[] for _ in message_ids]
        self._alternatives: dict[int, Message | None] = {}
        self._ended: TurnEnded | None = None
        self.stopping = False
        """True once somebody asked the turn to stop."""

    @property
    def message_id(self) -> str:
        """The id that the reply has, or will have."""
        return self.message_ids[0]

    @property
    def text(self) -> str:
        """The reply so far; the finished one once the turn is done."""
        with self._changed:
            if self._ended is not None and self._ended.message is not None:
                return self._ended.message.text
            return self._written(0)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of all replies so far: the reply itself, then the alternatives beside it."""
        with self._changed:
            others = (
                message.text if (message := self._alternatives.get(index)) else self._written(index)
                for index in range(1, len(self.message_ids))
            )
            return (self.text, *others)

    def _written(self, index: int) -> str:
        whole = "".join(self._texts[index])
        self._texts[index] = [whole]
        return whole

    @property
    def done(self) -> bool:
        """Whether the turn has ended."""
        return self._ended is not None

    @property
    def message(self) -> Message | None:
        """The stored reply, or None while there is none or if nothing was written."""
        return self._ended.message if self._ended else None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The stored reply and the alternatives beside it, in their order; those that are complete."""
        others = (message for _, message in sorted(self._alternatives.items()) if message is not None)
        first = self.message
        found = (*((first,) if first else ()), *others)
        return tuple({message.id: message for message in found}.values())

    @property
    def rounds(self) -> tuple[Message, ...]:
        """What this turn has stored one below the other: replies with calls, their results, and the last reply."""
        message = self.message
        with self._changed:
            last = () if message is None or message in self._rounds else (message,)
            return (*self._rounds, *last)

    @property
    def bans(self) -> BanReport:
        """What was done about banned phrases in the reply."""
        return self._ended.bans if self._ended else NO_BANS

    @property
    def usage(self) -> Usage:
        """Token counts of all rounds together; zeros until the turn has ended."""
        return self._ended.usage if self._ended else Usage()

    @property
    def timings(self) -> Timings:
        """Wall times; zeros until the turn has ended."""
        return self._ended.timings if self._ended else Timings()

    @property
    def reason(self) -> str:
        """Why the turn ended: ``eos``, ``stop``, ``length``, ``user`` or ``failed``; empty before."""
        return self._ended.reason if self._ended else ""

    @property
    def error(self) -> str:
        """What went wrong, if the turn failed."""
        return self._ended.error if self._ended else ""

    @property
    def hint(self) -> str:
        """What to do about the error."""
        return self._ended.hint if self._ended else ""

    def stop(self) -> None:
        """End the turn soon and keep what was written; returns at once."""
        self.stopping = True
        self._on_stop(self.request)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the turn has ended or ``timeout`` seconds are over; return whether it has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended is not None, timeout)

    def __iter__(self) -> Iterator[TurnEvent]:
        position = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda seen=position: len(self._events) > seen)  # type: ignore[misc]
                event = self._events[position]
            yield event
            if isinstance(event, TurnEnded):
                return
            position += 1

    async def __aiter__(self) -> AsyncIterator[TurnEvent]:
        import asyncio  # takes a tenth of the start of a command that has no loop

        loop = asyncio.get_running_loop()
        more = asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(more.set)

        with self._changed:
            self._watchers.append(wake)
        try:
            position = 0
            while True:
                more.clear()
                while position < len(self._events):
                    event = self._events[position]
                    position += 1
                    yield event
                    if isinstance(event, TurnEnded):
                        return
                await more.wait()
        finally:
            with self._changed:
                self._watchers.remove(wake)

    def __await__(self) -> Generator[Any, None, Message | None]:
        async def finish() -> Message | None:
            async for _ in self:
                pass
            return self.message

        return finish().__await__()

    def __repr__(self) -> str:
        return f"<Turn {self.id} {self.reason or 'running'}: {self.text[:60]!r}>"

    def record(self, event: TurnEvent) -> None:
        """Take in an event of this turn; called by the session that runs it."""
        with self._changed:
            match event:
                case TextAdded():
                    self._texts[event.index].append(event.text)
                case AlternativeEnded():
                    self._alternatives[event.index] = event.message
                case RoundEnded():
                    self._rounds += [event.message, event.results]
                case RoundStarted():
                    self.started, self.message_ids, self._texts = event, (event.message,), [[]]
                case TurnStarted():
                    self.started = event
                case TurnEnded():
                    self._ended = event
            self._events.append(event)
            self._changed.notify_all()
            watchers = list(self._watchers)
        for wake in watchers:
            wake()
