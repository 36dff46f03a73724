"""All importers together: each file has one reader, and no file does harm."""

from __future__ import annotations

import json
import time
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.conversation import Message, Role, Tree
from airochat.errors import UsageError
from airochat.formats import IMPORTERS, to_jsonl, to_sillytavern, to_text
from airochat.formats.dates import seconds_of
from airochat.formats.parsing import MAX_VALUES, parse
from tests.formats.chat_files import said, tree

FILES = {
    "jsonl": to_jsonl(said("Hello", "Hi")).encode(),
    "sillytavern": to_sillytavern(Tree.build(said("Hello", "Hi"), "m1"), "Rook", "Maya").encode(),
    "textgen": json.dumps({"internal": [["Hello", "Hi"]], "visible": [["Hello", "Hi"]]}).encode(),
    "kobold": json.dumps({"prompt": "Hello", "actions": ["Hi"]}).encode(),
    "openai": json.dumps(
        [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    ).encode(),
}


@pytest.mark.parametrize("kind", IMPORTERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_each_kind_is_read_by_its_importer_alone(kind: str, encoding: str) -> None:
    data = FILES[kind].decode().encode(encoding)
    found = {name: importer.read(data, "chat") for name, importer in IMPORTERS.items()}
    assert [name for name, chats in found.items() if chats is not None] == [kind]
    (chat,) = found[kind] or []
    assert [message.text for message in tree(chat).history] == ["Hello", "Hi"]


def read_all(data: bytes) -> None:
    for importer in IMPORTERS.values():
        try:
            chats = importer.read(data, "chat")
        except UsageError as error:
            assert error.message.endswith(".")
            continue
        for chat in chats or ():
            if chat.messages:
                tree(chat)
            for message in chat.messages:
                assert message.role in get_args(Role)
                message.text.encode()
                message.name.encode()


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data: bytes) -> None:
    read_all(data)


KEYS = (
    *("id", "parent", "role", "text", "name", "created", "state", "provenance", "chat"),
    *("mes", "is_user", "is_system", "swipes", "swipe_id", "swipe_info", "extra", "chat_metadata"),
    *("internal", "visible", "metadata", "content", "from", "value", "messages", "conversations"),
    *("prompt", "actions", "savedsettings"),
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["user", "assistant"])
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@given(st.lists(anything, min_size=1, max_size=5))
def test_no_json_does_harm(values: list[Any]) -> None:
    read_all("\n".join(map(json.dumps, values)).encode())
    read_all(json.dumps(values[0], indent=1).encode())


@given(st.sampled_from(sorted(FILES)), st.data())
def test_no_damage_does_harm(kind: str, data: st.DataObject) -> None:
    whole = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=3))
        if not whole:
            return
    read_all(bytes(whole))


def test_a_text_of_too_many_values_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ValueError, match="values"):
        parse("[" + "0," * (MAX_VALUES + 1) + "0]")
    assert parse(json.dumps("," * (MAX_VALUES + 1))) == "," * (MAX_VALUES + 1)


def test_odd_numbers_are_read() -> None:
    assert parse("[NaN, -Infinity, 1e999, " + "9" * 100_000 + "]") == [None, None, float("inf"), 0]


@pytest.mark.parametrize(
    ("value", "local"),
    [
        ("2023-4-21 @20h 02m 47s 124ms", "2023-04-21 20:02:47"),
        ("2024-09-28@01h02m03s", "2024-09-28 01:02:03"),
        ("June 19, 2023 2:20pm", "2023-06-19 14:20:00"),
        ("June 9, 2023 12:05 AM", "2023-06-09 00:05:00"),
        ("May 03, 2026 14:05", "2026-05-03 14:05:00"),
        ("2023-06-19T14:20", "2023-06-19 14:20:00"),
    ],
)
def test_dates_without_a_zone_are_local(value: str, local: str) -> None:
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds_of(value))) == local


NO_DATES: tuple[Any, ...] = (
    *(None, True, "", "soon", [], {}, -5, 0, 1e30, float("nan"), float("inf"), "9" * 50),
    *("Foo 1, 2023 2:20pm", "2023-13-01", "2023-2-30 @1h 1m 1s 1ms", "0001-01-01T00:00:00Z"),
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000_250, 1_700_000_000.25),
        ("1700000000250", 1_700_000_000.25),
        ("2023-11-14T22:13:20.5Z", 1_700_000_000.5),
        ("2023-11-14 23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T17:13:20-0500", 1_700_000_000),
        *((odd, 0) for odd in NO_DATES),
        ("2023-01-01T00:00:00+99:99", 0),
    ],
)  # fmt: skip
def test_dates_with_a_zone_and_no_dates(value: Any, seconds: float) -> None:
    assert seconds_of(value) == seconds


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{4}", fullmatch=True))
def test_no_date_does_harm(value: str) -> None:
    assert 0 <= seconds_of(value) <= 32_503_680_000


def test_plain_text_is_clean_and_tells_how_replies_ended() -> None:
    history = [
        Message("a", None, "user", "Ro\x1b[2Jok", "Hi\x07 there\n"),
        Message("b", "a", "assistant", "", "Well", state="stopped"),
    ]
    assert (
        to_text("The\nMill", history) == "The Mill\n\nRook: Hi there\n\nassistant: Well\n\n(stopped here)\n"
    )
    assert to_text("", []) == "Conversation\n"
