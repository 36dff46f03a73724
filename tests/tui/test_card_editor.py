"""The editor of a card, and the form behind it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from airochat.characters import parse_card
from airochat.errors import UsageError
from airochat.tui.card_form import CardForm
from airochat.tui.outside import edit_text
from airochat.tui.screens.card_editor import CardEditor
from tests.tui.cards import card, write_card, write_png
from tests.tui.conftest import Terminal, until

Make = Callable[..., Terminal]


def form(**fields: object) -> CardForm:
    return CardForm(parse_card(card("Maya", **fields), "a test"))


def test_an_untouched_form_changes_nothing_even_if_its_texts_cannot_be_shown() -> None:
    found = form(description="a\x1b[2Jb\r\nc", alternate_greetings=["x\u202ey", ""], tags=["a, b", "c"])
    assert not found.changed
    assert found.changes() == {}


def test_only_what_was_changed_is_saved() -> None:
    found = form(description="a\x1b[2Jb", alternate_greetings=["One\r\n", "Two"], tags=["x"])
    parts = {part.key: part for part in found.parts}
    parts["scenario"].text = "Rain."
    parts["tags"].text = "sea, salt\nx"
    greetings = [part for part in found.parts if part.key == "alternate_greetings"]
    greetings[1].text = "Two and a half"
    assert found.changes() == {
        "scenario": "Rain.",
        "tags": ["sea", "salt", "x"],
        "alternate_greetings": ["One\r\n", "Two and a half"],
    }


def test_greetings_are_added_and_removed() -> None:
    found = form(alternate_greetings=["One", "Two"])
    place = found.add_greeting()
    assert found.title(found.parts[place]) == "other greeting 3"
    assert not found.changed, "an empty one is none"
    found.parts[place].text = "Three"
    found.remove(next(part for part in found.parts if part.text == "One"))
    assert found.changes() == {"alternate_greetings": ["Two", "Three"]}


def test_a_draft_brings_back_what_was_written() -> None:
    found = form(alternate_greetings=["One"], scenario="Dry.")
    found.parts[found.add_greeting()].text = "Two"
    next(part for part in found.parts if part.key == "scenario").text = "Wet."
    again = form(alternate_greetings=["One"], scenario="Dry.")
    again.restore(found.written())
    assert again.changes() == found.changes() == {"alternate_greetings": ["One", "Two"], "scenario": "Wet."}


async def edit(terminal: Terminal, pilot: Pilot[None]) -> CardEditor:
    """Open the editor on the first card."""
    await pilot.press("f2")
    await until(pilot, lambda: "1 card" in terminal.text)
    await pilot.press("e")
    await until(
        pilot, lambda: isinstance(terminal.app.screen, CardEditor) and terminal.app.screen.query(TextArea)
    )
    screen = terminal.app.screen
    assert isinstance(screen, CardEditor)
    return screen


async def test_saving_leaves_the_imported_file_alone(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    library = terminal.manager.cards
    library.import_(write_png(tmp_path))
    before = (library.folder / "maya.png").read_bytes()
    async with terminal.run() as pilot:
        screen = await edit(terminal, pilot)
        await until(pilot, lambda: "{{char}} keeps the lighthouse." in terminal.text)
        await pilot.press("enter", "ctrl+end", *" Now.")
        assert "not saved" in terminal.text
        await pilot.press("ctrl+s")
        await until(pilot, lambda: library.open("maya").card.description.endswith("lighthouse. Now."))
        await until(pilot, lambda: "edited by you" in terminal.text)
        assert (library.folder / "maya.png").read_bytes() == before
        await pilot.press("escape", "ctrl+o")
        await until(pilot, lambda: "as it was imported?" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: not library.find("maya").edited)
        await until(pilot, lambda: "Now." not in terminal.text)
        assert not screen.changed


async def test_an_open_chat_sees_the_edited_card(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    terminal.manager.cards.import_(write_card(tmp_path, "Oru"))
    session = terminal.manager.new(card="Oru")
    async with terminal.run(session) as pilot:
        await edit(terminal, pilot)
        await pilot.press("enter", "x", "ctrl+s")
        await until(pilot, lambda: session.card is not None and session.card.description == "xOru is here.")


async def test_leaving_asks_about_what_was_not_saved(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    library = terminal.manager.cards
    library.import_(write_card(tmp_path, "Oru"))
    async with terminal.run() as pilot:
        screen = await edit(terminal, pilot)
        await pilot.press("enter", "x", "escape", "escape")
        await until(pilot, lambda: "Save your changes?" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is screen)
        await pilot.press("escape", "down", "enter")
        await until(pilot, lambda: screen not in terminal.app.screen_stack)
        assert not library.find("Oru").edited
        screen = await edit_again(terminal, pilot)
        assert "xOru" not in terminal.text
        await pilot.press("enter", "y", "escape", "escape", "enter")
        await until(pilot, lambda: screen not in terminal.app.screen_stack)
        assert library.open("Oru").card.description == "yOru is here."


async def edit_again(terminal: Terminal, pilot: Pilot[None]) -> CardEditor:
    await pilot.press("e")
    await until(
        pilot, lambda: isinstance(terminal.app.screen, CardEditor) and "Oru is here." in terminal.text
    )
    screen = terminal.app.screen
    assert isinstance(screen, CardEditor)
    return screen


async def test_what_was_not_saved_is_there_in_the_next_program(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    terminal.manager.cards.import_(write_card(tmp_path, "Oru"))
    async with terminal.run() as pilot:
        await edit(terminal, pilot)
        await pilot.press("enter", "x")
        await until(pilot, lambda: "oru.json" in terminal.manager.store.mapping("tui", "cards"))
        await pilot.press("ctrl+q")
    again = open_terminal()
    async with again.run() as pilot:
        screen = await edit(again, pilot)
        await until(pilot, lambda: "xOru is here." in again.text)
        assert "did not save" in again.text
        assert screen.changed


async def test_tokens_are_counted_by_the_loaded_model(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    terminal.manager.cards.import_(write_card(tmp_path, "Oru", description="word " * 300))
    async with terminal.run() as pilot:
        await edit(terminal, pilot)
        tokens = len(terminal.backend.tokenizer.tokens("word " * 300))
        await until(pilot, lambda: any("description" in row and str(tokens) in row for row in terminal.rows))


async def test_greetings_in_the_form(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    library = terminal.manager.cards
    library.import_(write_card(tmp_path, "Oru", alternate_greetings=["One.", "Two."]))
    async with terminal.run() as pilot:
        await edit(terminal, pilot)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: "other greeting 3" in terminal.text)
        await until(pilot, lambda: isinstance(terminal.app.screen.focused, TextArea))
        await pilot.press(*"New.", "ctrl+up", "ctrl+up", "ctrl+d")
        await until(pilot, lambda: "other greeting 3" not in terminal.text)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: library.open("Oru").card.alternate_greetings == ("Two.", "New."))


async def test_the_form_on_a_small_screen(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    terminal.manager.cards.import_(write_card(tmp_path, "Oru"))
    async with terminal.run(size=(40, 10)) as pilot:
        await edit(terminal, pilot)
        assert "personality" in terminal.text and "ctrl+s" in terminal.text
        await pilot.press("enter")
        await until(pilot, lambda: "Oru is here." in terminal.text)
        assert "personality" not in terminal.text


def test_the_users_editor_gets_the_text_and_gives_it_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "my editor.py"
    script.write_text(
        "import sys, pathlib\np = pathlib.Path(sys.argv[-1])\n"
        "p.write_text(p.read_text(encoding='utf-8') + sys.argv[1], encoding='utf-8')\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} '{script}' more")
    assert edit_text("täxt ") == "täxt more"
    monkeypatch.setenv("VISUAL", f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(UsageError, match="ended with 3"):
        edit_text("text")
    monkeypatch.setenv("VISUAL", "no-such-editor")
    with pytest.raises(UsageError, match="cannot be used"):
        edit_text("text")


async def test_a_text_from_outside_is_taken_or_its_line_is_named(
    open_terminal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = open_terminal()
    library = terminal.manager.cards
    library.import_(write_card(tmp_path, "Oru"))
    script = tmp_path / "editor.py"
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    async with terminal.run() as pilot:
        screen = await edit(terminal, pilot)
        # The terminal of a test cannot be handed over; the editor here needs none.
        monkeypatch.setattr(terminal.app, "suspend", nullcontext)
        script.write_text(_replacing("=== scenario ===", "=== scenery ==="))
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "scenery" in screen.activity.said and "Line" in screen.activity.said)
        script.write_text(_replacing("=== scenery ===", "=== scenario ===\\nRain."))
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "not saved" in terminal.text)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: library.open("Oru").card.scenario == "Rain.")


def _replacing(old: str, new: str) -> str:
    return (
        "import sys, pathlib\np = pathlib.Path(sys.argv[-1])\n"
        f"p.write_text(p.read_text(encoding='utf-8').replace('{old}', '{new}'), encoding='utf-8')\n"
    )
