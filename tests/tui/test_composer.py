"""The composer by itself."""

from __future__ import annotations

from textual import events
from textual.app import App, ComposeResult

from airochat.tui.widgets.composer import BIG, Composer


class ComposerApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.submitted: list[str] = []
        self.wanted: list[str] = []

    def compose(self) -> ComposeResult:
        yield Composer()

    @property
    def composer(self) -> Composer:
        return self.query_one(Composer)

    def on_composer_submitted(self, event: Composer.Submitted) -> None:
        self.submitted.append(event.text)

    def on_composer_wanted(self, event: Composer.Wanted) -> None:
        self.wanted.append(event.what)


async def test_enter_sends_and_ctrl_j_begins_a_line() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        await pilot.press("a", "ctrl+j", "b", "enter")
        assert app.submitted == ["a\nb"]
        assert app.composer.text == "a\nb", "it stays until it is accepted"
        app.composer.accept()
        assert app.composer.text == ""


async def test_up_in_the_first_row_brings_back_what_was_sent_and_down_the_draft() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        app.composer.sent = ["one", "two\nlines"]
        await pilot.press("d", "up")
        assert app.composer.text == "two\nlines"
        await pilot.press("up")
        assert app.composer.text == "two\nlines", "the cursor moves first"
        await pilot.press("up")
        assert app.composer.text == "one"
        await pilot.press("up")
        assert app.composer.text == "one"
        await pilot.press("down", "down", "down")
        assert app.composer.text == "d"


async def test_a_big_paste_is_shown_as_a_stand_in_and_sent_whole() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        big = "x" * (BIG + 1)
        app.composer.post_message(events.Paste(big))
        await pilot.pause()
        assert app.composer.text == "[pasted text 1]"
        await pilot.press("!", "enter")
        assert app.submitted == [big + "!"]


async def test_a_paste_is_cleaned() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        app.composer.post_message(events.Paste("a\x1b[2Jb\r\nc\x07"))
        await pilot.pause()
        assert app.composer.text == "ab\nc"


async def test_keys_of_an_empty_composer_go_to_the_conversation() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        await pilot.press("left", "right", "ctrl+z", "ctrl+y", "pageup")
        assert app.wanted == ["previous", "next", "undo", "redo", "page_up"]


async def test_undo_is_the_texts_as_long_as_it_has_any() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        await pilot.press("a", "ctrl+z")
        assert (app.composer.text, app.wanted) == ("", [])
        await pilot.press("ctrl+z")
        assert app.wanted == ["undo"]


async def test_an_unbound_alt_letter_types_nothing() -> None:
    app = ComposerApp()
    async with app.run_test() as pilot:
        await pilot.press("alt+x", "b")
        assert app.composer.text == "b"
