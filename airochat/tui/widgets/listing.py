"""A list of any number of things, of which only those in view are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import RenderOptions

from airochat.tui.widgets.selection import over

Draw = Callable[[int, int], Sequence[Content]]
"""Makes the rows of one thing from its number and the width in cells."""

_MARGIN = 2


class Listing(ScrollView, can_focus=True, inherit_bindings=False):
    """Things of ``rows`` rows each, drawn by a function; one of them is chosen."""

    COMPONENT_CLASSES = {"listing--chosen", "listing--bar"}
    BINDINGS = [
        Binding("up", "move(-1)", "Above", show=False),
        Binding("down", "move(1)", "Below", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
        Binding("enter", "pick", "Choose", show=False),
    ]

    chosen: reactive[int | None] = reactive(None, repaint=False)
    """The number of the chosen thing; None if there are no things."""

    class Moved(Message):
        """Another thing is chosen, or what it is may have changed."""

        def __init__(self, listing: Listing) -> None:
            super().__init__()
            self.listing = listing

        @property
        def control(self) -> Listing:
            """The list."""
            return self.listing

    class Picked(Moved):
        """Enter, or a double click, on the chosen thing."""

    def __init__(self, rows: int = 1, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.rows = rows
        self._count = 0
        self._draw: Draw = lambda index, width: ()
        self._drawn: dict[int, list[Strip]] = {}

    def __len__(self) -> int:
        return self._count

    def show(self, count: int, draw: Draw, chosen: int | None = None, rows: int | None = None) -> None:
        """Show other things, and choose one of them, by default the first."""
        self._count, self._draw, self.rows = count, draw, rows or self.rows
        self._drawn.clear()
        self._resize()
        self.set_reactive(Listing.chosen, None if not count else min(chosen or 0, count - 1))
        self._reveal()
        self.refresh()
        self.post_message(self.Moved(self))

    def redraw(self) -> None:
        """Draw all things anew."""
        self._drawn.clear()
        self.refresh()

    def choose(self, index: int) -> None:
        """Choose a thing, as near as there is one, and bring it into view."""
        if self._count:
            self.chosen = max(0, min(index, self._count - 1))

    def watch_chosen(self, old: int | None, new: int | None) -> None:
        """Show the other one as chosen."""
        if old != new:
            self._reveal()
            self.refresh()
            self.post_message(self.Moved(self))

    def _resize(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, self._count * self.rows)

    def _reveal(self) -> None:
        if self.chosen is None:
            return
        top, height = self.chosen * self.rows, self.scrollable_content_region.height
        if top < self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True, force=True)
        elif height and top + self.rows > self.scroll_offset.y + height:
            self.scroll_to(y=top + self.rows - height, animate=False, immediate=True, force=True)

    def on_resize(self) -> None:
        """Draw for another width."""
        self._drawn.clear()
        self._resize()
        self._reveal()

    def notify_style_update(self) -> None:
        """Draw with other colours."""
        super().notify_style_update()
        self._drawn.clear()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the bar in another colour."""
        super().watch_has_focus(has_focus)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one row of the view."""
        width, style = self.scrollable_content_region.width, self.rich_style
        index, row = divmod(y + self.scroll_offset.y, self.rows)
        if index >= self._count:
            return Strip.blank(width, style)
        strips = self._strips(index, width - _MARGIN)
        if row >= len(strips):
            return Strip.blank(width, style)
        strip = strips[row]
        if index != self.chosen:
            return Strip([Segment(" " * _MARGIN, style), *strip], width)
        lit = self.get_component_rich_style("listing--chosen", partial=True)
        strip = over(strip, Style(bgcolor=lit.bgcolor, bold=lit.bold, underline=lit.underline))
        bar = self.get_component_rich_style("listing--bar", partial=True) if self.has_focus else style
        edge = style + Style(color=bar.color, bgcolor=lit.bgcolor)
        return Strip([Segment("▌ " if self.has_focus else "▏ ", edge), *strip], width)

    def _strips(self, index: int, width: int) -> list[Strip]:
        if index not in self._drawn:
            if len(self._drawn) > 2000:
                self._drawn.clear()
            options = RenderOptions(self._get_style, self.styles.get_rules())
            self._drawn[index] = [
                self._strip(content, width, options) for content in self._draw(index, width)[: self.rows]
            ]
        return self._drawn[index]

    def _strip(self, content: Content, width: int, options: RenderOptions) -> Strip:
        style = self.visual_style
        strips = content.truncate(max(1, width), ellipsis=True).render_strips(
            max(1, width), 1, style, options
        )
        strip = strips[0] if strips else Strip.blank(0)
        return strip.adjust_cell_length(max(0, width), style.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked; a double click picks it."""
        index = (event.y + self.scroll_offset.y) // self.rows
        if 0 <= index < self._count:
            self.chosen = index
            if event.chain == 2:
                self.action_pick()

    def action_move(self, by: int) -> None:
        """Choose the thing below or above."""
        self.choose((self.chosen or 0) + by)

    def action_page(self, direction: int) -> None:
        """Move by what fits into the view."""
        self.action_move(direction * max(1, self.scrollable_content_region.height // self.rows))

    def action_first(self) -> None:
        """Choose the first thing."""
        self.choose(0)

    def action_last(self) -> None:
        """Choose the last thing."""
        self.choose(self._count - 1)

    def action_pick(self) -> None:
        """Tell that the chosen thing is wanted."""
        if self.chosen is not None:
            self.post_message(self.Picked(self))
