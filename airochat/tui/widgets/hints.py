"""The keys that matter now, under the composer."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

Hint = tuple[str, str]
"""A key, and what it does."""

_GAP = 4
"""Cells between two hints."""


class Hints(Widget):
    """Keys in as many lines as the widget has, as many as fit; the first are the most needed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._hints: tuple[Hint, ...] = ()

    def show(self, hints: tuple[Hint, ...]) -> None:
        """Show other keys."""
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def render(self) -> Content:
        """Draw the lines."""
        lines, size = [Content("")], self.content_size
        for key, meaning in self._hints:
            gap = " " * (_GAP if lines[-1].cell_length else 0)
            if lines[-1].cell_length + len(gap) + cell_len(key) + 2 + cell_len(meaning) > size.width:
                if len(lines) >= size.height:
                    break
                lines.append(Content(""))
                gap = ""
            lines[-1] += Content.assemble(gap, (key, "$rp-soft"), "  ", (meaning, "$rp-faint"))
        return Content("\n").join(lines)
