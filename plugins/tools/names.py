"""Random names, put together from syllables."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

from airochat.errors import UsageError

from .data import read_toml

MOST = 20
"""How many names are made at once."""


@cache
def styles() -> dict[str, Any]:
    """Return the syllables of each style, by its name."""
    return read_toml(Path(__file__).with_name("names.toml"))


def make_names(style: str, count: int, kind: str, seed: int) -> list[str]:
    """Return different names; ``kind`` is ``person``, ``family``, ``full`` or ``place``.

    >>> make_names("elvish", 2, "person", 7) == make_names("elvish", 2, "person", 7)
    True
    """
    known = styles()
    if style not in known:
        raise UsageError(f"There is no style {style[:40]!r}.", f"There are: {', '.join(known)}.")
    chance = random.Random(seed)
    made: dict[str, None] = {}
    for _ in range(20 * MOST):
        if len(made) >= min(count, MOST):
            break
        parts = ("person", "family") if kind == "full" else (kind,)
        made[" ".join(_name(known[style][part], chance) for part in parts)] = None
    return list(made)


def _name(syllables: dict[str, list[str]], chance: random.Random) -> str:
    middle = syllables.get("middle", [])
    parts = [chance.choice(syllables["first"])]
    if middle and chance.random() < 0.4:
        parts.append(chance.choice(middle))
    return "".join([*parts, chance.choice(syllables["last"])])
