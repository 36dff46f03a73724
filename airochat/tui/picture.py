"""A card read for the screen: its texts, and its picture in cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.strip import Strip

from airochat.tui.half_blocks import Rgb, half_blocks

if TYPE_CHECKING:
    from airochat.characters.read import CardFile
    from airochat.store.library import CardEntry, CardLibrary


@dataclass(frozen=True, slots=True)
class Drawn:
    """A card of the library; without its file, it is not read yet, or cannot be."""

    entry: CardEntry
    file: CardFile | None
    strips: Sequence[Strip]


def read_and_draw(library: CardLibrary, entry: CardEntry, room: tuple[int, int], background: Rgb) -> Drawn:
    """Open a card and draw its picture in ``room``, columns and rows; slow, so not for the screen's thread."""
    file = library.open(entry.id)
    return Drawn(entry, file, draw(file, room, background))


def draw(file: CardFile, room: tuple[int, int], background: Rgb) -> Sequence[Strip]:
    """Return the picture of a card in cells; nothing if it has none, or there is no room."""
    from airochat.characters.assets import picture

    content = picture(file) if all(room) else None
    return half_blocks(content, *room, background) if content else ()
