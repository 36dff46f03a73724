"""Panels of plugins in the terminal: what they show, what is typed, done and taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from airochat.hooks import Button, Field, Row, Rows, Setting, Text
from airochat.tui.screens.ask import AskScreen
from airochat.tui.screens.panel import PanelScreen
from airochat.tui.widgets.panel_field import PanelField, Pick
from airochat.tui.widgets.plain_area import PlainArea
from tests.hooks.signals import QuickWatch
from tests.tui import panel_plugin as desk
from tests.tui.conftest import Terminal, say, until, write

Make = Callable[..., Terminal]


@pytest.fixture
def terminal(open_terminal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal with the plugin of `panel_plugin`, and no other."""
    monkeypatch.setenv("AIROCHAT_PLUGINS", "desk")
    desk.enable(tmp_path / "home")
    return open_terminal()


async def open_panel(terminal: Terminal, pilot: Pilot[None], name: str = "desk") -> PanelScreen:
    """Open a panel and wait until it is drawn."""
    terminal.app.open_panel(name)
    screen = terminal.app.screen
    assert isinstance(screen, PanelScreen)
    await until(pilot, lambda: screen.body.view is not None and screen.body.children)
    await pilot.pause()
    return screen


def field(screen: PanelScreen, name: str) -> PanelField:
    return next(each for each in screen.body.fields if each.name_of_setting == name)


async def to(pilot: Pilot[None], screen: PanelScreen, name: str) -> None:
    """Give the focus to a field, table or button."""
    screen.body.focus_on(name)
    await pilot.pause()


async def press(pilot: Pilot[None], screen: PanelScreen, name: str) -> None:
    await to(pilot, screen, name)
    await pilot.press("enter")


def top(terminal: Terminal) -> str:
    return "\n".join(terminal.rows[:3])


async def test_every_part_is_shown_as_it_is(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        assert "Facts [b]" in top(terminal)
        for text in ("Known so far", "plain [/words]", "soft words", "mind this", "Rook is [/alive]."):
            assert text in terminal.text
        assert "350 of 1,000 words" in terminal.text
        assert "One [sentence]." in terminal.text
        assert "How deep. A whole number from 0 to 9." in terminal.text
        assert "■ on" in terminal.text and "warm   1 of 3" in terminal.text
        kinds = {each.name_of_setting: type(each.control) for each in screen.body.fields}
        assert kinds == {
            "fact": Input,
            "notes": PlainArea,
            "depth": Input,
            "weight": Input,
            "watch": Pick,
            "tone": Pick,
        }
        assert screen.focused is screen.body.tables[0].listing, (
            "it begins at the first thing that can be done"
        )


async def test_what_is_typed_reaches_the_plugin_by_the_next_button(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "fact")
        await pilot.press(*"He lives", "enter", *"One", "enter", *"Two")
        await to(pilot, screen, "depth")
        await pilot.press("ctrl+u", "7", "down", "ctrl+u", *"1.25", "down", "space", "down", "left")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Saved." in terminal.text)
        values = {
            "fact": "He lives",
            "notes": "One\nTwo",
            "depth": 7,
            "weight": 1.25,
            "watch": False,
            "tone": "dry",
        }
        assert [(act.place, act.button, act.values) for act in desk.done] == [("", "save", values)]
        await until(pilot, lambda: not screen.body.edited)
        assert field(screen, "depth").typed == "7" and "□ off" in terminal.text
        assert screen.focused is field(screen, "tone").control, "nothing jumps"
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)


async def test_a_value_that_is_not_taken_is_explained_and_stays(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "depth")
        await pilot.press("ctrl+u", *"12")
        await until(pilot, lambda: "It must be a whole number from 0 to 9." in terminal.text)
        await to(pilot, screen, "weight")
        await pilot.press("ctrl+u", *"x")
        await until(pilot, lambda: "It must be a number of at least 0." in terminal.text)
        await press(pilot, screen, "save")
        await until(pilot, lambda: screen.focused is field(screen, "depth").control)
        assert desk.done == [] and field(screen, "depth").typed == "12"
        await pilot.press("ctrl+u", "9", "down", "ctrl+u", "2", "ctrl+s")
        await until(pilot, lambda: desk.values["depth"] == 9 and desk.values["weight"] == 2.0)
        assert "It must be" not in terminal.text


async def test_an_error_of_the_panel_leaves_what_was_typed(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "fact")
        await pilot.press(*"no", "ctrl+s")
        await until(pilot, lambda: "This fact is not one.  Say another." in terminal.text)
        assert field(screen, "fact").typed == "no" and screen.body.edited
        await pilot.press("t", "ctrl+s")
        await until(pilot, lambda: desk.values["fact"] == "not")
        assert "This fact is not one." not in terminal.text


async def test_the_key_to_save_presses_the_button_below(terminal: Terminal) -> None:
    desk.extra += [Button("why", "Why?"), Text("Now what follows"), Field(Setting("first", "text", ""), "")]
    async with terminal.run(size=(100, 60)) as pilot:
        screen = await open_panel(terminal, pilot)
        assert "enter  why?" in terminal.text and "ctrl+s" not in terminal.text
        await to(pilot, screen, "depth")
        await until(pilot, lambda: "ctrl+s  save" in terminal.text)
        await pilot.press("ctrl+u", "7", "ctrl+s")
        await until(pilot, lambda: "Saved." in terminal.text)
        await to(pilot, screen, "first")
        await pilot.press("x", "escape")
        await until(pilot, lambda: isinstance(terminal.app.screen, AskScreen))
        assert "Save" in terminal.text and "Why?" not in "\n".join(terminal.rows[20:40])
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert [act.button for act in desk.done] == ["save", "save"]


async def test_what_a_button_has_taken_is_typed_no_more(terminal: Terminal) -> None:
    desk.extra.append(Field(Setting("new", "text", ""), ""))
    async with terminal.run(size=(100, 60)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "new")
        await pilot.press(*"He lives", "ctrl+s")
        await until(pilot, lambda: field(screen, "new").typed == "")
        assert desk.done[-1].values["new"] == "He lives" and not screen.body.edited


async def test_leaving_with_something_typed_is_asked_once(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "fact")
        await pilot.press(*"He lives", "escape")
        await until(pilot, lambda: isinstance(terminal.app.screen, AskScreen))
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is screen)
        assert field(screen, "fact").typed == "He lives"
        await pilot.press("escape", "enter")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert desk.values["fact"] == "He lives", "the first answer saves"
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "fact")
        await pilot.press(*"!", "escape", "down", "enter")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert desk.values["fact"] == "He lives"


async def test_a_row_opens_a_place_and_the_way_back_keeps_all(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "fact")
        await pilot.press(*"half a")
        await to(pilot, screen, "facts")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Facts [b] › Fact 1" in top(terminal))
        assert desk.done[-1].row == "1"
        await until(pilot, lambda: isinstance(screen.focused, PlainArea))
        await press(pilot, screen, "further")
        await until(pilot, lambda: "A dead end." in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: "› Fact 1" in top(terminal) and "End" not in top(terminal))
        await pilot.press("escape")
        await until(pilot, lambda: "›" not in top(terminal) and screen.body.tables)
        await until(pilot, lambda: screen.body.tables[0].chosen == "1")
        assert field(screen, "fact").typed == "half a"
        await until(pilot, lambda: screen.focused is screen.body.tables[0].listing)


async def test_a_place_that_leads_back_is_gone_back_to(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Fact 0" in top(terminal) and isinstance(screen.focused, PlainArea))
        await pilot.press("ctrl+end", *"!", "ctrl+s")
        await until(pilot, lambda: "Kept." in terminal.text and screen.body.tables)
        assert desk.facts[0] == "The pass closes at dusk.!"
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)


async def test_what_cannot_be_taken_back_is_asked_before(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await pilot.press("f")  # the key that the table gives to Forget
        await until(pilot, lambda: "Forget [this] fact?" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is screen)
        assert desk.done == []
        await pilot.press("f", "enter")
        await until(pilot, lambda: "It is [forgotten]." in terminal.text)
        await until(pilot, lambda: len(screen.body.tables[0].part.rows) == 1)
        assert desk.facts == ["Rook is [/alive]."]
        await pilot.press("f", "enter")
        await until(pilot, lambda: "Nothing is known." in terminal.text)
        await until(pilot, lambda: "enter  open" not in terminal.text)
        assert screen.focused is field(screen, "fact").control


async def test_a_refusal_is_said_and_nothing_moves(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await press(pilot, screen, "go:refuses")
        await until(pilot, lambda: "The book is closed.  Open it." in terminal.text)
        await to(pilot, screen, "facts")
        await pilot.press("enter")
        await until(pilot, lambda: "› Fact 0" in top(terminal))
        assert desk.done[-1].place == ""


@pytest.mark.parametrize(
    ("place", "words_"), [("raises", "ValueError: no good"), ("rubbish", "must show a View")]
)
async def test_a_panel_that_fails_is_named(terminal: Terminal, place: str, words_: str) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await press(pilot, screen, f"go:{place}")
        await until(pilot, lambda: "The plugin desk failed in the panel desk" in terminal.text)
        assert words_ in " ".join(terminal.text.split())
        assert "Known so far" in terminal.text, "what was there stays"
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        await say(terminal, pilot, "Still here?")


async def test_a_panel_that_hangs_is_given_up(terminal: Terminal) -> None:
    terminal.manager.plugins.watch = QuickWatch()
    desk.extra.append(Text("before"))
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        desk.hangs = True
        await press(pilot, screen, "save")
        await until(pilot, lambda: "it took more than" in " ".join(terminal.text.split()))
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)


async def test_what_comes_too_late_is_dropped(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await press(pilot, screen, "go:waits")
        await until(pilot, lambda: ("waits", 0) in desk.shown)
        await pilot.press("enter")
        await until(pilot, lambda: "The panel is still at work." in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: "The panel is still at work." not in terminal.text)
        before = len(desk.shown)
        desk.gate.set()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: len(desk.shown) > before and not screen._busy)
        await pilot.pause()
        assert "It has come." not in terminal.text and "Known so far" in terminal.text


async def test_nothing_is_done_twice_while_the_panel_is_at_work(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await press(pilot, screen, "wait")
        await until(pilot, lambda: desk.done)
        await pilot.press("enter")
        await until(pilot, lambda: "The panel is still at work." in terminal.text)
        desk.gate.set()
        await until(pilot, lambda: "It took a while." in terminal.text)
        assert [act.button for act in desk.done] == ["wait"]


async def test_the_panel_follows_the_chat_unless_something_is_typed(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        await say(terminal, pilot, "Hi")
        screen = await open_panel(terminal, pilot)
        desk.facts.append("A third one.")
        terminal.session.send("More").wait()
        await until(pilot, lambda: "A third one." in terminal.text and desk.shown[-1] == ("", 4))
        await to(pilot, screen, "fact")
        await pilot.press("x")
        before = len(desk.shown)
        terminal.session.send("And more").wait()
        await until(pilot, lambda: not screen._stale)
        assert len(desk.shown) == before and field(screen, "fact").typed == "x"


async def test_a_place_that_is_gone_when_one_comes_back_is_empty(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "› Fact 0" in top(terminal) and isinstance(screen.focused, PlainArea))
        await press(pilot, screen, "further")
        await until(pilot, lambda: "A dead end." in terminal.text)
        desk.facts.clear()
        await pilot.press("escape")
        await until(pilot, lambda: "The plugin desk failed in the panel desk" in terminal.text)
        assert "A dead end." not in terminal.text and not screen.body.fields
        await pilot.press("escape", "escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)


async def test_another_shape_of_the_panel_keeps_the_place_in_it(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "depth")
        await pilot.press("ctrl+u", "7")
        desk.extra.append(Rows("news", ("what",), (Row("n", ("It rains.",)),), (Button("hear", "Hear"),)))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "It rains." in terminal.text)
        await until(pilot, lambda: screen.focused is field(screen, "depth").control)
        assert field(screen, "depth").typed == "7", "what was typed stays"


async def test_ten_thousand_rows(terminal: Terminal) -> None:
    rows = tuple(Row(str(number), (str(number), f"灯 number {number}")) for number in range(10_000))
    desk.extra.append(Rows("many", ("no", "what"), rows, (Button("see", "See"),)))
    async with terminal.run(size=(80, 24)) as pilot:
        screen = await open_panel(terminal, pilot)
        table = screen.body.tables[0]
        assert screen.focused is table.listing
        await pilot.press("end", "up")
        assert table.chosen == "9998"
        await until(pilot, lambda: "number 9999" in terminal.text)
        assert "number 9000" not in terminal.text
        await pilot.press("enter")
        await until(pilot, lambda: desk.done and desk.done[-1].row == "9998")
        await pilot.press("tab", "tab")
        assert screen.focused is screen.body.tables[1].listing


async def test_the_mouse_does_what_the_keys_do(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await pilot.click(field(screen, "watch").control)
        await until(pilot, lambda: "□ off" in terminal.text)
        table = screen.body.tables[0]
        await pilot.click(table.listing, offset=(5, 1))
        assert table.chosen == "1" and table.buttons is not None
        await pilot.click(table.buttons.buttons[0])
        await until(pilot, lambda: "› Fact 1" in top(terminal))
        await pilot.press("escape")
        await until(pilot, lambda: "›" not in top(terminal) and "□ off" in terminal.text)


async def test_a_choice_of_many_is_asked_for(terminal: Terminal) -> None:
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        await press(pilot, screen, "tone")
        await until(pilot, lambda: "Which one?" in terminal.text)
        await pilot.press(*"coo", "enter")
        await until(pilot, lambda: terminal.app.screen is screen)
        assert field(screen, "tone").value() == "cool"


async def test_the_form_for_settings_needs_no_chat(terminal: Terminal) -> None:
    async with terminal.run() as pilot:
        screen = await open_panel(terminal, pilot, "settings:desk")
        assert terminal.app.desk.session is None
        await to(pilot, screen, "depth")
        await pilot.press("ctrl+u", *"12", "ctrl+s")
        await until(pilot, lambda: "The settings are saved." in terminal.text)
        assert (
            dict((one.name, value) for one, value in terminal.manager.plugins.settings("desk"))["depth"] == 12
        )
        await pilot.press("ctrl+u", "x")
        await press(pilot, screen, "defaults")
        await until(pilot, lambda: isinstance(terminal.app.screen, AskScreen))
        await pilot.press("enter")
        await until(pilot, lambda: field(screen, "depth").typed == "4")
        assert not screen.body.edited


async def test_a_panel_is_opened_by_a_command_and_by_the_palette(terminal: Terminal) -> None:
    async with terminal.run() as pilot:
        await write(pilot, "/panel desk")
        await pilot.press("enter")
        await until(pilot, lambda: "Known so far" in terminal.text)
        assert terminal.app.chat.composer.full_text == ""
        await pilot.press("escape")
        await write(pilot, "/panel dsk")
        await pilot.press("enter")
        await until(pilot, lambda: "There is no panel 'dsk'." in terminal.text)
        await pilot.press("ctrl+p")
        await pilot.press(*"settings of desk")
        await until(pilot, lambda: "What can be set for this plugin." in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: "Settings of desk" in top(terminal))


def seen(screen: PanelScreen) -> bool:
    """Return whether what has the focus is in view."""
    return screen.focused is not None and screen.focused.region.overlaps(screen.body.region)


@pytest.mark.parametrize("theme", ["ember", "ansi"])
async def test_a_small_terminal_shows_it_all(terminal: Terminal, theme: str) -> None:
    desk.facts[:] = [f"Fact {number}, " + "which is long, " * 9 for number in range(40)]
    async with terminal.run(size=(80, 24), theme=theme) as pilot:
        screen = await open_panel(terminal, pilot)
        assert "esc  back" in terminal.text and "enter  open" in terminal.text
        assert max(map(len, terminal.rows)) <= 80
        for name in ("facts", "fact", "tone", "save", "go:waits"):
            await to(pilot, screen, name)
            await until(pilot, lambda: seen(screen))


async def test_choosing_a_row_brings_the_table_into_view(terminal: Terminal) -> None:
    desk.extra.append(Text("a long text " * 200))
    async with terminal.run(size=(60, 20)) as pilot:
        screen = await open_panel(terminal, pilot)
        assert screen.focused is screen.body.tables[0].listing and not seen(screen)
        await pilot.press("down")
        await until(pilot, lambda: seen(screen) and "Rook is [/alive]." in terminal.text)


async def test_a_narrow_terminal_puts_names_above_fields(terminal: Terminal) -> None:
    async with terminal.run(size=(40, 24)) as pilot:
        screen = await open_panel(terminal, pilot)
        await to(pilot, screen, "depth")
        control = field(screen, "depth").control
        assert control.region.x < 4 and control.region.width > 30


async def test_a_field_keeps_what_it_cannot_show(terminal: Terminal) -> None:
    desk.values["fact"] = "red \x1b[31m fact"
    async with terminal.run(size=(100, 50)) as pilot:
        screen = await open_panel(terminal, pilot)
        assert "red  fact" in terminal.text and not screen.body.edited
        await press(pilot, screen, "save")
        await until(pilot, lambda: desk.done)
        assert desk.done[-1].values["fact"] == "red \x1b[31m fact"
