"""One question with a few answers."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from airochat.text import clean, one_line
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hints

Answer = tuple[str, str]
"""What is given back, and what the user reads."""


class AskScreen(Dialog[str | None]):
    """Gives back the chosen answer, or None; the first one is only an Enter away."""

    def __init__(self, question: str, answers: Sequence[Answer], text: str = "") -> None:
        super().__init__()
        self._question = question
        self._answers = answers
        self._text = text

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical(classes="panel"):
            yield Static(one_line(self._question, 300), classes="heading", markup=False)
            if self._text:
                yield Static(clean(self._text), classes="text", markup=False)
            yield OptionList(*(Option(Content(text), key) for key, text in self._answers))
            yield Hints(
                (
                    ("enter", "choose"),
                    ("esc", "back"),
                )
            )

    def on_mount(self) -> None:
        """Begin at the first answer."""
        listing = self.query_one(OptionList)
        listing.highlighted = 0
        listing.focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)
