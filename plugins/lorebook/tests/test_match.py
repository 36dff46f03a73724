from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.lorebook.match import Key, KeyIndex, fold, shaped
from plugins.lorebook.patterns import ALL_MILLISECONDS, Clock, pattern_of

LETTERS = st.text(alphabet="abAB \né王ßİ'’-_1", max_size=40)
KEYS = st.builds(
    Key,
    st.text(alphabet="abAé王ß '1", min_size=1, max_size=6).filter(str.strip),
    st.booleans(),
    st.booleans(),
)


@given(LETTERS, st.lists(KEYS, max_size=12))
def test_ascii_mode_finds_what_a_regex_for_each_key_finds(text: str, keys: list[Key]) -> None:
    found = KeyIndex(keys, unicode=False).hits(text)
    folded = fold(text, unicode=False)
    for number, key in enumerate(keys):
        wanted = re.escape(key.text if key.case_sensitive else fold(key.text, unicode=False))
        around = rf"(?<![A-Za-z0-9_]){wanted}(?![A-Za-z0-9_])" if key.whole else wanted
        match = re.search(around, text if key.case_sensitive else folded)
        assert found.get(number, -1) == (match.start() if match else -1), key


@given(LETTERS, st.lists(KEYS, max_size=12))
def test_a_key_s_place_is_the_same_alone_and_among_others(text: str, keys: list[Key]) -> None:
    text = shaped(text, unicode=True)
    together = KeyIndex(keys, unicode=True).hits(text)
    for number, key in enumerate(keys):
        assert KeyIndex([key], unicode=True).hits(text).get(0) == together.get(number)


@given(st.text(max_size=60), st.booleans())
def test_folding_keeps_the_length_and_can_be_repeated(text: str, unicode: bool) -> None:
    folded = fold(text, unicode=unicode)
    assert len(folded) == len(text)
    assert fold(folded, unicode=unicode) == folded or not text.isascii()


def test_one_text_of_all_possible_pieces_is_read_once() -> None:
    index = KeyIndex([Key("lamp"), Key("amp", whole=False)])
    assert index.hits("a lamp") is index.hits("a lamp")
    assert dict(index.hits("a lamp")) == {0: 2, 1: 3}


@pytest.mark.parametrize(
    ("key", "text", "at"),
    [
        ("king", "liking a king", 9),
        ("lamp", "lamp\u0302s", -1),
        ("lamp", "a\u0302lamp", -1),
        ("lamp", "灯lamp灯", 1),
        ("灯", "lamp灯s", 4),
        ("a b", "xa bx", 1),
    ],
)
def test_where_words_begin_and_end(key: str, text: str, at: int) -> None:
    index = KeyIndex([Key(key, whole=" " not in key)])
    assert index.hits(shaped(text, unicode=True)).get(0, -1) == at


@pytest.mark.parametrize(
    ("key", "text", "at"),
    [
        ("/(?<n>a)b\\k<n>/", "xaba", 1),
        ("/a$/", "a\n", -1),
        ("/a$/m", "a\nb", 0),
        ("/a.b/", "a\nb", -1),
        ("/a.b/s", "a\nb", 0),
        ("/a[^]b/", "a\nb", 0),
        ("/\\w+/", "é1", 1),
        ("/[\\w-]+/", "é-1", 1),
        ("/\\d/", "٣3", 1),
        ("/a{,2}b/", "a{,2}b", 0),
        ("/(?:ab){e<=1}/", "ab{e<=1}", 0),
        ("/x\\/y/", "x/y", 0),
        ("/\\u{41}/", "A", 0),
        ("/b/y", "ab", -1),
        ("/(?<=a+)b/", "aab", 2),
        ("/ÉTÉ/i", "un été", 3),
        ("/\\Zx/", "Zx", 0),
    ],
)
def test_javascript_s_syntax(key: str, text: str, at: int) -> None:
    pattern = pattern_of(key)
    assert pattern is not None and not pattern.error
    assert pattern.search(text, Clock()) == at


@pytest.mark.parametrize("key", ["/a/b/", "/a/x", "//", "/", "plain", "/a", "/a/gg/", "a/b/"])
def test_what_is_no_regex(key: str) -> None:
    assert pattern_of(key) is None


@pytest.mark.parametrize("key", ["/[/", "/(/", "/a{99999999999}/", "/(?P<a/", "/" + "a" * 5000 + "/", "/*/"])
def test_broken_regexes_say_why(key: str) -> None:
    pattern = pattern_of(key)
    assert pattern is not None and pattern.error
    assert pattern.search("aaa", Clock()) == -1


@pytest.mark.parametrize("key", ["/(a+)+$/", "/(a|aa)+$/", "/(.*a){25}$/", "/^(([a-z])+.)+[A-Z]([a-z])+$/"])
def test_a_regex_that_would_run_for_years_is_given_up(key: str) -> None:
    pattern = pattern_of(key)
    assert pattern is not None
    clock = Clock()
    text = "a" * 5000 + "!"
    assert pattern.search(text, clock) == -1
    assert clock.left < ALL_MILLISECONDS / 1000
    assert pattern.search(text, Clock()) == -1
    if clock.slow:
        assert not pattern.usable
