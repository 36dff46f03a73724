"""Pictures in cells."""

from __future__ import annotations

import io
import struct

from PIL import Image
from textual.strip import Strip

from airochat.tui import half_blocks
from tests.characters.files import SIGNATURE, chunk, picture_chunks

GREY = (40, 40, 40)


def picture(size: tuple[int, int], color: tuple[int, ...], form: str = "PNG", mode: str = "RGB") -> bytes:
    content = io.BytesIO()
    Image.new(mode, size, color).save(content, form)
    return content.getvalue()


def colours(strips: list[Strip]) -> set[tuple[int, int, int]]:
    styles = [segment.style for strip in strips for segment in strip]
    found = [colour for style in styles if style for colour in (style.color, style.bgcolor) if colour]
    return {
        (triplet.red, triplet.green, triplet.blue) for triplet in (colour.get_truecolor() for colour in found)
    }


def test_proportions_are_kept_with_two_pixels_in_a_cell() -> None:
    strips = half_blocks.half_blocks(picture((200, 300), (200, 10, 10)), 20, 12, GREY)
    assert (strips[0].cell_length, len(strips)) == (16, 12)
    assert colours(strips) == {(200, 10, 10)}


def test_an_odd_number_of_pixels_and_transparency_show_the_background() -> None:
    strips = half_blocks.half_blocks(picture((100, 50), (200, 10, 10)), 10, 10, GREY)
    assert (strips[0].cell_length, len(strips)) == (10, 3)
    assert GREY in colours(strips)
    clear = half_blocks.half_blocks(picture((10, 10), (1, 2, 3, 0), mode="RGBA"), 4, 4, GREY)
    assert colours(clear) == {GREY}


def test_other_kinds_of_picture() -> None:
    for form in ("JPEG", "WEBP", "GIF"):
        assert half_blocks.half_blocks(picture((16, 16), (9, 9, 9), form), 8, 4, GREY), form


def test_what_cannot_be_drawn_is_nothing() -> None:
    whole = picture((64, 64), (1, 2, 3))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    for content in (
        b"",
        b"no picture",
        whole[:80],
        SIGNATURE + head + picture_chunks()[1],
        picture((8, 8), (1, 2, 3), "BMP"),
    ):
        assert half_blocks.half_blocks(content, 8, 4, GREY) == []


def test_too_many_pixels_are_not_decoded() -> None:
    content = picture((half_blocks.MAX_PIXELS // 1000 + 1, 1001), (0,), mode="L")
    assert half_blocks.half_blocks(content, 8, 4, GREY) == []
