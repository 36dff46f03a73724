"""Where the parts of a sequence stand in a longer one that others have put something into."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import islice

_Part = tuple[Hashable, ...]
_Cost = tuple[int, int]
"""How many gaps there are from a place on, and that place."""
_WEIGHED = 50
"""How many places of a part are weighed, since a long chat may say the same in thousands."""


def standing(parts: Sequence[_Part], new: Sequence[Hashable], first: int, spare: int) -> list[int] | None:
    """Return where each part begins in ``new``, all whole and in their order; None if they are not all there.

    Of several answers it is one with the fewest gaps, unless parts stand in very many places. ``first`` is where
    the first part begins without a gap, and ``spare`` is how much of the end belongs to none.
    """
    if not parts:
        return []
    places = _possible(parts, tuple(new), len(new) - spare)
    if places is None:
        return None
    following: list[dict[int, int]] = []
    costs: list[_Cost] = [(0, len(new) - spare)]
    for part, possible in zip(reversed(parts), reversed(places), strict=True):
        costs, after = _step(len(part), possible, costs)
        following.append(after)
    _, place = min((gaps + (place != first), place) for gaps, place in costs)
    found = []
    for after in reversed(following):
        found.append(place)
        place = after[place]
    return found


def _possible(parts: Sequence[_Part], new: _Part, end: int) -> list[list[int]] | None:
    """Return for each part the places that leave room for those before and after it; None if there is none."""
    known: dict[Hashable, list[int]] = defaultdict(list)
    for place, item in enumerate(new):
        known[item].append(place)
    low, high = 0, end - sum(map(len, parts))
    found = []
    for part in parts:
        all_places = known.get(part[0], [])
        near = map(
            all_places.__getitem__, range(bisect_left(all_places, low), bisect_left(all_places, high + 1))
        )
        whole = (place for place in near if new[place : place + len(part)] == part)
        possible = list(islice(whole, _WEIGHED))
        if not possible:
            return None
        found.append(possible)
        low, high = possible[0] + len(part), high + len(part)
    return found


def _step(size: int, possible: Sequence[int], costs: Sequence[_Cost]) -> tuple[list[_Cost], dict[int, int]]:
    """Return what each place of a part costs, and for each where the next part stands then."""
    starts = [place for _, place in costs]
    best = list(costs)
    for index in range(len(best) - 2, -1, -1):
        best[index] = min(best[index], best[index + 1])
    made: list[_Cost] = []
    after: dict[int, int] = {}
    for place in possible:
        index = bisect_left(starts, place + size)
        if index == len(starts):
            break
        gaps, then = best[index]
        choice = (gaps + 1, then)
        if starts[index] == place + size:
            choice = min(choice, costs[index])
        made.append((choice[0], place))
        after[place] = choice[1]
    return made, after
