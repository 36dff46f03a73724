"""The model reads what is to come while nobody waits for it, and what it no longer sees is marked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airochat.tui.conversation import HORIZON
from tests.tui.conftest import Terminal, say, until
from tests.tui.test_transcript import hold, long_tree

Make = Callable[..., Terminal]


def listen(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of texts for which the current session is asked to read ahead."""
    asked: list[str] = []
    session, prepare = terminal.session, terminal.session.prepare

    def note(text: str = "") -> None:
        asked.append(text)
        prepare(text)

    monkeypatch.setattr(session, "prepare", note)
    return asked


def read(terminal: Terminal) -> int:
    return terminal.backend.cache_report().tokens


async def test_a_chat_is_read_when_it_is_opened(open_terminal: Make) -> None:
    terminal = open_terminal(held=True)
    async with terminal.run(hold(terminal, long_tree(20))) as pilot:
        await until(pilot, lambda: "Message 19." in terminal.text)
        await until(pilot, lambda: not terminal.app.chat._prepare_waits)
        assert read(terminal) == 0
        terminal.backend.finish_loading()
        await until(pilot, lambda: read(terminal) > 100)


async def test_what_is_written_is_read_after_a_pause_and_not_with_every_key(
    open_terminal: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await until(pilot, lambda: not terminal.app.chat._prepare_waits and terminal.session.ahead.wait(0))
        asked, before = listen(terminal, monkeypatch), read(terminal)
        written = "The old lighthouse keeper said nothing for a long while "
        for character in written:
            terminal.app.chat.composer.insert(character)
        await until(pilot, lambda: asked and asked[-1] == written)
        assert len(asked) < 5
        await until(pilot, lambda: read(terminal) > before + 10)
        assert terminal.app.chat.composer.text == written


async def test_it_is_read_again_after_a_reply(open_terminal: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        asked = listen(terminal, monkeypatch)
        await say(terminal, pilot, "And then?")
        await until(pilot, lambda: asked[-1:] == [""])


async def test_commands_are_not_read(open_terminal: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await until(pilot, lambda: not terminal.app.chat._prepare_waits)
        asked = listen(terminal, monkeypatch)
        terminal.app.chat.composer.insert("/note")
        await until(pilot, lambda: terminal.app.chat._prepare_waits)
        await until(pilot, lambda: not terminal.app.chat._prepare_waits)
        assert asked == []
        terminal.app.chat.composer.restore("//me")
        await until(pilot, lambda: asked == ["/me"])


async def test_a_new_chat_is_not_stored_to_be_read(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        terminal.app.chat.composer.insert("Hello")
        await until(pilot, lambda: terminal.app.chat._prepare_waits)
        await until(pilot, lambda: not terminal.app.chat._prepare_waits)
        assert terminal.app.desk.session is None
        assert not terminal.manager.sessions()


def line_above(terminal: Terminal, number: int) -> bool:
    """Return whether the horizon stands right above a message."""
    rows = [row for row in terminal.rows if HORIZON in row or "Message " in row]
    at = next((at for at, row in enumerate(rows) if HORIZON in row), None)
    return at is not None and at + 1 < len(rows) and f"Message {number}." in rows[at + 1]


@pytest.mark.parametrize("count", [60, 10_000])
async def test_a_line_tells_what_the_model_no_longer_sees(open_terminal: Make, count: int) -> None:
    terminal = open_terminal(n_ctx=1500)
    session = hold(terminal, long_tree(count))
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.conversation.horizon is not None)
        conversation, transcript = terminal.app.desk.conversation, terminal.app.chat.transcript
        index = next(at for at, one in enumerate(session.history) if one.id == conversation.horizon)
        assert 10 < count - index < 50
        assert transcript.window.measured < 40, "nothing was laid out for it"
        transcript.window.jump(index - 1)
        transcript.choose(index)
        await until(pilot, lambda: line_above(terminal, index))
        before = session.horizon
        while session.horizon == before:
            await say(terminal, pilot, "word " * 40)
        await until(pilot, lambda: conversation.horizon == session.horizon)
        transcript.choose(index)
        transcript.window.jump(index)
        await until(pilot, lambda: f"Message {index}." in terminal.text and not line_above(terminal, index))


async def test_the_line_is_no_part_of_what_is_copied(open_terminal: Make) -> None:
    terminal = open_terminal(n_ctx=700)
    session = hold(terminal, long_tree(30))
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.conversation.horizon is not None)
        conversation, transcript = terminal.app.desk.conversation, terminal.app.chat.transcript
        index = next(at for at, one in enumerate(session.history) if one.id == conversation.horizon)
        assert conversation.entry(index).above == HORIZON
        assert HORIZON not in transcript.body(index).plain
        assert transcript.body(index).rows[0].kind == "line"
