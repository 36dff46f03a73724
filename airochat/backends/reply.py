"""The reply while it is written: its tokens, the text that is ready to be shown, and its times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airochat.backends.base import TextDelta, Timings
from airochat.backends.text import TextStream

FLUSH_S = 0.015
"""Text is sent when this long has passed since the last time: slow models send every token, fast ones bundles."""


class Reply:
    """Collects the tokens of one reply. ``started`` and all times are in seconds of one clock."""

    def __init__(self, pieces: Mapping[int, bytes], stops: Sequence[str], started: float) -> None:
        self._pieces = pieces
        self._text = TextStream(stops)
        self._sent: list[str] = []
        self._ready = ""
        self._counted = 0
        self._started = started
        self._flushed = self._first = self._last = 0.0
        self.tokens: list[int] = []

    @property
    def stopped(self) -> bool:
        """Whether a stop text has ended the reply."""
        return self._text.stopped

    def add(self, token: int, now: float) -> TextDelta | None:
        """Take a token that was chosen at ``now``; return text if it is time to send some."""
        self.tokens.append(token)
        self.tick(now)
        self._ready += self._text.feed(self._pieces[token])
        if now - self._flushed < FLUSH_S:
            return None
        self._flushed = now
        return self._flush()

    def tick(self, now: float) -> None:
        """Note that a token was chosen at ``now``, even if it is an end token and not part of the reply."""
        self._first = self._first or now
        self._last = now

    def finish(self) -> TextDelta | None:
        """Return the rest of the text."""
        self._ready += self._text.finish()
        return self._flush()

    def _flush(self) -> TextDelta | None:
        if not self._ready:
            return None
        delta = TextDelta(self._ready, len(self.tokens) - self._counted)
        self._sent.append(self._ready)
        self._ready, self._counted = "", len(self.tokens)
        return delta

    def exact_tokens(self) -> tuple[int, ...]:
        """Return the ids whose text is exactly what was sent, or none if the end lies inside a token."""
        sent = "".join(self._sent).encode()
        count = len(self.tokens)
        length = sum(len(self._pieces[token]) for token in self.tokens)
        while count and length > len(sent):
            count -= 1
            length -= len(self._pieces[self.tokens[count]])
        kept = self.tokens[:count]
        return tuple(kept) if b"".join(self._pieces[token] for token in kept) == sent else ()

    def timings(self) -> Timings:
        """Return the times so far."""
        if not self._first:
            return Timings()
        span = self._last - self._first
        rate = (len(self.tokens) - 1) / span if span > 0 and len(self.tokens) > 1 else 0.0
        return Timings(self._first - self._started, rate)
