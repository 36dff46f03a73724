"""Looking at the words of a reply, and going on from another one."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence

import pytest
from textual.pilot import Pilot

from airochat.backends.base import Scored
from airochat.errors import BackendError
from airochat.tui.screens.look import LookScreen
from airochat.tui.widgets.heat import HeatText
from airochat.tui.widgets.listing import Listing
from tests.tui.conftest import REPLY, Terminal, say, token_count, until, write
from tests.tui.test_untrusted import EVIL, raw

Make = Callable[..., Terminal]


async def look(terminal: Terminal, pilot: Pilot[None]) -> LookScreen:
    """Open the words of the last reply, and wait until they are there."""
    await pilot.press("tab", "t")
    await until(pilot, lambda: isinstance(terminal.app.screen, LookScreen) and "choice" in terminal.text)
    screen = terminal.app.screen
    assert isinstance(screen, LookScreen)
    return screen


def score_as(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, *probabilities: float) -> None:
    """Let the backend tell these probabilities, again and again."""
    score = terminal.backend.score

    def scored(prompt: Sequence[int], reply: Sequence[int], top: int = 10) -> list[Scored]:
        return [
            dataclasses.replace(one, probability=probabilities[number % len(probabilities)])
            for number, one in enumerate(score(prompt, reply, top))
        ]

    monkeypatch.setattr(terminal.backend, "score", scored)


async def test_another_word_is_taken_and_the_reply_goes_on_from_there(open_terminal: Make) -> None:
    terminal = open_terminal(["One two three.", " and so on."], gated=True)
    terminal.backend.allow(token_count("One two three."))
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        screen = await look(terminal, pilot)
        assert "One two three." in terminal.text
        await pilot.press("right")
        await until(pilot, lambda: "2 of " in terminal.text)
        pieces = [one.piece for one in screen._candidates]
        assert pieces.index(b" tw") != pieces.index(b" ra")
        await pilot.press(str(pieces.index(b" ra") + 1))
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat and "One ra▌" in terminal.text)
        assert "‹ 2 of 2 ›" in terminal.text
        terminal.backend.allow()
        await until(pilot, lambda: terminal.idle and terminal.said == ["Hi", "One ra and so on."])
        await pilot.press("left")
        await until(pilot, lambda: terminal.said == ["Hi", "One two three."])


async def test_a_word_is_taken_from_the_list_with_enter(open_terminal: Make) -> None:
    terminal = open_terminal(["One two three.", " and so on."])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        screen = await look(terminal, pilot)
        await pilot.press("enter")
        listing = screen.query_one(Listing)
        await until(pilot, lambda: listing.has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: screen.query_one(HeatText).has_focus)
        await pilot.press("right", "enter", "end")
        last = screen._candidates[-1]
        await until(pilot, lambda: listing.chosen == len(screen._candidates) - 1)
        await pilot.press("enter")
        await until(
            pilot, lambda: terminal.idle and terminal.said[1] == f"One{last.piece.decode()} and so on."
        )


async def test_the_cursor_moves_by_tokens_lines_and_surprises(
    open_terminal: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = open_terminal(["Once upon a time\nthere was a lamp."])
    score_as(terminal, monkeypatch, *[0.9] * 4, 0.001)
    async with terminal.run(size=(80, 24)) as pilot:
        await say(terminal, pilot, "Hi")
        screen = await look(terminal, pilot)
        text = screen.query_one(HeatText)

        async def at(key: str, token: int) -> None:
            await pilot.press(key)
            await until(pilot, lambda: text.cursor == token)

        await at("left", 0)
        await at("n", 4)
        await at("n", 9)
        await at("p", 4)
        await at("home", 0)
        await at("end", 7)
        assert "↵" in terminal.text
        await at("down", text.count - 1)
        await at("left", text.count - 2)
        await at("ctrl+end", text.count - 1)
        await at("right", text.count - 1)
        await at("ctrl+home", 0)
        await at("down", 7)
        await at("up", 0)
        assert "1 of " in terminal.text
        row = next(y for y, row in enumerate(terminal.rows) if "there was" in row)
        await pilot.click(offset=(terminal.rows[row].index("there was"), row))
        await until(pilot, lambda: text.cursor == 7)


async def test_leaving_while_the_reply_is_read(open_terminal: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal()
    gate, began, score = threading.Event(), threading.Event(), terminal.backend.score

    def slow(prompt: Sequence[int], reply: Sequence[int], top: int = 10) -> list[Scored]:
        began.set()
        gate.wait(20)
        return score(prompt, reply, top)

    monkeypatch.setattr(terminal.backend, "score", slow)
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("tab", "t")
        await until(pilot, lambda: began.is_set() and "reading the reply" in terminal.text)
        await pilot.press("right", "1", "escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert terminal.app.chat.transcript.has_focus, "the reply is still the chosen one"
        gate.set()
        await pilot.press("enter")
        await say(terminal, pilot, "Go on")
        assert terminal.said == ["Hi", REPLY, "Go on", REPLY]


async def test_a_backend_that_cannot_tell_is_explained(
    open_terminal: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = open_terminal()

    def refuse(*_: object) -> list[Scored]:
        raise BackendError("The engine is [gone].", "Send again.")

    monkeypatch.setattr(terminal.backend, "score", refuse)
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("tab", "t")
        await until(pilot, lambda: "The engine is [gone].  Send again." in terminal.text)
        await pilot.press("1", "enter", "right", "escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)


async def test_only_replies_have_words_to_look_at(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("tab", "up", "t")
        await until(pilot, lambda: "Only the words of replies" in terminal.text)
        assert terminal.app.screen is terminal.app.chat


async def test_not_while_a_reply_is_written(open_terminal: Make) -> None:
    terminal = open_terminal(gated=True)
    async with terminal.run() as pilot:
        await write(pilot, "Hi")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.desk.running)
        terminal.app.chat.action_look()
        await until(pilot, lambda: "A reply is being written." in terminal.text)
        assert terminal.app.screen is terminal.app.chat


async def test_half_characters_are_shown_whole(open_terminal: Make) -> None:
    terminal = open_terminal(["☕☕ Привет мир"])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        screen = await look(terminal, pilot)
        text = screen.query_one(HeatText)
        assert "☕☕ Привет мир" in terminal.text
        halves = False
        for token in range(1, text.count):
            halves |= "bytes " in terminal.text
            await pilot.press("right")
            await until(pilot, lambda token=token: f"{token + 1} of {text.count}" in terminal.text)  # type: ignore[misc]
        assert halves, "in the list, a part of a character is told by its bytes"


async def test_the_words_of_an_evil_model_are_only_text(open_terminal: Make) -> None:
    terminal = open_terminal([EVIL])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        screen = await look(terminal, pilot)
        text = screen.query_one(HeatText)
        for _ in range(text.count):
            await pilot.press("right")
            assert all(character.isprintable() for character in raw(terminal))
        assert "[@click=app.quit]" in terminal.text.replace("\n", "")


async def test_without_colours_the_steps_are_bold_and_underlined(
    open_terminal: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = open_terminal()
    score_as(terminal, monkeypatch, 0.9, 0.1, 0.02, 0.001)
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await look(terminal, pilot)
        styles = [
            segment.style
            for segment in terminal.app.screen.query_one(HeatText).render_line(0)
            if segment.style and segment.text.strip()
        ]
        ways = [(bool(each.bold), bool(each.underline), bool(each.reverse)) for each in styles[:4]]
        assert ways == [(False, False, True), (False, True, False), (True, False, False), (True, True, False)]
        drawn = [segment.style for row in terminal.app.screen._compositor.render_strips() for segment in row]
        colors = {color for style in drawn if style for color in (style.color, style.bgcolor) if color}
        assert all(color.is_default for color in colors)
        assert any(style.reverse for style in drawn if style)


async def test_colours_grow_with_the_surprise(open_terminal: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal()
    score_as(terminal, monkeypatch, 0.9, 0.9, 0.3, 0.1, 0.02, 0.001)
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await look(terminal, pilot)
        segments = list(terminal.app.screen.query_one(HeatText).render_line(0))
        behind = [each.style.bgcolor.triplet for each in segments[1:6] if each.style and each.style.bgcolor]
        reds = [color.red for color in behind if color]
        assert reds == sorted(reds)
        assert len(set(reds)) == 5


async def test_the_palette_and_a_command_lead_there_too(open_terminal: Make) -> None:
    terminal = open_terminal(["One two three.", " and so on."])
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("ctrl+p")
        await pilot.press(*"look at the words")
        await until(pilot, lambda: "t on a chosen one" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: "choice" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        await write(pilot, "/tokens")
        await pilot.press("enter")
        await until(pilot, lambda: "choice" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert terminal.app.chat.composer.text == ""


async def test_steering_by_a_command_holds_nothing_up(
    open_terminal: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = open_terminal(["One two three.", " and so on."])
    gate, began, score = threading.Event(), threading.Event(), terminal.backend.score

    def slow(prompt: Sequence[int], reply: Sequence[int], top: int = 10) -> list[Scored]:
        began.set()
        gate.wait(20)
        return score(prompt, reply, top)

    monkeypatch.setattr(terminal.backend, "score", slow)
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await write(pilot, "/steer 2 1")
        await pilot.press("enter")
        await until(pilot, began.is_set)
        assert terminal.app.chat.composer.text == "/steer 2 1", "until it is accepted"
        gate.set()
        await until(pilot, lambda: terminal.idle and terminal.said[1].endswith(" and so on."))
        await until(pilot, lambda: terminal.app.chat.composer.text == "")
