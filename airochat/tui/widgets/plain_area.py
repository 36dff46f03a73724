"""A text to be written, without the chat composer's habits."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.widgets import TextArea

from airochat.text import clean

_LONG = 100_000
"""Characters above which lines are not folded, since every key would cost time."""


class PlainArea(TextArea):
    """A text area into which only clean text gets."""

    BINDINGS = [
        Binding("ctrl+home", "to(False)", "To the start", show=False),
        Binding("ctrl+end", "to(True)", "To the end", show=False),
    ]

    def __init__(self, text: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        shown = clean(text)
        folded = len(shown) <= _LONG
        super().__init__(shown, soft_wrap=folded, compact=True, tab_behavior="focus", id=id)
        self.highlight_cursor_line = False

    async def _on_key(self, event: events.Key) -> None:
        if event.key.startswith("alt+"):
            # An unbound Alt+letter would type its letter.
            event.prevent_default()
        else:
            await super()._on_key(event)

    def action_to(self, end: bool) -> None:
        """Go to the end of the text, or to its start."""
        self.move_cursor(self.document.end if end else (0, 0))

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if result := self._replace_via_keyboard(clean(event.text), *self.selection):
            self.move_cursor(result.end_location)
