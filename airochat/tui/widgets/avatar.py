"""A picture made of half blocks."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget


class Avatar(Widget):
    """Shows rows of cells as they are, and takes no room without any."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._strips: Sequence[Strip] = ()
        self.display = False

    def show(self, strips: Sequence[Strip]) -> None:
        """Show another picture; an empty one hides the widget."""
        self._strips = strips
        self.display = bool(strips)
        if strips:
            self.styles.width, self.styles.height = strips[0].cell_length, len(strips)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)
