"""What the keys of the chat do about characters: who is here, who speaks, and where others come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import on
from textual.binding import Binding
from textual.screen import Screen

from airochat.errors import AirochatError
from airochat.session.events import TurnEnded
from airochat.text import clean, one_line
from airochat.tui.screens.ask import AskScreen
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.composer import Composer
from airochat.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from airochat.session import Session, SessionManager
    from airochat.session.exchange import Imports
    from airochat.tui.app import AirochatApp
    from airochat.tui.desk import Desk
    from airochat.tui.screens.import_cards import Arrived


_WARNINGS = 3
"""How many warnings of an import are shown."""


class ChatPeople(Screen[None]):
    """The part of the chat's keys that is about people; `ChatActions` has the others."""

    BINDINGS = [
        Binding("f2", "gallery", "Characters"),
        Binding("f5", "cast", "Who is here"),
        Binding("f6", "personas", "Who you are", priority=True),
    ]

    manager: SessionManager
    desk: Desk
    transcript: Transcript
    composer: Composer
    activity: Activity
    stopped = False
    """Whether the user wants nobody of a group to go on by themselves."""

    def open(self, session: Session | None) -> None:
        """Show another session."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Redraw what changed."""
        raise NotImplementedError

    def attempt(self, action: Callable[[Session], object], begin: bool = False) -> bool:
        """Do something with the current session; a refusal is shown. True if it was done.

        In a new chat there is nothing to do anything with, unless the action is to ``begin`` it.
        """
        self.activity.clear()
        try:
            session = self.desk.ensure() if begin else self.desk.session
            if session is not None:
                if session.turn is None:
                    self.desk.keep_looked_at(session.id)
                action(session)
        except AirochatError as error:
            self.activity.problem(error.message, error.hint)
            return False
        return session is not None

    def tell(self, message: str, hint: str = "") -> None:
        """Show a message that goes away by itself."""
        self.notify(clean(f"{message} {hint}".strip()), markup=False)

    # Who speaks

    def go_on_with_group(self, ended: TurnEnded) -> None:
        """Let whoever of a group still wants to answer do so, after a reply that came to its end."""
        session = self.desk.session
        whole = ended.reason not in ("user", "failed") and ended.message is not None
        if session is None or not whole or self.stopped or session.turn is not None:
            return
        if ended.message is not None and ended.message.role == "assistant" and session.group.due():
            self.attempt(lambda session: session.speak())

    def let_speak(self, name: str | None) -> None:
        """Let somebody of the cast speak; None lets nobody."""
        if name is not None and self.attempt(lambda session: session.speak(name)):
            self.stopped = False
            self.transcript.go_end()
        self.redraw()

    # Who is here

    def action_gallery(self, show: str = "") -> None:
        """Show all characters, and begin a chat with one."""
        from airochat.tui.screens.gallery import GalleryScreen

        self.app.push_screen(GalleryScreen(self.manager, show), self._begun)

    def _begun(self, session: Session | None) -> None:
        if session is not None:
            self.open(session)
        self.redraw()
        self.composer.focus()

    def action_cast(self) -> None:
        """Show who is here, and let somebody speak."""
        from airochat.tui.screens.cast import CastScreen

        self.attempt(
            lambda session: self.app.push_screen(CastScreen(self.manager, session), self.let_speak),
            begin=True,
        )

    def action_personas(self) -> None:
        """Say who the user is in this chat."""
        from airochat.tui.screens.personas import PersonasScreen

        screen = PersonasScreen(self.manager, session=self.desk.session)
        self.app.push_screen(screen, lambda _: self.redraw())

    @on(Composer.FilesPasted)
    def _files_pasted(self, event: Composer.FilesPasted) -> None:
        """Offer to import the cards or chats whose paths were pasted or dropped here; other files stay paths."""
        from airochat.characters.read import read_card_file
        from airochat.tui.pasted import CHATS

        if event.paths[0].suffix.lower() in CHATS:
            self._offer_chats(event)
            return

        def offer(result: list[str] | AirochatError) -> None:
            if isinstance(result, AirochatError) or self.app.screen is not self:
                return
            one = result[0] if len(result) == 1 else f"these {len(result)} characters"
            answers = [("import", f"import {one_line(one, 60)}"), ("", "no, it is a text to send")]
            screen = AskScreen("Is this a character for your library?", answers, event.text)
            self.app.push_screen(screen, lambda answer: self._import(event) if answer else None)

        def names() -> list[str]:
            return [read_card_file(path).card.name for path in event.paths]

        cast("AirochatApp", self.app).bridge.run(names, offer)

    def _import(self, pasted: Composer.FilesPasted) -> None:
        from airochat.tui.screens.import_cards import ImportScreen

        self._take_back(pasted.text)
        self.app.push_screen(ImportScreen(self.manager, pasted.paths), self._imported)

    def _take_back(self, text: str) -> None:
        """Take a pasted text out of the composer, if it stands there once."""
        if self.composer.text.count(text) == 1:
            self.composer.restore(self.composer.full_text.replace(text, ""))

    def _offer_chats(self, event: Composer.FilesPasted) -> None:
        one = event.paths[0].name if len(event.paths) == 1 else f"these {len(event.paths)} chats"
        answers = [("import", f"import {one_line(one, 60)}"), ("", "no, it is a text to send")]
        screen = AskScreen("Is this a chat to go on with?", answers, event.text)
        self.app.push_screen(screen, lambda answer: self._import_chats(event) if answer else None)

    def _import_chats(self, event: Composer.FilesPasted) -> None:
        self._take_back(event.text)

        def work() -> Imports:
            return [self.manager.import_chats(path) for path in event.paths][-1]

        cast("AirochatApp", self.app).bridge.run(work, self._chats_imported)

    def _chats_imported(self, result: Imports | AirochatError) -> None:
        if isinstance(result, AirochatError):
            self.activity.problem(result.message, result.hint)
            return
        try:
            self.open(self.manager.load(result.sessions[-1]))
        except AirochatError as error:
            self.activity.problem(error.message, error.hint)
        for warning in result.warnings[:_WARNINGS]:
            self.tell(warning)
        if len(result.warnings) > _WARNINGS:
            self.tell(f"{len(result.warnings) - _WARNINGS} more things were not taken over as they are.")

    def _imported(self, arrived: Arrived | None) -> None:
        if arrived is not None:
            self.tell(arrived.said)
            self.action_gallery(arrived.ids[-1])
