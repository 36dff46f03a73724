"""Guessing the next tokens, so that the model can check several at once: pure parts."""

from __future__ import annotations

from collections.abc import Sequence

_GRAMS = (4, 3, 2)
"""How many of the last tokens are looked for in what came before, the longest first."""
_FIRST_TRY, _PAUSE, _LONGEST_PAUSE = 4, 16, 256
"""Tries before one is judged, and how many tokens are then written without, at first and at most."""
_WEIGHT = 0.3
"""How much the newest measurement counts."""


class Lookup:
    """Guesses that a text goes on as it did where its last words stood before."""

    def __init__(self) -> None:
        self._seen: list[int] = []
        self._places: dict[tuple[int, ...], int] = {}

    def propose(self, tokens: Sequence[int], count: int) -> list[int]:
        """Return up to ``count`` tokens that may follow on ``tokens``; none if these last words are new."""
        self._learn(tokens)
        for size in _GRAMS:
            place = self._places.get(tuple(tokens[-size:])) if len(tokens) > size else None
            if place is not None:
                return list(tokens[place : place + count])
        return []

    def close(self) -> None:
        """Forget what was seen."""
        self._seen.clear()
        self._places.clear()

    def _learn(self, tokens: Sequence[int]) -> None:
        """Note what followed on each few tokens; the last ones are not followed by anything yet."""
        start = len(self._seen)
        if start > len(tokens) or list(tokens[max(0, start - 8) : start]) != self._seen[-8:]:
            self._places.clear()
            start = 0
        for end in range(max(start, 1), len(tokens)):
            for size in _GRAMS:
                if end >= size:
                    self._places[tuple(tokens[end - size : end])] = end
        self._seen = list(tokens)


class Pace:
    """Decides by what was measured whether guessing is worth it: it is not where guesses fail, or extra rows cost much.

    Times are in seconds.
    """

    def __init__(self) -> None:
        self._plain = self._guessed = 0.0
        self._tries = 0
        self._pause = 0
        self._next_pause = _PAUSE
        self.checked = self.accepted = 0
        """How many guessed tokens the model has seen, and how many of them it would have written itself."""

    @property
    def guessing(self) -> bool:
        """Whether to guess now; without any measurement of plain writing that comes first."""
        return self._plain > 0 and self._pause <= 0

    def plain(self, seconds: float) -> None:
        """Note what a token took that was written without a guess."""
        self._plain = _average(self._plain, seconds)
        self._pause -= 1

    def rest(self) -> None:
        """Write without guesses for a while, since there is no room for them."""
        self._pause = _LONGEST_PAUSE

    def tried(self, seconds: float, checked: int, accepted: int) -> None:
        """Note what it took to check so many guesses, of which some were right; one token more was written."""
        self.checked += checked
        self.accepted += accepted
        self._guessed = _average(self._guessed, seconds / (accepted + 1))
        self._tries += 1
        if self._tries < _FIRST_TRY:
            return
        if self._guessed > self._plain:
            self._pause, self._tries, self._guessed = self._next_pause, 0, 0.0
            self._next_pause = min(2 * self._next_pause, _LONGEST_PAUSE)
        else:
            self._next_pause = _PAUSE


def _average(old: float, new: float) -> float:
    return new if not old else old + _WEIGHT * (new - old)
