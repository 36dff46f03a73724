"""The list of conversations at the left."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from airochat.store import SessionSummary
from airochat.text import one_line
from airochat.tui import words

_STYLES = ("brand", "title", "faint", "chosen", "current", "bar")


class SessionList(Widget):
    """The newest conversations, as many as fit; the finder shows all of them."""

    COMPONENT_CLASSES = {f"session-list--{name}" for name in _STYLES}

    class Opened(Message):
        """A conversation was clicked."""

        def __init__(self, session_id: str) -> None:
            super().__init__()
            self.session_id = session_id

    class FindWanted(Message):
        """The line that leads to the finder was clicked."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._sessions: Sequence[SessionSummary] = ()
        self._current = ""
        self._lines: list[tuple[str, str, str]] = []

    def show(self, sessions: Iterable[SessionSummary], current: str) -> None:
        """Show other conversations, ``current`` being the id of the one that is open."""
        self._sessions, self._current = list(sessions), current
        self._lines = list(self._layout(time.time()))
        self.refresh()

    def _layout(self, now: float) -> Iterator[tuple[str, str, str]]:
        """Yield rows: the style's name, the text, and the session's id or ``find``."""
        yield "brand", "airochat", ""
        yield "faint", "", ""
        yield "find", "⌕ find a chat", "find"
        group = ""
        for session in self._sessions:
            if (age := words.age(session.updated, now)) != group:
                group = age
                yield from (("faint", "", ""), ("faint", age, ""))
            yield "faint", "", ""
            yield "title", words.session_title(session), session.id
            yield "faint", words.count(session.messages, "message"), session.id

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        width, style = self.content_size.width, self.rich_style
        if y >= len(self._lines):
            return Strip.blank(width, style)
        kind, text, target = self._lines[y]
        if kind == "find":
            gap = " " * (width - len(text) - len("ctrl+k"))
            return Strip([Segment(text + gap + "ctrl+k", style + self._style("faint"))]).adjust_cell_length(
                width, style
            )
        if not target:
            return Strip([Segment(text, style + self._style(kind))]).adjust_cell_length(width, style)
        current = target == self._current
        if current:
            style += Style(bgcolor=self._style("current").bgcolor)
        bar = Segment("▌ " if current else "  ", style + Style(color=self._style("bar").color))
        name = "chosen" if current and kind == "title" else kind
        mine = style + Style(color=self._style(name).color, bold=name == "chosen")
        return Strip([bar, Segment(one_line(text, width - 3), mine)]).adjust_cell_length(width, style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"session-list--{name}", partial=True)

    def on_click(self, event: events.Click) -> None:
        """Tell which conversation was clicked."""
        row = event.y - self.gutter.top
        target = self._lines[row][2] if 0 <= row < len(self._lines) else ""
        if target == "find":
            self.post_message(self.FindWanted())
        elif target:
            self.post_message(self.Opened(target))
