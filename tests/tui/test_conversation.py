"""What is shown of a session, without a screen."""

from __future__ import annotations

from airochat.backends.base import Timings, Usage
from airochat.conversation import Message, Provenance, State, Tree
from airochat.session.events import PromptRead, TextAdded, TreeChanged, TurnEnded, TurnStarted
from airochat.tui.conversation import Change, Conversation

USAGE = {"prompt": 1242, "reused": 1204, "evaluated": 38, "generated": 20}


def reply(name: str, state: State = "finished", reason: str = "eos") -> Message:
    return Message(
        name,
        "u",
        "assistant",
        "Mira",
        f"Reply {name}.",
        1.0,
        state,
        (),
        Provenance(stop_reason=reason, usage=USAGE),
    )


def tree(*replies: Message) -> Tree:
    return Tree.build(
        [Message("u", None, "user", "You", "Hi", 1.0), *replies], replies[-1].id if replies else "u"
    )


def notes(conversation: Conversation, index: int = -1) -> list[str]:
    entry = conversation.entry(len(conversation) + index if index < 0 else index)
    return ["".join(text for text, _ in pieces) for pieces in entry.notes]


def test_the_last_reply_tells_its_place_and_its_figures() -> None:
    conversation = Conversation(tree(reply("a"), reply("b")))
    assert notes(conversation) == ["‹ 2 of 2 ›     1,204 tokens reused, 38 read"]
    assert conversation.context_used == 1262


def test_how_a_reply_ended_is_said() -> None:
    assert notes(Conversation(tree(reply("a", "stopped", "user"))))[0].startswith("stopped · ")
    assert notes(Conversation(tree(reply("a", reason="length"))))[0].startswith("reached the length limit · ")
    assert (
        notes(Conversation(tree(reply("a", "failed", "The engine ended."))))[0]
        == "broken off: The engine ended."
    )
    assert "cut off" in notes(Conversation(tree(reply("a", "running", ""))))[0]


def test_a_new_alternative_stands_in_the_place_of_the_old_one_while_it_is_written() -> None:
    conversation = Conversation(tree(reply("a")))
    conversation.apply(TurnStarted("s", "t", "b", "u", "Mira"))
    assert conversation.take_change() == Change(keep=0)
    assert len(conversation) == 2
    conversation.apply(PromptRead("s", "t", 512, 2048, 0))
    assert notes(conversation) == ["‹ 2 of 2 ›     reading the prompt · 512 of 2,048 tokens"]
    conversation.apply(TextAdded("s", "t", "Reply", 1))
    assert conversation.take_change() == Change(last=True)
    assert conversation.entry(1).text == "Reply"
    assert conversation.entry(1).live


def test_the_finished_reply_takes_the_place_of_the_running_one() -> None:
    conversation = Conversation(tree())
    conversation.apply(TurnStarted("s", "t", "a", "u", "Mira"))
    conversation.apply(TextAdded("s", "t", "Reply", 1))
    conversation.apply(TreeChanged("s", tree(reply("a"))))
    conversation.apply(TurnEnded("s", "t", reply("a"), "eos", Usage(), Timings(0.1, 31.2)))
    assert len(conversation) == 2
    assert conversation.entry(1).text == "Reply a."
    assert notes(conversation) == ["31 tokens/s · 1,204 tokens reused, 38 read"]


def test_a_turn_that_wrote_nothing_gives_the_old_reply_back() -> None:
    conversation = Conversation(tree(reply("a")))
    conversation.apply(TurnStarted("s", "t", "b", "u", "Mira"))
    conversation.apply(TurnEnded("s", "t", None, "failed", Usage(), Timings(), "It broke.", ""))
    assert [conversation.entry(index).text for index in range(len(conversation))] == ["Hi", "Reply a."]
