from __future__ import annotations

import time

import pytest

from airochat.tui import words


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0"), (999, "999"), (1000, "1k"), (5264, "5.3k"), (8192, "8k"), (2048, "2k"), (131072, "128k")],
)
def test_tokens(count: int, expected: str) -> None:
    assert words.tokens(count) == expected


@pytest.mark.parametrize(
    ("rate", "expected"), [(31.4, "31 tokens/s"), (9.97, "10 tokens/s"), (4.26, "4.3 tokens/s")]
)
def test_rate(rate: float, expected: str) -> None:
    assert words.rate(rate) == expected


NOW = time.mktime((2026, 11, 22, 13, 0, 0, 0, 0, -1))
DAY = 86_400


def test_clock_says_as_much_as_is_needed() -> None:
    assert words.clock(NOW - 3600, NOW) == "12:00"
    assert words.clock(NOW - 3 * DAY, NOW).endswith("13:00")
    assert words.clock(NOW - 3 * DAY, NOW).startswith("19 ")
    assert words.clock(NOW - 400 * DAY, NOW).endswith("2025")
    assert words.clock(0, NOW) == ""


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "today"),
        (13 * 3600 - 1, "today"),
        (13 * 3600 + 1, "this week"),
        (6 * DAY, "this week"),
        (8 * DAY, "earlier"),
    ],
)
def test_age_goes_by_days_and_not_by_hours(seconds: int, expected: str) -> None:
    assert words.age(NOW - seconds, NOW) == expected


def test_count() -> None:
    assert [words.count(number, "message") for number in (1, 2140)] == ["1 message", "2,140 messages"]
