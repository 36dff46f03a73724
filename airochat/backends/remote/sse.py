"""Server-sent events, as far as completion streams use them: bytes in, the data of each event out.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re

from airochat.errors import BackendError

MAX_EVENT = 1 << 20
"""Bytes that one event may have."""

_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventParser:
    """Cuts a byte stream, however it arrives, into events; `BackendError` if one event is larger than 1 MiB."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._size = 0
        self._first = True

    def feed(self, chunk: bytes) -> list[str]:
        """Take the next bytes and return the data of the events that they complete."""
        text = self._rest + chunk
        events: list[str] = []
        start = 0
        for end in _LINE_END.finditer(text):
            # A CR at the very end may be half of a CRLF.
            if end.group() == b"\r" and end.end() == len(text):
                break
            self._line(text[start : end.start()], events)
            start = end.end()
        self._rest = text[start:]
        if len(self._rest) > MAX_EVENT:
            raise _too_large()
        return events

    def close(self) -> list[str]:
        """Return the data of a last event that the server did not end with an empty line."""
        events: list[str] = []
        if self._rest:
            self._line(self._rest.rstrip(b"\r"), events)
        self._line(b"", events)
        self._rest = b""
        return events

    def _line(self, line: bytes, events: list[str]) -> None:
        if self._first:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        if not line:
            if self._data:
                events.append("\n".join(self._data))
            self._data, self._size = [], 0
            return
        field, _colon, value = line.partition(b":")
        if field == b"data":
            self._size += len(value)
            if self._size > MAX_EVENT:
                raise _too_large()
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))


def _too_large() -> BackendError:
    return BackendError(
        "The server sent a line of more than 1 MiB.", "It is probably not a completion server."
    )
