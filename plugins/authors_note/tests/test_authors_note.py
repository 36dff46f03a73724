from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airochat.characters import Card
from airochat.errors import UsageError
from airochat.hooks import Block, ChatContext, PluginHost, Text
from airochat.hooks.testing import PluginBench
from airochat.store import Store

FOLDER = Path(__file__).parents[1]


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


def bench(*said: str, **chat: object) -> PluginBench:
    return PluginBench(FOLDER, said, **chat)


def test_every_third_message_of_the_user() -> None:
    made = bench()
    made.command("/note Rain.")
    assert made.command("/note every 3").startswith(
        "Author's note, at depth 4, with one in 3 of your messages: "
    )
    there = []
    for number in range(1, 8):
        made.add(str(number), "user")
        there.append(len(made.blocks()))
        made.add("reply", "assistant")
        assert len(made.blocks()) == there[-1], "a reply changes nothing"
    assert there == [0, 0, 1, 0, 0, 1, 0]
    made.command("/note every 0")
    assert made.blocks() == []
    made.command("/note every 1")
    assert len(made.blocks()) == 1
    with pytest.raises(UsageError, match="not a number of messages"):
        made.command("/note every 1001")
    made.command("/note every night")
    assert made.blocks()[0].text == "every night"


def test_head_and_role() -> None:
    made = bench("Hello.")
    assert made.command("/note head") == "The author's note will be at the top."
    made.command("/note Rain.")
    assert made.blocks()[0].depth is None
    assert made.command("/note role user") == "Author's note, at the top, said by user: Rain."
    assert made.command("/note depth 2") == "Author's note, at depth 2, said by user: Rain."
    assert (made.blocks()[0].depth, made.blocks()[0].role) == (2, "user")


def test_a_character_s_note_is_the_default_of_its_chats() -> None:
    made = bench("Hello.", cards=(Card(name="Ada"),), expand=lambda text: text.replace("{{char}}", "Ada"))
    assert (
        made.command("/note card {{char}} is tired.")
        == "Author's note of all chats with Ada: {{char}} is tired."
    )
    assert [block.text for block in made.blocks()] == ["Ada is tired."]
    assert "at depth 4, as in all chats with Ada: " in made.command("/note")
    made.command("/note Rain.")
    assert [block.text for block in made.blocks()] == ["Rain."]
    assert made.command("/note card").endswith("This chat has its own.")
    made.command("/note off")
    assert made.blocks() == []
    made.command("/note on")
    assert [block.text for block in made.blocks()] == ["Ada is tired."]
    made.command("/note off")
    made.command("/note card off")
    assert made.command("/note on").startswith("This chat has no author's note")
    with pytest.raises(UsageError, match="no character"):
        bench().command("/note card Rain.")


def test_the_form() -> None:
    made = bench("Hello.", cards=(Card(name="Ada"),))
    told = made.act("save", text="Rain.", position="head", every=2, role="assistant").message
    assert told == "Author's note, at the top, said by assistant, with one in 2 of your messages: Rain."
    assert made.context().storage("card") == {}
    assert made.blocks() == []
    (state,) = (part.text for part in made.panel().parts if isinstance(part, Text))
    assert state == "This chat's own; it comes with message 1 of yours from here."
    made.command("/note every 5")
    (state,) = (part.text for part in made.panel().parts if isinstance(part, Text))
    assert state == "This chat's own; it comes with message 4 of yours from here."
    made.act("off")
    made.act("card", text="Snow.", every=1)
    assert made.blocks() == []
    made.command("/note on")
    assert [block.text for block in made.blocks()] == []
    made.command("/note every 1")
    assert [block.text for block in made.blocks()] == ["Snow."]
    made.act("save", depth=7)
    assert "text" not in made.context().data, "the character's stays the character's"
    made.act("card", text="Hail.")
    assert [block.text for block in made.blocks()] == ["Hail."]
    made.act("save", text="")
    assert made.blocks() == []
    made.act("card_off")
    assert dict(made.context().storage("card")).get("text") is None


@pytest.mark.parametrize("kept", [{"depth": "x"}, {"depth": -1}, {"every": None}, {"role": 3}, {"text": 7}])
def test_what_was_damaged_counts_as_not_set(kept: dict[str, object]) -> None:
    made = bench("Hello.")
    made.command("/note Rain.")
    made.context().data.update(kept)
    assert [block.depth for block in made.blocks()] in ([4], [])
    made.panel()
