"""Talking in the terminal, with a real session manager and a scripted model."""

from __future__ import annotations

from collections.abc import Callable

from tests.tui.conftest import REPLY, Terminal, say, until, write

Make = Callable[..., Terminal]


async def test_a_reply_streams_into_the_transcript(open_terminal: Make) -> None:
    terminal = open_terminal(gated=True)
    async with terminal.run() as pilot:
        await pilot.press(*"Hi")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.desk.running)
        terminal.backend.allow(6)
        await until(pilot, lambda: "She nods" in terminal.text)
        assert "dusk" not in terminal.text
        assert "▌" in next(row for row in terminal.rows if "She nods" in row), "the cursor stands at the end"
        assert "writing" in terminal.text
        terminal.backend.allow()
        await until(pilot, lambda: terminal.idle)
        assert 'She nods. "The pass closes at dusk."' in terminal.text
        assert "tokens/s" in terminal.text
        assert "read" in terminal.text
        assert terminal.app.chat.composer.text == ""
    assert terminal.said == ["Hi", REPLY]


async def test_escape_stops_and_keeps_what_was_written(open_terminal: Make) -> None:
    terminal = open_terminal(gated=True)
    async with terminal.run() as pilot:
        await write(pilot, "Hi")
        await pilot.press("enter")
        terminal.backend.allow(6)
        await until(pilot, lambda: "She nods" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.idle)
        assert "stopped" in terminal.text
        assert "She nods" in terminal.text
    reply = terminal.session.history[-1]
    assert reply.state == "stopped"
    assert REPLY.startswith(reply.text.rstrip())


async def test_swipes_are_written_and_turned_through(open_terminal: Make) -> None:
    terminal = open_terminal(["First.", "Second."])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        assert "of 2" not in terminal.text
        await pilot.press("ctrl+r")
        await until(pilot, lambda: terminal.idle and "Second." in terminal.text)
        assert "‹ 2 of 2 ›" in terminal.text
        assert "First." not in terminal.text
        await pilot.press("left")
        await until(pilot, lambda: "First." in terminal.text)
        assert "‹ 1 of 2 ›" in terminal.text
        assert "Second." not in terminal.text
        await pilot.press("right")
        await until(pilot, lambda: "Second." in terminal.text)
        await write(pilot, "ab")
        await pilot.press("left")
        assert terminal.app.chat.composer.cursor_location == (0, 1), "in a text, the arrows move the cursor"
        assert "Second." in terminal.text


async def test_a_reply_goes_on_and_the_model_speaks_for_the_user(open_terminal: Make) -> None:
    terminal = open_terminal(["The lamp", " burns on.", "Put it out!"])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: terminal.idle and "The lamp burns on." in terminal.text)
        assert "‹ 2 of 2 ›" in terminal.text
        await pilot.press("ctrl+t")
        await until(pilot, lambda: terminal.idle and "Put it out!" in terminal.text)
        session = terminal.app.desk.session
        assert session is not None and session.history[-1].role == "user"
        await pilot.press("ctrl+g")
        await until(pilot, lambda: "not a reply" in terminal.text)


async def test_two_slashes_are_a_text_that_begins_with_one(open_terminal: Make) -> None:
    terminal = open_terminal(["Yes."])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "//me waves")
        session = terminal.app.desk.session
        assert session is not None and session.history[0].text == "/me waves"


async def test_a_running_reply_leaves_what_is_written_in_the_composer(open_terminal: Make) -> None:
    terminal = open_terminal(gated=True)
    async with terminal.run() as pilot:
        await write(pilot, "Hi")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.desk.running)
        await write(pilot, "And another thing")
        await pilot.press("enter")
        assert terminal.app.chat.composer.text == "And another thing"
        assert "A reply is being written." in terminal.text
        terminal.backend.allow()
        await until(pilot, lambda: terminal.idle)
        await pilot.press("enter")
        await until(pilot, lambda: "And another thing" in terminal.said)


async def test_a_message_that_cannot_be_saved_stays_in_the_composer(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        terminal.manager.store.close()
        await write(pilot, "Do not lose me")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.chat.activity.said)
        assert terminal.app.chat.composer.text == "Do not lose me"
        assert terminal.said == ["Hi", REPLY]


async def test_an_engine_that_dies_keeps_the_partial_reply_and_comes_back(open_terminal: Make) -> None:
    terminal = open_terminal(fail_after=6)
    async with terminal.run() as pilot:
        await write(pilot, "Hi")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.chat.activity.said and terminal.idle)
        assert "She nods" in terminal.text
        assert "broken off" in terminal.text
        assert terminal.session.history[-1].state == "failed"
        await say(terminal, pilot, "Again")
        assert terminal.said[-1] == REPLY


async def test_writing_and_sending_work_while_the_model_loads(open_terminal: Make) -> None:
    terminal = open_terminal(held=True)
    async with terminal.run() as pilot:
        await until(pilot, lambda: "reading the script" in terminal.text)
        await write(pilot, "Hi")
        await pilot.press("enter")
        await until(pilot, lambda: "waiting for the model" in terminal.text)
        assert terminal.said == ["Hi"]
        terminal.backend.finish_loading()
        await until(pilot, lambda: terminal.idle and terminal.said == ["Hi", REPLY])
        assert "reading the script" not in terminal.text
        assert "scripted · " in terminal.rows[1]


async def test_a_model_that_does_not_load_is_explained(open_terminal: Make) -> None:
    terminal = open_terminal(held=True)
    async with terminal.run() as pilot:
        terminal.backend.finish_loading("The file is not a model.")
        await until(pilot, lambda: "The file is not a model." in terminal.text)
        assert "F4" in terminal.text


async def test_undo_and_redo_move_along_the_tree_while_nothing_is_written(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "One")
        await say(terminal, pilot, "Two")
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "Two" not in terminal.text)
        assert terminal.said == ["One", REPLY]
        await pilot.press("ctrl+y")
        await until(pilot, lambda: "Two" in terminal.text)
        await pilot.press("x", "ctrl+z")
        assert terminal.app.chat.composer.text == ""
        assert len(terminal.said) == 4, "in a text, undo belongs to the text"


async def test_an_edited_message_becomes_an_alternative(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("tab", "up", "e")
        await until(pilot, lambda: "Edit what You said" in terminal.text)
        await pilot.press("!", "ctrl+s")
        await until(pilot, lambda: terminal.said == ["Hi!"])
        await until(pilot, lambda: "‹ 2 of 2 ›" in terminal.text)


async def test_an_edit_that_was_left_is_there_again(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("tab", "up", "e")
        await until(pilot, lambda: "Edit what You said" in terminal.text)
        await pilot.press("?", "escape", "e")
        await until(pilot, lambda: "Hi?" in terminal.text)
        assert terminal.said[0] == "Hi"


async def test_a_draft_waits_for_its_session_also_in_the_next_program(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        first = terminal.session.id
        await write(pilot, "half a thought")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: terminal.app.chat.composer.text == "")
        await say(terminal, pilot, "Elsewhere")
        terminal.app.chat.open_by_id(first)
        await until(pilot, lambda: terminal.app.chat.composer.text == "half a thought")
        await pilot.press("ctrl+q")
    again = open_terminal()
    async with again.run(again.manager.load(first)) as pilot:
        await until(pilot, lambda: again.app.chat.composer.text == "half a thought")
        assert "Hi" in again.text


async def test_a_draft_is_kept_while_it_is_written(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await write(pilot, "the terminal may be closed any time")
        await until(pilot, lambda: terminal.app.desk.draft() == "the terminal may be closed any time")


async def test_switching_away_lets_a_reply_go_on(open_terminal: Make) -> None:
    terminal = open_terminal(gated=True)
    async with terminal.run() as pilot:
        await write(pilot, "Hi")
        await pilot.press("enter")
        terminal.backend.allow(6)
        await until(pilot, lambda: "She nods" in terminal.text)
        first = terminal.session.id
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "She nods" not in terminal.text)
        terminal.backend.allow(1)
        terminal.app.chat.open_by_id(first)
        await until(pilot, lambda: "She nods" in terminal.text)
        terminal.backend.allow()
        await until(pilot, lambda: terminal.idle and "at dusk" in terminal.text)


async def test_commands_answer_and_unknown_ones_stay(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await write(pilot, "/nonsense")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.chat.activity.said)
        assert "nonsense" in terminal.app.chat.activity.said
        assert terminal.app.chat.composer.text == "/nonsense"
