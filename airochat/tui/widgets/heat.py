"""The words of a reply, coloured by how surprising they were, with a cursor on one of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from airochat.tui.tokens import LEVELS, Row, Word, wrap

_SURPRISING = 3
"""The step of surprise from which a word is one to jump to."""


class HeatText(ScrollView, can_focus=True, inherit_bindings=False):
    """Running text of words, wrapped to the width; the cursor is the number of a token."""

    COMPONENT_CLASSES = {"heat-text--cursor", *(f"heat-text--{level}" for level in range(LEVELS))}
    BINDINGS = [
        Binding("up", "line(-1)", "Line above", show=False),
        Binding("down", "line(1)", "Line below", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(0)", "Start of the line", show=False),
        Binding("end", "edge(-1)", "End of the line", show=False),
        Binding("ctrl+home", "first", "First word", show=False),
        Binding("ctrl+end", "last", "Last word", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """The number of the token that is looked at."""

    class Moved(Message):
        """The cursor is on another token."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._words: Sequence[Word] = ()
        self._firsts: list[int] = []
        self._rows: list[Row] = []
        self._goal: int | None = None
        self._styles: dict[tuple[int, bool], Style] = {}

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return self._words[-1].first + self._words[-1].count if self._words else 0

    def show(self, words: Sequence[Word]) -> None:
        """Show a reply, the cursor on its first token."""
        self._words, self._firsts = words, [word.first for word in words]
        self._wrap()
        self.set_reactive(HeatText.cursor, 0)
        self.post_message(self.Moved())

    def move(self, by: int) -> None:
        """Move the cursor by so many tokens."""
        self._go(self.cursor + by)

    def move_to_surprise(self, by: int) -> None:
        """Move the cursor to the next surprising word, or to the one before."""
        numbers = range(self._here + 1, len(self._words)) if by > 0 else range(self._here - 1, -1, -1)
        found = next((number for number in numbers if self._words[number].level >= _SURPRISING), None)
        if found is not None:
            self._go(self._firsts[found])

    def _go(self, token: int) -> None:
        self._goal = None
        if self._words:
            self.cursor = max(0, min(token, self.count - 1))

    @property
    def _here(self) -> int:
        """The number of the word that the cursor is on."""
        return max(0, bisect_right(self._firsts, self.cursor) - 1)

    def watch_cursor(self, old: int, new: int) -> None:
        """Show the cursor elsewhere."""
        if old != new:
            self._reveal()
            self.refresh()
            self.post_message(self.Moved())

    # Lines

    def _place(self, word: int) -> tuple[int, int]:
        """Return the row and the column at which a word begins."""
        for y, row in enumerate(self._rows):
            x = 0
            for number, part in row:
                if number == word:
                    return y, x
                x += cell_len(part)
        return 0, 0

    def action_line(self, by: int) -> None:
        """Move the cursor by so many lines, keeping its column as well as that goes."""
        if not self._words:
            return
        here = self._here
        y, x = self._place(here)
        goal = x if self._goal is None else self._goal
        last = len(self._rows) - 1
        y = max(0, min(y + by, last))
        while 0 <= y <= last:
            found = self._at(y, goal)
            if found not in (None, here):
                self._go(self._firsts[found or 0])
                break
            y += 1 if by > 0 else -1
        self._goal = goal

    def action_page(self, direction: int) -> None:
        """Move the cursor by what fits into the view."""
        self.action_line(direction * max(1, self.scrollable_content_region.height - 1))

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first (0) or the last (-1) word of its line."""
        if self._rows and (row := self._rows[self._place(self._here)[0]]):
            self._go(self._firsts[row[end][0]])

    def action_first(self) -> None:
        """Move the cursor to the first token."""
        self._go(0)

    def action_last(self) -> None:
        """Move the cursor to the last token."""
        self._go(self.count - 1)

    def _at(self, y: int, x: int) -> int | None:
        """Return the word at a column of a row, or else the row's last one."""
        row = self._rows[y]
        for number, part in row:
            x -= cell_len(part)
            if x < 0:
                return number
        return row[-1][0] if row else None

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click was."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        y = offset.y + self.scroll_offset.y
        if y < len(self._rows) and (found := self._at(y, offset.x)) is not None:
            self._go(self._firsts[found])

    # Painting

    def on_resize(self) -> None:
        """Wrap to another width."""
        self._wrap()

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width
        self._rows = wrap(self._words, width) if self._words and width else []
        self.virtual_size = Size(width, len(self._rows))
        self._reveal()
        self.refresh()

    def _reveal(self) -> None:
        height, y = self.scrollable_content_region.height, self._place(self._here)[0]
        top = self.scroll_offset.y
        if y < top:
            self.scroll_to(y=y, animate=False, immediate=True, force=True)
        elif height and y >= top + height:
            self.scroll_to(y=y + 1 - height, animate=False, immediate=True, force=True)

    def render_line(self, y: int) -> Strip:
        """Draw one row of the view."""
        width, style = self.scrollable_content_region.width, self.rich_style
        at = y + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip.blank(width, style)
        here = self._here
        segments = [
            Segment(part, self._style(self._words[number].level, number == here))
            for number, part in self._rows[at]
        ]
        return Strip(segments).adjust_cell_length(width, style)

    def notify_style_update(self) -> None:
        """Draw with other colours."""
        super().notify_style_update()
        self._styles.clear()

    def _style(self, level: int, chosen: bool) -> Style:
        if (level, chosen) not in self._styles:
            self._styles[level, chosen] = self._made_style(level, chosen)
        return self._styles[level, chosen]

    def _made_style(self, level: int, chosen: bool) -> Style:
        base = self.rich_style
        # Not only the part that differs: that would come without the shade behind it.
        heat = self.get_component_rich_style(f"heat-text--{level}")
        if not chosen:
            return base + heat
        if self.app.native_ansi_color or self.app.current_theme.ansi:
            return base + heat + Style(reverse=True)
        return base + self.get_component_rich_style("heat-text--cursor", partial=True)
