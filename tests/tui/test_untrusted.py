"""What models and files say must not reach the terminal as anything but text."""

from __future__ import annotations

from collections.abc import Callable

from tests.tui.conftest import Terminal, say, until

Make = Callable[..., Terminal]
EVIL = "a\x1b[2Jb\x1b]0;owned\x07c\x9b31md\x1b]52;c;b3duZWQ=\x07e\u202ef [@click=app.quit]g[/] [/oops] \x1b[?1049l"


def raw(terminal: Terminal) -> str:
    """Return everything that is sent to the terminal as text."""
    return "".join(segment.text for row in terminal.app.screen._compositor.render_strips() for segment in row)


async def test_escape_sequences_and_markup_of_a_model_are_only_text(open_terminal: Make) -> None:
    terminal = open_terminal([EVIL])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        shown = raw(terminal)
        assert "abcdef [@click=app.quit]g[/] [/oops]" in shown
        assert all(character.isprintable() for character in shown)
        assert terminal.app.is_running


async def test_evil_titles_and_errors_are_only_text(open_terminal: Make) -> None:
    terminal = open_terminal(held=True)
    session = terminal.manager.new(title=f"T {EVIL}")
    async with terminal.run(session) as pilot:
        terminal.backend.finish_loading(f"Not loaded: {EVIL}")
        await until(pilot, lambda: "Not loaded" in terminal.text)
        await pilot.press("ctrl+k")
        await pilot.pause()
        shown = raw(terminal)
        assert all(character.isprintable() for character in shown)


async def test_a_hundred_kilobytes_on_one_line(open_terminal: Make) -> None:
    line = "word " * 20_000
    terminal = open_terminal(lambda _prompt: line)
    async with terminal.run() as pilot:
        session = terminal.manager.new()
        from airochat.conversation import Message, new_id

        message = Message(new_id(), None, "assistant", "Mira", line + "the end", 1.0)
        terminal.manager.store.add_message(session.id, message)
        terminal.manager.store.record_step(session.id, message.id)
        session.close()
        terminal.app.chat.open_by_id(session.id)
        await until(pilot, lambda: "the end" in terminal.text)
        await pilot.press("pageup")
        await until(pilot, lambda: "the end" not in terminal.text)
        assert "word word word" in terminal.text
