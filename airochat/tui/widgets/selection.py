"""Selected text in the transcript: how it is painted, and what is copied."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

_FAR = 1 << 60


def over(strip: Strip, style: Style) -> Strip:
    """Return a strip with ``style`` laid over the styles it has."""
    return Strip(Segment.apply_style(strip, post_style=style), strip.cell_length)


def paint(strip: Strip, selection: Selection, index: int, start: int, end: int, style: Style) -> Strip:
    """Return a row of message ``index``, characters ``start`` to ``end`` of it, with its selected part in ``style``.

    A selection's offsets are (character, message).
    """
    first, last = selection.start, selection.end
    low = 0 if first is None or first.y < index else (first.x if first.y == index else _FAR)
    high = _FAR if last is None or last.y > index else (last.x if last.y == index else -1)
    low, high = max(low, start) - start, min(high, end) - start
    if high <= low:
        return strip
    left, right = strip.index_to_cell_position(low), strip.index_to_cell_position(high)
    before, inside, after = strip.crop(0, left), strip.crop(left, right), strip.crop(right)
    return Strip.join([before, over(inside, style), after])


def text(selection: Selection, count: int, plain: Callable[[int], str]) -> str:
    """Return the selected text of ``count`` messages, an empty line between two of them."""
    first = 0 if selection.start is None else selection.start.y
    last = count - 1 if selection.end is None else min(selection.end.y, count - 1)
    parts = []
    for index in range(first, last + 1):
        shown = plain(index)
        low = selection.start.x if selection.start is not None and index == first else 0
        high = selection.end.x if selection.end is not None and index == last else len(shown)
        parts.append(shown[low:high])
    return "\n\n".join(parts)
