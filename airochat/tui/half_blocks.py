"""Pictures as rows of half blocks: two pixels in every cell, where the terminal has colours."""

from __future__ import annotations

import io
import logging
import warnings

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

MAX_BYTES = 60_000_000
"""The largest picture file that is looked at."""
MAX_PIXELS = 25_000_000
"""The most pixels that are decoded; three bytes each."""

_FORMATS = ("PNG", "WEBP", "JPEG", "GIF")
_PIXEL = "▀"
_log = logging.getLogger(__name__)

Rgb = tuple[int, int, int]


def half_blocks(content: bytes, columns: int, rows: int, background: Rgb) -> list[Strip]:
    """Return a picture in at most this many cells, its proportions kept; nothing if it cannot be drawn.

    What is transparent shows ``background``. Slow for large pictures, so not for the screen's thread.
    """
    pixels = _pixels(content, columns, 2 * rows, background) if len(content) <= MAX_BYTES else []
    pairs = zip(pixels[::2], pixels[1::2], strict=True)
    return [Strip([_cell(*cell) for cell in zip(upper, lower, strict=True)]) for upper, lower in pairs]


def _cell(upper: Rgb, lower: Rgb) -> Segment:
    return Segment(_PIXEL, Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))


def _pixels(content: bytes, width: int, height: int, background: Rgb) -> list[list[Rgb]]:
    """Return the rows of a scaled picture, an even number of them."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return []
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return []
            image.draft("RGB", (4 * width, 4 * height))
            small = ImageOps.contain(image.convert("RGBA"), (width, height), Image.Resampling.LANCZOS)
    except Exception as error:
        # A damaged file makes the decoders raise whatever they stumble over.
        _log.info("A picture cannot be drawn: %s", error)
        return []
    canvas = Image.new("RGBA", (small.width, small.height + small.height % 2), (*background, 255))
    canvas.alpha_composite(small)
    data = canvas.convert("RGB").tobytes()
    stride = 3 * canvas.width
    return [
        [(data[at], data[at + 1], data[at + 2]) for at in range(start, start + stride, 3)]
        for start in range(0, len(data), stride)
    ]
