"""Augusta Sark, retired mapmaker."""

from __future__ import annotations

import math

from drawing import faces
from drawing.paint import Picture, box, ellipse, smooth, stroke


def draw() -> Picture:
    """Return the portrait."""
    picture = Picture(384, 512, "#1d3a3c")
    _map(picture)
    _rose(picture)
    _body(picture)
    _head(picture)
    _compass(picture)
    return picture


def _map(picture: Picture) -> None:
    """Contour lines of a country, and the white space where it stops."""
    picture.shade(box(0, 0, 384, 512), "#24484a", "#152b30", (0, 0), (384, 512))
    for step in range(10):
        size = 30 + step * 26
        ring = [
            (40 + math.cos(a) * size * (1 + 0.12 * math.sin(3 * a + step * 0.4)),
             60 + math.sin(a) * size * (0.8 + 0.1 * math.cos(2 * a + step * 0.5)))
            for a in (turn * math.tau / 80 for turn in range(81))
        ]  # fmt: skip
        picture.paint(stroke(ring, 1.5), "#6f9a90", 0.5)
    for step in range(7):
        size = 26 + step * 28
        ring = [
            (368 + math.cos(a) * size * (1 + 0.1 * math.sin(2 * a + step * 0.5)),
             420 + math.sin(a) * size * (0.9 + 0.1 * math.cos(3 * a + step * 0.3)))
            for a in (turn * math.tau / 80 for turn in range(81))
        ]  # fmt: skip
        picture.paint(stroke(ring, 1.5), "#6f9a90", 0.45)
    for x in range(0, 384, 64):
        picture.paint(box(x, 0, x + 1, 512), "#8fb3a6", 0.22)
    for y in range(0, 512, 64):
        picture.paint(box(0, y, 384, y + 1), "#8fb3a6", 0.22)


def _rose(picture: Picture) -> None:
    x, y = 192, 176
    picture.glow((x, y), 240, "#d9a76a", 0.4)
    picture.paint(ellipse(x, y, 140), "#b98450")
    picture.paint(ellipse(x, y, 135), "#1d3a3c")
    picture.paint(ellipse(x, y, 124), "#d9a76a")
    picture.paint(ellipse(x, y, 121), "#ecd9ba")
    for mark in range(72):
        turn = mark * math.tau / 72
        near = 112 if mark % 6 else 104
        ends = [(x + math.cos(turn) * r, y + math.sin(turn) * r) for r in (near, 119)]
        picture.paint(stroke(ends, 1.6), "#8a5f3d")
    for length, wide, first in ((100, 0.2, math.pi / 8), (112, 0.24, math.pi / 4), (164, 0.3, 0.0)):
        for point in range(8 if first == math.pi / 8 else 4):
            turn = first + point * (math.pi / 4 if first == math.pi / 8 else math.pi / 2)
            tip = (x + math.cos(turn) * length, y + math.sin(turn) * length)
            for side, colour in ((-1, "#a8463c"), (1, "#6f2f2c")):
                foot = (
                    x + math.cos(turn + side * wide * 1.6) * 46,
                    y + math.sin(turn + side * wide * 1.6) * 46,
                )
                picture.paint(
                    [(x, y), foot, tip], colour if length > 120 else ("#d0a468" if side < 0 else "#a87a48")
                )


def _body(picture: Picture) -> None:
    coat = smooth(
        [(56, 530), (64, 424), (102, 362), (158, 326), (226, 326), (282, 362), (320, 424), (328, 530)]
    )
    right = [(206, 280), (400, 280), (400, 530), (222, 530)]
    body = picture.lit(coat, "#8a3f45", "#5c2830", right)
    blouse = [(152, 306), (192, 452), (232, 306)]
    picture.lit(blouse, "#f1e6d0", "#b9aa93", [(196, 290), (196, 460), (300, 290)])
    for side, colour in ((-1, "#a34f52"), (1, "#70323a")):
        lapel = [
            (192 + side * 40, 304),
            (192 + side * 74, 344),
            (192 + side * 50, 376),
            (192 + side * 4, 470),
        ]
        picture.paint([*lapel, (192 + side * 4, 440)], colour)
    picture.paint(stroke([(192, 468), (196, 530)], 3), "#441c24", within=body)
    for y in (486, 512):
        picture.paint(ellipse(206, y, 5), "#d9a76a")


def _head(picture: Picture) -> None:
    head = faces.Head(192, 212, 57, "#e6bd9c", "#b8805f", jaw=0.54)
    right = head.at((0.12, -4), (2, -4), (2, 2), (0.12, 2))
    for pen, colour, nib in (
        ([(-1.15, -1.3), (0.75, -2.5)], "#d9a76a", (0.75, -2.5)),
        ([(1.2, -1.3), (-0.7, -2.55)], "#2b5a58", (-0.7, -2.55)),
    ):
        picture.paint(head.line_through(*pen, width=0.1, taper=False), colour)
        picture.paint(head.round(*nib, 0.09, 0.09), "#1c1a1d")
    picture.lit(head.round(0, -1.78, 0.66, 0.52), "#f3efe4", "#bcbab4", right)
    for bend in (-0.3, 0.0, 0.3):
        curl = head.line_through((bend - 0.3, -1.48), (bend, -2.1), (bend + 0.34, -1.6), width=0.05)
        picture.paint(curl, "#a9a8a4", 0.8)
    hair = head.curve((-1.04, 0.2), (-1.16, -0.5), (-0.86, -1.2), (0.0, -1.52), (0.86, -1.2), (1.16, -0.5),
                      (1.04, 0.2), (0.0, 0.3))  # fmt: skip
    picture.lit(hair, "#ebe6da", "#aba9a4", right)
    faces.neck(picture, head, 0.46, 1.9)
    collar = smooth([(158, 300), (192, 322), (226, 300), (234, 320), (192, 350), (150, 320)], steps=6)
    picture.lit(collar, "#faf3e4", "#c4b69e", [(194, 290), (260, 290), (260, 360), (194, 360)])
    picture.paint(ellipse(192, 340, 9, 11), "#d9a76a")
    picture.paint(ellipse(192, 340, 6, 8), "#2b5a58")
    faces.skull(picture, head)
    wave = head.curve((-0.98, -0.1), (-1.02, -0.76), (-0.5, -1.28), (0.1, -1.34), (0.7, -1.14), (1.02, -0.6),
                      (0.98, -0.1), (0.8, -0.6), (0.3, -0.94), (-0.3, -0.84), (-0.76, -0.5))  # fmt: skip
    picture.lit(wave, "#f6f2e8", "#bcbab4", right)
    faces.eyes(picture, head, mood="open", brow="#b9b5ab", lift=0.1, tilt=-0.05)
    faces.mouth(picture, head, ((-0.22, 0.82), (0.0, 0.84), (0.26, 0.74)), "#8a3f45")
    for side in (-1, 1):
        picture.paint(
            head.line_through((side * 0.34, 0.56), (side * 0.44, 0.74), width=0.045), "#8f5f48", 0.8
        )
    faces.spectacles(picture, head, 0.3, "#c08d3e", "#fff3dc", y=0.14, half=True)


def _compass(picture: Picture) -> None:
    x, y = 108, 438
    chain = smooth([(150, 360), (128, 380), (112, 400)], closed=False)
    picture.paint(stroke(chain, 3), "#ecc98f")
    picture.glow((x, y), 110, "#d9a76a", 0.4)
    hand = smooth([(36, 530), (56, 474), (74, 450), (140, 460), (146, 486), (120, 530)])
    picture.lit(hand, "#e6bd9c", "#c8946f", [(106, 440), (160, 440), (160, 530), (96, 530)])
    for size, colour in ((42, "#8a5f3d"), (39, "#d9a76a"), (31, "#f4ead4")):
        picture.paint(ellipse(x, y, size), colour)
    picture.paint(ellipse(x, 394, 7), "#d9a76a")
    for mark in range(12):
        turn = mark * math.tau / 12
        ends = [(x + math.cos(turn) * r, y + math.sin(turn) * r) for r in (25, 29)]
        picture.paint(stroke(ends, 1.6), "#6f4a3c")
    lean = math.radians(-32)
    for turn, colour in ((lean, "#b5483c"), (lean + math.pi, "#2a3a47")):
        side = [(x + math.cos(turn + part) * 5, y + math.sin(turn + part) * 5) for part in (-1.57, 1.57)]
        picture.paint([side[0], (x + math.cos(turn) * 26, y + math.sin(turn) * 26), side[1]], colour)
    picture.paint(ellipse(x, y, 3), "#1c1a1d")
    for step in range(4):
        picture.paint(ellipse(80 + step * 3, 458 + step * 11, 13, 6.5, -24), "#eac5a4")
