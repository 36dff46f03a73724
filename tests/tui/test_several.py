"""Several replies at once: seen while they grow, turned through, stopped, and answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual import events
from textual.pilot import Pilot

from airochat.backends.base import Timings, Usage
from airochat.conversation import Message, Tree
from airochat.session.events import AlternativeEnded, TextAdded, TreeChanged, TurnEnded, TurnStarted
from airochat.tui.conversation import Change, Conversation
from airochat.tui.widgets.transcript import ROOMY
from tests.tui.conftest import Terminal, say, token_count, until, write

Make = Callable[..., Terminal]
FOUR = ["The first one.", "A second one.", "Third it is.", "Number four."]


async def begin(terminal: Terminal, pilot: Pilot[None]) -> None:
    """Ask for four replies, and let the second be written in part."""
    await write(pilot, "Hi")
    await pilot.press("ctrl+s")
    terminal.backend.allow(token_count(FOUR[0]) + 3)
    await until(pilot, lambda: "A secon" in terminal.text)


async def test_four_replies_are_seen_while_they_grow_and_the_one_looked_at_stays(open_terminal: Make) -> None:
    terminal = open_terminal(FOUR, gated=True)
    async with terminal.run() as pilot:
        await begin(terminal, pilot)
        assert "‹ 1 of 4 ›" in terminal.text
        assert terminal.app.chat.composer.text == ""
        first = next(row for row in terminal.rows if "The first one." in row)
        assert "▌" not in first, "it is complete, while the others are written"
        assert "waiting" in next(row for row in terminal.rows if row.strip().startswith("4"))
        assert "look at the others" in terminal.text
        await pilot.press("right")
        await until(pilot, lambda: "‹ 2 of 4 ›" in terminal.text)
        assert any("A secon▌" in row for row in terminal.rows)
        assert not any("The first one.▌" in row for row in terminal.rows)
        terminal.backend.allow()
        await until(pilot, lambda: terminal.idle)
        await until(pilot, lambda: terminal.said == ["Hi", FOUR[1]])
        assert "‹ 2 of 4 ›" in terminal.text
        assert FOUR[0] not in terminal.text
        for place, text in ((1, FOUR[0]), (2, FOUR[1]), (3, FOUR[2]), (4, FOUR[3])):
            await pilot.press(*["left"] * 4, *["right"] * (place - 1))
            await until(pilot, lambda place=place, text=text: f"‹ {place} of 4 ›" in terminal.text)  # type: ignore[misc]
            assert terminal.said == ["Hi", text]


async def test_four_more_of_the_last_reply_come_beside_it(open_terminal: Make) -> None:
    terminal = open_terminal(["Old.", *FOUR])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: terminal.idle and "‹ 2 of 5 ›" in terminal.text)
        assert terminal.said == ["Hi", FOUR[0]]
        await pilot.press("tab", "s")
        await until(pilot, lambda: terminal.idle and "‹ 6 of 9 ›" in terminal.text)
        await write(pilot, "/swipes 2")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.idle and "‹ 10 of 11 ›" in terminal.text)
        assert terminal.app.chat.composer.text == ""


async def test_the_key_does_not_overtake_what_was_typed_before(open_terminal: Make) -> None:
    terminal = open_terminal(FOUR)
    async with terminal.run() as pilot:
        for letter in "Quick":
            terminal.app.post_message(events.Key(letter, letter))
        terminal.app.post_message(events.Key("ctrl+s", None))
        await until(pilot, lambda: terminal.app.desk.session is not None and terminal.said)
        assert terminal.said[0] == "Quick"


async def test_a_command_is_not_answered_by_four_replies(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await write(pilot, "/cast")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Enter runs it." in terminal.text)
        assert terminal.app.chat.composer.text == "/cast"
        assert terminal.app.desk.session is None


async def test_escape_stops_all_and_keeps_what_was_written(open_terminal: Make) -> None:
    terminal = open_terminal(FOUR, gated=True)
    async with terminal.run() as pilot:
        await begin(terminal, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.idle)
        assert terminal.said == ["Hi", FOUR[0]]
        assert "‹ 1 of 2 ›" in terminal.text
        await pilot.press("right")
        await until(pilot, lambda: "stopped" in terminal.text)
        assert terminal.said == ["Hi", "A secon"]


async def test_an_answer_waits_in_the_composer_for_the_replies_to_stop(open_terminal: Make) -> None:
    terminal = open_terminal([*FOUR[:2], "Good."], gated=True)
    async with terminal.run() as pilot:
        await begin(terminal, pilot)
        turn = terminal.session.turn
        assert turn is not None
        stop, asked = turn.stop, []
        turn.stop = lambda: asked.append(True)  # type: ignore[method-assign]
        await pilot.press("right")
        await write(pilot, "Second, please")
        await pilot.press("enter")
        await until(pilot, lambda: asked and "once the replies have stopped" in terminal.text)
        assert terminal.app.chat.composer.text == "Second, please"
        assert terminal.said == ["Hi"]
        stop()
        terminal.backend.allow()
        await until(pilot, lambda: terminal.idle and terminal.said[-1] == "Good.")
        assert terminal.said == ["Hi", "A secon", "Second, please", "Good."]
        assert terminal.app.chat.composer.text == ""


async def test_an_answer_that_comes_before_the_end_is_shown_stands_under_the_one_looked_at(
    open_terminal: Make,
) -> None:
    terminal = open_terminal([*FOUR, "Good."], gated=True)
    async with terminal.run() as pilot:
        await begin(terminal, pilot)
        await pilot.press("right")
        terminal.backend.allow()
        turn = terminal.session.turn
        assert turn is not None and turn.wait(20)
        conversation = terminal.app.desk.conversation
        # As if the tree had been shown, and the end of the turn not yet.
        conversation.apply(TreeChanged(terminal.session.id, terminal.session.tree))
        assert conversation.looked_at == turn.message_ids[1]
        assert terminal.app.chat.attempt(lambda session: session.send("Second, please"))
        await until(pilot, lambda: terminal.idle and terminal.said[-1] == "Good.")
        assert terminal.said == ["Hi", FOUR[1], "Second, please", "Good."]


@pytest.mark.parametrize("key", ["!", "escape"])
async def test_an_answer_that_was_changed_or_taken_back_is_not_sent_by_itself(
    open_terminal: Make, key: str
) -> None:
    terminal = open_terminal(FOUR, gated=True)
    async with terminal.run() as pilot:
        await begin(terminal, pilot)
        turn = terminal.session.turn
        assert turn is not None
        stop = turn.stop
        turn.stop = lambda: None  # type: ignore[method-assign]
        await write(pilot, "Go on")
        await pilot.press("enter", key)
        stop()
        await until(pilot, lambda: terminal.idle)
        assert terminal.said == ["Hi", FOUR[0]]
        assert terminal.app.chat.composer.text == ("Go on!" if key == "!" else "Go on")
        assert ("Enter sends it." in terminal.text) == (key == "!")


async def test_the_one_looked_at_is_kept_also_if_another_chat_is_shown(open_terminal: Make) -> None:
    terminal = open_terminal(FOUR, gated=True)
    async with terminal.run() as pilot:
        await begin(terminal, pilot)
        first = terminal.session.id
        await pilot.press("right", "ctrl+n")
        await until(pilot, lambda: terminal.app.desk.session is None)
        terminal.backend.allow()
        await until(pilot, lambda: first not in terminal.app.desk._open)
        assert terminal.manager.load(first).history[-1].text == FOUR[1]


async def test_a_low_terminal_shows_only_the_one_that_is_looked_at(open_terminal: Make) -> None:
    terminal = open_terminal(FOUR, gated=True)
    async with terminal.run(size=(60, 30)) as pilot:
        await begin(terminal, pilot)
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: terminal.app.chat.transcript.window.rows < ROOMY)
        await pilot.pause()
        assert "The first one." in terminal.text
        assert "A secon" not in terminal.text
        await pilot.resize_terminal(60, 30)
        await until(pilot, lambda: "A secon" in terminal.text)


# The fold, without a screen


def reply(name: str) -> Message:
    return Message(name, "u", "assistant", "Mira", f"Reply {name}.", 1.0)


def tree(*replies: Message, head: str = "u") -> Tree:
    return Tree.build([Message("u", None, "user", "You", "Hi", 1.0), *replies], head)


def test_text_of_the_others_changes_only_their_lines() -> None:
    conversation = Conversation(tree(reply("old"), head="old"))
    conversation.apply(TurnStarted("s", "t", "a", "u", "Mira", ("b", "c")))
    conversation.take_change()
    for text, index in (("Fir", 0), ("Sec\x1b[2J\nond", 1), ("st", 0)):
        conversation.apply(TextAdded("s", "t", text, 1, index))
    assert conversation.take_change() == Change(last=True)
    entry = conversation.entry(1)
    assert entry.text == "First"
    assert [(one.text, one.state, one.shown) for one in entry.beside] == [
        ("First", "1 word …", True),
        ("Sec ond", "2 words …", False),
        ("", "waiting", False),
    ]
    assert "".join(text for text, _ in entry.notes[0]).startswith("‹ 2 of 4 ›")
    conversation.apply(AlternativeEnded("s", "t", 1, reply("b")))
    assert conversation.look(1)
    entry = conversation.entry(1)
    assert not entry.live, "it is complete, so there is no cursor"
    assert entry.beside[1].state == "2 words"
    assert conversation.look(1)
    assert not conversation.look(1)


def test_the_tree_is_shown_with_the_one_that_was_looked_at() -> None:
    conversation = Conversation(tree())
    conversation.apply(TurnStarted("s", "t", "a", "u", "Mira", ("b",)))
    conversation.look(1)
    conversation.apply(TreeChanged("s", tree(reply("a"), reply("b"), head="a")))
    assert conversation.looked_at == "b"
    assert conversation.entry(1).text == "Reply b."
    conversation.apply(TurnEnded("s", "t", reply("a"), "eos", Usage(), Timings()))
    assert conversation.entry(1).text == "Reply b."


def test_without_another_choice_the_first_is_shown() -> None:
    conversation = Conversation(tree())
    conversation.apply(TurnStarted("s", "t", "a", "u", "Mira", ("b",)))
    conversation.apply(TreeChanged("s", tree(reply("a"), reply("b"), head="a")))
    assert conversation.looked_at is None
    assert conversation.entry(1).text == "Reply a."
