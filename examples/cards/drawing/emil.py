"""Emil Castellane, conductor of the night train."""

from __future__ import annotations

from drawing import faces
from drawing.paint import Picture, box, ellipse, mirrored, smooth, stroke


def draw() -> Picture:
    """Return the portrait."""
    picture = Picture(384, 512, "#1d1417")
    _window(picture)
    _uniform(picture)
    _head(picture)
    _lantern(picture)
    return picture


def _window(picture: Picture) -> None:
    picture.shade(box(0, 0, 384, 512), "#5a2f2a", "#2a1719", (0, 0), (0, 512))
    for x in range(-6, 400, 48):
        picture.paint(box(x, 0, x + 2, 512), "#7c4437", 0.6)
    for grow, colour in ((12, "#8a5f3d"), (7, "#b98450"), (0, "#ecc98f")):
        picture.paint(_arch(grow + 5), colour)
    arch = _arch(0)
    glass = picture.shade(arch, "#101a2c", "#37506a", (0, 30), (0, 366))
    for x, y, size in ((84, 120, 1.6), (118, 70, 1.2), (292, 84, 1.7), (316, 150, 1.2), (262, 50, 1.1),
                       (70, 190, 1.1), (150, 46, 1.4), (318, 214, 1.5), (96, 232, 1.2)):  # fmt: skip
        picture.paint(ellipse(x, y, size), "#f4e6cc")
    picture.glow((192, 150), 210, "#a3b4d0", 0.55, within=glass)
    picture.paint(ellipse(192, 158, 94), "#e6d9bd", within=glass)
    for x, y, size in ((122, 150, 12), (136, 190, 8), (262, 128, 10), (254, 196, 14), (118, 118, 6)):
        picture.paint(ellipse(x, y, size), "#d2c29f", within=glass)
    for colour, points in (
        ("#2b4257", [(30, 292), (90, 262), (140, 286), (220, 300), (290, 256), (350, 284)]),
        ("#1c2d3f", [(30, 326), (80, 306), (150, 322), (240, 318), (310, 296), (350, 316)]),
    ):
        picture.paint([*smooth(points, closed=False), (360, 400), (20, 400)], colour, within=glass)
    for x in (78, 306):
        picture.paint(stroke([(x, 232), (x, 370)], 3), "#0e1622", within=glass)
        picture.paint(stroke([(x - 13, 242), (x + 13, 242)], 2.4), "#0e1622", within=glass)


def _arch(grow: float) -> list[tuple[float, float]]:
    top = [point for point in ellipse(192, 152, 146 + grow, 124 + grow) if point[1] <= 152.01]
    return [(46 - grow, 366 + grow), *sorted(top), (338 + grow, 366 + grow)]


def _uniform(picture: Picture) -> None:
    coat = smooth(
        [(34, 530), (44, 406), (92, 346), (156, 312), (228, 312), (292, 346), (340, 406), (350, 530)]
    )
    body = picture.lit(coat, "#33405c", "#212a40", [(206, 280), (400, 280), (400, 530), (218, 530)])
    shirt = [(154, 300), (192, 430), (230, 300)]
    picture.lit(shirt, "#f0e4cd", "#b9aa93", [(196, 300), (260, 300), (196, 440)])
    picture.paint(
        [(182, 346), (202, 346), (198, 362), (206, 420), (192, 436), (178, 420), (186, 362)], "#8a3a34"
    )
    for side, colour in ((-1, "#435273"), (1, "#2a3550")):
        lapel = [
            (192 + side * 42, 310),
            (192 + side * 76, 352),
            (192 + side * 56, 384),
            (192 + side * 4, 452),
        ]
        lapel += [(192 + side * 8, 430)]
        picture.paint(lapel, colour)
    for y in (466, 494):
        for x in (176, 212):
            picture.paint(ellipse(x, y, 6), "#d9a76a")
            picture.paint(ellipse(x - 1.5, y - 1.5, 2.6), "#f4dcae")
    for side in (-1, 1):
        board = [
            (192 + side * 94, 338),
            (192 + side * 144, 388),
            (192 + side * 132, 402),
            (192 + side * 84, 352),
        ]
        picture.paint(board, "#d9a76a" if side < 0 else "#a9773f", within=body)
    chain = smooth([(212, 466), (238, 486), (262, 472)], closed=False)
    picture.paint(stroke(chain, 2.6), "#ecc98f")
    picture.paint([(248, 466), (306, 456), (308, 468), (250, 478)], "#33405c")
    picture.paint(stroke([(248, 466), (306, 456)], 2), "#4d5d80")


def _head(picture: Picture) -> None:
    head = faces.Head(192, 212, 62, "#e3b48d", "#b47a57", jaw=0.58)
    for side, colour in ((-1, "#cfd2d0"), (1, "#8e9599")):
        hair = head.curve((side * 0.7, -0.7), (side * 1.02, -0.4), (side * 1.0, 0.2), (side * 0.8, 0.36))
        picture.paint(hair, colour)
    faces.neck(picture, head, 0.5, 1.75)
    collar = [(158, 304), (192, 334), (226, 304), (230, 322), (192, 352), (154, 322)]
    picture.lit(collar, "#f6ecd8", "#c4b59d", [(192, 290), (250, 290), (250, 360), (192, 360)])
    faces.skull(picture, head)
    faces.eyes(picture, head, mood="open", brow="#b9bdbd", lift=0.02)
    _moustache(picture, head)
    _cap(picture, head)


def _moustache(picture: Picture, head: faces.Head) -> None:
    faces.mouth(picture, head, ((-0.16, 0.86), (0.0, 0.89), (0.16, 0.86)), "#7d4239")
    half = [(0.0, 0.52), (-0.3, 0.5), (-0.56, 0.66), (-0.82, 0.6), (-0.62, 0.82), (-0.3, 0.8), (0.0, 0.68)]
    picture.paint(head.curve(*half), "#e7e8e2")
    picture.paint(head.curve(*mirrored(half, 0.0)), "#a3a9ab")


def _cap(picture: Picture, head: faces.Head) -> None:
    right = head.at((0.12, -3), (2, -3), (2, 0.5), (0.16, 0.5))
    crown = head.curve((-0.98, -0.72), (-1.3, -1.26), (-0.9, -1.62), (0.0, -1.78), (0.9, -1.62), (1.3, -1.26),
                       (0.98, -0.72), (0.0, -0.84))  # fmt: skip
    picture.lit(crown, "#3a4866", "#232d45", right)
    band = head.at((-1.02, -0.98), (1.02, -0.98), (1.0, -0.6), (-1.0, -0.6))
    picture.lit(band, "#a8463c", "#7a302b", right)
    picture.paint(head.at((-1.03, -1.02), (1.03, -1.02), (1.03, -0.95), (-1.03, -0.95)), "#d9a76a")
    peak = head.curve((-1.02, -0.62), (0.0, -0.7), (1.02, -0.62), (0.86, -0.38), (0.0, -0.26), (-0.86, -0.38))
    picture.lit(peak, "#1c2233", "#12161f", right)
    picture.paint(head.line_through((-0.8, -0.46), (-0.3, -0.36), (0.1, -0.34), width=0.05), "#7d8cab")
    picture.paint(head.round(0, -0.92, 0.24, 0.24), "#d9a76a")
    picture.paint(head.round(0, -0.92, 0.17, 0.17), "#8a3a34")
    picture.paint(head.round(-0.02, -0.92, 0.07, 0.07), "#f4dcae")


def _lantern(picture: Picture) -> None:
    sleeve = smooth(
        [(-30, 540), (-24, 440), (18, 372), (60, 330), (100, 352), (74, 400), (60, 460), (66, 540)]
    )
    picture.lit(sleeve, "#3b4968", "#2a3550", [(30, 330), (120, 330), (120, 540), (10, 540)])
    picture.paint([(50, 336), (62, 322), (106, 346), (98, 362)], "#d9a76a")
    picture.glow((70, 432), 190, "#e8a552", 0.75)
    glove = smooth([(60, 332), (62, 306), (80, 294), (100, 300), (108, 320), (102, 346), (84, 346)])
    picture.lit(glove, "#f4ecdc", "#c9bda6", [(88, 280), (120, 280), (120, 360), (92, 360)])
    for x in (74, 85, 96):
        picture.paint(stroke([(x, 304), (x - 1, 322)], 1.8), "#a89a82")
    picture.paint(stroke(smooth([(46, 392), (76, 322), (94, 392)], closed=False), 4), "#2a1a14")
    picture.paint([(50, 388), (90, 388), (98, 402), (42, 402)], "#7d5430")
    picture.shade(box(48, 402, 92, 458), "#fff1c9", "#eeb45c", (0, 402), (0, 458))
    picture.paint(smooth([(70, 412), (80, 436), (70, 450), (60, 436)]), "#fffaf0")
    for x in (48, 70, 92):
        picture.paint(stroke([(x, 402), (x, 458)], 3), "#5c3a20")
    picture.paint([(42, 458), (98, 458), (104, 476), (36, 476)], "#7d5430")
