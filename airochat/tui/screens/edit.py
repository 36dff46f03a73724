"""Changing a message."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static, TextArea

from airochat.conversation import Message
from airochat.text import clean, one_line
from airochat.tui.screens.dialog import Dialog

_unfinished: dict[str, str] = {}  # by message: what was written here and neither saved nor the old text


class EditScreen(Dialog[str | None]):
    """Gives back the changed text, or None. What was written before Esc is there again the next time."""

    BINDINGS = [Binding("ctrl+s", "save", "Save", priority=True)]

    def __init__(self, message: Message) -> None:
        super().__init__()
        self._message = message

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        text = _unfinished.get(self._message.id, clean(self._message.text))
        with Vertical(classes="panel"):
            yield Static(
                f"Edit what {one_line(self._message.name, 40)} said", classes="heading", markup=False
            )
            yield TextArea(
                text, soft_wrap=True, compact=True, tab_behavior="focus", highlight_cursor_line=False
            )
            yield Static("ctrl+s  save; the old text stays as an alternative    esc  back", classes="faint")

    def on_mount(self) -> None:
        """Begin at the end of the text."""
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)
        area.focus()

    def action_save(self) -> None:
        """Give back the text."""
        _unfinished.pop(self._message.id, None)
        self.dismiss(self.query_one(TextArea).text)

    def action_cancel(self) -> None:
        """Close without a result, keeping what was written for the next time."""
        text = self.query_one(TextArea).text
        if text != clean(self._message.text):
            _unfinished[self._message.id] = text
        self.dismiss(None)
