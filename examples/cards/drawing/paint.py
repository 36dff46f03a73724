"""A small painter for flat, layered pictures: shapes with exact edges, soft light, and a PNG writer.

Coordinates are pixels from the top left. A shape is a list of points; `smooth` makes a curve of a few of them. A mask
is an array of coverage from 0 to 1, one value per pixel; every method that paints takes a shape or a mask.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

Point = tuple[float, float]
Shape = Sequence[Point]

_LINES = 8
"""Scan lines per row of pixels; within a line, coverage is exact."""


def rgb(colour: str) -> np.ndarray:
    """Return the three parts of a colour such as ``#d9a76a``, from 0 to 1."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def smooth(points: Shape, closed: bool = True, steps: int = 14) -> list[Point]:
    """Return a curve through the points (a Catmull-Rom spline), as many short lines."""
    count = len(points)
    spans = count if closed else count - 1
    along = np.linspace(0, 1, steps, endpoint=False)[:, None]
    found: list[Point] = []
    for at in range(spans):
        around = [at - 1, at, at + 1, at + 2]
        a, b, c, d = (
            np.array(points[i % count if closed else min(max(i, 0), count - 1)], dtype=float) for i in around
        )
        curve = b + along * (c - a) / 2 + along**2 * (a - 2.5 * b + 2 * c - d / 2)
        curve = curve + along**3 * (1.5 * (b - c) + (d - a) / 2)
        found += [(float(x), float(y)) for x, y in curve]
    return found if closed else [*found, points[-1]]


def ellipse(x: float, y: float, width: float, height: float | None = None, turn: float = 0.0) -> list[Point]:
    """Return an ellipse around a point by its two radii, turned by an angle in degrees."""
    angles = np.arange(96) * (2 * np.pi / 96)
    across, down = np.cos(angles) * width, np.sin(angles) * (width if height is None else height)
    lean = np.deg2rad(turn)
    xs, ys = across * np.cos(lean) - down * np.sin(lean), across * np.sin(lean) + down * np.cos(lean)
    return [(float(x + a), float(y + b)) for a, b in zip(xs, ys, strict=True)]


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Return a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def stroke(points: Shape, width: float, taper: bool = False) -> list[Point]:
    """Return the outline of a line through the points; with ``taper`` it runs out to nothing at both ends."""
    line = np.array(points, dtype=float)
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1])[:, None], 1e-9)
    across = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    part = np.linspace(0, 1, len(line))
    half = width / 2 * (np.sqrt(np.sin(np.pi * part).clip(0)) if taper else np.ones(len(line)))
    left, right = line + across * half[:, None], line - across * half[:, None]
    return [(float(x), float(y)) for x, y in [*left, *right[::-1]]]


def mirrored(points: Shape, about: float) -> list[Point]:
    """Return the shape flipped left to right about a vertical line."""
    return [(2 * about - x, y) for x, y in points]


class Picture:
    """A picture that is painted on, layer by layer."""

    def __init__(self, width: int, height: int, colour: str) -> None:
        self.width, self.height = width, height
        self.pixels = np.ones((height, width, 3)) * rgb(colour)
        self.xs = np.arange(width)[None, :] + 0.5
        self.ys = np.arange(height)[:, None] + 0.5

    def mask(self, shape: Shape | np.ndarray) -> np.ndarray:
        """Return how much of each pixel a shape covers; a mask comes back as it is."""
        return shape if isinstance(shape, np.ndarray) else self._scan(np.array(shape, dtype=float))

    def any_of(self, shapes: Iterable[Shape]) -> np.ndarray:
        """Return the mask of several shapes together."""
        found = np.zeros((self.height, self.width))
        for shape in shapes:
            found = np.maximum(found, self.mask(shape))
        return found

    def paint(
        self, shape: Shape | np.ndarray, colour: str, strength: float = 1.0, within: np.ndarray | None = None
    ) -> np.ndarray:
        """Cover a shape with a colour, inside a mask if one is given; return the mask of what was painted."""
        covered = self.mask(shape) if within is None else self.mask(shape) * within
        self._blend(covered * strength, rgb(colour))
        return covered

    def lit(self, shape: Shape | np.ndarray, light: str, dark: str, shadow: Shape | np.ndarray) -> np.ndarray:
        """Cover a shape with a light colour, and with a dark one where a shadow lies on it."""
        covered = self.mask(shape)
        self._blend(covered, rgb(light) + self.mask(shadow)[..., None] * (rgb(dark) - rgb(light)))
        return covered

    def shade(
        self, shape: Shape | np.ndarray, first: str, last: str, start: Point, end: Point, steps: int = 0
    ) -> np.ndarray:
        """Cover a shape with a run from one colour to another between two points, in even bands if ``steps``."""
        covered = self.mask(shape)
        run = np.array(end, dtype=float) - start
        along = ((self.xs - start[0]) * run[0] + (self.ys - start[1]) * run[1]) / (run @ run)
        along = along.clip(0, 1)
        if steps:
            along = np.floor((along * steps).clip(0, steps - 1e-6)) / max(steps - 1, 1)
        self._blend(covered, rgb(first) + along[..., None] * (rgb(last) - rgb(first)))
        return covered

    def glow(
        self, at: Point, reach: float, colour: str, strength: float = 1.0, within: np.ndarray | None = None
    ) -> None:
        """Add light around a point that fades out at a distance."""
        far = np.hypot(self.xs - at[0], self.ys - at[1]) / reach
        light = (1 - far).clip(0, 1) ** 2 * strength
        self.light(light if within is None else light * within, colour)

    def light(self, mask: np.ndarray, colour: str) -> None:
        """Add light of a colour: never darker, never beyond white."""
        self.pixels = 1 - (1 - self.pixels) * (1 - mask[..., None] * rgb(colour))

    def png(self) -> bytes:
        """Return the picture as a PNG file of 8 bits per colour."""
        return encode_png(np.rint(self.pixels * 255).clip(0, 255).astype(np.uint8))

    def _blend(self, covered: np.ndarray, colour: np.ndarray) -> None:
        """Lay a colour, or one per pixel, over the part of the picture where a mask is not empty."""
        rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
        if not len(rows):
            return
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        under = self.pixels[part]
        over = colour[part] if colour.ndim == 3 else colour
        self.pixels[part] = under + covered[part][..., None] * (over - under)

    def _scan(self, shape: np.ndarray) -> np.ndarray:
        """Add up, line by line, where the outline enters and leaves the shape."""
        x0, y0 = shape[:, 0], shape[:, 1] * _LINES
        x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
        down = np.where(y1 > y0, 1.0, -1.0)
        low = np.ceil(np.minimum(y0, y1) - 0.5).clip(0, self.height * _LINES).astype(int)
        high = np.ceil(np.maximum(y0, y1) - 0.5).clip(0, self.height * _LINES).astype(int)
        counts = high - low
        edge = np.repeat(np.arange(len(shape)), counts)
        line = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + low[edge]
        slope = (x1 - x0) / np.where(y1 == y0, 1.0, y1 - y0)
        x = (x0[edge] + (line + 0.5 - y0[edge]) * slope[edge]).clip(0, self.width)
        cell = np.floor(x).astype(int)
        share, step = x - cell, down[edge] / _LINES
        start = (line // _LINES) * (self.width + 2) + cell
        size = self.height * (self.width + 2)
        change = np.bincount(start, step * (1 - share), size) + np.bincount(start + 1, step * share, size)
        covered = np.cumsum(change.reshape(self.height, self.width + 2), axis=1)
        # Rounded, so that the last bits, which differ between processors, never decide a pixel.
        return np.round(np.abs(covered[:, : self.width]).clip(0, 1), 4)


def encode_png(levels: np.ndarray) -> bytes:
    """Return the PNG file of an array of rows, columns and three colours, each row with the filter that suits it."""
    height, width, _ = levels.shape
    rows = levels.reshape(height, width * 3).astype(np.int16)
    left = np.pad(rows, ((0, 0), (3, 0)))[:, :-3]
    above = np.pad(rows, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(rows, ((1, 0), (3, 0)))[:-1, :-3]
    guess = left + above - corner
    near = [np.abs(guess - side) for side in (left, above, corner)]
    paeth = np.where(
        (near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], above, corner)
    )
    filtered = [(rows - side).astype(np.uint8) for side in (0, left, above, (left + above) // 2, paeth)]
    costs = [np.abs(kind.view(np.int8).astype(int)).sum(axis=1) for kind in filtered]
    best = np.argmin(costs, axis=0)
    data = b"".join(bytes([kind]) + filtered[kind][row].tobytes() for row, kind in enumerate(best))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
