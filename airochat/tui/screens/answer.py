"""The answer of a command that is too long to go away by itself."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from airochat.text import clean
from airochat.tui.screens.dialog import Dialog

SHORT_LINES, SHORT_TEXT = 3, 240
"""Lines and characters that can be read before a message goes away."""
_LONGEST = 100_000
"""Characters that are shown."""


def is_long(answer: str) -> bool:
    """Return whether an answer has to stay until it is read."""
    return len(answer) > SHORT_TEXT or answer.count("\n") >= SHORT_LINES


class AnswerScreen(Dialog[None]):
    """Shows the answer of a command until Esc or Enter."""

    BINDINGS = [Binding("enter", "cancel", "Back", show=False)]

    def __init__(self, line: str, answer: str) -> None:
        super().__init__()
        self._line = line
        self._answer = answer

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with VerticalScroll(classes="panel"):
            yield Static(self._line, classes="heading", markup=False)
            yield Static(clean(self._answer[:_LONGEST]), id="answer", markup=False)
            yield Static("esc  back", classes="faint", markup=False)

    def on_mount(self) -> None:
        """Let the keys scroll."""
        self.query_one(VerticalScroll).focus()
