"""Orla Venn, keeper of the light on Gannet Stone."""

from __future__ import annotations

from drawing import faces
from drawing.paint import Picture, box, ellipse, smooth, stroke


def draw() -> Picture:
    """Return the portrait."""
    picture = Picture(384, 512, "#16202b")
    _night(picture)
    _lamp(picture)
    _sea(picture)
    _coat(picture)
    _head(picture)
    return picture


def _night(picture: Picture) -> None:
    picture.shade(box(0, 0, 384, 512), "#121a24", "#2b3f4d", (0, 0), (0, 400))
    for x in range(-200, 420, 23):
        drop = 37 * x % 190
        line = [(x + drop * 0.4, drop * 2.0), (x + drop * 0.4 - 26, drop * 2.0 + 78)]
        picture.paint(stroke(line, 1.4), "#a3b4d0", 0.28)


def _lamp(picture: Picture) -> None:
    beam = [(192, 172), (-20, 20), (-20, 120)], [(192, 172), (404, 224), (404, 324)]
    for wedge in beam:
        mask = picture.mask(wedge)
        picture.glow((192, 172), 330, "#f2cf8e", 0.75, within=mask)
    picture.glow((192, 172), 250, "#d9a76a", 0.5)
    for radius, colour in ((132, "#8a5f3d"), (116, "#b98450"), (99, "#d9a76a"), (80, "#ecc98f")):
        picture.paint(ellipse(192, 172, radius), colour)


def _sea(picture: Picture) -> None:
    for level, (height, colour) in enumerate(((322, "#31505c"), (352, "#243f4b"), (388, "#192d38"))):
        crest = [(x, height + (9 if (x // 32 + level) % 2 else -9)) for x in range(-64, 460, 32)]
        wave = [*smooth(crest, closed=False), (500, 520), (-80, 520)]
        picture.paint(wave, colour)
        picture.paint(stroke(smooth(crest, closed=False), 2.2), "#a9c0c4", 0.45)


def _coat(picture: Picture) -> None:
    coat = smooth(
        [(14, 530), (32, 412), (86, 344), (150, 316), (234, 316), (298, 344), (352, 412), (370, 530)]
    )
    body = picture.lit(coat, "#c98a3c", "#8f5a2b", [(214, 290), (400, 290), (400, 530), (236, 530)])
    opening = picture.mask([(134, 296), (192, 500), (250, 296)])
    jersey = picture.lit(opening, "#2a3c4a", "#1d2a36", [(196, 520), (196, 290), (300, 290)])
    for y in range(352, 470, 22):
        for side in (-1, 1):
            knit = [(192, y + 12), (192 + side * 60, y - 14)]
            picture.paint(stroke(knit, 2.6), "#41586a", 0.8, within=jersey)
    for side, colour in ((-1, "#e0a857"), (1, "#a2682f")):
        collar = [
            (192 + side * 58, 296),
            (192 + side * 96, 334),
            (192 + side * 60, 420),
            (192 + side * 24, 352),
        ]
        picture.paint(collar, colour)
    picture.paint(stroke([(192, 500), (194, 530)], 3), "#6d4320", within=body)
    for x, y in ((172, 470), (212, 470)):
        picture.paint(ellipse(x, y, 6.5), "#4a2e18")
        picture.paint(ellipse(x - 1, y - 1.5, 3), "#e9c489", 0.6)


def _head(picture: Picture) -> None:
    head = faces.Head(192, 212, 64, "#dba176", "#a96a4b", jaw=0.68)
    picture.paint(
        head.curve((-0.95, -0.7), (-1.08, 0.1), (-1.06, 0.8), (-0.86, 1.35), (-0.5, 0.9)), "#aeb4b6"
    )
    picture.paint(head.curve((0.95, -0.7), (1.06, 0.0), (0.98, 0.55), (0.7, 0.8), (0.6, -0.6)), "#737c82")
    faces.neck(picture, head, 0.58)
    neckline = smooth([(148, 300), (192, 314), (236, 300), (240, 338), (192, 352), (144, 338)])
    picture.lit(neckline, "#3a5163", "#2a3c4a", [(198, 290), (300, 290), (300, 360), (202, 360)])
    faces.skull(picture, head)
    faces.eyes(picture, head, mood="low", brow="#a5a9a8", lift=-0.02)
    for side in (-1, 1):
        for line in ([(side * 0.69, 0.11), (side * 0.8, 0.17)], [(side * 0.69, 0.02), (side * 0.82, 0.01)]):
            picture.paint(head.line_through(*line, width=0.04), "#7c4a38")
    faces.mouth(picture, head, ((-0.3, 0.74), (-0.05, 0.8), (0.26, 0.7)), "#6e3630")
    _cap(picture, head)
    _plait(picture)


def _cap(picture: Picture, head: faces.Head) -> None:
    right = head.at((0.16, -2), (1.3, -2), (1.3, 0), (0.22, 0))
    cap = head.curve((-1.04, -0.5), (-1.0, -1.1), (-0.55, -1.58), (0.0, -1.7), (0.55, -1.58), (1.0, -1.1),
                     (1.04, -0.5), (0.0, -0.62))  # fmt: skip
    picture.lit(cap, "#335063", "#213646", right)
    band = head.curve((-1.08, -0.42), (-1.07, -0.82), (0, -1.0), (1.07, -0.82), (1.08, -0.42), (0, -0.56))
    folded = picture.lit(band, "#43667b", "#2c4657", right)
    for x in range(-10, 11, 2):
        picture.paint(
            head.line_through((x / 10, -1.05), (x / 9.6, -0.4), width=0.035), "#22384a", 0.7, within=folded
        )


def _plait(picture: Picture) -> None:
    for step in range(8):
        x, y, size = 136 - step * 0.6, 286 + step * 22, 14 - step * 0.7
        picture.paint(ellipse(x - 5, y, size, size * 0.72, 35), "#d3d6d2")
        picture.paint(ellipse(x + 6, y + 10, size * 0.9, size * 0.65, -35), "#979ea1")
    picture.paint(smooth([(122, 452), (144, 452), (142, 463), (124, 463)]), "#e0796b")
    picture.paint(smooth([(126, 462), (140, 462), (137, 484), (132, 488), (128, 480)]), "#b9bebc")
