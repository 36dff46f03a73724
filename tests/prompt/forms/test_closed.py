from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.prompt.forms import (
    HONESTY,
    ClosedContext,
    FormError,
    Source,
    closed_context,
    read_closed_context,
    was_trained,
)
from airochat.prompt.forms.closed import MARKERS

# The check of the training data, in our own words. It takes exponential time, so that only short texts meet it here.
TRAINING = re.compile(
    r"\s*(?:{}\s+{}.*?{}.*?{}\s*)+{}.*{}\s*\Z".format(*MARKERS),
    re.DOTALL,
)
pieces = st.lists(st.sampled_from([*MARKERS, "\n", " ", "x", "k: v"]), max_size=14)
words = st.text("abc .,-\n", min_size=1).map(str.strip).filter(bool)
line = st.text("abc .,-", min_size=1).map(str.strip).filter(bool)
sources = st.builds(Source, words, st.dictionaries(line, line, max_size=3))

WHOLE = closed_context("Who?", sources=[Source("One.", {"a": "b"}), Source("Two.")], honest=False)


@given(pieces)
@settings(max_examples=400)
def test_the_check_accepts_what_the_training_check_accepts(found: list[str]) -> None:
    text = "".join(found)
    assert was_trained(text) == bool(TRAINING.match(text))


@given(st.lists(st.sampled_from(["\n", "x", " "]), max_size=3), pieces)
def test_the_check_agrees_on_texts_that_are_nearly_right(extra: list[str], found: list[str]) -> None:
    for at in (0, 11, 25, 40, len(WHOLE) - 5, len(WHOLE)):
        text = WHOLE[:at] + "".join(extra) + "".join(found[:4]) + WHOLE[at:]
        assert was_trained(text) == bool(TRAINING.match(text))


@given(st.lists(sources, min_size=1, max_size=4), words, st.booleans())
def test_what_is_built_is_as_trained_and_reads_back(found: list[Source], asked: str, honest: bool) -> None:
    text = closed_context(asked, sources=found, honest=honest)
    wanted = f"{asked}\n{HONESTY}" if honest else asked
    assert was_trained(text)
    assert read_closed_context(text) == ClosedContext(tuple(found), wanted)


@given(st.one_of(st.text(), pieces.map("\n".join), pieces.map("".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_closed_context(text)
    except FormError as error:
        assert error.message
    else:
        assert found.sources
        assert was_trained(text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ENDCONTEXT\nOne", "One", "has ENDINPUT where ENDCONTEXT belongs"),
        ("BEGINCONTEXT\na: b\nENDCONTEXT\n", "", "has ENDINPUT where BEGINCONTEXT belongs"),
        ("\nENDINSTRUCTION", "", "has the end where ENDINSTRUCTION belongs"),
        ("Who?", "Who?\nENDINSTRUCTION\nBEGININSTRUCTION", "where the end belongs"),
        ("BEGININPUT", "Hello\nBEGININPUT", "text outside"),
        ("BEGINCONTEXT", "Hello\nBEGINCONTEXT", "text outside"),
        ("BEGININSTRUCTION", "Hello\nBEGININSTRUCTION", "text outside"),
        ("ENDINSTRUCTION", "ENDINSTRUCTION\nHello", "text outside"),
        ("a: b", "a b", "not a fact"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, said: str) -> None:
    assert read_closed_context(WHOLE).instruction == "Who?"
    with pytest.raises(FormError, match=said):
        read_closed_context(WHOLE.replace(old, new, 1))


def test_an_attack_on_the_training_check_takes_no_time() -> None:
    text = "BEGININPUT\nBEGINCONTEXT\nENDCONTEXT\nx\nENDINPUT\n" * 1500
    assert not was_trained(text)
    assert not was_trained("BEGININPUT" + " " * 60_000)
    with pytest.raises(FormError, match="has the end where BEGININSTRUCTION belongs"):
        read_closed_context(text[:-1] + "\nBEGININSTRUCTIO")


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(FormError, match="too long"):
        read_closed_context("x" * 100_001)
