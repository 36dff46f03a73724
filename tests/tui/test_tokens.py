"""Tokens as running text, without a screen."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from airochat.backends.base import Candidate, Scored
from airochat.tui import tokens
from airochat.tui.tokens import Word, candidates, to_words, wrap


def scored(*pieces: bytes, probability: float = 0.9) -> list[Scored]:
    return [Scored(number, piece, probability) for number, piece in enumerate(pieces)]


def texts(words: list[Word]) -> list[str]:
    return [word.text for word in words]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(tokens).failed == 0


def test_tokens_that_share_a_character_are_one_word() -> None:
    tea = "☕".encode()
    words = to_words(scored(b" a", tea[:1], tea[1:], b"!", tea[:2]))
    assert texts(words) == [" a", "☕", "!", "\ufffd"]
    assert [(word.first, word.count) for word in words] == [(0, 1), (1, 2), (3, 1), (4, 1)]


def test_a_word_is_as_surprising_as_its_least_likely_token() -> None:
    e = "é".encode()
    first, second = Scored(1, e[:1], 0.9), Scored(2, e[1:], 0.001)
    assert [word.level for word in to_words([first, second])] == [4]


def test_nothing_is_invisible_and_nothing_is_sent_to_the_terminal() -> None:
    words = to_words(scored(b"", b"\x1b[2J", b"\x1b", b"  ", b"\n\n", b"\tx", "\u202e".encode()))
    assert texts(words) == ["∅", "∅", "∅", "␣␣", "↵\n↵\n", "⇥x", "∅"]


def test_what_stands_there_is_always_among_the_candidates() -> None:
    likely = (Candidate(7, b" the", 0.5), Candidate(8, b" a", 0.2))
    assert candidates(Scored(8, b" a", 0.2, likely)) == likely
    assert candidates(Scored(9, b" zebra", 0.001, likely)) == (*likely, Candidate(9, b" zebra", 0.001))


def test_rows_end_at_spaces_and_line_breaks() -> None:
    words = to_words(scored(b"The", b" lan", b"tern", b" burns", b".\n", b"She", b" nods"))
    rows = ["".join(part for _, part in row) for row in wrap(words, 12)]
    assert rows == ["The lantern ", "burns.↵", "She nods"]


@given(st.lists(st.text(alphabet="ab世☕\n é", min_size=1, max_size=7), max_size=20), st.integers(2, 24))
def test_every_row_fits_and_every_word_is_seen(pieces: list[str], width: int) -> None:
    words = to_words(scored(*(piece.encode() for piece in pieces)))
    rows = wrap(words, width)
    assert all(sum(cell_len(part) for _, part in row) <= width for row in rows)
    seen = "".join(part for row in rows for _, part in row)
    assert seen.replace(" ", "") == "".join(texts(words)).replace(" ", "").replace("\n", "")
    shown = {number for row in rows for number, _ in row}
    assert shown == set(range(len(words)))
