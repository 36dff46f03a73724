"""Which rows of which messages are in view, exactly, while most messages were never laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from airochat.tui.widgets.heights import Heights


class Window:
    """The view onto a long list of messages.

    The truth is the message and the row of it at the top of the view. Heights of messages that were never in view are
    estimates; moving walks over the messages and measures what it passes, so a wrong estimate never shows as a jump.
    """

    def __init__(self, measure: Callable[[int], int]) -> None:
        self._measure = measure
        self._known = bytearray()
        self.heights = Heights()
        self.rows = 0
        """Height of the view."""
        self.index = 0
        """The message at the top of the view."""
        self.row = 0
        """The row of that message."""
        self.follow = True
        """Whether the end is in view and is to stay there."""

    def __len__(self) -> int:
        return len(self.heights)

    def reset(self, estimates: Iterable[int]) -> None:
        """Start anew with estimated heights, keeping the place."""
        self.heights.rebuild(estimates)
        self._known = bytearray(len(self.heights))

    def replace_tail(self, keep: int, estimates: Iterable[int]) -> None:
        """Keep the first messages and replace all others."""
        known = self._known[:keep]
        self.heights.rebuild([*(self.heights[index] for index in range(keep)), *estimates])
        self._known = known + bytearray(len(self.heights) - keep)

    def height(self, index: int) -> int:
        """Return the exact height of a message, laying it out if that was not done."""
        if not self._known[index]:
            self._known[index] = 1
            self.heights[index] = self._measure(index)
        return self.heights[index]

    def forget(self, index: int) -> None:
        """Have a message measured again when it is next in view."""
        self._known[index] = 0

    @property
    def measured(self) -> int:
        """How many messages were laid out."""
        return sum(self._known)

    @property
    def top(self) -> int:
        """The row of the top of the view, counted from the first message; partly estimated."""
        return self.heights.before(self.index) + self.row

    def at(self, y: int) -> tuple[int, int] | None:
        """Return the message and the row of it at row ``y`` of the view, or None below the last."""
        index, row = self.index, self.row + y
        while index < len(self) and row >= self.height(index):
            row -= self.heights[index]
            index += 1
        return (index, row) if index < len(self) else None

    def shows(self, index: int) -> bool:
        """Whether some row of the message is in view."""
        last = self.at(max(0, self.rows - 1))
        return self.index <= index <= (last[0] if last else len(self))

    def move(self, rows: int) -> None:
        """Move down, or up if negative, by exactly so many rows."""
        if not len(self):
            return
        index, row = self.index, self.row + rows
        while row < 0 and index > 0:
            index -= 1
            row += self.height(index)
        while index < len(self) - 1 and row >= self.height(index):
            row -= self.heights[index]
            index += 1
        self.jump(index, max(0, row))

    def jump(self, index: int, row: int = 0) -> None:
        """Put a row of a message at the top of the view."""
        self.index, self.row = index, row
        self.settle()

    def seek(self, top: int) -> None:
        """Go to about the row ``top`` of all, for far jumps of the scroll bar."""
        if len(self):
            index, row = self.heights.find(max(0, top))
            self.jump(index, min(row, self.height(index) - 1))

    def to_end(self) -> None:
        """Put the last row of all at the bottom of the view."""
        self.index, self.row = self._end()
        self.follow = True

    def reveal(self, index: int) -> None:
        """Move as little as possible so that a message is in view; its beginning, if it is taller than the view."""
        if index <= self.index:
            self.jump(index)
            return
        rows = sum(self.height(passed) for passed in range(self.index, index + 1)) - self.row
        if self.height(index) > self.rows:
            self.jump(index)
        elif rows > self.rows:
            self.move(rows - self.rows)

    def settle(self) -> None:
        """Show no emptiness below the last message, and find out whether the end is in view."""
        if not len(self):
            self.index = self.row = 0
            self.follow = True
            return
        self.index = min(self.index, len(self) - 1)
        below = self.at(self.rows)
        end = self._end() if below is None or below[0] >= len(self) - 1 else None
        if end and (self.index, self.row) >= end:
            self.index, self.row = end
        self.follow = end is not None and (self.index, self.row) >= end

    def _end(self) -> tuple[int, int]:
        missing, index = self.rows, len(self)
        while index > 0 and missing > 0:
            index -= 1
            missing -= self.height(index)
        return index, max(0, -missing)
