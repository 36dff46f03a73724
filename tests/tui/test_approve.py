"""Calls of tools in the terminal: the question, its answers, and what is shown meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airochat.conversation import TOOLS, Message, Tree
from airochat.tui.conversation import RESULT_LINES, Conversation
from airochat.tui.screens import approve
from airochat.tui.screens.approve import ApproveScreen
from airochat.tui.screens.keys import KeysScreen
from tests.session.toolbox import write_toolbox
from tests.tui.conftest import Terminal, say, until, write

Make = Callable[..., Terminal]

LAMP = 'CALL lamp {"sides": 6}'


@pytest.fixture
def calling(open_terminal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """Make a terminal whose model says these replies and has the toolbox."""
    monkeypatch.setenv("AIROCHAT_PLUGINS", "toolbox")
    write_toolbox(tmp_path / "home")

    def make(*replies: str, pause: float = 0.0) -> Terminal:
        monkeypatch.setattr(approve, "PAUSE_S", pause)
        return open_terminal(list(replies))

    return make


def asked(terminal: Terminal) -> ApproveScreen | None:
    """The question on the screen."""
    screen = terminal.app.screen
    return screen if isinstance(screen, ApproveScreen) else None


async def ask(terminal: Terminal, pilot: Any, text: str = "Light it") -> None:
    """Send a text and wait for the question."""
    await write(pilot, text)
    await pilot.press("enter")
    await until(pilot, lambda: asked(terminal) is not None and "May the model use" in terminal.text)


@pytest.mark.parametrize(
    ("key", "state", "approved"),
    [
        ("y", "done", "once"),
        ("c", "done", "chat"),
        ("a", "done", "always"),
        ("n", "denied", "no"),
        ("v", "denied", "no"),
        ("escape", "denied", "no"),
    ],
)
async def test_a_key_answers_and_the_model_goes_on(
    calling: Callable[..., Terminal], key: str, state: str, approved: str
) -> None:
    terminal = calling(LAMP, "So be it.")
    async with terminal.run() as pilot:
        await ask(terminal, pilot)
        for part in (
            "May the model use lamp of the harbour?",
            "by the plugin toolbox",
            "Lights the lamp.",
            '"sides": 6',
        ):
            assert part in terminal.text
        await pilot.press(key)
        await until(pilot, lambda: terminal.idle and len(terminal.said) == 4)
        assert asked(terminal) is None and terminal.said[3] == "So be it."
        (call,) = terminal.session.history[2].provenance.calls
        assert (call["state"], call["approved"]) == (state, approved)
        parts = (LAMP, TOOLS, call["text"], "So be it.")
        await until(pilot, lambda: all(part in terminal.text for part in parts))
        kept = terminal.manager.approvals.standing(terminal.session.id, "toolbox", "lamp")
        assert kept == {"c": "chat", "a": "always", "v": "never"}.get(key)


async def test_whoever_is_typing_answers_nothing(calling: Callable[..., Terminal]) -> None:
    terminal = calling(LAMP, "So be it.", pause=3600.0)
    async with terminal.run() as pilot:
        await ask(terminal, pilot)
        await pilot.press(*"yes, always")
        question = asked(terminal)
        assert question is not None and not question.pending.over
        question._touched -= 3600
        await pilot.press("y")
        await until(pilot, lambda: terminal.idle and len(terminal.said) == 4)
        assert terminal.session.history[2].provenance.calls[0]["approved"] == "once"


async def test_a_question_goes_away_with_its_turn(calling: Callable[..., Terminal]) -> None:
    terminal = calling(LAMP, "So be it.")
    async with terminal.run() as pilot:
        await ask(terminal, pilot)
        terminal.session.stop()
        await until(pilot, lambda: terminal.idle and asked(terminal) is None)
        assert terminal.said == ["Light it", LAMP]
        await pilot.press("enter")
        await until(pilot, lambda: asked(terminal) is not None)
        await pilot.press("y")
        await until(pilot, lambda: terminal.idle and terminal.said[-1] == "So be it.")


async def test_a_question_under_another_screen_is_gone_when_that_closes(
    calling: Callable[..., Terminal],
) -> None:
    terminal = calling(LAMP, "So be it.")
    async with terminal.run() as pilot:
        await ask(terminal, pilot)
        await terminal.app.push_screen(KeysScreen())
        await until(pilot, lambda: asked(terminal) is None)
        terminal.session.stop()
        await until(pilot, lambda: terminal.idle)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)


async def test_a_call_is_shown_while_it_runs_and_esc_stops_it(calling: Callable[..., Terminal]) -> None:
    terminal = calling('CALL slow {"deep": 1}', "never said")
    async with terminal.run() as pilot:
        await write(pilot, "Wait for it")
        await pilot.press("enter")
        await until(pilot, lambda: "being called · esc stops it" in terminal.text)
        assert 'slow {"deep": 1}' in terminal.text and 'CALL slow {"deep": 1}' in terminal.text
        await pilot.press("escape")
        await until(pilot, lambda: terminal.idle and "is not known" in terminal.text)
        assert "being called" not in terminal.text and len(terminal.said) == 3
        globals_: Any = terminal.session.tools()["slow"][1].run.__globals__
        globals_["GATE"].set()


async def test_another_chat_asks_by_its_title(calling: Callable[..., Terminal]) -> None:
    terminal = calling("Hello.", LAMP, "So be it.")
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hello")
        other = terminal.manager.new(title="The Mill")
        turn = other.send("Light it")
        await until(pilot, lambda: asked(terminal) is not None and "in the chat The Mill" in terminal.text)
        await pilot.press("n")
        await until(pilot, lambda: turn.done)
        assert other.results_of(other.history[1].id)[0]["state"] == "denied"


async def test_what_a_plugin_says_of_its_tool_is_clean(
    open_terminal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.session.toolbox import CODE

    monkeypatch.setenv("AIROCHAT_PLUGINS", "toolbox")
    monkeypatch.setattr(approve, "PAUSE_S", 0.0)
    wild = CODE.replace('"Lights the lamp."', '"[red]Lights\\x1b[2J " + "very " * 5000')
    write_toolbox(tmp_path / "home", wild.replace('"lamp of the harbour"', '"[bold]lamp\\x1b]0;x\\x07\\nof"'))
    terminal = open_terminal(['CALL lamp {"sides": 6, "why": "' + "[blink]x " * 60 + '\\u202e"}', "Well."])
    async with terminal.run() as pilot:
        await ask(terminal, pilot)
        assert "[bold]lamp of" in terminal.text and "[red]Lights" in terminal.text
        assert "yes, once" in terminal.text, "the keys are still to be seen"
        await pilot.press("pagedown", "pagedown", "n")
        await until(pilot, lambda: terminal.idle and len(terminal.said) == 4)


def test_long_results_are_shown_from_their_beginning() -> None:
    said = Message("a", None, "user", "You", "Roll")
    text = "\n".join(f"line {number}" for number in range(100))
    results = Message("b", "a", "system", TOOLS, text)
    conversation = Conversation(Tree.build([said, results], "b"))
    entry = conversation.entry(1)
    assert entry.role == "system" and entry.name == TOOLS
    assert entry.text.splitlines() == [f"line {number}" for number in range(RESULT_LINES)]
    assert "more characters" in str(entry.notes)
    assert list(conversation.sizes(1)) == [(len(entry.text), RESULT_LINES - 1)]
    short = Conversation(Tree.build([said, Message("b", "a", "system", TOOLS, "4")], "b"))
    assert short.entry(1).text == "4" and not short.entry(1).notes
