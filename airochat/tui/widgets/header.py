"""The line above the transcript: which conversation, with whom, on which model."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from airochat.text import one_line

_TITLE = 20
"""Cells that a title gets at least."""
_SHORT = 16
"""Cells that the first fact, the model's name, is cut to before another one is left out."""


class Header(Widget):
    """Title and companion on the left; model, template and context on the right, as far as there is room."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._title = ""
        self._companion = ""
        self._facts: tuple[str, ...] = ()

    def show(self, title: str, companion: str, facts: tuple[str, ...]) -> None:
        """Show other values; the first of ``facts`` is the last to go when room is scarce."""
        new = (
            one_line(title, 48),
            one_line(companion, 30),
            tuple(one_line(fact, 28) for fact in facts if fact),
        )
        if new != (self._title, self._companion, self._facts):
            self._title, self._companion, self._facts = new
            self.refresh()

    def render(self) -> Content:
        """Draw the line."""
        width, right = self.content_size.width, list(self._facts)
        least = min(_TITLE, cell_len(self._title)) + 3
        if right and least + cell_len(" · ".join(right)) > width:
            right[0] = one_line(right[0], _SHORT)
        while len(right) > 1 and least + cell_len(" · ".join(right)) > width:
            right.pop()
        facts = " · ".join(right)
        room = width - cell_len(facts) - 3
        title = Content.styled(one_line(self._title, max(8, room)), "bold $rp-ink")
        if self._companion and room > cell_len(self._title) + cell_len(self._companion) + 4:
            title += Content.styled(f"   {self._companion}", "$rp-faint")
        gap = max(2, width - title.cell_length - cell_len(facts))
        return title + Content(" " * gap) + Content.styled(facts, "$rp-faint")
