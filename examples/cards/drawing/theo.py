"""Theo Marchbanks, archivist of the Bureau of Closed Cases."""

from __future__ import annotations

from drawing import faces
from drawing.paint import Picture, box, ellipse, smooth, stroke


def draw() -> Picture:
    """Return the portrait."""
    picture = Picture(384, 512, "#171b22")
    _shelves(picture)
    _lamp(picture)
    _body(picture)
    _head(picture)
    _folder(picture)
    return picture


def _shelves(picture: Picture) -> None:
    """Two walls of drawers that run towards the middle of the picture."""
    picture.shade(box(0, 0, 384, 512), "#10141b", "#1d242e", (0, 0), (0, 512))
    tones = ("#5a4333", "#4b392e", "#3d302a", "#302826")
    for side in (-1, 1):
        for column, tone in enumerate(tones):
            near, far = 210 * 0.66**column, 210 * 0.66 ** (column + 1)
            for row in range(-6, 7):
                _drawer(picture, side, near - 4, far + 2, row * 0.34, tone, column)


def _drawer(picture: Picture, side: int, near: float, far: float, top: float, tone: str, column: int) -> None:
    corners = ((near, top + 0.015), (far, top + 0.015), (far, top + 0.325), (near, top + 0.325))
    picture.paint([(192 + side * x, 210 + x * part) for x, part in corners], tone)
    x, wide = (near + far) / 2, (near - far) * 0.17
    y, x = 210 + x * (top + 0.12), 192 + side * x
    picture.paint(box(x - wide, y - wide * 0.55, x + wide, y + wide * 0.55), "#cdb890", 0.62 - column * 0.12)
    knob = ellipse(x, y + wide * 1.5, wide * 0.5, wide * 0.42)
    picture.paint(knob, "#d9a76a", 0.8 - column * 0.15)


def _lamp(picture: Picture) -> None:
    cone = picture.mask([(150, 64), (234, 64), (420, 530), (-36, 530)])
    picture.light(cone * 0.16, "#ecc98f")
    picture.glow((192, 70), 330, "#ecc98f", 0.55, within=cone)
    picture.glow((192, 150), 170, "#d9a76a", 0.5)
    picture.paint(ellipse(192, 196, 106), "#d9a76a", 0.9)
    picture.paint(ellipse(192, 196, 90), "#ecc98f")
    picture.paint(box(189, -5, 195, 26), "#0c0f14")
    shade = smooth([(176, 22), (208, 22), (226, 40), (250, 66)], closed=False)
    picture.paint([*shade, (134, 66), (158, 40), (176, 22)], "#2f5a52")
    picture.paint([(176, 22), (186, 22), (168, 66), (134, 66), (158, 40)], "#4d8477")
    picture.paint(ellipse(192, 66, 58, 6), "#fff1cf")


def _body(picture: Picture) -> None:
    body = smooth(
        [(40, 530), (54, 408), (98, 346), (158, 316), (226, 316), (286, 346), (330, 408), (344, 530)]
    )
    right = [(204, 300), (400, 300), (400, 530), (214, 530)]
    knit = picture.lit(body, "#c9953a", "#94652a", right)
    for x in range(46, 344, 13):
        picture.paint(stroke([(192 + (x - 192) * 0.72, 330), (x, 520)], 1.8), "#7d5524", 0.35, within=knit)
    picture.lit(
        [(150, 296), (192, 486), (234, 296)], "#efe5d2", "#b4a68f", [(196, 300), (196, 490), (300, 300)]
    )
    tie = [(182, 344), (204, 344), (200, 360), (212, 440), (195, 468), (180, 440), (187, 360)]
    picture.lit(tie, "#9c4a3f", "#6f332d", [(196, 340), (196, 470), (230, 470), (230, 340)])
    for side, colour in ((-1, "#dcab52"), (1, "#a5732f")):
        edge = [(192 + side * 40, 312), (192 + side * 54, 330), (192 + side * 6, 508), (192, 484)]
        picture.paint(edge, colour)


def _head(picture: Picture) -> None:
    head = faces.Head(192, 214, 61, "#e2b391", "#a96f55", jaw=0.52)
    faces.neck(picture, head, 0.47)
    collar = [(160, 300), (192, 338), (224, 300), (238, 318), (208, 354), (192, 342), (176, 354), (146, 318)]
    picture.lit(collar, "#faf1df", "#c2b39b", [(192, 290), (250, 290), (250, 370), (192, 370)])
    faces.skull(picture, head)
    faces.eyes(picture, head, mood="open", brow="#2c1f1c", lift=0.14, tilt=0.02)
    faces.mouth(picture, head, ((-0.2, 0.8), (0.02, 0.79), (0.2, 0.82)), "#6e3a33")
    picture.paint(head.line_through((-0.62, 0.42), (-0.4, 0.47), width=0.06), "#3b3a40", 0.7)
    right = head.at((0.1, -3), (2, -3), (2, 1), (0.1, 1))
    hair = head.curve((-0.98, -0.1), (-1.08, -0.7), (-0.8, -1.3), (-0.1, -1.6), (0.62, -1.46), (1.04, -0.86),
                      (0.98, -0.1), (0.84, -0.5), (0.5, -0.84), (-0.1, -0.82), (-0.46, -0.98), (-0.7, -0.7),
                      (-0.86, -0.4))  # fmt: skip
    picture.lit(hair, "#463129", "#2a1d1b", right)
    tuft = head.curve((-0.1, -1.5), (0.1, -1.78), (0.34, -1.76), (0.2, -1.6), (0.24, -1.44))
    picture.lit(tuft, "#463129", "#2a1d1b", right)
    picture.paint(head.line_through((-0.46, -0.98), (-0.2, -1.3), (0.2, -1.46), width=0.05), "#6b4c3d")
    faces.spectacles(picture, head, 0.33, "#1c1a1d", "#ffe7b0")


def _folder(picture: Picture) -> None:
    paper = [(232, 392), (330, 408), (312, 520), (214, 520)]
    picture.paint(paper, "#f0e6d0")
    for y in range(6):
        picture.paint(
            stroke([(240 - y * 2.6, 410 + y * 12), (312 - y * 2.2, 421 + y * 12)], 2), "#8d8273", 0.8
        )
    folder = [(222, 412), (262, 418), (268, 408), (298, 412), (300, 424), (336, 430), (320, 530), (204, 530)]
    picture.shade(folder, "#d8b478", "#b88d52", (222, 412), (320, 530))
    stamp = [(240, 448), (312, 459), (308, 485), (236, 474)]
    picture.paint(stroke([*stamp, stamp[0]], 3.4), "#b5483c")
    picture.paint(stroke([(250, 461), (298, 469)], 6), "#b5483c")
    hand = smooth([(204, 470), (216, 452), (238, 454), (240, 470), (232, 496), (206, 500)])
    picture.paint(hand, "#c9906f")
    for y in (464, 475, 486):
        picture.paint(stroke([(222, y), (240, y + 2)], 2), "#8d5a45")
