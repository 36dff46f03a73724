"""A table of a panel: its columns, its rows of which those in view are drawn, and what can be done with one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from airochat.hooks import Button, Row, Rows
from airochat.text import one_line
from airochat.tui.widgets.listing import Listing
from airochat.tui.widgets.panel_button import PanelButton, PanelButtons

_GAP = 2
_MARGIN = 2
"""Cells that a `Listing` keeps free at its left, for the bar."""
_MEASURED = 2000
"""Rows that decide how wide the columns are."""


def column_widths(natural: Sequence[int], room: int) -> list[int]:
    """Share out ``room`` cells, gaps included: narrow columns get what they need, wide ones the same.

    >>> column_widths([5, 40, 60], 64), column_widths([5, 10], 64)
    ([5, 27, 28], [5, 10])
    """
    left = max(len(natural), room - _GAP * (len(natural) - 1))
    widths = list(natural)
    open_columns = sorted(range(len(natural)), key=lambda column: natural[column])
    while open_columns:
        column = open_columns.pop(0)
        widths[column] = max(1, min(natural[column], left // (len(open_columns) + 1)))
        left -= widths[column]
    return widths


def letters(buttons: Sequence[Button]) -> dict[str, Button]:
    """Give every button but the first, which has Enter, a letter of its own, by its label if that is possible.

    >>> [*letters([Button("a", "Open"), Button("b", "Pin"), Button("c", "Drop it"), Button("d", "Double")])]
    ['p', 'd', 'o']
    """
    found: dict[str, Button] = {}
    for button in buttons[1:]:
        wanted = chain(button.label.casefold(), "abcdefghijklmnopqrstuvwxyz")
        free = (one for one in wanted if "a" <= one <= "z" and one not in found)
        if (letter := next(free, "")) != "":
            found[letter] = button
    return found


class PanelTable(Vertical):
    """Draws `Rows`. One row is chosen; its buttons act on that."""

    class Wanted(Message):
        """A button of the table is to act on a row."""

        def __init__(self, button: Button, row: str) -> None:
            super().__init__()
            self.button = button
            self.row = row

    def __init__(self, part: Rows) -> None:
        super().__init__(classes="panel-table")
        self.part = part
        self._head = Static("", classes="panel-columns", markup=False)
        self._empty = Static("", classes="panel-empty", markup=False)
        self.listing = Listing(1)
        self.buttons = PanelButtons(part.buttons) if part.buttons else None
        """What can be done with the chosen row; None if that is nothing."""
        self._last = ""
        self._measure()

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield self._head
        yield self.listing
        yield self._empty
        if self.buttons is not None:
            yield self.buttons

    def on_mount(self) -> None:
        """Show the rows."""
        self.take(self.part)

    def take(self, part: Rows, chosen: str = "") -> None:
        """Show another table of the same buttons, and choose the row of a key, by default the one chosen now."""
        wanted, at = chosen or self.chosen, self.listing.chosen or 0
        self.part = part
        self._measure()
        place = next((number for number, row in enumerate(part.rows) if row.key == wanted), at)
        self.listing.show(len(part.rows), self._draw, place)
        if self.buttons is not None:
            self.buttons.take(part.buttons)
            self.buttons.display = bool(part.rows)
        self.listing.display = bool(part.rows)
        self._empty.display = not part.rows and bool(part.empty)
        self._empty.update(Content.styled(part.empty, "$rp-soft"))
        self._title()

    @property
    def chosen(self) -> str:
        """The key of the chosen row; empty if there is none."""
        index = self.listing.chosen
        return self.part.rows[index].key if index is not None and index < len(self.part.rows) else ""

    @property
    def keys(self) -> dict[str, Button]:
        """The letters for buttons, besides Enter."""
        return letters(self.part.buttons)

    def press(self, button: Button) -> None:
        """Let a button act on the chosen row."""
        if self.part.rows:
            self.post_message(self.Wanted(button, self.chosen))

    # Drawing

    @property
    def _lead(self) -> int:
        return 2 if any(row.marked for row in self.part.rows) else 0

    def _measure(self) -> None:
        rows = [self.part.columns, *(row.cells for row in self.part.rows[:_MEASURED])]
        self._natural = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        self._marks = self._lead

    def _cells(self, cells: Sequence[str], width: int) -> str:
        widths = column_widths(self._natural, width - self._marks)
        texts = []
        for cell, room in zip(cells, widths, strict=True):
            text = _cut(cell, room)
            texts.append(text + " " * (room - cell_len(text)))
        return (" " * _GAP).join(texts).rstrip()

    def _draw(self, index: int, width: int) -> list[Content]:
        row: Row = self.part.rows[index]
        mark = ("• " if row.marked else "  ")[: self._marks]
        return [
            Content.assemble(
                (mark, "$rp-accent"),
                (self._cells(row.cells, width), "$rp-ink" if row.marked else "$rp-soft"),
            )
        ]

    def _title(self) -> None:
        width = self.size.width - _MARGIN - 1
        named = any(self.part.columns) and self.part.rows
        self._head.display = bool(named)
        if named and width > 0:
            lead = " " * (_MARGIN + self._marks)
            self._head.update(Content.styled(lead + self._cells(self.part.columns, width), "$rp-faint"))

    def on_resize(self) -> None:
        """Draw the columns for another width."""
        self._title()

    # What is done

    def on_listing_moved(self, event: Listing.Moved) -> None:
        """Bring the table into view when a key has chosen another row."""
        event.stop()
        if self._last not in ("", self.chosen) and self.listing.has_focus:
            self.listing.scroll_visible(animate=False)
        self._last = self.chosen

    def on_listing_picked(self, event: Listing.Picked) -> None:
        """Press the first button."""
        event.stop()
        if self.part.buttons:
            self.press(self.part.buttons[0])

    def on_panel_button_pressed(self, event: PanelButton.Pressed) -> None:
        """Press one of the others."""
        event.stop()
        self.press(event.button)

    def on_key(self, event: events.Key) -> None:
        """Press the button of a letter."""
        if self.listing.has_focus and (button := self.keys.get(event.key)):
            event.stop()
            event.prevent_default()
            self.press(button)


def _cut(text: str, room: int) -> str:
    """Return a text of at most ``room`` cells, with an ellipsis if it was longer."""
    if cell_len(text) <= room:
        return text
    cut = one_line(text, max(1, room))
    while cell_len(cut) > room:
        cut = cut[:-2].rstrip() + "…" if len(cut) > 1 else ""
    return cut
