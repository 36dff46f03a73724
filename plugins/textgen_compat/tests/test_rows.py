"""Whatever a script makes of the history: the messages that are left and what is put between them are all of it."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from airochat.conversation import Message
from plugins.textgen_compat.rows import followed
from plugins.textgen_compat.transcript import UNASKED, compare, lines_of, render, split

STATE = {"context": "", "name1": "You", "name2": "Bo"}
TEXT = st.sampled_from(["ay", "no", "well", "a\nb", "so be it", "the key", ""])
ROW = st.tuples(TEXT | st.just(UNASKED), TEXT).map(list)
ROLE = st.sampled_from(["user", "assistant", "assistant", "system"])


def chat(said: list[tuple[Any, str]]) -> list[Message]:
    return [Message(str(n), None, role, "", text or "hm") for n, (role, text) in enumerate(said)]


@given(st.lists(st.tuples(ROLE, TEXT), max_size=12), st.lists(ROW, max_size=8), st.data())
@example([("user", "ay"), ("assistant", "no"), ("user", "well")], [["so be it", ""], ["", "no"]], None)
def test_all_of_a_changed_history_is_in_the_prompt(
    said: list[tuple[Any, str]], extra: list[list[str]], data: Any
) -> None:
    messages = chat(said)
    asked, history = split(messages)
    rows = history["internal"]
    keep = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))) if data else [True] * 9
    new = [*extra[:2], *(row for row, kept in zip(rows, keep, strict=False) if kept), *extra[2:]]
    left = followed(messages, {"internal": new}, kept=False)
    places = [messages.index(next(one for one in messages if one.id == other.id)) for other in left]
    assert places == sorted(set(places))
    assert [one for one in messages if one.role == "system"] == [one for one in left if one.role == "system"]
    before, after = lines_of(left, STATE), render(asked, STATE, {"internal": new})
    found = compare(before, after, ("You", "Bo"))
    assert not found.lost and not found.edits
    put = sum(len(one.text.split()) for one in found.insertions)
    assert len(before.text.split()) + put == len(after.split())


@given(st.lists(st.tuples(ROLE, TEXT), max_size=12))
def test_a_history_that_is_left_alone_leaves_the_same_messages(said: list[tuple[Any, str]]) -> None:
    messages = chat(said)
    left = followed(messages, split(messages)[1], kept=False)
    assert all(one is other for one, other in zip(messages, left, strict=True))
