"""Laying out one message: from its text to rows of styled cells."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from textual.content import Content, Span
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions

from airochat.tui.entries import Beside, Entry, Piece
from airochat.tui.widgets import markup

CURSOR = "▌"
"""What stands at the end of a reply that is being written."""


class Row(NamedTuple):
    """One row of a message."""

    strip: Strip
    start: int
    """The first character of the message's shown text in this row."""
    end: int
    kind: str
    """``text``, ``fence`` (code, filled to the full width), ``pad`` (empty), ``gap`` (empty, between messages) or
    ``line`` (also between messages)."""


@dataclass(frozen=True, slots=True)
class Body:
    """A laid out message: its rows, and its shown text, which selections count in."""

    rows: list[Row]
    plain: str
    boxed: bool = False
    """Whether it stands on the second background."""


class _Recent(OrderedDict[tuple[object, ...], tuple[str, list[Row]]]):
    """The most recently used layouts of single blocks."""

    def get_or(
        self, key: tuple[object, ...], make: Callable[[], tuple[str, list[Row]]]
    ) -> tuple[str, list[Row]]:
        if key in self:
            self.move_to_end(key)
        else:
            self[key] = make()
            if len(self) > 2000:
                self.popitem(last=False)
        return self[key]


class BodyRenderer:
    """Lays out messages for one width and one set of styles.

    Blocks are cached, so a reply that grows lays out its last paragraph only, and rows that stay the same stay the
    same objects.
    """

    def __init__(
        self, width: int, options: RenderOptions, base: Style, turn: Style, roomy: bool = True
    ) -> None:
        self.width = width
        self.roomy = roomy
        """Whether there is room for lines about replies other than the one that is looked at."""
        self._options = options
        self._base = base
        self._turn = turn
        self._recent = _Recent()

    def body(self, entry: Entry) -> Body:
        """Lay out one message."""
        layout = _Layout()
        boxed = entry.role == "user"
        if entry.above:
            layout.between(self._strips(_line(entry.above, self.width), self._base)[1])
        if boxed:
            layout.empty("pad")
        self._add(
            layout, boxed, ("name", entry.role, entry.voice, entry.name, entry.when), lambda: _name(entry)
        )
        layout.write("\n")
        self._add_text(layout, entry, boxed)
        for number, note in enumerate(entry.notes):
            if not number:
                layout.empty("pad", "\n\n")
            self._add(layout, boxed, ("note", note), partial(_note, note))
        for number, one in enumerate(entry.beside if self.roomy else ()):
            if number:
                layout.write("\n")
            else:
                layout.empty("pad", "\n\n")
            self._add(layout, boxed, ("beside", one), partial(_beside, one, self.width))
        if boxed:
            layout.empty("pad")
        layout.empty("gap")
        return layout.body(boxed)

    def _add_text(self, layout: _Layout, entry: Entry, boxed: bool) -> None:
        blocks = markup.blocks(entry.text)
        if entry.live and not blocks:
            blocks = [markup.Block("")]
        for number, block in enumerate(blocks):
            if number and not block.joined:
                layout.empty("pad", "\n\n")
            live = entry.live and number == len(blocks) - 1
            make = partial(_block, block, entry.role, live)
            self._add(layout, boxed, (block, entry.role, live), make, "fence" if block.fence else "text")

    def _add(
        self,
        layout: _Layout,
        boxed: bool,
        key: tuple[object, ...],
        make: Callable[[], Content],
        kind: str = "text",
    ) -> None:
        base = self._turn if boxed else self._base
        layout.add(*self._recent.get_or((boxed, *key), lambda: self._strips(make(), base)), kind)

    def _strips(self, content: Content, base: Style) -> tuple[str, list[Row]]:
        plain = content.plain
        starts = [0]
        for line in plain.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        rows = []
        for strip in content.render_strips(self.width, None, base, self._options):
            x, y = _first_offset(strip)
            start = min(starts[y] + x, len(plain))
            rows.append(Row(strip, start, start + sum(len(segment.text) for segment in strip), "text"))
        return plain, rows


def _first_offset(strip: Strip) -> tuple[int, int]:
    for segment in strip:
        if segment.style and (offset := segment.style.meta.get("offset")):
            return offset[0], offset[1]
    return 0, 0


class _Layout:
    """A body under construction."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._plain: list[str] = []
        self._length = 0

    def add(self, plain: str, rows: Iterable[Row], kind: str = "text") -> None:
        at = self._length
        if at or kind != "text":
            self._rows.extend(Row(strip, start + at, end + at, kind) for strip, start, end, _ in rows)
        else:
            self._rows.extend(rows)
        self.write(plain)

    def empty(self, kind: str, plain: str = "") -> None:
        self._rows.append(Row(_EMPTY, self._length, self._length, kind))
        self.write(plain)

    def between(self, rows: Iterable[Row]) -> None:
        """Add rows that are no part of the message, and so of no selection."""
        self._rows.extend(Row(row.strip, 0, 0, "line") for row in rows)
        self.empty("gap")

    def body(self, boxed: bool) -> Body:
        return Body(self._rows, "".join(self._plain), boxed)

    def write(self, plain: str) -> None:
        self._plain.append(plain)
        self._length += len(plain)


_EMPTY = Strip([])


def _name(entry: Entry) -> Content:
    when = f"   {entry.when}" if entry.when else ""
    end = len(entry.name)
    kind = f".transcript--voice-{entry.voice}" if entry.voice else f".transcript--name-{entry.role}"
    return Content(entry.name + when, [Span(0, end, kind), Span(end, end + len(when), ".transcript--faint")])


def _block(block: markup.Block, role: str, live: bool) -> Content:
    text, marks = markup.style(block)
    spans = [Span(start, end, f".transcript--{name}") for start, end, name in marks]
    if role == "system":
        spans.insert(0, Span(0, len(text), ".transcript--soft"))
    if live:
        spans.append(Span(len(text), len(text) + len(CURSOR), ".transcript--cursor"))
        text += CURSOR
    return Content(text, spans)


def _note(pieces: tuple[Piece, ...]) -> Content:
    text, spans = "", []
    for part, name in pieces:
        spans.append(Span(len(text), len(text) + len(part), f".transcript--{name}"))
        text += part
    return Content(text, spans)


def _line(text: str, width: int) -> Content:
    """Draw a line with a text in it, or the text alone where there is no room for both."""
    rest = max(0, width - cell_len(text) - 2)
    left, right = "─" * (rest // 2), "─" * (rest - rest // 2)
    shown = f"{left} {text} {right}" if rest >= 4 else text
    return Content(shown, [Span(0, len(shown), ".transcript--faint")])


_STATE = 12
"""Cells for how far a reply is."""


def _beside(one: Beside, width: int) -> Content:
    """Draw one of several replies in one row: its number, how it begins, and how far it is."""
    number = f"{'›' if one.shown else ' '} {one.number}  "
    room = width - len(number) - _STATE - 2
    state = one.state.rjust(_STATE) if room >= _STATE else ""
    if not state:
        room = width - len(number)
    begins = one.text
    if cell_len(begins) > room:
        begins = set_cell_size(begins, max(0, room - 1)).rstrip() + "…"
    begins = set_cell_size(begins, max(0, room))
    text = f"{number}{begins}  {state}" if state else f"{number}{begins}"
    middle = len(number) + len(begins)
    marked, plain = ("accent", "soft") if one.shown else ("faint", "faint")
    spans = [(0, len(number), marked), (len(number), middle, plain), (middle, len(text), "faint")]
    return Content(text, [Span(start, end, f".transcript--{name}") for start, end, name in spans])
