"""The gallery, on real library folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from textual import events
from textual.pilot import Pilot

from airochat.tui.screens.card_editor import CardEditor
from airochat.tui.screens.gallery import GalleryScreen
from tests.tui.cards import write_card, write_png
from tests.tui.conftest import REPLY, Terminal, say, until, write
from tests.tui.test_untrusted import EVIL, raw

Make = Callable[..., Terminal]


def stock(terminal: Terminal, tmp_path: Path) -> None:
    """Put three cards into the library."""
    write_png(tmp_path)
    more = ["*A bell rings.*", "The road, {{user}}."]
    write_card(
        tmp_path, "Oru", tags=["sea", "Rust"], alternate_greetings=more, creator_notes="Best at night."
    )
    write_card(tmp_path, "Zed", tags=["rust"], creator="Quill", description="A locksmith.")
    for name in ("maya.png", "oru.json", "zed.json"):
        terminal.manager.cards.import_(tmp_path / name)


async def gallery(terminal: Terminal, pilot: Pilot[None], shown: str) -> GalleryScreen:
    """Open the gallery and wait until it shows something."""
    await pilot.press("f2")
    await until(pilot, lambda: shown in terminal.text)
    screen = terminal.app.screen
    assert isinstance(screen, GalleryScreen)
    return screen


def names(screen: GalleryScreen) -> list[str]:
    return [entry.name for entry in screen.entries]


async def test_the_creators_notes_come_before_the_description(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run(size=(120, 40)) as pilot:
        await gallery(terminal, pilot, "3 cards")
        await pilot.press("down")
        await until(pilot, lambda: "Oru is here." in terminal.text)
        text = terminal.text
        assert text.index("Best at night.") < text.index("I am Oru") < text.index("Oru is here.")
        assert "and 2 other greetings" in text


async def test_a_card_is_found_while_its_words_are_typed(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "3 cards")
        await pilot.press("slash", *"lock")
        await until(pilot, lambda: names(screen) == ["Zed"])
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(screen.entries) == 3)
        await pilot.press("t")
        await until(pilot, lambda: "Cards with the tag" in terminal.text)
        await pilot.press(*"rust", "enter")
        await until(pilot, lambda: names(screen) == ["Oru", "Zed"])
        assert "tag rust" in terminal.text


async def test_enter_waits_for_the_list_that_was_searched_for(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        await gallery(terminal, pilot, "3 cards")
        await pilot.press("slash")
        for key in ("z", "e", "d"):
            terminal.app.post_message(events.Key(key, key))
        terminal.app.post_message(events.Key("enter", None))
        await until(pilot, lambda: terminal.app.desk.session is not None)
        assert terminal.session.card is not None and terminal.session.card.name == "Zed"


async def test_a_chat_begins_at_once_where_there_is_one_greeting(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        await gallery(terminal, pilot, "3 cards")
        await pilot.press("end", "enter")
        await until(pilot, lambda: "I am Zed, You." in terminal.text)
        assert "Zed" in terminal.rows[1]
        await say(terminal, pilot, "Hello")
        assert terminal.said == ["I am Zed, You.", "Hello", REPLY]


async def test_the_chosen_greeting_is_one_swipe_of_the_first_message(
    open_terminal: Make, tmp_path: Path
) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        await gallery(terminal, pilot, "3 cards")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "3 greetings of Oru" in terminal.text)
        assert "The road, You." in terminal.text, "macros are shown as the chat will have them"
        await pilot.press("end", "enter")
        await until(pilot, lambda: "‹ 3 of 3 ›" in terminal.text)
        assert terminal.said == ["The road, You."]
        await pilot.press("left")
        await until(pilot, lambda: "A bell rings." in terminal.text)
        assert "‹ 2 of 3 ›" in terminal.text


async def test_leaving_the_greetings_begins_nothing(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        await gallery(terminal, pilot, "3 cards")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "greetings of Oru" in terminal.text)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert terminal.manager.sessions() == []


async def test_favourites_are_kept_and_can_be_listed_alone(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "3 cards")
        await pilot.press("end", "f")
        await until(pilot, lambda: "Zed ★" in terminal.text)
        assert terminal.manager.cards.find("Zed").favourite
        await pilot.press("F")
        await until(pilot, lambda: names(screen) == ["Zed"])


async def test_a_pasted_path_is_imported_and_shown(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    path = write_png(tmp_path / "with space")
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "There are no cards here yet.")
        screen.post_message(events.Paste(f"'{path}' "))
        await until(pilot, lambda: names(screen) == ["Maya"])
        assert "1 card imported" in terminal.text
        screen.post_message(events.Paste(str(path)))
        await until(pilot, lambda: "1 known already" in terminal.text)
        assert names(screen) == ["Maya"]


async def test_files_that_are_no_cards_are_named_with_the_reason(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    write_card(tmp_path / "many", "Oru")
    (tmp_path / "many" / "list.json").write_text("[1, 2]", encoding="utf-8")
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "There are no cards here yet.")
        await pilot.press("i")
        await until(pilot, lambda: "Import characters" in terminal.text)
        terminal.app.screen.query_one("TextArea").insert(str(tmp_path / "many"))  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(
            pilot, lambda: "1 card imported" in terminal.text and "it holds no fields" in terminal.text
        )
        await pilot.press("escape")
        await until(pilot, lambda: names(screen) == ["Oru"])


async def test_a_broken_file_is_listed_and_can_only_be_removed(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    folder = terminal.manager.cards.folder
    folder.mkdir(parents=True)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "broken.png")
        await pilot.press("enter")
        await until(pilot, lambda: screen.activity.said)
        assert terminal.app.desk.session is None
        await pilot.press("delete")
        await until(pilot, lambda: "Remove broken?" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: screen.entries == [])
        assert [path.name.partition("-")[2] for path in (folder / ".bin").iterdir()] == ["broken.png"]


async def test_keeping_a_card_after_all(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "3 cards")
        await pilot.press("delete")
        await until(pilot, lambda: "Remove Maya?" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is screen)
        assert len(terminal.manager.cards.entries()) == 3


async def test_an_exported_card_can_be_imported_again(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    terminal.manager.cards.edit("Maya", {"scenario": "The storm is over."})
    target = tmp_path / "out" / "mine.png"
    target.parent.mkdir()
    target.write_bytes(b"something else")
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "3 cards")
        await pilot.press("x")
        await until(pilot, lambda: "Export Maya" in terminal.text)
        terminal.app.screen.query_one("Input").value = str(target)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "a file of this name already" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.screen is screen)
        screen.post_message(events.Paste(str(target)))
        await until(pilot, lambda: names(screen).count("Maya") == 2)
    assert terminal.manager.cards.open("mine.png").card.scenario == "The storm is over."


async def test_an_export_that_cannot_be_written_is_explained(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        await gallery(terminal, pilot, "3 cards")
        await pilot.press("end", "x")
        await until(pilot, lambda: "Export Zed" in terminal.text)
        terminal.app.screen.query_one("Input").value = str(tmp_path / "zed.json" / "x.json")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "cannot be written" in terminal.text)


async def test_the_report_about_a_card(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run(size=(100, 40)) as pilot:
        await gallery(terminal, pilot, "3 cards")
        await pilot.press("end", "l")
        await until(pilot, lambda: "Zed, checked" in terminal.text and "in all" in terminal.text)
        assert "description" in terminal.text


async def test_marked_characters_begin_a_group(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "3 cards")
        await pilot.press("g")
        await until(pilot, lambda: screen.activity.said)
        await pilot.press("end", "space", "home", "space")
        await until(pilot, lambda: "2 marked" in terminal.text)
        await pilot.press("g")
        await until(pilot, lambda: terminal.app.desk.session is not None)
        assert terminal.session.group.names == ("Zed", "Maya"), "in the order in which they were marked"


async def test_a_path_pasted_into_the_composer_offers_to_import(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    path = write_png(tmp_path)
    async with terminal.run() as pilot:
        await write(pilot, "Look: ")
        terminal.app.chat.composer.post_message(events.Paste(str(path)))
        await until(pilot, lambda: "import Maya" in terminal.text)
        await pilot.press("escape")
        assert terminal.app.chat.composer.text == f"Look: {path}"
        terminal.app.chat.composer.restore("")
        terminal.app.chat.composer.post_message(events.Paste(str(path)))
        await until(pilot, lambda: "import Maya" in terminal.text)
        await pilot.press("enter")
        await until(
            pilot, lambda: isinstance(terminal.app.screen, GalleryScreen) and "1 card" in terminal.text
        )
        assert terminal.app.chat.composer.text == ""


async def test_a_pasted_picture_that_is_no_card_stays_a_path(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    path = tmp_path / "settings.json"
    path.write_text("{}", encoding="utf-8")
    async with terminal.run() as pilot:
        terminal.app.chat.composer.post_message(events.Paste(str(path)))
        terminal.app.chat.composer.post_message(events.Paste(f" {write_png(tmp_path)}"))
        await until(pilot, lambda: "import Maya" in terminal.text)
        assert "settings.json" in terminal.app.chat.composer.text
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert terminal.app.chat.composer.text.startswith(str(path))


async def test_a_card_of_evil_texts_is_only_text(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    path = write_card(
        tmp_path, "Evil", creator_notes=EVIL, description=EVIL, creator=EVIL, tags=[EVIL], first_mes=EVIL,
        alternate_greetings=[EVIL], character_version=EVIL,
    )  # fmt: skip
    raw_card = json.loads(path.read_text(encoding="utf-8"))
    raw_card["data"]["name"] = f"Evil {EVIL}"
    path.write_text(json.dumps(raw_card), encoding="utf-8")
    terminal.manager.cards.import_(path)
    async with terminal.run(size=(120, 40)) as pilot:
        screen = await gallery(terminal, pilot, "From its creator")
        assert all(character.isprintable() for character in raw(terminal))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(terminal.app.screen, CardEditor))
        for _ in range(12):
            await pilot.press("down")
            assert all(character.isprintable() for character in raw(terminal))
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is screen)
        assert not terminal.manager.cards.find("evil.json").edited
        for key in ("x", "l", "p", "enter"):
            await pilot.press(key)
            await until(pilot, lambda: terminal.app.screen is not screen)
            await pilot.pause()
            assert all(character.isprintable() for character in raw(terminal)), key
            await pilot.press("escape")
            await until(pilot, lambda: terminal.app.screen is screen)


async def test_small_terminals_show_the_list_or_the_page(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run(size=(40, 10)) as pilot:
        await gallery(terminal, pilot, "3 cards")
        assert "Maya" in terminal.text and "enter  chat" in terminal.text
        await pilot.press("down", "right")
        await until(pilot, lambda: "Best at night." in terminal.text)
        assert "Zed" not in terminal.text
        await pilot.press("escape")
        await until(pilot, lambda: "Zed" in terminal.text)


async def test_two_thousand_cards_are_drawn_only_where_they_are_seen(
    open_terminal: Make, tmp_path: Path
) -> None:
    terminal = open_terminal()
    folder = terminal.manager.cards.folder
    for number in range(2000):
        write_card(folder, f"Card{number:04}", tags=[f"t{number % 7}"])
    terminal.manager.cards.refresh()
    async with terminal.run() as pilot:
        screen = await gallery(terminal, pilot, "2,000 cards")
        await pilot.press("end")
        await until(pilot, lambda: "Card1999" in terminal.text)
        assert len(screen.listing._drawn) < 60
        await pilot.press("slash", *"card1234")
        await until(pilot, lambda: names(screen) == ["Card1234"])


async def test_the_greeting_can_be_swiped_after_some_turns(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    session = terminal.manager.new(card="Oru")
    async with terminal.run(session) as pilot:
        await until(pilot, lambda: "I am Oru, You." in terminal.text)
        await say(terminal, pilot, "Hello")
        await pilot.press("tab", "home", "right")
        await until(pilot, lambda: terminal.said == ["*A bell rings.*"])
        await pilot.press("left")
        await until(pilot, lambda: terminal.said == ["I am Oru, You.", "Hello", REPLY])


async def test_the_side_shows_who_spoke_last(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    session = terminal.manager.new(card=["Maya", "Oru"])
    async with terminal.run(session, size=(120, 40)) as pilot:
        await until(pilot, lambda: "Likes rain." in terminal.text)
        assert any("▀▀▀▀" in row[:30] for row in terminal.rows), "a PNG has a picture"
        await say(terminal, pilot, "Oru?")
        await until(pilot, lambda: "Best at night." in terminal.text)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "Best at night." not in terminal.text)


async def test_no_pictures_without_colours(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run(size=(120, 40), theme="ansi") as pilot:
        await gallery(terminal, pilot, "Likes rain.")
        await until(pilot, lambda: "{{char}} keeps the lighthouse." in terminal.text)
        assert "▀" not in terminal.text


async def test_the_palette_finds_characters(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    stock(terminal, tmp_path)
    async with terminal.run() as pilot:
        await pilot.press("ctrl+p")
        await pilot.press(*"character zed")
        await until(pilot, lambda: "Character: Zed" in terminal.text)
        await pilot.press("enter")
        await until(
            pilot, lambda: isinstance(terminal.app.screen, GalleryScreen) and "locksmith" in terminal.text
        )


async def test_a_path_that_was_typed_is_offered_once_and_then_a_text(
    open_terminal: Make, tmp_path: Path
) -> None:
    terminal = open_terminal()
    path = write_png(tmp_path)
    async with terminal.run() as pilot:
        composer = terminal.app.chat.composer
        composer.restore(str(path))
        await pilot.press("enter")
        await until(pilot, lambda: "import Maya" in terminal.text)
        await pilot.press("escape", "enter")
        await until(pilot, lambda: "There is no command" in terminal.text)
        assert composer.text == str(path)
        assert not terminal.manager.cards.entries()
