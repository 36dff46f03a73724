"""The transcript: one widget that draws the rows of any number of messages itself."""

from __future__ import annotations

from collections import OrderedDict

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.visual import RenderOptions

from airochat.tui.entries import Entry, Source
from airochat.tui.voices import COUNT, NARRATED
from airochat.tui.widgets import markup, selection
from airochat.tui.widgets.rows import Body, BodyRenderer, Row
from airochat.tui.widgets.window import Window

COLUMN = 80
"""The widest that a message is drawn, in cells, its margins included."""

ROOMY = 12
"""Rows of a view in which several replies that are written at once still leave the shown one to be read."""

_STYLES = (
    *("name-user", "name-assistant", "name-system", "cursor", "turn", "chosen", "bar"),
    *(f"voice-{voice}" for voice in (*range(1, COUNT + 1), NARRATED)),
    *("soft", "faint", "accent", "error", *markup.STYLES),
)
_KEPT = 400  # laid out messages


class _Nothing:
    def sizes(self, start: int = 0) -> tuple[tuple[int, int], ...]:
        return ()

    def entry(self, index: int) -> Entry:
        raise IndexError(index)


class Transcript(ScrollView, can_focus=True, inherit_bindings=False):
    """Messages of a `Source`, of which only those in view are ever laid out.

    Textual's scroll position is derived from the `Window`, never the other way round, except when the user scrolls.
    Every cell carries its character and message as ``meta["offset"]``, which is what Textual's selection reads.
    """

    COMPONENT_CLASSES = {f"transcript--{name}" for name in _STYLES}
    BINDINGS = [
        Binding("up", "screen.choose(-1)", "Message above"),
        Binding("down", "screen.choose(1)", "Message below"),
        Binding("left", "screen.swipe(-1)", "Alternative before"),
        Binding("right", "screen.swipe(1)", "Alternative after"),
        Binding("pageup", "screen.page(-1)", "Page up"),
        Binding("pagedown", "screen.page(1)", "Page down"),
        Binding("home", "screen.start", "To the start"),
        Binding("end", "screen.end", "To the end"),
        Binding("enter", "screen.back", "Back to writing"),
        Binding("e", "screen.edit", "Edit"),
        Binding("c", "screen.copy", "Copy"),
        Binding("r", "screen.again_here", "Another reply here"),
        Binding("s", "screen.several_here", "Four replies here"),
        Binding("t", "screen.look", "Look at the words"),
        Binding("b", "screen.branch", "Go on from here"),
    ]

    chosen: reactive[int | None] = reactive(None, repaint=False)
    """The message that keys act on, while the transcript has the focus."""

    class Clicked(Message):
        """A message was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, source: Source | None = None, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.source: Source = source or _Nothing()
        self.window = Window(lambda index: len(self.body(index).rows))
        self._bodies: OrderedDict[int, Body] = OrderedDict()
        self._renderer: BodyRenderer | None = None
        self._width = 0
        self._quiet = False
        self._settling = False

    # What the screen tells

    def show(self, source: Source) -> None:
        """Show other messages, from their end."""
        self.source = source
        self._forget_layout()
        self.window.reset(self._estimates())
        self.chosen = None
        self.window.to_end()
        self._reconcile()

    def replace_tail(self, keep: int) -> None:
        """Take over all messages but the first ``keep`` anew; the view stays, or stays at the end."""
        for index in [index for index in self._bodies if index >= keep]:
            del self._bodies[index]
        self.window.replace_tail(keep, self._estimates(keep))
        if self.chosen is not None and self.chosen >= len(self.window):
            self.chosen = len(self.window) - 1 if len(self.window) else None
        self._stay()
        self._agree()

    def changed(self, index: int) -> None:
        """Take over the changed text of one message, repainting only the rows that differ."""
        old = self._bodies.pop(index, None)
        before = (self.window.index, self.window.row, self.window.heights.total)
        self.window.forget(index)
        self._stay()
        if old is None or before != (self.window.index, self.window.row, self.window.heights.total):
            self._agree()
        elif self.window.shows(index):
            self._repaint_difference(index, old.rows, self.body(index).rows)

    def go_end(self) -> None:
        """Show the end and stay there while it grows."""
        self.window.to_end()
        self._reconcile()

    def page(self, direction: int) -> None:
        """Move by a screen, down (1) or up (-1), without animation."""
        self.window.move(direction * max(1, self.size.height - 2))
        self._reconcile()

    def choose(self, index: int | None) -> None:
        """Mark a message as the one that keys act on, and bring it into view."""
        self.chosen = index if index is None or index < len(self.window) else None
        if self.chosen is not None:
            self.window.reveal(self.chosen)
        self._reconcile()

    # Layout

    def body(self, index: int) -> Body:
        """Return a message as laid out."""
        body = self._bodies.get(index)
        if body is None:
            body = self._bodies[index] = self._rendering().body(self.source.entry(index))
            if len(self._bodies) > _KEPT:
                self._bodies.popitem(last=False)
        return body

    @property
    def column(self) -> tuple[int, int]:
        """The left edge and the width of the column of messages, in cells."""
        width = max(20, min(COLUMN, self._width))
        return max(0, (self._width - width) // 2), width

    def _rendering(self) -> BodyRenderer:
        if self._renderer is None:
            options = RenderOptions(self._style_of, self.styles.get_rules())
            turn = self.get_visual_style("transcript--turn")
            width, roomy = self.column[1] - 5, self.window.rows >= ROOMY
            self._renderer = BodyRenderer(width, options, self.visual_style, turn, roomy)
        return self._renderer

    def _style_of(self, name: str | VisualStyle) -> VisualStyle:
        style = self._get_style(name)
        if name in (".transcript--code", ".transcript--fence"):
            # A partial style comes without its background if that is opaque.
            style = VisualStyle(self.get_visual_style(str(name)[1:]).background) + style
        return style

    def _forget_layout(self) -> None:
        self._bodies.clear()
        self._renderer = None

    def _estimates(self, start: int = 0) -> list[int]:
        width = self.column[1] - 5
        return [3 + lines + characters // width for characters, lines in self.source.sizes(start)]

    def _stay(self) -> None:
        if self.window.follow:
            self.window.to_end()
        self.window.settle()

    def on_resize(self) -> None:
        """Lay out anew for another width, keeping the message at the top, or the end."""
        # Without the scroll bar, for which there is always room.
        self._width, self.window.rows = self.scrollable_content_region.size
        roomy = self.window.rows >= ROOMY
        if self._renderer is None or self._renderer.width != self.column[1] - 5:
            share = (
                self.window.row / max(1, self.window.heights[self.window.index]) if len(self.window) else 0
            )
            follow = self.window.follow
            self._forget_layout()
            self.window.reset(self._estimates())
            if not follow and len(self.window):
                self.window.row = int(share * self.window.height(self.window.index))
        elif self._renderer.roomy != roomy:
            self._renderer.roomy = roomy
            if last := len(self.window):
                # Only what is being written now, and so stands last, can look different.
                self._bodies.pop(last - 1, None)
                self.window.forget(last - 1)
        self._stay()
        self._reconcile()

    def notify_style_update(self) -> None:
        """Lay out anew with other colours."""
        super().notify_style_update()
        self._forget_layout()

    # Scrolling

    def _reconcile(self) -> None:
        """Make Textual's idea of size and position agree with the window, without a layout."""
        self._quiet = True
        total = max(self.window.heights.total, 1)
        if self.virtual_size != (self._width, total):
            self.set_reactive(Transcript.virtual_size, Size(self._width, total))
            self._scroll_update(self.virtual_size)
        top = self.window.top
        if round(self.scroll_y) != top:
            self.scroll_y = self.scroll_target_y = top
        self._quiet = False
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow a scroll that the user made."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        rows = round(new_value) - round(old_value)
        if self._quiet or not rows:
            return
        if abs(rows) <= 6 * max(1, self.size.height):
            self.window.move(rows)
        elif round(new_value) >= self.max_scroll_y:
            self.window.to_end()
        else:
            self.window.seek(round(new_value))
        self._agree()

    def _agree(self) -> None:
        """Make position and window agree, but while an animation owns the position only afterwards."""
        if self.app.animator.is_being_animated(self, "scroll_y"):
            self.refresh()
            if not self._settling:
                self._settling = True
                self.set_timer(0.05, self._settle)
        else:
            self._reconcile()

    def _settle(self) -> None:
        if self.app.animator.is_being_animated(self, "scroll_y"):
            self.set_timer(0.05, self._settle)
        else:
            self._settling = False
            self._reconcile()

    # Painting

    def render_line(self, y: int) -> Strip:
        """Draw one row of the view."""
        width, place = self._width, self.window.at(y)
        if place is None:
            return Strip.blank(width, self.rich_style)
        index, number = place
        row = self.body(index).rows[number]
        left, column = self.column
        strip = self._row(row, index, column)
        margins = (
            Segment(" " * left, self.rich_style),
            Segment(" " * (width - left - column), self.rich_style),
        )
        return _with_offsets(Strip([margins[0], *strip, margins[1]], width), index, row, left + 3)

    def _row(self, row: Row, index: int, width: int) -> Strip:
        """Draw one row of a message: bar, margin, text, and the background up to the column's edge."""
        style, strip, chosen = self.rich_style, row.strip, index == self.chosen and self.has_focus
        inner = width - 5
        if row.kind == "gap":
            return Strip.blank(width, style)
        if row.kind == "line":
            return Strip([Segment("   ", style), *strip]).adjust_cell_length(width, style)
        if chosen:
            style = style + self._background("chosen")
            strip = selection.over(strip, self._background("chosen")) if row.kind == "text" else strip
        elif self.body(index).boxed:
            style = style + self._background("turn")
        fill = style + self._background("fence") if row.kind == "fence" else style
        if self.text_selection is not None:
            painted = self.screen.get_component_rich_style("screen--selection")
            strip = selection.paint(strip, self.text_selection, index, row.start, row.end, painted)
        bar = Segment("▌", style + self._foreground("bar")) if chosen else Segment(" ", style)
        rest = Segment(" " * max(0, inner - strip.cell_length), fill)
        return Strip([bar, Segment("  ", style), *strip, rest, Segment("  ", style)], width)

    def _background(self, name: str) -> Style:
        return Style(bgcolor=self.get_component_rich_style(f"transcript--{name}", partial=True).bgcolor)

    def _foreground(self, name: str) -> Style:
        return Style(color=self.get_component_rich_style(f"transcript--{name}", partial=True).color)

    def _repaint_difference(self, index: int, old: list[Row], new: list[Row]) -> None:
        same = next(
            (n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a.strip is not b.strip), len(new)
        )
        y = self.window.heights.before(index) - self.window.top + same
        self.refresh(Region(0, max(0, y), self._width, max(1, len(new) - same)))

    # Selection and clicks

    def get_selection(self, selection_: Selection) -> tuple[str, str]:
        """Return the selected text, and what ends it."""
        return selection.text(selection_, len(self.window), lambda index: self.body(index).plain), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Repaint, since the selection changed."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Tell which message was clicked, unless the click ended a selection."""
        place = self.window.at(event.y)
        if place is not None and self.text_selection is None:
            self.post_message(self.Clicked(place[0]))

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show a chosen message while the transcript has the focus, and only then; at first, the last."""
        super().watch_has_focus(has_focus)
        if has_focus and self.chosen is None and len(self.window):
            self.choose(len(self.window) - 1)
        self.refresh()


def _with_offsets(strip: Strip, index: int, row: Row, indent: int) -> Strip:
    """Give every cell the character and message that it shows."""
    at, segments = row.start - indent, []
    for text, style, _ in strip:
        offset = (max(row.start, min(at, row.end)), index)
        segments.append(Segment(text, (style or Style.null()) + Style.from_meta({"offset": offset})))
        at += len(text)
    return Strip(segments, strip.cell_length)
