"""Cleaning text that we did not write."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.text import clean, one_line


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("\x1b[2Jhello", "hello"),
        ("\x1b]0;title\x07hello", "hello"),
        ("\x1b]52;c;aGk=\x1b\\hello", "hello"),
        ("\x1b[?1049lhello\x9b31m", "hello"),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("a\tb", "a\tb"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800", "\ufffd"),
        ("👩\u200d🚀 ❤\ufe0f", "👩\u200d🚀 ❤\ufe0f"),
    ],
)
def test_what_is_dropped_and_what_stays(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


@given(st.text(st.characters()))
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    cleaned = clean(text)
    assert all(char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"} for char in cleaned)
    assert clean(cleaned) == cleaned
    cleaned.encode("utf-8")


def test_a_title_is_one_short_line() -> None:
    assert one_line("  two\n\nlines\x07 ") == "two lines"
    assert one_line("x" * 100, 10) == "x" * 9 + "…"
