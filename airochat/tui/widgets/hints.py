"""The keys that matter now, under the composer."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

Hint = tuple[str, str]
"""A key, and what it does."""

_GAP = 4
"""Cells between two hints."""


class Hints(Widget):
    """Keys in as many lines as the widget has, as many as fit; the first are the most needed."""

    def __init__(self, hints: tuple[Hint, ...] = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._hints = hints

    def show(self, hints: tuple[Hint, ...]) -> None:
        """Show other keys."""
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return in how many lines all keys fit."""
        return len(self._lines(width, len(self._hints)))

    def render(self) -> Content:
        """Draw the lines."""
        return Content("\n").join(self._lines(self.content_size.width, self.content_size.height))

    def _lines(self, width: int, height: int) -> list[Content]:
        lines = [Content("")]
        for key, meaning in self._hints:
            gap = " " * (_GAP if lines[-1].cell_length else 0)
            if lines[-1].cell_length + len(gap) + cell_len(key) + 2 + cell_len(meaning) > width:
                if len(lines) >= height:
                    break
                lines.append(Content(""))
                gap = ""
            lines[-1] += Content.assemble(gap, (key, "$rp-soft"), "  ", (meaning, "$rp-faint"))
        return lines
