"""Inclusion groups: of the entries of a group that fire together, one stays."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence

from .entry import Entry


def losers(
    candidates: Sequence[Entry],
    sticky: Collection[str],
    settled: Mapping[str, str],
    score: Callable[[Entry], int | None],
    dice: Callable[[str], random.Random],
) -> dict[str, str]:
    """Return the candidates that stay out, by key, each with the reason in words.

    ``settled`` are the groups that have a winner already, with its name. ``score`` tells how much of an entry matches,
    or None if that does not count for it; ``dice`` returns the chance of a group.
    """
    out: dict[str, str] = {}
    won: dict[str, Entry] = {}
    names = dict.fromkeys(name for entry in candidates for name in entry.groups)
    for name in names:
        members = [entry for entry in candidates if name in entry.groups and entry.key not in out]
        if not members:
            continue
        winner, reason = _winner(members, name, sticky, settled, score, dice, won)
        for entry in members:
            if winner is None or (entry.key not in winner and entry.key not in out):
                out[entry.key] = f'group "{name}": {reason}'
        if winner and len(winner) == 1:
            won.update((entry.key, entry) for entry in members if entry.key in winner)
    return out


def _winner(
    members: Sequence[Entry],
    name: str,
    sticky: Collection[str],
    settled: Mapping[str, str],
    score: Callable[[Entry], int | None],
    dice: Callable[[str], random.Random],
    won: Mapping[str, Entry],
) -> tuple[Collection[str] | None, str]:
    """Return the keys of those that stay, None if nobody does, and why the others do not."""
    held = [entry.key for entry in members if entry.key in sticky]
    if held:
        return held, "another one is sticky"
    if name in settled:
        return None, f"{settled[name]} has it already"
    before = next((entry for entry in members if entry.key in won), None)
    if before is not None:
        return [before.key], f"{before.name} was chosen"
    scores = {entry.key: score(entry) for entry in members}
    best = max((found for found in scores.values() if found is not None), default=None)
    kept = [entry for entry in members if best is None or scores[entry.key] in (None, best)]
    overriding = [entry for entry in kept if entry.group_override]
    if overriding:
        first = max(overriding, key=lambda entry: entry.order)
        return [first.key], f"{first.name} goes first"
    drawn = _drawn(kept, dice(name))
    why = (
        "more keys of another one match" if len(kept) == 1 and len(members) > 1 else f"{drawn.name} was drawn"
    )
    return [drawn.key], why


def _drawn(members: Sequence[Entry], dice: random.Random) -> Entry:
    total = sum(entry.group_weight for entry in members)
    if len(members) == 1 or total <= 0:
        return members[0]
    roll = dice.random() * total
    for entry in members:
        roll -= entry.group_weight
        if roll < 0:
            return entry
    return next(entry for entry in reversed(members) if entry.group_weight)
