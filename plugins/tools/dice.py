"""Dice: a notation such as ``2d6+3``, and what is thrown with it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from airochat.errors import UsageError

MAX_DICE = 100
"""How many dice one term may throw, those that explode not counted."""
MAX_SIDES = 10_000
MAX_TERMS = 10
MAX_EXPLOSIONS = 100
"""How many further dice one term may throw since others exploded."""

_TERM = re.compile(
    r"([+-])(?:(?P<count>\d{0,3})d(?P<sides>\d{1,5}|%)(?P<explode>!?)(?:(?P<which>kh|kl|dh|dl|k|d)(?P<some>\d{1,3}))?"
    r"|(?P<plain>\d{1,6}))",
    re.ASCII,
)
_HINT = "Write it like 2d6+3, 4d6kh3, d20, d% or 3d6!."


@dataclass(frozen=True, slots=True)
class Throw:
    """What was thrown: the sum, and how it came about in words."""

    total: int
    told: str


def throw(notation: str, seed: int) -> Throw:
    """Throw dice; the same seed throws the same. `UsageError` if the notation is not understood.

    ``kh3`` and ``kl3`` keep the three highest or lowest, ``dh1`` and ``dl1`` drop one; ``!`` throws another die for
    each that shows its highest number; ``%`` has a hundred sides.

    >>> throw("3d1+4-1", 0)
    Throw(total=6, told='3d1+4-1: [1, 1, 1] + 4 - 1 = 6')
    """
    text = re.sub(r"\s+", "", notation[:200]).lower()
    signed = text if text[:1] in "+-" and text else f"+{text}"
    terms = list(_TERM.finditer(signed))
    if not terms or "".join(term[0] for term in terms) != signed:
        raise UsageError(f"{notation[:40]!r} is not a throw of dice.", _HINT)
    if len(terms) > MAX_TERMS:
        raise UsageError(f"The throw has {len(terms)} parts; it may have {MAX_TERMS}.", _HINT)
    chance = random.Random(seed)
    total, parts = 0, []
    for term in terms:
        value, shown = _term(term, chance)
        total += -value if term[1] == "-" else value
        parts.append(f"{term[1]} {shown}")
    return Throw(total, f"{text}: {' '.join(parts).removeprefix('+ ')} = {total}")


def _term(term: re.Match[str], chance: random.Random) -> tuple[int, str]:
    if term["plain"]:
        return int(term["plain"]), str(int(term["plain"]))
    count = int(term["count"] or 1)
    sides = 100 if term["sides"] == "%" else int(term["sides"])
    if not (1 <= count <= MAX_DICE and 1 <= sides <= MAX_SIDES):
        raise UsageError(
            f"{term[0][1:]} is out of range.", f"Up to {MAX_DICE} dice of up to {MAX_SIDES:,} sides."
        )
    if term["explode"] and sides == 1:
        raise UsageError("A die of one side would explode for ever.", _HINT)
    dice = _dice(count, sides, bool(term["explode"]), chance)
    kept = _kept(dice, term["which"] or "", int(term["some"] or 0))
    shown = ", ".join(str(die) if index in kept else f"({die})" for index, die in enumerate(dice))
    return sum(dice[index] for index in kept), f"[{shown}]"


def _dice(count: int, sides: int, explode: bool, chance: random.Random) -> list[int]:
    dice: list[int] = []
    waiting, more = count, MAX_EXPLOSIONS
    while waiting:
        waiting -= 1
        dice.append(chance.randint(1, sides))
        if explode and more and dice[-1] == sides:
            waiting, more = waiting + 1, more - 1
    return dice


def _kept(dice: list[int], which: str, some: int) -> set[int]:
    """Return the places of the dice that count."""
    order = sorted(range(len(dice)), key=lambda index: dice[index])
    if which in ("k", "kh"):
        return set(order[len(order) - min(some, len(order)) :])
    if which == "kl":
        return set(order[:some])
    if which in ("d", "dl"):
        return set(order[some:])
    return set(order[: max(0, len(order) - some)]) if which == "dh" else set(order)
