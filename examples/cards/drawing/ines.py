"""Ines Tavaro, botanist of the floating island Halm: a portrait, her moods, and the island."""

from __future__ import annotations

from drawing import faces
from drawing.paint import Picture, Point, box, ellipse, smooth, stroke

MOODS = ("neutral", "joy", "wonder", "worry")
"""The moods that `draw_mood` knows."""


def draw() -> Picture:
    """Return the portrait."""
    picture = Picture(384, 512, "#f0c48a")
    _sky(picture)
    for x, y, size in ((60, 210, 58), (340, 150, 44), (322, 300, 26)):
        _island(picture, x, y, size)
    _figure(picture, "neutral")
    _vine(picture)
    return picture


def draw_mood(mood: str) -> Picture:
    """Return Ines in one of her moods, before a plain sky."""
    first, last = {
        "neutral": ("#e9b877", "#f4dcae"),
        "joy": ("#f0b45a", "#fbe6b4"),
        "wonder": ("#4d8477", "#cfe0c0"),
        "worry": ("#5b6a83", "#b9bfc6"),
    }[mood]
    picture = Picture(384, 512, first)
    picture.shade(box(0, 0, 384, 512), first, last, (0, 0), (0, 512), steps=6)
    picture.paint(ellipse(192, 186, 138), last, 0.75)
    _figure(picture, mood)
    return picture


def draw_island() -> Picture:
    """Return Halm in the evening, as a wide picture to put behind a chat."""
    picture = Picture(960, 540, "#d98d5f")
    picture.shade(box(0, 0, 960, 540), "#54506b", "#f6c884", (0, 0), (0, 430))
    picture.glow((690, 372), 460, "#ffdf9c", 0.55)
    for size, colour in ((104, "#f7cf8b"), (84, "#fbe0a6")):
        picture.paint(ellipse(690, 372, size), colour)
    for x, y, size in ((150, 120, 30), (860, 130, 40), (800, 60, 16), (60, 300, 24)):
        _cloud(picture, x, y, size, "#f2c894")
    for colour, heights in (
        ("#b06a55", (424, 396, 412, 380, 404, 430, 418, 436, 404, 388, 410)),
        ("#87504c", (446, 452, 430, 448, 462, 450, 468, 452, 458, 436, 444)),
        ("#5a3c46", (478, 468, 486, 474, 492, 500, 488, 502, 484, 492, 470)),
    ):
        ridge = [(x * 104 - 52, y) for x, y in enumerate(heights)]
        picture.paint([*smooth(ridge, closed=False), (1040, 560), (-80, 560)], colour)
    for x, foot in ((262, 150), (456, 450), (600, 720)):
        _chain(picture, (x, 270), (foot, 560))
    _island(picture, 430, 230, 230)
    _houses(picture)
    for x, y in ((640, 190), (676, 206), (716, 186), (690, 232), (140, 236), (108, 252)):
        wing = smooth([(x - 15, y - 5), (x, y), (x + 15, y - 5)], closed=False)
        picture.paint(stroke(wing, 4, taper=True), "#533743")
    return picture


def _sky(picture: Picture) -> None:
    picture.shade(box(0, 0, 384, 512), "#5fa097", "#f6d296", (0, 0), (0, 430), steps=8)
    picture.glow((192, 176), 260, "#ffe9b8", 0.5)
    picture.paint(ellipse(192, 178, 132), "#f2b45c")
    picture.paint(ellipse(192, 178, 118), "#f8d489")
    for x, y, size in ((52, 92, 22), (330, 66, 26), (28, 330, 30), (350, 366, 34)):
        _cloud(picture, x, y, size, "#fdf0d2")


def _cloud(picture: Picture, x: float, y: float, size: float, colour: str) -> None:
    puffs = [ellipse(x + size * dx, y + size * dy, size * r) for dx, dy, r in
             ((-1.2, 0.1, 0.6), (-0.4, -0.3, 0.85), (0.6, -0.15, 0.75), (1.3, 0.15, 0.5))]  # fmt: skip
    flat = picture.mask(box(0, 0, picture.width, y + size * 0.35))
    picture.paint(picture.any_of(puffs) * flat, colour, 0.85)


def _island(picture: Picture, x: float, y: float, size: float) -> None:
    """A floating rock with meadow, trees and hanging roots."""

    def at(*points: Point) -> list[Point]:
        return [(x + px * size, y + py * size) for px, py in points]

    for px, length in ((-0.5, 0.62), (-0.12, 0.98), (0.2, 0.84), (0.5, 0.56)):
        root = smooth(at((px, 0.2), (px + 0.04, length * 0.7), (px - 0.02, length)), closed=False)
        picture.paint(stroke(root, max(1.5, size * 0.03), taper=True), "#5d4038")
    rock = at((-1.0, 0.0), (-0.8, 0.16), (-0.66, 0.36), (-0.44, 0.4), (-0.3, 0.66), (-0.1, 0.6), (0.02, 0.82),
              (0.2, 0.52), (0.42, 0.5), (0.6, 0.26), (0.84, 0.2), (1.0, 0.0))  # fmt: skip
    picture.lit(
        rock, "#a8745a", "#754a40", at((0.0, -0.2), (1.2, -0.2), (1.2, 1), (0.06, 1), (-0.1, 0.5), (0.1, 0.3))
    )
    for line in (((-0.7, 0.1), (-0.5, 0.3)), ((-0.3, 0.12), (-0.22, 0.46)), ((0.3, 0.1), (0.24, 0.36))):
        picture.paint(stroke(at(*line), max(1.2, size * 0.016)), "#5d4038", 0.7)
    meadow = smooth(at((-1.04, 0.02), (-0.7, -0.1), (-0.3, -0.16), (0.2, -0.12), (0.7, -0.1), (1.04, 0.02),
                       (0.5, 0.1), (0.0, 0.07), (-0.5, 0.11)))  # fmt: skip
    picture.lit(meadow, "#7fa05e", "#557d55", at((0.05, -1), (2, -1), (2, 1), (0.05, 1)))
    for px, tall in ((-0.62, 0.26), (-0.4, 0.36), (0.5, 0.32), (0.7, 0.22)):
        tree = at((px - 0.11, -0.1), (px, -0.12 - tall), (px + 0.11, -0.1))
        picture.lit(tree, "#4d8060", "#2f5a52", at((px, -2), (px + 1, -2), (px + 1, 1), (px, 1)))


def _chain(picture: Picture, top: Point, foot: Point) -> None:
    for link in range(15):
        part = (link + 0.5) / 15
        x, y = top[0] + (foot[0] - top[0]) * part, top[1] + (foot[1] - top[1]) * part
        ring = ellipse(x, y, 4.5 if link % 2 else 2.2, 11, 8)
        picture.paint(stroke([*ring, ring[0]], 3), "#533743")


def _houses(picture: Picture) -> None:
    for x, wide, tall in ((372, 38, 28), (420, 50, 40), (476, 34, 24)):
        picture.lit(box(x, 204 - tall, x + wide, 206), "#f0d7a8", "#b98a64",
                    box(x + wide * 0.6, 0, x + wide, 206))  # fmt: skip
        picture.paint(
            [(x - 5, 205 - tall), (x + wide / 2, 186 - tall), (x + wide + 5, 205 - tall)], "#a8463c"
        )
        picture.paint(box(x + 8, 212 - tall, x + 16, 222 - tall), "#fff1c4")
    picture.paint(stroke([(528, 208), (528, 130)], 4), "#533743")
    picture.paint([(528, 132), (562, 142), (528, 154)], "#e0796b")


def _figure(picture: Picture, mood: str) -> None:
    _hair(picture)
    _coat(picture)
    head = faces.Head(192, 208, 60, "#b9794f", "#824a36", line="#23140f", jaw=0.56)
    faces.neck(picture, head, 0.46, 1.9)
    _scarf(picture)
    faces.skull(picture, head)
    _face(picture, head, mood)
    _curls(picture, head)
    _goggles(picture, head)


def _hair(picture: Picture) -> None:
    puffs = [ellipse(x, y, size) for x, y, size in
             ((120, 150, 36), (108, 196, 34), (112, 240, 30), (264, 150, 36), (276, 196, 34), (272, 240, 30),
              (150, 112, 36), (192, 98, 40), (234, 112, 36), (128, 270, 20), (256, 270, 20))]  # fmt: skip
    middle = [(120, 110), (264, 110), (284, 260), (100, 260)]
    picture.lit(
        picture.any_of([*puffs, smooth(middle)]),
        "#35211d",
        "#1f1416",
        [(206, 0), (384, 0), (384, 512), (206, 512)],
    )
    for x, y in ((106, 186), (116, 142), (146, 100), (190, 78), (112, 236)):
        curl = smooth([(x - 14, y + 6), (x - 4, y - 9), (x + 12, y - 4)], closed=False)
        picture.paint(stroke(curl, 4, taper=True), "#6b4334")


def _coat(picture: Picture) -> None:
    coat = smooth(
        [(40, 530), (54, 416), (100, 352), (158, 322), (226, 322), (284, 352), (330, 416), (344, 530)]
    )
    right = [(208, 280), (400, 280), (400, 530), (218, 530)]
    body = picture.lit(coat, "#6f8a6a", "#48634f", right)
    picture.lit(
        [(150, 310), (192, 500), (234, 310)], "#e8d3a8", "#b89c74", [(198, 300), (198, 510), (300, 300)]
    )
    for side, colour in ((-1, "#86a17c"), (1, "#567059")):
        lapel = [
            (192 + side * 44, 312),
            (192 + side * 80, 346),
            (192 + side * 62, 400),
            (192 + side * 4, 510),
        ]
        picture.paint([*lapel, (192 + side * 4, 470)], colour)
    for x, colour in ((92, "#5d7759"), (236, "#3d5645")):
        pocket = box(x, 438, x + 58, 520)
        picture.paint(pocket, colour, within=body)
        for step, seed in enumerate(("#f0e1bd", "#e0a857", "#d8c49a")):
            picture.paint(box(x + 7 + step * 15, 422 - step % 2 * 8, x + 20 + step * 15, 446), seed)
        picture.paint(box(x - 2, 440, x + 60, 450), colour)


def _scarf(picture: Picture) -> None:
    tail = smooth(
        [(228, 322), (276, 318), (318, 336), (366, 318), (380, 346), (326, 368), (276, 346), (232, 350)]
    )
    picture.paint(tail, "#a8463c")
    wrap = smooth(
        [(140, 310), (164, 298), (192, 312), (222, 298), (246, 310), (246, 342), (192, 362), (138, 342)]
    )
    picture.lit(wrap, "#d9604a", "#a03a35", [(200, 280), (300, 280), (300, 370), (206, 370)])
    for line in ([(146, 322), (186, 340), (236, 326)], [(152, 338), (190, 352), (226, 344)]):
        picture.paint(stroke(smooth(line, closed=False), 3, taper=True), "#7f2c2b", 0.8)


def _face(picture: Picture, head: faces.Head, mood: str) -> None:
    lips, brow = "#5f241f", "#23140f"
    if mood == "joy":
        faces.eyes(picture, head, mood="smile", brow=brow, lift=0.1)
        grin = head.curve((-0.34, 0.66), (0.0, 0.72), (0.36, 0.62), (0.22, 0.92), (0.0, 0.98), (-0.2, 0.92))
        inside = picture.paint(grin, lips)
        picture.paint(head.curve((-0.34, 0.6), (0.0, 0.7), (0.36, 0.58), (0.3, 0.76), (0.0, 0.82), (-0.28, 0.76)),
                      "#fbf0dc", within=inside)  # fmt: skip
    elif mood == "wonder":
        faces.eyes(picture, head, mood="wide", brow=brow, lift=0.2)
        picture.paint(head.round(0.02, 0.82, 0.13, 0.17), lips)
        picture.paint(head.round(0.02, 0.87, 0.08, 0.08), "#a8463c")
    elif mood == "worry":
        faces.eyes(picture, head, mood="open", brow=brow, lift=0.06, tilt=0.1)
        faces.mouth(picture, head, ((-0.24, 0.84), (-0.06, 0.77), (0.1, 0.79), (0.24, 0.86)), lips)
    else:
        faces.eyes(picture, head, mood="open", brow=brow, lift=0.06)
        faces.mouth(picture, head, ((-0.24, 0.74), (0.0, 0.82), (0.3, 0.68)), lips)
    for x, y in ((-0.56, 0.34), (-0.44, 0.4), (-0.62, 0.46), (-0.34, 0.33)):
        picture.paint(head.round(x, y, 0.03, 0.03), "#824a36")


def _curls(picture: Picture, head: faces.Head) -> None:
    fringe = [head.round(x, y, size, size) for x, y, size in
              ((-0.86, -0.7, 0.3), (-0.5, -0.98, 0.3), (-0.1, -1.1, 0.3), (0.34, -1.08, 0.3), (0.72, -0.86, 0.3),
               (0.94, -0.5, 0.24), (-1.0, -0.36, 0.24))]  # fmt: skip
    picture.lit(picture.any_of(fringe), "#35211d", "#1f1416", head.at((0.2, -3), (3, -3), (3, 2), (0.2, 2)))


def _goggles(picture: Picture, head: faces.Head) -> None:
    strap = head.curve((-1.36, -0.86), (-0.6, -1.22), (0.0, -1.3), (0.6, -1.22), (1.36, -0.86), (1.36, -0.66),
                       (0.6, -1.0), (0.0, -1.06), (-0.6, -1.0), (-1.36, -0.66))  # fmt: skip
    picture.lit(strap, "#8a5436", "#5f3524", head.at((0.1, -3), (3, -3), (3, 2), (0.1, 2)))
    for side in (-1, 1):
        x, turn = side * 0.44, side * 10
        picture.paint(head.round(x, -1.14, 0.43, 0.35, turn), "#d9a76a" if side < 0 else "#a9773f")
        lens = picture.paint(head.round(x, -1.14, 0.33, 0.26, turn), "#2f5a62")
        picture.paint(head.at((x - 0.3, -0.8), (x - 0.06, -1.5), (x + 0.08, -1.5),
                      (x - 0.14, -0.8)), "#bfe0d6", 0.85, within=lens)  # fmt: skip
        picture.paint(head.at((x + 0.1, -0.8), (x + 0.24, -1.5), (x + 0.28, -1.5),
                      (x + 0.14, -0.8)), "#bfe0d6", 0.7, within=lens)  # fmt: skip
    picture.paint(head.round(0, -1.16, 0.09, 0.06), "#8a5436")


def _vine(picture: Picture) -> None:
    """Lantern vine in front, along the foot of the picture."""
    stem = smooth(
        [(-10, 470), (50, 496), (120, 486), (196, 502), (270, 486), (340, 498), (400, 470)], closed=False
    )
    picture.paint(stroke(stem, 6), "#2f5a45")
    for x, y, turn in ((18, 496, 30), (70, 480, -40), (104, 506, 30), (160, 482, -24), (214, 512, 20),
                       (244, 478, -36), (306, 508, 30), (326, 478, -30), (372, 502, 40)):  # fmt: skip
        picture.paint(ellipse(x, y, 21, 9, turn), "#3f7355" if turn < 0 else "#2f5a45")
    for x, y in ((40, 452), (136, 462), (288, 456), (354, 450)):
        picture.paint(
            stroke(smooth([(x, y + 8), (x - 6, y + 24), (x + 2, y + 40)], closed=False), 3), "#2f5a45"
        )
        picture.glow((x, y), 62, "#ffe9b8", 0.8)
        flower = smooth(
            [(x, y - 22), (x + 15, y - 4), (x + 11, y + 14), (x, y + 9), (x - 11, y + 14), (x - 15, y - 4)]
        )
        picture.paint(flower, "#fff3d4")
        picture.paint(smooth([(x, y - 16), (x + 5, y), (x, y + 8), (x - 5, y)]), "#f0b45a", 0.85)
