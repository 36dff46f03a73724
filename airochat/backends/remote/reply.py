"""One reply of a server: stop texts, limits, counts and times, from chunks to events."""

from __future__ import annotations

import time
from collections.abc import Callable

from airochat.backends.base import Event, Failed, Finished, Request, StopReason, TextDelta, Timings, Usage
from airochat.backends.remote.protocol import Chunk
from airochat.backends.text import TextStream
from airochat.errors import AirochatError, BackendError

MAX_REPLY = 1 << 24
"""Characters that one reply may have."""

_CHUNKS_PER_TOKEN = 4


class Reply:
    """Turns the chunks of one reply into events for ``put``; exactly one of `finish` and `fail` ends it.

    A server tells tokens by chunks: one with text counts as one token, unless it sends counts of its own.
    """

    def __init__(self, request: Request, put: Callable[[Event], None]) -> None:
        self._put = put
        self._limit = request.sampling.max_tokens * _CHUNKS_PER_TOKEN
        self._stream = TextStream(request.stop)
        self._characters = 0
        self._generated = 0
        self._unsent = 0
        self._begun = time.monotonic()
        self._first = self._last = 0.0
        self._usage: Usage | None = None
        self.reason: StopReason | None = None
        """Why the reply has ended, as soon as that is known."""
        self.counts_may_come = False
        """Whether the server has ended the reply and not yet sent its counts."""

    def take(self, chunk: Chunk) -> None:
        """Pass on a chunk's text, and note whether it ends the reply; `BackendError` if the server reports one."""
        if chunk.error and self.reason is None:
            raise BackendError(
                f"The server stopped with an error: {chunk.error.rstrip('.')}.",
                "Its own output may tell more.",
            )
        if self.reason is None:
            self._go_on(chunk)
        if chunk.usage is not None:
            self._usage = chunk.usage
            self.counts_may_come = False

    def done(self) -> None:
        """Note that the server has said that nothing more comes."""
        self.reason = self.reason or "eos"
        self.counts_may_come = False

    def finish(self, reason: StopReason) -> None:
        """End the reply; what was held back as a possible stop text is sent first."""
        self._flush()
        self._put(Finished(reason, self._counts(), self._timings()))

    def fail(self, error: AirochatError) -> None:
        """End the reply with an error."""
        self._flush()
        self._put(Failed(error.message, error.hint, self._counts()))

    def _go_on(self, chunk: Chunk) -> None:
        if chunk.text:
            self._add(chunk.text)
        if self._stream.stopped:
            self.reason = "stop"
        elif chunk.finish:
            self.reason = "length" if chunk.finish == "length" else "eos"
            self.counts_may_come = True
        elif self._generated > self._limit:
            self.reason = "length"

    def _add(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_REPLY:
            raise BackendError(f"The server sent more than {MAX_REPLY:,} characters.", "Lower max_tokens.")
        self._generated += 1
        self._unsent += 1
        self._last = time.monotonic()
        self._first = self._first or self._last
        self._send(self._stream.feed(text.encode()))

    def _send(self, text: str) -> None:
        if text:
            self._put(TextDelta(text, self._unsent))
            self._unsent = 0

    def _flush(self) -> None:
        if not self._stream.stopped:
            self._send(self._stream.finish())

    def _counts(self) -> Usage:
        return self._usage or Usage(generated=self._generated)

    def _timings(self) -> Timings:
        if not self._generated:
            return Timings()
        took = self._last - self._first
        count = max(self._counts().generated, self._generated)
        return Timings(self._first - self._begun, (count - 1) / took if took > 0 else 0.0)
