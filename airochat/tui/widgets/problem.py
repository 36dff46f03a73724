"""What went wrong in a dialog."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from airochat.text import clean


class Problem(Static):
    """A text that takes no room while it is empty."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__("", classes="problem", id=id, markup=False)
        self.display = False

    def say(self, problem: object = "") -> None:
        """Show another problem, or none."""
        text = clean(str(problem))
        self.update(Content(text))
        self.display = bool(text)
