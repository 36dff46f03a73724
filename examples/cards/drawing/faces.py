"""Heads for the portraits: flat shapes, one light from the left, and few lines.

A `Head` has its own measure: the middle of the face is (0, 0), half the face's width is 1, and y points down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drawing.paint import Picture, Point, Shape, ellipse, smooth, stroke


@dataclass(frozen=True)
class Head:
    """Where a head is, how large, and in which colours."""

    x: float
    y: float
    size: float
    skin: str
    shade: str
    line: str = "#2a1c1a"
    jaw: float = 0.62
    """Half the width of the jaw: about 0.5 is pointed, 0.75 square."""

    def at(self, *points: Point) -> list[Point]:
        """Return points of the head's own measure as points of the picture."""
        return [(self.x + x * self.size, self.y + y * self.size) for x, y in points]

    def curve(self, *points: Point, closed: bool = True) -> list[Point]:
        """Return a smooth curve through points of the head's own measure."""
        return smooth(self.at(*points), closed)

    def round(self, x: float, y: float, width: float, height: float, turn: float = 0.0) -> list[Point]:
        """Return an ellipse in the head's own measure."""
        return ellipse(
            self.x + x * self.size, self.y + y * self.size, width * self.size, height * self.size, turn
        )

    def line_through(self, *points: Point, width: float = 0.06, taper: bool = True) -> list[Point]:
        """Return the outline of a curved stroke."""
        return stroke(self.curve(*points, closed=False), width * self.size, taper)


def neck(picture: Picture, head: Head, width: float = 0.5, length: float = 2.1) -> None:
    """Paint the neck, in the shadow of the chin."""
    shape = head.at((-width, 0.5), (width, 0.5), (width * 1.25, length), (-width * 1.25, length))
    lit = head.curve((-width, 1.0), (-0.1, 1.55), (-width * 0.7, length), (-width * 1.3, length))
    picture.lit(shape, head.shade, head.skin, lit)


def skull(picture: Picture, head: Head, ears: bool = True) -> np.ndarray:
    """Paint the face without features, lit from the left; return its mask."""
    if ears:
        picture.paint(head.round(-0.97, 0.08, 0.16, 0.27, 8), head.skin)
        picture.paint(head.round(0.97, 0.08, 0.16, 0.27, -8), head.shade)
    jaw = head.jaw
    right = [
        (0.0, -1.2),
        (0.56, -1.08),
        (0.88, -0.6),
        (0.93, 0.0),
        (jaw + 0.2, 0.58),
        (jaw - 0.12, 1.02),
        (0.2, 1.26),
    ]
    left = [(-x, y) for x, y in reversed(right[1:])]
    shadow = head.at((0.16, -1.3), (0.13, -0.5), (0.09, -0.25), (0.13, 0.0), (0.0, 0.38), (0.05, 0.46),
                     (0.24, 0.5), (0.17, 0.66), (0.12, 0.75), (0.17, 0.86), (0.1, 1.05), (0.16, 1.4), (1.4, 1.4),
                     (1.4, -1.3))  # fmt: skip
    return picture.lit(head.curve(*right, (0.0, 1.3), *left), head.skin, head.shade, shadow)


def eyes(
    picture: Picture,
    head: Head,
    *,
    mood: str = "open",
    brow: str = "#2a1c1a",
    lift: float = 0.0,
    tilt: float = 0.0,
) -> None:
    """Paint both eyes and brows; ``mood`` is open, wide, low or smile, ``lift`` raises the brows, ``tilt`` worries."""
    for side in (-1, 1):
        x = side * 0.42
        if mood == "smile":
            arc = head.line_through((x - 0.19, 0.06), (x, -0.08), (x + 0.19, 0.06), width=0.085)
            picture.paint(arc, head.line)
        else:
            _open_eye(picture, head, x, mood)
        inner, outer = x - side * 0.22, x + side * 0.26
        high = -0.3 - lift
        points = (inner, high - tilt), (x + side * 0.06, high - 0.08), (outer, high + 0.05 + tilt)
        picture.paint(head.line_through(*points, width=0.12), brow)


def _open_eye(picture: Picture, head: Head, x: float, mood: str) -> None:
    tall = {"open": 0.115, "wide": 0.165, "low": 0.075}[mood]
    white = head.curve((x - 0.19, 0.02), (x, -tall), (x + 0.19, 0.02), (x, tall * 0.8))
    within = picture.paint(white, "#f1e4cf" if x < 0 else "#c9b49a")
    size = 0.105 if mood != "wide" else 0.095
    picture.paint(head.round(x + 0.01, -0.005, size, size * 1.1), head.line, within=within)
    picture.paint(head.round(x - 0.03, -0.05, 0.03, 0.03), "#fff6e4", within=within)
    lid = head.line_through((x - 0.21, 0.03), (x, -tall - 0.02), (x + 0.21, 0.03), width=0.075)
    picture.paint(lid, head.line)


def mouth(picture: Picture, head: Head, shape: Shape, colour: str, width: float = 0.075) -> None:
    """Paint the mouth as one stroke through points of the head's own measure."""
    picture.paint(head.line_through(*shape, width=width), colour)


def spectacles(
    picture: Picture,
    head: Head,
    radius: float,
    metal: str,
    glint: str = "",
    y: float = 0.03,
    half: bool = False,
) -> None:
    """Paint spectacles; with ``glint`` the glasses shine in that colour, with ``half`` they are half moons."""
    lenses = []
    for side in (-1, 1):
        rim = head.round(side * 0.43, y, radius, radius)
        if half:
            cut = [(px, max(py, head.y + y * head.size)) for px, py in rim]
            lenses.append(cut)
            continue
        lenses.append(rim)
    for lens in lenses:
        within = picture.mask(lens)
        if glint:
            picture.paint(within, glint, 0.25)
            slant = head.at((-3, 0.9), (-0.3, -0.6), (0.1, -0.6), (-2.6, 0.9))
            moved = [(px + lens[0][0] - head.x, py) for px, py in slant]
            picture.paint(moved, glint, 0.55, within=within)
        picture.paint(stroke([*lens, lens[0]], 0.07 * head.size), metal)
    bridge = head.line_through((-0.43 + radius, y), (0, y - 0.1), (0.43 - radius, y), width=0.07, taper=False)
    picture.paint(bridge, metal)
