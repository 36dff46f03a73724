"""The list of plugins in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tomli

from airochat.tui.screens.panel import PanelScreen
from airochat.tui.screens.plugins import PluginsScreen
from tests.hooks.helpers import write_plugin
from tests.tui import panel_plugin as desk
from tests.tui.conftest import Terminal, until, write

Make = Callable[..., Terminal]
TWO = """
def show(context, place):
    return View("Shown", (Text("Here it is."),))

@hookimpl
def register_panels(register):
    for name in ("one", "two"):
        register(Panel(name, f"Panel {name}", "", show, lambda context, act: Outcome()))
"""


@pytest.fixture
def terminal(open_terminal: Make, tmp_path: Path) -> Terminal:
    """A terminal with plugins that run, that failed, that are off and that are missing."""
    home = tmp_path / "home"
    desk.enable(home, "broken", "gone", "pair")
    write_plugin(home / "plugins", "broken", "raise ValueError('no [good]')")
    write_plugin(home / "plugins", "stranger", "")
    write_plugin(home / "plugins", "pair", TWO)
    return open_terminal()


async def choose(terminal: Terminal, name: str) -> PluginsScreen:
    screen = terminal.app.screen
    assert isinstance(screen, PluginsScreen)
    screen.listing.choose(next(n for n, one in enumerate(screen._plugins) if one.name == name))
    return screen


def written(terminal: Terminal, key: str) -> list[str]:
    found: list[str] = tomli.loads(terminal.manager.home.settings.read_text(encoding="utf-8")).get(key, [])
    return found


async def test_all_plugins_are_listed_with_how_they_are(terminal: Terminal) -> None:
    async with terminal.run(size=(120, 50)) as pilot:
        await write(pilot, "half a sentence")
        await pilot.press("f7")
        await until(pilot, lambda: "Knows [the facts]." in terminal.text)
        states = {row.split()[0]: row.split()[1:3] for row in terminal.rows if row.strip()}
        assert (
            states["desk"][0] == "on" and states["broken"][0] == "failed" and states["stranger"][0] == "off"
        )
        assert states["gone"] == ["not", "there"] and states["lorebook"][0] == "on"
        await choose(terminal, "broken")
        await until(pilot, lambda: "It failed while it was loaded: ValueError: no [good]" in terminal.text)
        await choose(terminal, "desk")
        await until(pilot, lambda: "/panel desk" in terminal.text and "Settings of desk" in terminal.text)
        assert "It runs." in terminal.text and "from your plugins folder" in terminal.text
        assert "register_panels" in terminal.text
        await pilot.press("f7", "escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert terminal.app.chat.composer.full_text == "half a sentence"


async def test_enter_opens_the_panel_and_s_the_settings(terminal: Terminal) -> None:
    async with terminal.run(size=(120, 50)) as pilot:
        await pilot.press("f7")
        await until(pilot, lambda: "Knows [the facts]." in terminal.text)
        await choose(terminal, "desk")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(terminal.app.screen, PanelScreen) and "Save" in terminal.text)
        assert terminal.app.desk.session is None, "settings need no chat"
        await pilot.press("escape", "enter")
        await until(pilot, lambda: "Known so far" in terminal.text)
        assert terminal.app.desk.session is not None
        await pilot.press("escape")
        await choose(terminal, "pair")
        await pilot.press("enter")
        await until(pilot, lambda: "Which panel?" in terminal.text)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Here it is." in terminal.text)


async def test_a_plugin_that_is_off_says_how_it_is_let_run(terminal: Terminal) -> None:
    async with terminal.run(size=(120, 50)) as pilot:
        await pilot.press("f7")
        await until(pilot, lambda: "Knows [the facts]." in terminal.text)
        await choose(terminal, "stranger")
        await until(pilot, lambda: "look at it first" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: "A plugin that is off has no panels." in terminal.text)
        await pilot.press("e")
        await until(pilot, lambda: "It is off, and runs from the next start on." in terminal.text)
        assert written(terminal, "plugins_enabled") == ["desk", "broken", "gone", "pair", "stranger"]
        assert "off, then on" in terminal.text
        await pilot.press("space")
        await until(pilot, lambda: "off, then on" not in terminal.text)
        assert "stranger" not in written(terminal, "plugins_enabled")
        await choose(terminal, "lorebook")
        await pilot.press("e")
        await until(pilot, lambda: "It runs, and is off from the next start on." in terminal.text)
        assert written(terminal, "plugins_disabled") == ["stranger", "lorebook"]


async def test_a_plugin_that_fails_in_its_panel_is_failed_in_the_list(terminal: Terminal) -> None:
    async with terminal.run(size=(120, 50)) as pilot:
        await pilot.press("f7")
        await until(pilot, lambda: "Knows [the facts]." in terminal.text)
        await choose(terminal, "desk")
        await pilot.press("enter")
        await until(pilot, lambda: "Known so far" in terminal.text)
        screen = terminal.app.screen
        assert isinstance(screen, PanelScreen)
        screen.body.focus_on("go:raises")
        await pilot.press("enter")
        await until(pilot, lambda: "failed in the panel desk" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: "It has failed and is off." in terminal.text)
        assert "ValueError: no good" in " ".join(terminal.text.split())


async def test_in_a_small_terminal_the_page_takes_the_place_of_the_list(terminal: Terminal) -> None:
    async with terminal.run(size=(60, 20), theme="ansi") as pilot:
        await pilot.press("f7")
        await until(pilot, lambda: "lorebook" in terminal.text)
        await choose(terminal, "broken")
        await pilot.press("right")
        await until(pilot, lambda: "no [good]" in terminal.text and "lorebook" not in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: "no [good]" not in terminal.text)
        assert isinstance(terminal.app.screen, PluginsScreen)
