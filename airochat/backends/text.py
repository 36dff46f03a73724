"""From the bytes of tokens to text that can be shown: whole characters, and nothing of a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Decodes bytes as they come and ends at the first stop text.

    Text that may be the beginning of a stop text is held back until that is decided, so the result does not depend on
    how the bytes were split. If several stop texts occur, the one that is complete first counts. The cost of a step
    depends on the length of its bytes and of the stop texts, not on what came before.

    >>> stream = TextStream(["USER:"])
    >>> stream.feed(b"Hi! US"), stream.feed(b"ER: me"), stream.stopped
    ('Hi! ', '', True)
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._stops = tuple(stops)
        self._first = frozenset(stop[0] for stop in self._stops)
        self._longest = max(map(len, self._stops), default=0)
        self._held = ""
        self.stopped = False
        """Whether a stop text has come; what follows it is ignored."""

    def feed(self, data: bytes) -> str:
        """Take more bytes and return the text that can be shown now."""
        text = self._decode(data)
        if not self._stops:
            return text
        if self.stopped or not text:
            return ""
        text = self._held + text
        cut = self._first_stop(text)
        if cut is None:
            cut = self._hold_from(text)
            self._held = text[cut:]
        else:
            self._held, self.stopped = "", True
        return text[:cut]

    def finish(self) -> str:
        """Return what was held back; the bytes of an unfinished character are dropped."""
        text, self._held = self._held, ""
        return text

    def _first_stop(self, text: str) -> int | None:
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _hold_from(self, text: str) -> int:
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[start] in self._first:
                rest = text[start:]
                if any(stop.startswith(rest) for stop in self._stops):
                    return start
        return len(text)
