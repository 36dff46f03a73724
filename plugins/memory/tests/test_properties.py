"""What holds for every chat: no foreign branches, nothing that the model sees anyway, no more tokens than meant."""

from __future__ import annotations

import doctest
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.conversation import Message, Tree
from airochat.prompt import count_tokens
from airochat.text import one_line
from plugins.memory import chunks, facts, forms, horizon, ranking, recall, words
from plugins.memory.summary import Summary, adopted, best, stored
from plugins.memory.tests.helping import Bench

WORDS = ("compass", "lantern", "ferry", "tower", "bell", "rain", "the", "and", "Maya", "灯塔", "été")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)
ANY = st.text(max_size=200)


def count(texts: Any) -> list[int]:
    return count_tokens(texts, None)


def line(texts: list[str]) -> tuple[Message, ...]:
    return tuple(
        Message(f"m{at}", f"m{at - 1}" if at else None, "user" if at % 2 else "assistant", "You", text)
        for at, text in enumerate(texts)
    )


@given(
    st.lists(TEXTS, min_size=2, max_size=30),
    TEXTS,
    st.integers(0, 30),
    st.integers(1, 100),
    st.integers(1, 200),
)
@settings(max_examples=80, deadline=None)
def test_recall_takes_nothing_from_the_horizon_on_and_keeps_its_limits(
    texts: list[str], asked: str, left: int, threshold: int, tokens: int
) -> None:
    history = line(texts)
    left = min(left, len(history))
    index = recall.ChatIndex()
    assert index.update(history, 60)
    places = {one.id: at for at, one in enumerate(history[:left])}

    def found() -> list[recall.Excerpt]:
        keys = recall.search(index, asked, texts[-1], places, threshold / 100, ())
        return recall.excerpts(index, keys, history, places, 4, tokens, count)

    chosen = found()
    assert all(1 <= one.number <= left for one in chosen)
    assert len(chosen) <= 4
    assert sum(count([one.written for one in chosen])) <= tokens
    assert [(one.number, one.part) for one in chosen] == sorted((one.number, one.part) for one in chosen)
    assert found() == chosen
    assert len({one.text for one in chosen}) == len(chosen)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree = Tree()
    for number in range(draw(st.integers(2, 25))):
        parents = [None, *tree.messages] if number else [None]
        parent = draw(st.sampled_from(parents[-4:]))
        tree = tree.append(Message(f"m{number}", parent, "user", "You", f"Text {number}."))
    return tree


@given(trees(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_summary_covers_messages_of_its_own_branch_alone_and_the_choice_stays(
    tree: Tree, data: st.DataObject
) -> None:
    made = _BENCH
    made._kept.clear()
    kept = made.context().data
    for message_id in data.draw(st.lists(st.sampled_from(sorted(tree.messages)), unique=True)):
        path = tree.path(message_id)
        kept[f"summary:{message_id}"] = Summary("It happened.", path[0].id, message_id, len(path)).value
    for head in tree.messages:
        made.history = tree.path(head)
        there = {one.id for one in made.history}
        for horizon_id in there:
            made._chat["horizon"] = horizon_id
            context = made.context()
            found = stored(context, made.history)
            left = horizon.place_of(made.history, horizon_id) or 0
            chosen = adopted(context, made.history)
            assert chosen == adopted(made.context(), made.history)
            if chosen is not None:
                assert {one.id for one in tree.path(chosen.last)} <= there
                assert len(tree.path(chosen.last)) == chosen.count
                assert left
            elif left:
                assert found == []
            if left and (whole := best(found, left)) and whole.count >= left:
                assert chosen is not None
                assert chosen.count >= left


_BENCH = Bench()


@given(st.lists(st.tuples(TEXTS, st.booleans(), st.booleans()), max_size=30), st.integers(0, 120), st.data())
@settings(max_examples=80, deadline=None)
def test_facts_never_take_more_tokens_than_meant(
    given_facts: list[tuple[str, bool, bool]], tokens: int, data: st.DataObject
) -> None:
    made = [
        facts.Fact(str(at), text, pinned=pinned, origin="user" if own else "model", created=at)
        for at, (text, pinned, own) in enumerate(given_facts)
    ]
    ranked = [(at, ("word",)) for at in data.draw(st.permutations(range(len(made))))[:5]]
    chosen = facts.choose(made, ranked, tokens, count)
    assert not chosen or count([facts.written(chosen)])[0] <= tokens
    assert len({one.fact.id for one in chosen}) == len(chosen)
    assert facts.choose(made, ranked, tokens, count) == chosen


@given(ANY, st.integers(0, 60))
def test_a_shortened_text_fits_and_is_the_beginning(text: str, tokens: int) -> None:
    made = chunks.shortened(text, tokens, count)
    assert count([made])[0] <= tokens
    assert text.strip().startswith(made.removesuffix(" …"))


@given(st.lists(st.one_of(TEXTS, ANY), max_size=20), st.integers(20, 400), st.integers(0, 19))
def test_parts_hold_every_word_and_keep_their_size(texts: list[str], size: int, overlap: int) -> None:
    made = list(chunks.parts(texts, size, overlap))
    assert all(part.strip() for part in made)
    assert all(len(part) <= size + overlap + 2 for part in made)
    whole = "".join("".join(part.split()) for part in chunks.parts(texts, size, 0))
    assert whole == "".join("".join(text.split()) for text in texts)


@given(st.one_of(TEXTS, ANY))
def test_a_text_is_about_itself(text: str) -> None:
    telling = words.telling(text)
    assert words.found_in(text, telling) == frozenset(telling)
    found = ranking.rank((text, "something else entirely"), text, 0.5)
    assert bool(telling) == any(at == 0 for at, _ in found)


@given(st.lists(TEXTS, max_size=40), st.integers(1, 2000), st.integers(0, 40))
def test_the_next_border_is_a_message_of_the_user_further_on(
    texts: list[str], budget: int, first: int
) -> None:
    history = line(texts)
    first = min(first, max(len(history) - 1, 0))
    found = horizon.next_border(history, first, budget)
    assert found == first or first < found <= len(history) - 2


@given(ANY)
def test_no_text_breaks_a_fact_or_a_command(text: str) -> None:
    if one_line(text):
        fact = facts.parsed(text)
        assert fact.text
        assert (fact.topic is None) == (not fact.who or not fact.what)


@pytest.mark.parametrize("module", [chunks, facts, forms, words])
def test_the_examples_in_docstrings_are_true(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
