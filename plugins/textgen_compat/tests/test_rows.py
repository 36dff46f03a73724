"""Whatever a script makes of the history: the messages that are left and what is put between them are all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from airochat.conversation import Message
from plugins.textgen_compat.rows import followed
from plugins.textgen_compat.transcript import (
    UNASKED,
    Insertion,
    Lines,
    compare,
    lines_of,
    placed,
    render,
    split,
)

STATE = {"context": "", "name1": "You", "name2": "Bo"}
TEXT = st.sampled_from(["ay", "no", "well", "a\nb", "a\nc", "so be it", "ay\nBo: ay", ""])
ROW = st.tuples(TEXT | st.just(UNASKED), TEXT).map(list)
ROLE = st.sampled_from(["user", "assistant", "assistant", "system"])
SAID = st.lists(st.tuples(ROLE, TEXT), max_size=12)
# Compared by their longest common blocks of lines, these seem to have lost a message.
REPEATED = [("user", "ay"), ("user", "ay"), *[("assistant", text) for text in ("a\nb", "ay", "a\nb", "ay")]]
REPEATS = [[UNASKED, text] for text in ("ay", "ay", "a\nb", "ay", "a\nb")]


def chat(said: list[tuple[Any, str]]) -> list[Message]:
    return [Message(str(n), None, role, "", text or "hm") for n, (role, text) in enumerate(said)]


def with_put(before: Lines, put: Sequence[Insertion]) -> str:
    """The text with all that was put into it, read as the prompt is: each before the messages of its depth."""
    lines = []
    for index, (line, depth) in enumerate(zip(before.texts, before.depths, strict=True)):
        if before.begins[index]:
            place = before.place(index)
            lines += [
                one.text for one in put if one.depth == place and (place is not None or depth is not None)
            ]
        lines.append(line)
    return "\n".join(lines)


@given(SAID, st.lists(ROW, max_size=8), st.sets(st.integers(0, 12)), st.booleans())
@example([("user", "ay"), ("assistant", "no"), ("user", "well")], [["so be it", ""], ["", "no"]], {0}, False)
@example(REPEATED, REPEATS, {1, 2, 4}, False)
@example([("assistant", "a\nb"), ("assistant", "a\nc")], [[UNASKED, "a\nd"]], {0, 1}, True)
def test_all_of_a_changed_history_is_in_the_prompt(
    said: list[tuple[Any, str]], extra: list[list[str]], keep: set[int], headed: bool
) -> None:
    state = STATE | {"context": "Bo is here.\n\nay" if headed else ""}
    messages = chat(said)
    asked, history = split(messages)
    kept = [row for number, row in enumerate(history["internal"]) if number in keep]
    new = [*extra[:2], *kept, *extra[2:]]
    left = followed(messages, {"internal": new}, kept=False)
    places = [messages.index(next(one for one in messages if one.id == other.id)) for other in left]
    assert places == sorted(set(places))
    assert [one for one in messages if one.role == "system"] == [one for one in left if one.role == "system"]
    before, after = lines_of(left, state), render(asked, state, {"internal": new})
    found = compare(before, after, ("You", "Bo"))
    assert not found.lost and not found.edits
    assert with_put(before, found.insertions) == after


@given(SAID, st.lists(st.tuples(st.integers(0, 12), ROW), max_size=5))
@example(
    [("user", "hey"), *[("assistant", text) for text in "aboabo"], ("assistant", "end")],
    [(6, [UNASKED, "b"]), (6, [UNASKED, "a"]), (3, [UNASKED, "o"]), (0, [UNASKED, "o"])],
)
def test_a_history_that_is_only_added_to_leaves_the_same_messages(
    said: list[tuple[Any, str]], extra: list[tuple[int, list[str]]]
) -> None:
    messages = chat(said)
    rows = split(messages)[1]["internal"]
    for place, row in extra:
        rows.insert(place, row)
    left = followed(messages, {"internal": rows}, kept=False)
    assert all(one is other for one, other in zip(messages, left, strict=True))


@given(SAID, st.lists(ROW, max_size=3), st.integers(0, 12))
def test_the_head_can_change_together_with_the_history(
    said: list[tuple[Any, str]], extra: list[list[str]], place: int
) -> None:
    messages = chat(said)
    asked, history = split(messages)
    rows = history["internal"]
    new = [*rows[:place], *extra, *rows[place:]]
    before = lines_of(messages, STATE | {"context": "Bo is tall."})
    after = render(asked, STATE | {"context": "She is old."}, {"internal": new})
    found = compare(before, after, ("You", "Bo"))
    assert not found.lost
    (head,) = found.edits
    come = [*(one.text for one in found.insertions), head.new]
    assert Counter("\n".join([before.text, *come]).split()) == Counter(f"{after}\n{head.old}".split())


@given(SAID)
def test_a_history_that_is_left_alone_leaves_the_same_messages(said: list[tuple[Any, str]]) -> None:
    messages = chat(said)
    left = followed(messages, split(messages)[1], kept=False)
    assert all(one is other for one, other in zip(messages, left, strict=True))


@given(SAID, st.lists(TEXT, max_size=5), st.lists(TEXT, max_size=5))
def test_a_text_that_was_changed_anyhow_is_taken_as_it_is(
    said: list[tuple[Any, str]], once: list[str], again: list[str]
) -> None:
    before = lines_of(chat(said), STATE)
    for texts in (once, again):
        after = "\n".join(texts)
        compare(before, after, ("You", "Bo"))
        before = placed(before, after)
        assert before.text == after
