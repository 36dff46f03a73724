"""Dice and choices. The same turn draws the same, in every program and at every run."""

from __future__ import annotations

import re

from airochat.prompt.macros.call import Macro, Site
from airochat.prompt.macros.limits import MAX_DICE, MAX_SIDES

_DICE = re.compile(r"([0-9]{0,6})d([0-9]{1,9})([+-][0-9]{1,9})?", re.IGNORECASE | re.ASCII)


def _random(site: Site) -> str:
    return _chosen(site, site.scope.turn)


def _pick(site: Site) -> str:
    return _chosen(site, "pick")


def _chosen(site: Site, turn: str) -> str:
    return site.argument(site.draw(turn).randrange(len(site.parts)))


def _roll(site: Site) -> str:
    text = site.argument().strip()
    dice = _DICE.fullmatch(f"d{text}" if text.isdigit() else text)
    if not dice:
        return ""
    count, sides = int(dice[1] or 1), int(dice[2])
    if not (1 <= count <= MAX_DICE and 1 <= sides <= MAX_SIDES):
        return ""
    draw = site.draw(site.scope.turn)
    return str(sum(draw.randint(1, sides) for _ in range(count)) + int(dice[3] or 0))


MACROS = (
    Macro(
        names=("random",),
        usage="{{random::a::b}}, {{random:a, b}}",
        summary="one of the items, drawn for every turn; `\\,` is a comma within an item",
        run=_random,
        low=1,
        high=None,
        listed=True,
    ),
    Macro(
        names=("pick",),
        usage="{{pick::a::b}}, {{pick:a, b}}",
        summary="one of the items, the same for the whole chat",
        run=_pick,
        low=1,
        high=None,
        listed=True,
    ),
    Macro(
        names=("roll",),
        usage="{{roll:2d6+1}}, {{roll:20}}",
        summary="the sum of dice; nothing if the dice make no sense",
        run=_roll,
        low=1,
        high=1,
    ),
)
"""Macros about chance."""
