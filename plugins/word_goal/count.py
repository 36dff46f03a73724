"""Counting words, and the book in which the days are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

KEPT_DAYS: Final = 400
"""Days that are kept, the newest ones; enough for a streak of a year."""
_IDEOGRAPH: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD: Final = re.compile(rf"[{_IDEOGRAPH}]|[^\W{_IDEOGRAPH}]+(?:['’-][^\W{_IDEOGRAPH}]+)*")


def words(text: str) -> int:
    """Return how many words a text has; each sign counts in scripts that put no spaces between words.

    >>> words("The keeper's lamp -- half-lit, *flickers*."), words("灯が turns")
    (5, 3)
    """
    return len(_WORD.findall(text))


@dataclass(frozen=True, slots=True)
class Day:
    """One day: the words of all chats, and the goal that counted last on it; 0 if there was none."""

    words: int = 0
    goal: int = 0

    @property
    def reached(self) -> bool:
        """Whether as much was written as was wanted."""
        return self.goal > 0 and self.words >= self.goal


def read(kept: Any) -> dict[str, Day]:
    """Return the days by their date, ``2026-11-28``; what is not one is left out."""
    if not isinstance(kept, Mapping):
        return {}
    return {key: Day(*value) for key, value in kept.items() if isinstance(key, str) and _is_day(value)}


def _is_day(value: Any) -> bool:
    whole = isinstance(value, list) and len(value) == 2
    return whole and all(isinstance(one, int) and one >= 0 for one in value)


def written(days: Mapping[str, Day]) -> dict[str, list[int]]:
    """Return the days as JSON values, without the oldest ones."""
    return {key: [days[key].words, days[key].goal] for key in sorted(days)[-KEPT_DAYS:]}


def added(days: Mapping[str, Day], today: date, count: int, goal: int) -> dict[str, Day]:
    """Return the days with words written today; a text that gets shorter takes words away, down to none."""
    key = today.isoformat()
    before = days.get(key, Day())
    return {**days, key: Day(max(before.words + count, 0), goal)}


def streak(days: Mapping[str, Day], today: date) -> int:
    """Return on how many days running the goal was reached up to today; today may still be open.

    >>> book = {"2026-11-26": Day(500, 400), "2026-11-27": Day(400, 400), "2026-11-28": Day(3, 400)}
    >>> streak(book, date(2026, 11, 28)), streak(book, date(2026, 11, 30))
    (2, 0)
    """
    day = today if days.get(today.isoformat(), Day()).reached else today - timedelta(1)
    count = 0
    while days.get(day.isoformat(), Day()).reached:
        count += 1
        day -= timedelta(1)
    return count


def last(days: Mapping[str, Day], today: date, count: int) -> list[tuple[date, Day]]:
    """Return the last days up to today, the newest first."""
    dates = [today - timedelta(number) for number in range(count)]
    return [(one, days.get(one.isoformat(), Day())) for one in dates]
