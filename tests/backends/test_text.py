from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from airochat.backends.text import TextStream

TEXTS = st.text(alphabet=st.sampled_from("abcé🦙\n \u0301"), max_size=40)
STOPS = st.lists(st.text(alphabet="abc\n", min_size=1, max_size=4), max_size=4)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(borders)]


def run(parts: list[bytes], stops: list[str]) -> tuple[list[str], bool]:
    stream = TextStream(stops)
    texts = [stream.feed(part) for part in parts]
    return [*texts, stream.finish()], stream.stopped


def expected(text: str, stops: list[str]) -> tuple[str, bool]:
    """Return what a reader who sees the text character by character would show."""
    for end in range(len(text) + 1):
        found = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: min(found)], True
    return text, False


@given(TEXTS, STOPS, st.lists(st.integers(0, 1000), max_size=12))
@example("abcabc", ["abca", "bc"], [])
@example("aab", ["ab"], [1])
def test_any_split_of_the_bytes_gives_the_same_text(text: str, stops: list[str], cuts: list[int]) -> None:
    shown, stopped = run(split(text.encode(), cuts), stops)
    assert ("".join(shown), stopped) == expected(text, stops)


@given(TEXTS, st.lists(st.integers(0, 1000), max_size=12))
def test_no_half_character_is_ever_shown(text: str, cuts: list[int]) -> None:
    shown, _ = run(split(text.encode(), cuts), [])
    assert "\ufffd" not in "".join(shown)


@given(st.binary(max_size=40), STOPS, st.lists(st.integers(0, 1000), max_size=12))
def test_invalid_bytes_become_replacement_characters_wherever_they_are_split(
    data: bytes, stops: list[str], cuts: list[int]
) -> None:
    whole, _ = run([data], stops)
    parts, _ = run(split(data, cuts), stops)
    assert "".join(parts) == "".join(whole)


@given(TEXTS, STOPS, st.lists(st.integers(0, 1000), max_size=12))
def test_a_stop_text_is_never_shown(text: str, stops: list[str], cuts: list[int]) -> None:
    shown, _ = run(split(text.encode(), cuts), stops)
    assert not any(stop in "".join(shown) for stop in stops)


def test_an_unfinished_character_at_the_end_is_dropped() -> None:
    assert run(["🦙".encode()[:3]], []) == (["", ""], False)


def test_text_is_shown_as_soon_as_it_cannot_become_a_stop_text() -> None:
    stream = TextStream(["\nUSER:"])
    assert [stream.feed(part) for part in (b"Hi\n", b"US", b"B!")] == ["Hi", "", "\nUSB!"]


def test_what_follows_a_stop_text_is_ignored() -> None:
    stream = TextStream(["."])
    assert [stream.feed(b"One. Two."), stream.feed(b"Three"), stream.finish()] == ["One", "", ""]
