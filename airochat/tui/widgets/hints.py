"""The keys that matter now, under the composer."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

Hint = tuple[str, str]
"""A key, and what it does."""


class Hints(Widget):
    """One line of keys, as many as fit; the first are the most needed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._hints: tuple[Hint, ...] = ()

    def show(self, hints: tuple[Hint, ...]) -> None:
        """Show other keys."""
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def render(self) -> Content:
        """Draw the line."""
        line, width = Content(""), self.content_size.width
        for key, meaning in self._hints:
            gap = " " * (4 if line.cell_length else 0)
            if line.cell_length + len(gap) + cell_len(key) + 2 + cell_len(meaning) > width:
                break
            line += Content.assemble(gap, (key, "$rp-soft"), "  ", (meaning, "$rp-faint"))
        return line
