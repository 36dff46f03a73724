"""Guessing tokens: what stood there before, and whether that pays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.guess import Lookup, Pace

TEXT = [5, 6, 7, 8, 9, 10, 11, 12]


def test_a_text_is_guessed_to_go_on_as_before() -> None:
    lookup = Lookup()
    assert lookup.propose([*TEXT, 99, 5, 6, 7], 3) == [8, 9, 10]
    assert lookup.propose([*TEXT, 99, 5, 6, 7, 8], 20) == [9, 10, 11, 12, 99, 5, 6, 7, 8]
    assert lookup.propose([*TEXT, 99, 5, 6, 7, 8, 77], 3) == []


def test_the_longest_and_the_newest_place_counts() -> None:
    assert Lookup().propose([1, 2, 3, 4, 50, 3, 4, 60, 2, 3, 4], 1) == [50], "three words fit there"
    assert Lookup().propose([3, 4, 50, 0, 3, 4, 60, 0, 3, 4], 1) == [60]


def test_another_conversation_is_learnt_anew() -> None:
    lookup = Lookup()
    lookup.propose([*TEXT, 5, 6], 2)
    assert lookup.propose([*range(30, 50), 5, 6], 2) == []
    assert lookup.propose([1, 2, 9, 1, 2], 1) == [9]


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 8))
def test_guesses_stood_there_before(tokens: list[int], count: int) -> None:
    lookup = Lookup()
    for end in range(len(tokens) + 1):
        seen = tokens[:end]
        found = lookup.propose(seen, count)
        assert len(found) <= count
        assert found == Lookup().propose(seen, count), "it does not matter when it was learnt"
        if found:
            joined = [*seen[-2:], *found]
            assert any(seen[at : at + len(joined)] == joined for at in range(len(seen)))


def test_nothing_is_guessed_before_plain_writing_was_measured() -> None:
    pace = Pace()
    assert not pace.guessing
    pace.plain(0.01)
    assert pace.guessing


def test_guesses_that_do_not_pay_are_left_for_ever_longer() -> None:
    pace = Pace()
    pauses: list[int] = []
    pace.plain(0.01)
    for _ in range(8):
        while pace.guessing:
            pace.tried(0.03, 8, 0)
        count = 0
        while not pace.guessing:
            pace.plain(0.01)
            count += 1
        pauses.append(count)
    assert pauses[:3] == [16, 32, 64]
    assert pauses[-1] == 256
    assert (pace.checked, pace.accepted) == (8 * 4 * 8, 0)


def test_guesses_that_pay_go_on() -> None:
    pace = Pace()
    pace.plain(0.01)
    for _ in range(50):
        pace.tried(0.02, 8, 5)
        assert pace.guessing
    assert pace.accepted == 250


def test_without_room_nothing_is_guessed_for_a_while() -> None:
    pace = Pace()
    pace.plain(0.01)
    pace.rest()
    assert not pace.guessing
