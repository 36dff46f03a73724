"""Personas and groups in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airochat.characters import Persona
from airochat.session import Session
from airochat.tui.screens.cast import CastScreen
from airochat.tui.screens.personas import PersonasScreen
from airochat.tui.voices import Voices
from tests.tui.cards import write_card, write_png
from tests.tui.conftest import Terminal, say, until, write

Make = Callable[..., Terminal]


def group(terminal: Terminal, tmp_path: Path, *names: str) -> Session:
    """Begin a chat with characters of these names."""
    for name in names:
        terminal.manager.cards.import_(write_card(tmp_path, name))
    return terminal.manager.new(card=list(names))


async def test_a_persona_is_written_used_and_deleted(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("f6")
        await until(pilot, lambda: "There is no persona yet." in terminal.text)
        await pilot.press("a", *"Rook", "enter", *"A courier.", "ctrl+s")
        await until(
            pilot, lambda: isinstance(terminal.app.screen, PersonasScreen) and "Rook" in terminal.text
        )
        assert terminal.manager.personas.get("Rook") == Persona("Rook", "A courier.")
        await pilot.press("d", "enter")
        await until(pilot, lambda: terminal.session.user_name == "Rook")
        assert terminal.manager.personas.default == Persona("Rook", "A courier.")
        await until(pilot, lambda: "as Rook" in terminal.rows[1])
        await pilot.press("f6", "delete", "enter")
        await until(pilot, lambda: terminal.manager.personas.names() == [])
        assert terminal.session.user_name == "Rook", "the chat keeps who one was"


async def test_a_persona_of_a_name_that_is_taken_is_refused(open_terminal: Make) -> None:
    terminal = open_terminal()
    terminal.manager.personas.put(Persona("Rook", "A courier."))
    async with terminal.run() as pilot:
        await pilot.press("f6", "a", *"Rook", "ctrl+s")
        await until(pilot, lambda: "There is a persona 'Rook' already." in terminal.text)
        assert terminal.manager.personas.get("Rook").description == "A courier."


async def test_another_name_keeps_what_the_persona_is_for(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    terminal.manager.personas.put(Persona("Rook", "A courier."))
    terminal.manager.personas.set_default("Rook")
    terminal.manager.cards.import_(write_png(tmp_path))
    terminal.manager.cards.set_persona("maya", "Rook")
    async with terminal.run() as pilot:
        await pilot.press("f6")
        await until(pilot, lambda: "A courier." in terminal.text)
        await pilot.press("e", "shift+tab", "end", "s", "ctrl+s")
        await until(pilot, lambda: terminal.manager.personas.names() == ["Rooks"])
    assert terminal.manager.personas.default == Persona("Rooks", "A courier.")
    assert terminal.manager.cards.find("maya").persona == "Rooks"


async def test_a_card_has_its_own_persona(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    terminal.manager.personas.put(Persona("Rook"))
    terminal.manager.cards.import_(write_card(tmp_path, "Oru"))
    async with terminal.run() as pilot:
        await pilot.press("f2")
        await until(pilot, lambda: "1 card" in terminal.text)
        await pilot.press("p")
        await until(pilot, lambda: "Who are you with oru?" in terminal.text)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "you are Rook" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: "I am Oru, Rook." in terminal.text)


async def test_who_was_named_answers_one_after_the_other(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal(["Aye.", "No."])
    session = group(terminal, tmp_path, "Maya", "Oru")
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.session is session)
        await write(pilot, "Oru, Maya, shall we?")
        await pilot.press("enter")
        await until(pilot, lambda: len(session.history) == 4 and session.turn is None)
        assert [message.name for message in session.history[1:]] == ["You", "Oru", "Maya"]
        assert "with Maya, Oru" in terminal.rows[1] or "Maya, Oru" in terminal.rows[1]


async def test_escape_ends_the_round(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal(gated=True)
    session = group(terminal, tmp_path, "Maya", "Oru")
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.session is session)
        await write(pilot, "Oru, Maya, shall we?")
        await pilot.press("enter")
        terminal.backend.allow(6)
        await until(pilot, lambda: "She nods" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.idle)
        terminal.backend.allow()
        await pilot.pause()
        assert session.turn is None
        assert [message.name for message in session.history[1:]] == ["You", "Oru"]


async def test_somebody_speaks_by_hand(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal(["One.", "Two.", "Three."])
    session = group(terminal, tmp_path, "Maya", "Oru")
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.session is session)
        await write(pilot, "/speak Oru")
        await pilot.press("enter")
        await until(pilot, lambda: session.history[-1].text == "One." and terminal.idle)
        assert session.history[-1].name == "Oru"
        await pilot.press("f5")
        await until(pilot, lambda: "Who is here" in terminal.text)
        await pilot.press("home", "enter")
        await until(pilot, lambda: session.history[-1].text == "Two." and terminal.idle)
        assert session.history[-1].name == "Maya"
        await pilot.press("ctrl+p")
        await pilot.press(*"let oru speak")
        await until(pilot, lambda: "Let Oru speak" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: session.history[-1].text == "Three." and terminal.idle)
        assert session.history[-1].name == "Oru"


async def test_narrating_and_whispering(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal(["I heard."])
    session = group(terminal, tmp_path, "Maya", "Oru")
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.session is session)
        await write(pilot, "/narrate The lamp goes out.")
        await pilot.press("enter")
        await until(pilot, lambda: "The lamp goes out." in terminal.text)
        await write(pilot, "/whisper Oru Now!")
        await pilot.press("enter")
        await until(pilot, lambda: session.history[-1].text == "I heard." and terminal.idle)
        assert session.history[-1].name == "Oru"
        assert terminal.text.count("only Oru knows") == 2
        await write(pilot, "/whisper Nobody Now!")
        await pilot.press("enter")
        await until(pilot, lambda: "Nobody here is called" in terminal.app.chat.activity.said)
        assert terminal.app.chat.composer.text == "/whisper Nobody Now!"


async def test_the_cast_is_muted_joined_and_left(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    session = group(terminal, tmp_path, "Maya", "Oru")
    terminal.manager.cards.import_(write_card(tmp_path, "Zed"))
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.session is session)
        await pilot.press("f5")
        await until(pilot, lambda: "Who is here" in terminal.text)
        await pilot.press("home", "m")
        await until(pilot, lambda: session.profile.muted == ("Maya",) and "muted" in terminal.text)
        await pilot.press("m", "a")
        await until(pilot, lambda: "Who shall join?" in terminal.text)
        await pilot.press(*"zed", "enter")
        await until(pilot, lambda: session.group.names == ("Maya", "Oru", "Zed"))
        await until(pilot, lambda: isinstance(terminal.app.screen, CastScreen))
        await pilot.press("home", "delete", "enter")
        await until(pilot, lambda: session.group.names == ("Oru", "Zed"))
        await until(pilot, lambda: isinstance(terminal.app.screen, CastScreen))
        await pilot.press("o")
        await until(pilot, lambda: "Who of the group answers?" in terminal.text)
        await pilot.press("down", "enter")
        await until(pilot, lambda: session.profile.effective_roleplay.group_order != "mention")


def colours(terminal: Terminal, name: str) -> set[object]:
    """Return the colours in which a speaker's name stands above messages."""
    return {
        segment.style.color
        for row in terminal.app.screen._compositor.render_strips()
        for segment in row
        if segment.text.strip() == name and segment.style and segment.style.bold
    }


async def test_every_speaker_keeps_a_colour(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal(["One.", "Two."])
    session = group(terminal, tmp_path, "Maya", "Oru")
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.session is session)
        await say(terminal, pilot, "Oru?")
        maya, oru, you = (colours(terminal, name) for name in ("Maya", "Oru", "You"))
        assert len(maya | oru | you) == 3
        session.group.remove("Maya")
        await until(pilot, lambda: "with Oru" in terminal.rows[1])
        assert (colours(terminal, "Maya"), colours(terminal, "Oru")) == (maya, oru)


async def test_escape_ends_the_round_also_between_two_replies(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal(gated=True)
    session = group(terminal, tmp_path, "Maya", "Oru")
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: terminal.app.desk.session is session)
        await write(pilot, "Oru, Maya, shall we?")
        await pilot.press("enter")
        await until(pilot, lambda: session.turn is not None)
        turn = session.turn
        assert turn is not None
        terminal.backend.allow()
        # The screen has not heard of the end yet when the key comes.
        assert turn.wait(20)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.idle)
        assert [message.name for message in session.history[1:]] == ["You", "Oru"]


def test_voices_begin_again_and_the_narrator_has_its_own() -> None:
    voices = Voices()
    voices.meet(("A", "Narrator", "B"))
    assert (voices.of("A"), voices.of("B"), voices.of("Narrator")) == ("1", "2", "narrator")
    assert [voices.of(name) for name in "CDEFG"] == ["3", "4", "5", "6", "1"]
    assert voices.of("A") == "1"
