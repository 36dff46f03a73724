from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.conversation import Message, Provenance, new_id
from airochat.errors import UsageError
from airochat.formats import parsing, to_jsonl
from airochat.formats.jsonl import from_jsonl
from tests.formats.chat_files import lines, only, said, shown

texts = st.text(st.characters(exclude_categories=()))
storable = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | storable
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(storable, inner, max_size=3),
    max_leaves=6,
)
tables = st.dictionaries(storable, values, max_size=3)

calls = st.fixed_dictionaries(
    {
        **dict.fromkeys(("id", "tool", "state", "text", "approved"), storable),
        "arguments": tables,
        "seed": st.none() | st.integers(0, 2**32),
        "seconds": st.floats(0, 1e6),
    }
)


@given(st.lists(st.tuples(texts, texts)))
def test_every_message_is_one_line_that_gives_it_back(contents: list[tuple[str, str]]) -> None:
    messages = [
        Message(
            id=f"m{number}",
            parent=f"m{number - 1}" if number else None,
            role="assistant",
            name=name,
            text=text,
            created=1.5,
            state="stopped",
            provenance=Provenance("model", "f", "chatml", {"seed": 7, "stop": [text]}, "user", {"prompt": 3}),
        )
        for number, (name, text) in enumerate(contents)
    ]
    written = to_jsonl(messages).splitlines()
    assert len(written) == len(messages)
    for line, message in zip(written, messages, strict=True):
        record = json.loads(line)
        assert Message(**{**record, "provenance": Provenance(**record["provenance"])}) == message


def test_lines_are_plain_ascii_without_tokens() -> None:
    text = to_jsonl([Message("a", None, "user", "You", "caf\u00e9 \x1b[2J\u2028\x9b", tokens=(1, 2))])
    assert text.isascii()
    assert text.isprintable() or text.removesuffix("\n").isprintable()
    assert "tokens" not in json.loads(text)
    assert to_jsonl([]) == ""


@st.composite
def trees(draw: st.DrawFn) -> list[Message]:
    """Any tree of messages, parents first."""
    found: list[Message] = []
    for _ in range(draw(st.integers(1, 12))):
        parent = draw(st.sampled_from([None, *(one.id for one in found)]))
        provenance = Provenance(
            model=draw(storable),
            fingerprint=draw(storable),
            template=draw(storable),
            sampling=draw(tables),
            stop_reason=draw(storable),
            usage=draw(st.dictionaries(storable, st.integers(), max_size=2)),
            raw=draw(storable),
            calls=tuple(draw(st.lists(calls, max_size=2))),
        )
        found.append(
            Message(
                new_id(),
                parent,
                draw(st.sampled_from(["system", "user", "assistant"])),
                draw(storable),
                draw(storable),
                draw(st.floats(0, 1e10)),
                draw(st.sampled_from(["finished", "stopped", "failed", "running"])),
                provenance=draw(st.sampled_from([provenance, Provenance()])),
            )
        )
    return found


@given(trees(), st.data())
def test_the_whole_tree_comes_back(messages: list[Message], data: st.DataObject) -> None:
    facts = {
        "title": "The Mill",
        "head": data.draw(st.sampled_from(messages)).id,
        "system": data.draw(storable),
        "scenario": data.draw(storable),
    }
    heard = {message.id: ("Zoe", "Maya") for message in messages if message.text}
    chat = only(from_jsonl, to_jsonl(messages, facts, heard).encode(), "elsewhere.jsonl")
    assert chat.messages == messages
    assert chat.audiences == heard
    assert (chat.title, chat.head, chat.warnings) == ("The Mill", facts["head"], ())
    assert (chat.system, chat.scenario) == (facts["system"], facts["scenario"])


def test_without_facts_the_last_message_is_shown_under_the_files_name() -> None:
    chat = only(from_jsonl, to_jsonl(said("Hello", "Hi", "How are you?")).encode(), "Night walk.jsonl")
    assert (chat.title, chat.head) == ("Night walk", "")
    assert shown(chat) == [("user", "Hello"), ("assistant", "Hi"), ("user", "How are you?")]


def test_a_damaged_line_breaks_no_chat() -> None:
    written = to_jsonl(said("one", "two", "three", "four")).splitlines()
    chat = only(from_jsonl, lines(written[0], written[1][:-9], *written[2:], "[]", "\0\0"))
    assert [text for _, text in shown(chat)] == ["one", "three", "four"]
    assert [warning.partition(":")[0] for warning in chat.warnings] == ["Line 2", "Line 3", "Line 5"]


def test_the_first_line_may_be_the_damaged_one() -> None:
    written = to_jsonl(said("one", "two", "three")).splitlines()
    assert [text for _, text in shown(only(from_jsonl, lines("\x00{", *written[1:])))] == ["two", "three"]


def test_wrong_fields_are_mended_and_said() -> None:
    def record(**fields: Any) -> dict[str, Any]:
        return {
            "id": "a",
            "parent": None,
            "role": "user",
            "name": "Rook",
            "text": "t",
            "created": 5,
            **fields,
        }

    chat = only(
        from_jsonl,
        lines(
            record(),
            record(id="a", parent="a", text="twice"),
            record(id="b" * 65, parent="a", text="long"),
            record(id="c", parent="c", text="its own parent"),
            record(id="d", role="wizard"),
            record(id="e", text=7),
            record(id="f", parent=["x"], created=10**400, state="odd", name=None, provenance=[]),
            record(
                id="g",
                parent="a",
                created=True,
                provenance={"model": 5, "usage": {"n": "x"}, "calls": [1, {"id": "x"}]},
            ),
        ),
    )
    assert [message.text for message in chat.messages] == ["t", "twice", "long", "its own parent", "t", "t"]
    assert len({message.id for message in chat.messages}) == 6
    assert [message.created for message in chat.messages] == [5, 5, 5, 5, 0, 0]
    assert (chat.messages[-2].state, chat.messages[-2].name) == ("finished", "")
    assert [message.provenance for message in chat.messages] == [Provenance()] * 6
    assert chat.warnings == (
        "Lines 2, 3: its id cannot be used; it has a new one.",
        "Lines 4, 7: the message that it follows is missing; it follows the one before.",
        "Lines 5, 6: it has no text, or not the role of a message; the line was left out.",
    )


def test_half_characters_and_nul_do_no_harm() -> None:
    first = json.dumps(json.loads(to_jsonl(said("x")))).replace('"x"', '"\\ud83d a\\u0000b \\udca9"')
    chat = only(from_jsonl, lines(first))
    assert chat.messages[0].text == "\ufffd a\0b \ufffd"
    damaged = to_jsonl(said("café")).replace("\\u00e9", "X").encode().replace(b"X", b"\xe9")
    chat = only(from_jsonl, damaged)
    assert chat.messages[0].text == "caf\ufffd"
    assert chat.warnings == ("Line 1: some bytes are not UTF-8; � stands for them.",)


def test_editors_marks_at_the_beginning_are_no_matter() -> None:
    written = to_jsonl(said("Hello", "Hi")).replace("\n", "\r\n")
    for data in (b"\xef\xbb\xbf" + written.encode(), written.encode("utf-16")):
        assert len(only(from_jsonl, data).messages) == 2


def test_a_deep_tree_needs_no_recursion() -> None:
    messages = said(*map(str, range(20_000)))
    assert only(from_jsonl, to_jsonl(messages).encode()).messages == messages


def test_a_line_that_nests_too_deeply_is_left_out() -> None:
    first = to_jsonl(said("x")).strip()
    chat = only(from_jsonl, lines(first, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"))
    assert chat.warnings == ("Line 2: it is nested too deeply; the line was left out.",)


def test_too_many_messages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_MESSAGES", 3)
    data = to_jsonl(said("1", "2", "3", "4")).encode()
    with pytest.raises(UsageError, match="more than 3 messages"):
        from_jsonl(data, "chat.jsonl")


def test_other_files_are_left_to_others() -> None:
    for data in (b"", b"\0", b"plain text", b"[]", lines({"parent": 1}), lines({"mes": "x", "name": "y"})):
        assert from_jsonl(data, "x.jsonl") is None
