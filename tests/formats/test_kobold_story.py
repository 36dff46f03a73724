from __future__ import annotations

import json
from typing import Any

import pytest

from airochat.errors import UsageError
from airochat.formats.kobold_story import from_kobold
from tests.formats.chat_files import only, shown


def file(prompt: str, actions: Any, mode: int = 1, **settings: Any) -> bytes:
    saved = {"opmode": str(mode), **settings}
    return json.dumps(
        {"gamestarted": True, "prompt": prompt, "actions": actions, "savedsettings": saved}
    ).encode()


def test_a_story_is_one_reply_since_its_pieces_end_anywhere() -> None:
    chat = only(from_kobold, file("It was a dark", [" and sto", "rmy night."]))
    assert shown(chat) == [("user", "It was a dark"), ("assistant", " and stormy night.")]


def test_an_adventure_has_what_the_player_does_after_an_arrow() -> None:
    chat = only(from_kobold, file("You wake.", ["\n\n> Get up.\n\n", "You stand."], 2))
    assert shown(chat) == [("assistant", "You wake."), ("user", "Get up."), ("assistant", "You stand.")]


def test_a_chat_is_split_at_its_names() -> None:
    text = ["\nRook: Hello: you?\nMaya: Hi.", "\nZoe: Who is that?\nRook:", " Me."]
    chat = only(from_kobold, file(text[0], text[1:], 3, chatname="Rook", chatopponent="Maya||$||Zoe"))
    assert [(one.role, one.name, one.text) for one in chat.messages] == [
        ("user", "Rook", "Hello: you?"), ("assistant", "Maya", "Hi."),
        ("assistant", "Zoe", "Who is that?"), ("user", "Rook", "Me."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "{{[INPUT]}}Hello{{[INPUT_END]}}{{[OUTPUT]}}Hi.{{[OUTPUT_END]}}",
        "\n### Instruction:\nHello\n### Response:\nHi.",
    ],
)
def test_instructions_are_split_at_their_marks(text: str) -> None:
    tags = {"instruct_starttag": "\\n### Instruction:\\n", "instruct_endtag": "\\n### Response:\\n"}
    assert shown(only(from_kobold, file("", [text], 4, **tags))) == [("user", "Hello"), ("assistant", "Hi.")]


def test_old_files_number_their_actions_and_the_rest_is_told() -> None:
    story = {
        "prompt": "a",
        "actions": {"10": "d", "1": "b", "2": "c"},
        "memory": "A mill.",
        "worldinfo": [{}],
    }
    chat = only(from_kobold, json.dumps(story).encode())
    assert shown(chat) == [("user", "a"), ("assistant", "bcd")]
    assert chat.warnings == (
        "The story's memory was not taken over: A mill.",
        "The story's world info was not taken over.",
    )


def test_other_files_are_left_to_others_and_a_cut_one_is_told() -> None:
    for data in (
        b"",
        b'{"prompt": 1, "actions": []}',
        b'["prompt", "actions"]',
        b'{"a": ["prompt", "actions"]}',
    ):
        assert from_kobold(data, "x.json") is None
    with pytest.raises(UsageError, match="not valid JSON"):
        from_kobold(file("a", ["b"])[:-3], "x.json")
