from __future__ import annotations

import json
from typing import Any

import pytest

from airochat.errors import UsageError
from airochat.formats.openai_chat import from_openai
from tests.formats.chat_files import lines, only, shown

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello", "name": "Rook"},
    {"role": "assistant", "content": "Hi."},
]
SAID = [("user", "Hello"), ("assistant", "Hi.")]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "value",
    [TALK, {"messages": TALK, "model": "x"}, {"title": "T", "conversation": TALK}, [{"messages": TALK}]],
)
def test_a_list_alone_or_under_a_name(value: Any, indent: int | None) -> None:
    chat = only(from_openai, json.dumps(value, indent=indent).encode(), "talk.json")
    assert (chat.system, shown(chat), chat.warnings) == ("Be brief.", SAID, ())
    assert chat.messages[0].name == "Rook"


def test_a_list_with_a_message_a_line_is_one_chat() -> None:
    text = "[\n" + ",\n".join(map(json.dumps, TALK)) + "\n]"
    assert shown(only(from_openai, text.encode())) == SAID


def test_messages_as_lines_and_chats_as_lines() -> None:
    assert shown(only(from_openai, lines(*TALK))) == SAID
    several = from_openai(
        lines({"messages": TALK}, "{", {"messages": TALK[1:]}, {"messages": []}), "set.jsonl"
    )
    assert several is not None
    assert [(chat.title, shown(chat)) for chat in several] == [("set 1", SAID), ("set 2", SAID)]
    assert several[0].warnings[0].startswith("Line 2:")


def test_the_form_of_training_sets() -> None:
    talk = [{"from": "system", "value": "S"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    chat = only(from_openai, json.dumps({"conversations": talk}).encode())
    assert (chat.system, shown(chat)) == ("S", [("user", "q"), ("assistant", "a")])


def test_parts_and_what_is_left_out() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url"}, {"type": "text", "text": "there"}]
    talk = [
        {"role": "user", "content": parts},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": None},
        "nothing",
        {"role": "system", "content": "Later."},
        {"role": "assistant", "content": "Yes.", "created": 1_700_000_000},
    ]
    chat = only(from_openai, json.dumps(talk).encode())
    assert shown(chat) == [("user", "look\n\nthere"), ("system", "Later."), ("assistant", "Yes.")]
    assert chat.messages[0].created == 1_700_000_000
    assert chat.warnings == (
        "Message 1: what is no text in it was left out.",
        "Messages 2, 3: it is empty, or not by the user or the model; it was left out.",
        "Message 4: it is no message; it was left out.",
    )


def test_a_cut_file_says_so() -> None:
    with pytest.raises(UsageError, match="not valid JSON"):
        from_openai(json.dumps(TALK, indent=1).encode()[:-20], "talk.json")


def test_other_files_are_left_to_others() -> None:
    for data in (
        b"",
        b'"role" "content"',
        b'{"role": 1, "content_of": {"content": 1}}',
        b'["role", "content"]',
    ):
        assert from_openai(data, "x.json") is None
