"""The texts and meters of a panel, as contents to draw."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from airochat.hooks import Meter, Text
from airochat.session import panels
from airochat.text import one_line

_TONES = {"plain": "$rp-ink", "soft": "$rp-soft", "heading": "bold $rp-ink", "warning": "$rp-error"}
_BAR, _LEAST = 24, 8
"""Cells of a meter's bar, and of the shortest one."""
LABEL = 24
"""Cells of the column in which the names of meters and fields stand."""


def words(texts: Sequence[Text]) -> Content:
    """Return paragraphs with an empty line between two of them, but not under a heading."""
    shown = Content("")
    for number, text in enumerate(texts):
        gap = "" if not number else "\n" if texts[number - 1].tone == "heading" else "\n\n"
        shown = Content.assemble(shown, gap, (text.text, _TONES[text.tone]))
    return shown


def meters(found: Sequence[Meter], width: int) -> Content:
    """Return a line for each meter: its name, a bar, and the numbers; the bar is the first to go without room."""
    amounts = [panels.meter_amounts(meter) for meter in found]
    label = min(LABEL, max(map(cell_len, (meter.label for meter in found)), default=0) + 2)
    label = LABEL if width >= 2 * LABEL else label
    room = width - label - max(map(cell_len, amounts), default=0) - 2
    bar = min(_BAR, room) if room >= _LEAST else 0
    lines = []
    for meter, text in zip(found, amounts, strict=True):
        name = one_line(meter.label, max(1, label - 1))
        full = round(bar * panels.share(meter))
        lines.append(
            Content.assemble(
                (name + " " * (label - cell_len(name)), "$rp-soft"),
                ("━" * full, "$rp-accent"),
                ("─" * (bar - full), "$rp-faint"),
                "  " if bar else "",
                (text, "$rp-soft"),
            )
        )
    return Content("\n").join(lines)


class Words(Widget):
    """Paragraphs, one below the other."""

    def __init__(self, texts: Sequence[Text]) -> None:
        super().__init__()
        self._content = words(texts)

    def take(self, texts: Sequence[Text]) -> None:
        """Show other paragraphs."""
        self._content = words(texts)
        self.refresh(layout=True)

    def render(self) -> Content:
        """Draw them."""
        return self._content


class Meters(Widget):
    """Meters, one a line."""

    def __init__(self, found: Sequence[Meter]) -> None:
        super().__init__()
        self._meters = found

    def take(self, found: Sequence[Meter]) -> None:
        """Show other meters."""
        self._meters = found
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many there are."""
        return len(self._meters)

    def render(self) -> Content:
        """Draw them."""
        return meters(self._meters, self.content_size.width)
