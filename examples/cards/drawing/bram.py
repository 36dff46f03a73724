"""Bram Tolliver, keeper of the Last Lantern."""

from __future__ import annotations

import math

from drawing import faces
from drawing.paint import Picture, Point, box, ellipse, smooth, stroke


def draw() -> Picture:
    """Return the portrait."""
    picture = Picture(384, 512, "#2a1714")
    _hearth(picture)
    _body(picture)
    _head(picture)
    _bowl(picture)
    return picture


def _arch(radius: float) -> list[Point]:
    top = sorted(point for point in ellipse(192, 196, radius) if point[1] <= 196.01)
    return [(192 - radius, 520), *top, (192 + radius, 520)]


def _hearth(picture: Picture) -> None:
    picture.shade(box(0, 0, 384, 512), "#3a2220", "#21130f", (0, 0), (0, 512))
    for row in range(17):
        for brick in range(-1, 8):
            left = brick * 62 + (31 if row % 2 else 0)
            tone = ("#4a2c27", "#54322a", "#432823", "#4d2f2a")[(row * 3 + brick * 5) % 4]
            picture.paint(box(left + 2, row * 31 + 2, left + 60, row * 31 + 29), tone)
    for step in range(13):
        turn = 180 - step * 15
        stone = [(192 + r * c, 196 - r * s) for r, (c, s) in _spokes(turn)]
        picture.paint(stone, "#6f4a3c" if step % 2 else "#7d5545")
    for radius, colour in (
        (150, "#7a2f1f"),
        (132, "#a8462a"),
        (112, "#cf6f38"),
        (90, "#e8a04f"),
        (66, "#f6cd7e"),
    ):
        picture.paint(_arch(radius), colour)
    picture.glow((192, 190), 260, "#e8a04f", 0.28)
    for x, y, size in ((96, 180, 2.4), (112, 108, 2), (284, 128, 2.6), (268, 84, 1.8), (300, 206, 2),
                       (84, 236, 1.8), (150, 66, 1.8), (240, 70, 2.2)):  # fmt: skip
        picture.paint(ellipse(x, y, size), "#ffe9b8")


def _spokes(turn: float) -> list[tuple[float, tuple[float, float]]]:
    """Return the corners of one stone of the arch as a distance and a direction."""
    first, last = (math.radians(turn + lean) for lean in (-6.8, 6.8))
    ends = [(math.cos(angle), math.sin(angle)) for angle in (first, last)]
    return [(152, ends[0]), (186, ends[0]), (186, ends[1]), (152, ends[1])]


def _body(picture: Picture) -> None:
    body = smooth(
        [(-30, 530), (-4, 410), (54, 342), (134, 310), (250, 310), (330, 342), (388, 410), (414, 530)]
    )
    shirt = picture.lit(body, "#e9dcc3", "#a99478", [(214, 280), (430, 280), (430, 530), (232, 530)])
    for line in ([(70, 400), (84, 450), (82, 520)], [(310, 396), (298, 450), (302, 520)]):
        picture.paint(stroke(smooth(line, closed=False), 4, taper=True), "#8f7a60", within=shirt)
    bib = [(122, 372), (262, 372), (282, 420), (296, 540), (88, 540), (102, 420)]
    apron = picture.lit(
        smooth(bib, steps=8), "#4d6a63", "#324a48", [(208, 360), (320, 360), (320, 540), (220, 540)]
    )
    for side in (-1, 1):
        strap = [
            (192 + side * 52, 306),
            (192 + side * 68, 306),
            (192 + side * 66, 384),
            (192 + side * 48, 384),
        ]
        picture.paint(strap, "#4d6a63" if side < 0 else "#324a48")
    hem = smooth([(112, 388), (192, 382), (272, 388)], closed=False)
    picture.paint(stroke(hem, 3), "#d9a76a", within=apron)
    for x, y, turn in ((128, 414, -18), (262, 420, 16)):
        _bee(picture, x, y, turn)


def _bee(picture: Picture, x: float, y: float, turn: float) -> None:
    for lean in (-38, 38):
        picture.paint(ellipse(x + lean * 0.16, y - 9, 4.4, 8, lean), "#f0e6d0", 0.92)
    body = picture.paint(ellipse(x, y, 11, 7.5, turn), "#e8b04f")
    for step in (-4, 1.5, 7):
        picture.paint(box(x + step - 1.4, y - 10, x + step + 1.4, y + 10), "#2a1c1a", within=body)


def _head(picture: Picture) -> None:
    head = faces.Head(192, 206, 68, "#e0a07a", "#b06a4a", jaw=0.74)
    faces.neck(picture, head, 0.66, 1.75)
    picture.lit([(134, 306), (192, 350), (250, 306), (262, 324), (192, 384), (122, 324)], "#f6ecd6", "#bba689",
                [(192, 290), (280, 290), (280, 390), (192, 390)])  # fmt: skip
    right = head.at((0.14, -3), (2, -3), (2, 2.6), (0.14, 2.6))
    hair = head.curve((-1.06, 0.3), (-1.14, -0.5), (-0.96, -1.16), (-0.4, -1.5), (0.3, -1.52), (0.94, -1.2),
                      (1.14, -0.5), (1.06, 0.3), (0.0, 0.2))  # fmt: skip
    picture.lit(hair, "#b4562c", "#7d3520", right)
    faces.skull(picture, head)
    fringe = head.curve((-0.94, -0.2), (-0.98, -0.8), (-0.5, -1.26), (0.3, -1.3), (0.86, -0.96), (0.96, -0.2),
                        (0.8, -0.62), (0.3, -0.86), (-0.2, -0.78), (-0.66, -0.72))  # fmt: skip
    picture.lit(fringe, "#c4622f", "#8a3c22", right)
    faces.eyes(picture, head, mood="smile", brow="#8a3c22", lift=0.06, tilt=-0.02)
    _beard(picture, head)


def _beard(picture: Picture, head: faces.Head) -> None:
    right = head.at((0.1, -3), (2, -3), (2, 3), (0.06, 3))
    beard = head.curve((-0.98, 0.16), (-0.8, 0.5), (-0.5, 0.5), (0.0, 0.54), (0.5, 0.5), (0.8, 0.5), (0.98, 0.16),
                       (1.12, 0.8), (0.9, 1.5), (0.46, 1.98), (0.0, 2.12), (-0.46, 1.98), (-0.9, 1.5),
                       (-1.12, 0.8))  # fmt: skip
    full = picture.lit(beard, "#c4622f", "#8a3c22", right)
    for x, colour in ((-0.7, "#dc7d42"), (-0.35, "#dc7d42"), (0.35, "#a34d2a"), (0.7, "#a34d2a")):
        lock = head.line_through((x, 0.8), (x * 0.96, 1.3), (x * 0.6, 1.75), width=0.07)
        picture.paint(lock, colour, within=full)
    picture.paint(
        head.curve((-0.3, 0.8), (0.0, 0.86), (0.3, 0.8), (0.16, 1.0), (0.0, 1.05), (-0.16, 1.0)), "#5d2018"
    )
    picture.paint(head.curve((-0.2, 0.84), (0.0, 0.88), (0.2, 0.84), (0.0, 0.93)), "#f6ecd6")
    half = [(0.0, 0.48), (-0.34, 0.5), (-0.66, 0.74), (-0.5, 0.86), (-0.24, 0.8), (0.0, 0.74)]
    picture.paint(head.curve(*half), "#dc7d42")
    picture.paint(head.curve(*[(-x, y) for x, y in half]), "#a34d2a")


def _bowl(picture: Picture) -> None:
    for side, colour in ((-1, "#e0a07a"), (1, "#b06a4a")):
        arm = [
            (192 + side * 196, 540),
            (192 + side * 178, 470),
            (192 + side * 92, 446),
            (192 + side * 62, 470),
        ]
        picture.paint(smooth([*arm, (192 + side * 78, 506), (192 + side * 140, 540)]), colour)
    picture.lit(smooth([(106, 452), (278, 452), (262, 508), (226, 540), (158, 540),
                (122, 508)]), "#8a5436", "#5f3524", [(206, 440), (300, 440), (300, 540), (216, 540)])  # fmt: skip
    picture.paint(ellipse(192, 453, 88, 17), "#a86c46")
    picture.paint(ellipse(192, 455, 76, 12), "#e8b45f")
    for x, y, size in ((150, 455, 7), (184, 460, 6), (222, 452, 8), (246, 457, 5)):
        picture.paint(ellipse(x, y, size, size * 0.45), "#c4622f")
    for x, lean in ((150, -10), (194, 12), (236, -12)):
        steam = smooth([(x, 446), (x + lean, 424), (x - lean, 400), (x + lean * 0.6, 374)], closed=False)
        picture.paint(stroke(steam, 7, taper=True), "#fff3dc", 0.5)
    for side, colour in ((-1, "#eab08a"), (1, "#bb7756")):
        for finger in range(4):
            x, y = 192 + side * (86 - finger * 3), 468 + finger * 12
            picture.paint(ellipse(x, y, 14, 7, side * 14), colour)
