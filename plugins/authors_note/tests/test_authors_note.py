from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airochat.errors import UsageError
from airochat.hooks import Block, ChatContext, PluginHost
from airochat.store import Store


class Chat:
    """One chat in a real store, with the bundled plugins."""

    def __init__(self, host: PluginHost, session_id: str) -> None:
        self.host = host
        self.session_id = session_id

    def context(self, plugin: str) -> ChatContext:
        return self.host.context(
            plugin,
            session_id=self.session_id,
            title="",
            history=(),
            cards=(),
            persona=None,
            user_name="You",
        )

    def say(self, line: str) -> str:
        return self.host.run_command(line, self.context)

    @property
    def blocks(self) -> list[Block]:
        return self.host.blocks(self.context)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "airochat.db")
    yield opened
    opened.close()


@pytest.fixture
def chat(store: Store) -> Chat:
    return Chat(PluginHost(None, store.mapping), "one")


def test_a_note_becomes_one_block(chat: Chat) -> None:
    assert chat.blocks == []
    assert "no author's note" in chat.say("/note")
    answer = chat.say("/note The rain\ngrows  louder. ")
    assert answer == chat.say("/note") == "Author's note, at depth 4: The rain\ngrows  louder."
    (block,) = chat.blocks
    assert (block.source, block.text) == ("plugin:authors_note", "The rain\ngrows  louder.")
    assert (block.depth, block.role, block.reason) == (4, "system", "author's note")


def test_depth_moves_the_note_and_outlives_it(chat: Chat) -> None:
    assert chat.say("/note depth") == "The author's note is at depth 4."
    assert "will be at depth 2" in chat.say("/note depth 2")
    chat.say("/note Rain.")
    assert chat.blocks[0].depth == 2
    assert "at depth 0: Rain." in chat.say("/note depth 0")
    assert chat.blocks[0].depth == 0
    chat.say("/note off")
    chat.say("/note Snow.")
    assert chat.blocks[0].depth == 0


@pytest.mark.parametrize("number", ["four", "-1", "1001", "1.5", "9" * 5000, "²"])
def test_a_wrong_depth_is_refused_and_changes_nothing(chat: Chat, number: str) -> None:
    chat.say("/note Rain.")
    with pytest.raises(UsageError, match="is not a depth"):
        chat.say(f"/note depth {number}")
    assert (chat.blocks[0].text, chat.blocks[0].depth) == ("Rain.", 4)


def test_words_that_only_begin_like_a_command_are_a_note(chat: Chat) -> None:
    for text in ("depth of winter", "off the coast", "Depth charges everywhere"):
        chat.say(f"/note {text}")
        assert chat.blocks[0].text == text


def test_off_removes_the_note(chat: Chat) -> None:
    chat.say("/note Rain.")
    assert chat.say("/note off") == "The author's note is off."
    assert chat.blocks == []
    assert chat.say("/note off") == "The author's note is off."


def test_each_chat_has_its_own_note_and_keeps_it(chat: Chat, store: Store) -> None:
    chat.say("/note Rain.")
    other = Chat(chat.host, "two")
    assert other.blocks == []
    other.say("/note Snow.")
    again = Chat(PluginHost(None, store.mapping), "one")
    assert [block.text for block in again.blocks] == ["Rain."]
