from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.conversation import Message, Provenance, Tree
from airochat.formats import to_sillytavern
from airochat.formats.sillytavern_chat import from_sillytavern
from tests.formats.chat_files import beside, lines, only, said, shown, tree

HEADER = {
    "user_name": "Rook",
    "character_name": "Maya",
    "create_date": "2024-9-28 @01h 02m 03s 4ms",
    "chat_metadata": {},
}
UNUSED = {"user_name": "unused", "character_name": "unused", "chat_metadata": {"integrity": "f00"}}


def line(mes: Any, user: bool = False, **fields: Any) -> dict[str, Any]:
    return {"name": "Rook" if user else "Maya", "is_user": user, "is_system": False, "mes": mes, **fields}


@pytest.mark.parametrize("header", [[HEADER], [UNUSED], []], ids=["old", "new", "group"])
def test_a_chat_with_and_without_header(header: list[dict[str, Any]]) -> None:
    chat = only(
        from_sillytavern,
        lines(*header, line("Hello."), line("Hi!", user=True)),
        "Maya - 2024-09-28@01h.jsonl",
    )
    assert chat.title == "Maya - 2024-09-28@01h"
    assert shown(chat) == [("assistant", "Hello."), ("user", "Hi!")]
    assert [message.name for message in chat.messages] == ["Maya", "Rook"]
    assert chat.warnings == ()


def test_swipes_become_alternatives_and_the_chosen_one_is_shown() -> None:
    swiped = line(
        "two",
        swipes=["one", "two", "three"],
        swipe_id=1,
        send_date=1_700_000_009_000,
        extra={"model": "airoboros-l2"},
        swipe_info=[{"send_date": "2023-11-14T22:13:20.500Z", "extra": {"model": "other"}}],
    )
    chat = only(from_sillytavern, lines(HEADER, line("Hi", user=True), swiped, line("And?", user=True)))
    assert shown(chat) == [("user", "Hi"), ("assistant", "two"), ("user", "And?")]
    assert beside(chat, 1) == ["one", "two", "three"]
    by_text = {message.text: message for message in chat.messages}
    assert by_text["And?"].parent == by_text["two"].id
    assert (by_text["one"].created, by_text["two"].created) == (1_700_000_000.5, 1_700_000_009)
    assert [by_text[one].provenance.model for one in ("one", "two", "three")] == ["other", "airoboros-l2", ""]


@pytest.mark.parametrize(
    ("fields", "texts", "at"),
    [
        ({"swipes": ["a", "b"], "swipe_id": 0}, ["edited", "b"], 0),
        ({"swipes": ["a", "b"], "swipe_id": 9}, ["a", "b", "edited"], 2),
        ({"swipes": ["a", "edited", "c"]}, ["a", "edited", "c"], 1),
        ({"swipes": ["a", "", 5, {"message": "of Chub"}], "swipe_id": 0}, ["edited", "of Chub"], 0),
        ({"swipes": "none", "swipe_id": -1, "swipe_info": 7}, ["edited"], 0),
        ({"swipes": [], "swipe_id": "0"}, ["edited"], 0),
    ],
)
def test_a_message_may_be_newer_than_its_swipes(fields: dict[str, Any], texts: list[str], at: int) -> None:
    chat = only(from_sillytavern, lines(HEADER, line("edited", **fields)))
    assert beside(chat, 0) == texts
    assert shown(chat) == [("assistant", texts[at])]


def test_an_empty_reply_leaves_its_other_swipes() -> None:
    chat = only(
        from_sillytavern, lines(HEADER, line("", swipes=["a", "b", ""], swipe_id=2), line(" ", user=True))
    )
    assert (beside(chat, 0), shown(chat)) == (["a", "b"], [("assistant", "b")])
    assert chat.warnings == ("Line 3: it is an empty message; the line was left out.",)


def test_dates_in_all_their_forms_and_without() -> None:
    dates = [
        None,
        1_700_000_000_000,
        "2023-11-15 @10h 02m 47s 124ms",
        "November 16, 2023 2:20pm",
        "2023-11-17T00:00:00Z",
    ]
    chat = only(from_sillytavern, lines(HEADER, *(line("x", send_date=date) for date in dates), line("y")))
    created = [message.created for message in chat.messages]
    assert created[:2] == [1_700_000_000, 1_700_000_000]
    assert created == sorted(created) and created[4:] == [1_700_179_200, 1_700_179_200]
    assert created[2] % 1 == pytest.approx(0.124, abs=1e-6)


def test_hidden_messages_notices_and_narrators() -> None:
    chat = only(
        from_sillytavern,
        lines(
            HEADER,
            line("old", is_system=True),
            line("mine", user=True, is_system=True),
            line("note to self", is_system=True, extra={"type": "comment"}),
            line("[]", is_system=True, extra={"tool_invocations": [{}]}),
            line("Night falls.", extra={"type": "narrator"}),
            line("seen", extra={"reasoning": "hm", "image": "a.png"}),
            line("seen", extra={"reasoning": "hm"}),
        ),
    )
    assert shown(chat) == [
        ("assistant", "old"), ("user", "mine"), ("system", "Night falls."),
        ("assistant", "seen"), ("assistant", "seen"),
    ]  # fmt: skip
    assert chat.warnings == (
        "Lines 2, 3: it was hidden from the model; here the model sees it.",
        "Lines 4, 5: it is a comment or a notice of the program; the line was left out.",
        "Lines 7, 8: its reasoning was left out.",
        "Line 7: its picture was left out.",
    )


def test_what_the_header_knows_is_taken_or_told() -> None:
    metadata = {
        "scenario": "At the mill.",
        "note_prompt": "Write\nslowly.",
        "world_info": "Valley",
        "variables": {},
    }
    chat = only(from_sillytavern, lines({**HEADER, "chat_metadata": metadata}, line("x")))
    assert chat.scenario == "At the mill."
    assert chat.warnings == (
        "Line 1: the chat's author's note was not taken over: Write slowly.",
        "Line 1: the chat's lorebook was not taken over: Valley",
    )


def test_broken_lines_are_left_out_and_named() -> None:
    odd: list[Any] = ["{", "[1]", {"a": 1}, line(None), line(["x"])]
    chat = only(from_sillytavern, lines(HEADER, line("a"), *odd, line("b")))
    assert shown(chat) == [("assistant", "a"), ("assistant", "b")]
    assert [warning.partition(":")[0] for warning in chat.warnings] == [
        "Line 3",
        "Line 4",
        "Line 5",
        "Lines 6, 7",
    ]
    assert chat.warnings[0].startswith("Line 3: it is no valid JSON")


def test_many_places_are_counted() -> None:
    chat = only(from_sillytavern, lines(HEADER, line("a"), *[line("") for _ in range(40)]))
    assert chat.warnings == (
        "Lines 3, 4, 5, 6, 7 and 35 more: it is an empty message; the line was left out.",
    )


def test_other_files_are_left_to_others() -> None:
    for data in (
        b"",
        lines({"mes": 1}),
        lines({"id": "a", "role": "user", "text": '"mes"'}),
        b'"mes"',
        b'[{"mes": "x", "name": "y"}]',
    ):
        assert from_sillytavern(data, "x.jsonl") is None


# -- and back


def test_a_written_chat_has_what_sillytavern_reads() -> None:
    messages = said("Hi", "one")
    other = Message("s", "m0", "assistant", "Maya", "two", created=7.25, provenance=Provenance("airoboros"))
    unlike = Message("t", "m0", "assistant", "Zoe", "from somebody else")
    told = Message("n", "s", "system", "Narrator", "Night falls.")
    written = to_sillytavern(Tree.build([*messages, other, unlike, told], "n"), "Rook", "Maya")
    assert not written.endswith("\n")
    header, first, reply, last = map(json.loads, written.split("\n"))
    assert (header["user_name"], header["character_name"], header["chat_metadata"]) == ("Rook", "Maya", {})
    assert (first["is_user"], first["name"], "swipes" in first) == (True, "Rook", False)
    assert (reply["mes"], reply["swipes"], reply["swipe_id"]) == ("two", ["one", "two"], 1)
    assert reply["send_date"] == 7250 and reply["swipe_info"][1] == {
        "send_date": 7250,
        "extra": {"model": "airoboros"},
    }
    assert (last["is_user"], last["is_system"], last["extra"]) == (False, False, {"type": "narrator"})


names = st.sampled_from(["Maya", "Zoe"])
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
replies = st.tuples(names, st.lists(words, min_size=1, max_size=4, unique=True), st.integers(0, 3))


@given(st.lists(st.tuples(words, replies), min_size=1, max_size=6))
def test_what_is_shown_comes_back_with_its_swipes(
    turns: list[tuple[str, tuple[str, list[str], int]]],
) -> None:
    found: list[Message] = []
    head: str | None = None
    for number, (text, (name, swipes, at)) in enumerate(turns):
        date = 1_700_000_000 + number
        found.append(Message(f"u{number}", head, "user", "Rook", text, date))
        found += [
            Message(f"r{number}.{place}", f"u{number}", "assistant", name, one, date + place / 8)
            for place, one in enumerate(swipes)
        ]
        head = f"r{number}.{at % len(swipes)}"
    before = Tree.build(found, head)
    chat = only(from_sillytavern, to_sillytavern(before, "Rook", "Maya").encode())
    assert chat.warnings == ()

    def facts(one: Tree) -> list[tuple[str, str, str, float]]:
        return [(message.role, message.name, message.text, message.created) for _, message in one.walk()]

    after = tree(chat)
    assert facts(after) == facts(before)
    assert [message.text for message in after.history] == [message.text for message in before.history]
