"""The screens that open over the chat."""

from __future__ import annotations

from collections.abc import Callable

from tests.tui.conftest import REPLY, Terminal, say, until, write

Make = Callable[..., Terminal]


async def test_without_a_model_the_terminal_offers_ways_to_get_one(open_terminal: Make) -> None:
    terminal = open_terminal(model="")
    async with terminal.run() as pilot:
        await until(pilot, lambda: "Which model shall reply?" in terminal.text)
        for way in ("the demo model", "a GGUF file on this computer", "a server"):
            assert way in terminal.text
        await pilot.press("escape")
        await write(pilot, "Keep this")
        await pilot.press("enter")
        await until(pilot, lambda: "Which model shall reply?" in terminal.text)
        await pilot.press("down", "enter")
        await pilot.press(*"no-such.gguf")
        await pilot.press("enter")
        await until(pilot, lambda: "There is no model 'no-such.gguf'. Look again." in terminal.text)
        assert terminal.manager.settings.model == ""
        await pilot.press("ctrl+u")
        await pilot.press(*"some.gguf")
        await pilot.press("enter")
        await until(pilot, lambda: "scripted" in terminal.rows[1])
        assert terminal.app.chat.composer.text == "Keep this"
        assert terminal.manager.settings.model == "some.gguf"
        await pilot.press("enter")
        await until(pilot, lambda: terminal.idle and terminal.said == ["Keep this", REPLY])


async def test_finding_renaming_and_deleting_chats(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "About lanterns")
        first = terminal.session.id
        await pilot.press("ctrl+n")
        await say(terminal, pilot, "About rivers")
        await pilot.press("ctrl+k")
        await pilot.press(*"LANT")
        await until(pilot, lambda: "About rivers" not in "\n".join(row[30:70] for row in terminal.rows[8:26]))
        await pilot.press("enter")
        await until(pilot, lambda: terminal.session.id == first and "About lanterns" in terminal.rows[1])
        await pilot.press("ctrl+k")
        await pilot.press("ctrl+e", "!", "enter")
        await until(pilot, lambda: "Find a chat" in terminal.text)
        titles = {summary.title for summary in terminal.manager.sessions()}
        assert any(title.endswith("!") for title in titles)
        await pilot.press("ctrl+d")
        await until(pilot, lambda: len(terminal.manager.sessions()) == 1)


async def test_the_prompt_is_shown_with_its_parts(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run(size=(120, 40)) as pilot:
        await say(terminal, pilot, "Hi")
        await write(pilot, "What next?")
        await pilot.press("f3")
        await until(pilot, lambda: "Messages" in terminal.text and "What next?" in terminal.text)
        assert "<|im_start|>" in terminal.text
        plan = terminal.session.prompt("What next?")
        assert f"{plan.size:,} tokens of 4,096" in terminal.text
        assert " to read, " in terminal.text and " in the cache" in terminal.text
        await pilot.press("escape")
        await until(pilot, lambda: "enter" in terminal.text)
        assert terminal.app.chat.composer.text == "What next?"


async def test_a_space_that_ends_the_prompt_is_seen(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run(size=(120, 40)) as pilot:
        await say(terminal, pilot, "Hi")
        terminal.session.set(template="airoboros-2")
        await pilot.press("f3")
        await until(pilot, lambda: "ASSISTANT:·" in terminal.text)


async def test_the_prompt_can_be_left_while_the_model_loads(open_terminal: Make) -> None:
    terminal = open_terminal(held=True)
    async with terminal.run() as pilot:
        await pilot.press("f3")
        await until(pilot, lambda: "waiting for the model" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: "enter" in terminal.text)
        terminal.backend.finish_loading()
        await until(pilot, lambda: "scripted" in terminal.rows[1])


async def test_every_key_in_the_help_is_listed(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run(size=(100, 40)) as pilot:
        await pilot.press("f1")
        await until(pilot, lambda: "what the model sees" in terminal.text)
        for key in ("ctrl+j", "ctrl+r", "ctrl+s", "ctrl+z", "ctrl+k", "ctrl+p", "ctrl+q"):
            assert key in terminal.text
        await pilot.press("escape")
        await until(pilot, lambda: "what the model sees" not in terminal.text)


async def test_the_palette_finds_chats_and_templates(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "About [lanterns]")
        first = terminal.session.id
        await pilot.press("ctrl+n")
        await pilot.press("ctrl+p")
        await pilot.press(*"lanterns")
        await until(pilot, lambda: "Chat: About [lanterns]" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.desk.session is not None and terminal.session.id == first)
        await pilot.press("ctrl+p")
        await pilot.press(*"template: chatml")
        await until(pilot, lambda: "Template: chatml" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: terminal.session.template_name == "chatml")


async def test_quitting_does_not_wait_for_a_reply(open_terminal: Make) -> None:
    terminal = open_terminal(gated=True)
    async with terminal.run() as pilot:
        await write(pilot, "Hi")
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.desk.running)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not terminal.app.is_running)
    assert terminal.session.turn is not None, "the reply was still being written"
