"""The commands of plugins in the terminal: long answers, slow ones, and their pieces in the prompt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from airochat.tui.screens.answer import AnswerScreen
from tests.hooks import signals
from tests.hooks.helpers import write_plugin
from tests.tui.conftest import Terminal, say, until, write

Make = Callable[..., Terminal]
CODE = """
from tests.hooks import signals

def listing(context, words):
    return "\\n".join(f"line {number}" for number in range(9))

def slow(context, words):
    signals.wait_for("go")
    return "It has come."

@hookimpl
def register_commands(register):
    register(Command("listing", "Lists.", "/listing", listing))
    register(Command("slow", "Waits.", "/slow", slow))

@hookimpl
def contribute_blocks(context):
    text = "The gate is shut. " * 60
    return [Block("plugin:guide/long", text, reason="always"), Block("plugin:guide/word#2", "Ember.", reason="asked")]
"""


@pytest.fixture
def terminal(open_terminal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal with a plugin that has these commands, and no other."""
    monkeypatch.setenv("AIROCHAT_PLUGINS", "guide")
    write_plugin(tmp_path / "home" / "plugins", "guide", CODE)
    (tmp_path / "home" / "settings.toml").write_text('plugins_enabled = ["guide"]\n', encoding="utf-8")
    signals.reset()
    return open_terminal()


async def test_a_long_answer_stays_until_it_is_read(terminal: Terminal) -> None:
    async with terminal.run() as pilot:
        await write(pilot, "/listing")
        await pilot.press("enter")
        await until(pilot, lambda: "line 8" in terminal.text)
        assert isinstance(terminal.app.screen, AnswerScreen)
        assert terminal.app.chat.composer.text == ""
        await pilot.press("enter")
        await until(pilot, lambda: "line 8" not in terminal.text)
        assert not terminal.app._notifications


async def test_the_screen_goes_on_while_a_command_is_slow(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airochat.tui.screens.chat_replies.PATIENCE_S", 0.01)
    async with terminal.run() as pilot:
        await write(pilot, "/slow")
        await pilot.press("enter")
        await until(pilot, lambda: "takes longer" in terminal.text)
        await pilot.press(*"Next")
        assert terminal.app.chat.composer.text == "Next"
        signals.tell("go")
        await until(pilot, lambda: "It has come." in terminal.text)
        assert terminal.app.chat.composer.text == "Next"


async def test_the_inspector_lists_the_pieces_of_a_plugin_and_goes_to_a_part(terminal: Terminal) -> None:
    async with terminal.run(size=(120, 30)) as pilot:
        await say(terminal, pilot, "Hi")
        await write(pilot, "And then?")
        await pilot.press("f3")
        await until(pilot, lambda: "word#2" in terminal.text)
        rows = terminal.rows
        place = next(number for number, row in enumerate(rows) if "word#2" in row)
        assert "asked" in rows[place + 1]
        listing = terminal.app.screen.query_one(OptionList)
        listing.highlighted = next(
            number for number, one in enumerate(listing.options) if one.id == "message"
        )
        await until(pilot, lambda: "And then?" in terminal.text)
        await pilot.resize_terminal(80, 24)
        sums = terminal.app.screen.query_one("#prompt-sums", Static)
        await until(pilot, lambda: sums.size.height == 2 and "in the cache" in terminal.text)
        await until(pilot, lambda: "all 2" in terminal.text and "word#2" not in terminal.text)
        assert any("Plugin · guide" in row and "424" in row for row in terminal.rows)
