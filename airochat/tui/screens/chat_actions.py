"""What the keys of the chat do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import on
from textual.binding import Binding
from textual.screen import Screen

from airochat.conversation import Message
from airochat.errors import AirochatError, UsageError
from airochat.session.commands import run_command
from airochat.session.events import ModelReady, TurnEnded
from airochat.text import clean, one_line
from airochat.tui.screens.ask import AskScreen
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.composer import Composer
from airochat.tui.widgets.sessions import SessionList
from airochat.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from airochat.session import Session, SessionManager, Turn
    from airochat.tui.app import AirochatApp
    from airochat.tui.desk import Desk
    from airochat.tui.screens.import_cards import Arrived


class ChatActions(Screen[None]):
    """The keys of the chat screen and their actions; `ChatScreen` shows what comes of them.

    Whatever a session refuses is said above the composer, and nothing that was written goes away.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (28, "-narrow"), (112, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (6, "-short"), (18, "-tall")]
    BINDINGS = [
        Binding("escape", "back", "Stop, or back to writing"),
        Binding("ctrl+r", "again", "Another reply", priority=True),
        Binding("ctrl+g", "go_on", "Go on with the reply", priority=True),
        Binding("ctrl+t", "speak_for_me", "Let the model write for you", priority=True),
        Binding("ctrl+n", "new_chat", "New chat", priority=True),
        Binding("ctrl+k", "find", "Find a chat", priority=True),
        Binding("ctrl+z", "undo", "Undo"),
        Binding("ctrl+y", "redo", "Redo"),
        Binding("ctrl+end", "end", "To the end", show=False, priority=True),
        Binding("f2", "gallery", "Characters"),
        Binding("f3", "prompt", "What the model sees"),
        Binding("f5", "cast", "Who is here"),
        Binding("f6", "personas", "Who you are"),
    ]

    manager: SessionManager
    desk: Desk
    transcript: Transcript
    composer: Composer
    activity: Activity
    _stopped = False
    """Whether the user wants nobody of a group to go on by themselves."""

    def open(self, session: Session | None) -> None:
        """Show another session."""
        raise NotImplementedError

    def choose_model(self) -> None:
        """Ask which model shall reply."""
        from airochat.tui.screens.model import ModelScreen

        self.app.push_screen(ModelScreen(self.manager))

    def attempt(self, action: Callable[[Session], object], begin: bool = False) -> bool:
        """Do something with the current session; a refusal is shown. True if it was done.

        In a new chat there is nothing to do anything with, unless the action is to ``begin`` it.
        """
        self.activity.clear()
        try:
            session = self.desk.ensure() if begin else self.desk.session
            if session is not None:
                action(session)
        except AirochatError as error:
            self.activity.problem(error.message, error.hint)
            return False
        return session is not None

    def tell(self, message: str, hint: str = "") -> None:
        """Show a message that goes away by itself."""
        self.notify(clean(f"{message} {hint}".strip()), markup=False)

    # Writing

    @on(Composer.Submitted)
    def _send(self, event: Composer.Submitted) -> None:
        text = event.text
        if self.desk.running:
            self.activity.problem("A reply is being written.", "Esc stops it; what you wrote stays here.")
        elif not self.manager.settings.model and self.manager.model_state is None:
            self.choose_model()
        elif text.startswith("/") and not text.startswith("//"):
            self._command(text)
        elif not text.strip() and not len(self.desk.conversation):
            self.activity.problem("There is nothing to send yet.")
        elif self.attempt(lambda session: session.send(text[text.startswith("//") :]), begin=True):
            self._stopped = False
            self.composer.accept()
            self.transcript.go_end()

    def _command(self, line: str) -> None:
        said: list[Turn | str] = []
        self._stopped = False
        if self.attempt(lambda session: said.append(run_command(session, line)), begin=True):
            self.composer.accept()
            self.redraw()
            if isinstance(answer := said[0], str) and answer:
                self.tell(answer)

    @on(Composer.Changed)
    def _written(self) -> None:
        self.activity.clear()
        self.keep_draft_soon()

    def keep_draft_soon(self) -> None:
        """Keep what is written before long."""
        raise NotImplementedError

    @on(Composer.Wanted)
    def _wanted(self, event: Composer.Wanted) -> None:
        match event.what:
            case "undo":
                self.action_undo()
            case "redo":
                self.action_redo()
            case "previous" | "next":
                self.action_swipe(-1 if event.what == "previous" else 1)
            case _:
                self.transcript.page(1 if event.what == "page_down" else -1)

    # The running reply

    def action_back(self) -> None:
        """Stop the running reply; otherwise go back to writing."""
        session = self.desk.session
        self._stopped = True
        if session is not None and session.turn is not None:
            session.turn.stop()
            self.desk.conversation.stopping()
            self.redraw()
        else:
            self.activity.clear()
            self.composer.focus()

    def redraw(self) -> None:
        """Redraw what changed."""
        raise NotImplementedError

    def action_again(self) -> None:
        """Write another alternative of the last reply."""
        if self.attempt(lambda session: session.swipe()):
            self.transcript.go_end()

    def action_go_on(self) -> None:
        """Write on where the last reply ends."""
        if self.attempt(lambda session: session.continue_()):
            self.transcript.go_end()

    def action_speak_for_me(self) -> None:
        """Let the model write what the user says next."""
        if self.attempt(lambda session: session.impersonate(), begin=True):
            self.transcript.go_end()

    def go_on_with_group(self, ended: TurnEnded) -> None:
        """Let whoever of a group still wants to answer do so, after a reply that came to its end."""
        session = self.desk.session
        whole = ended.reason not in ("user", "failed") and ended.message is not None
        if session is None or not whole or self._stopped or session.turn is not None:
            return
        if ended.message is not None and ended.message.role == "assistant" and session.group.due():
            self.attempt(lambda session: session.speak())

    def let_speak(self, name: str | None) -> None:
        """Let somebody of the cast speak; None lets nobody."""
        if name is not None and self.attempt(lambda session: session.speak(name)):
            self._stopped = False
            self.transcript.go_end()
        self.redraw()

    # The tree

    def action_swipe(self, by: int) -> None:
        """Show the alternative before or after the last message's."""
        self.attempt(lambda session: session.next_swipe() if by > 0 else session.previous_swipe())

    def action_undo(self) -> None:
        """Take back the last step."""
        self.attempt(lambda session: self._said_if_not(session.undo(), "There is nothing to take back."))

    def action_redo(self) -> None:
        """Take a step again that was taken back."""
        self.attempt(lambda session: self._said_if_not(session.redo(), "There is nothing to do again."))

    def _said_if_not(self, done: bool, message: str) -> None:
        if not done:
            self.tell(message)

    # The chosen message

    @on(Transcript.Clicked)
    def _clicked(self, event: Transcript.Clicked) -> None:
        self.transcript.choose(event.index)

    def action_choose(self, by: int) -> None:
        """Choose the message above or below."""
        count = len(self.desk.conversation)
        if not count:
            return
        at = count if self.transcript.chosen is None else self.transcript.chosen
        if at + by >= count:
            self.composer.focus()
        else:
            self.transcript.choose(max(0, at + by))

    def _chosen(self) -> Message:
        index = self.transcript.chosen
        message = None if index is None else self.desk.conversation.message(index)
        if message is None:
            raise UsageError("No message is chosen.", "Choose one with the arrow keys.")
        return message

    def action_copy(self) -> None:
        """Copy the chosen message as it was written."""

        def copy(_: Session) -> None:
            self.app.copy_to_clipboard(clean(self._chosen().text))
            self.tell("Copied.")

        self.attempt(copy)

    def action_branch(self) -> None:
        """Go on from the chosen message; what follows it stays in the tree."""
        if self.attempt(lambda session: session.branch(self._chosen().id)):
            self.composer.focus()

    def action_again_here(self) -> None:
        """Write another alternative of the chosen reply, or a reply to the chosen message."""

        def again(session: Session) -> None:
            message = self._chosen()
            if message.role == "user":
                session.move(message.id)
                session.swipe()
            else:
                session.swipe(message.id)

        if self.attempt(again):
            self.composer.focus()
            self.transcript.go_end()

    def action_edit(self) -> None:
        """Change the chosen message; the old one stays as an alternative."""
        from airochat.tui.screens.edit import EditScreen

        def edit(_: Session) -> None:
            message = self._chosen()
            self.app.push_screen(EditScreen(message), lambda text: self._edited(message, text))

        self.attempt(edit)

    def _edited(self, message: Message, text: str | None) -> None:
        if text is not None and text != message.text:
            self.attempt(lambda session: session.edit(message.id, text))

    # Other screens

    def action_page(self, direction: int) -> None:
        """Move the transcript by a page."""
        self.transcript.page(direction)

    def action_start(self) -> None:
        """Show the beginning of the transcript."""
        self.transcript.choose(0)

    def action_end(self) -> None:
        """Show the end of the transcript."""
        self.transcript.go_end()

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
        """Offer to import card files whose paths were pasted or dropped here; other files stay paths."""
        from airochat.characters.read import read_card_file

        def offer(result: list[str] | AirochatError) -> None:
            if isinstance(result, AirochatError) or self.app.screen is not self:
                return
            one = result[0] if len(result) == 1 else f"these {len(result)} characters"
            answers = [("import", f"import {one_line(one, 60)}"), ("", "no, it is a text to send")]
            screen = AskScreen("Is this a character for your library?", answers, event.text)
            self.app.push_screen(screen, lambda answer: self._import(event.text) if answer else None)

        def names() -> list[str]:
            return [read_card_file(path).card.name for path in event.paths]

        cast("AirochatApp", self.app).bridge.run(names, offer)

    def _import(self, text: str) -> None:
        from airochat.tui.screens.import_cards import ImportScreen

        if self.composer.text.count(text) == 1:
            self.composer.restore(self.composer.full_text.replace(text, ""))
        self.app.push_screen(ImportScreen(self.manager, text), self._imported)

    def _imported(self, arrived: Arrived | None) -> None:
        if arrived is not None:
            self.tell(arrived.said)
            self.action_gallery(arrived.ids[-1])

    def action_new_chat(self) -> None:
        """Begin a new chat."""
        self.open(None)
        self.composer.focus()

    def action_find(self) -> None:
        """Find another chat."""
        from airochat.tui.screens.find import FindScreen

        self.app.push_screen(FindScreen(self.manager), self._found)

    def _found(self, session_id: str | None) -> None:
        session, known = self.desk.session, self.refresh_sessions()
        if session_id is not None:
            self.open_by_id(session_id)
        elif session is not None and session.history and known is not None and session.id not in known:
            self.open(None)

    def refresh_sessions(self) -> set[str] | None:
        """Read the list of sessions anew; return the ids of those in which something was said, None on an error."""
        raise NotImplementedError

    def open_by_id(self, session_id: str) -> None:
        """Open a stored session."""
        self.activity.clear()
        try:
            self.open(self.manager.load(session_id))
        except AirochatError as error:
            self.activity.problem(error.message, error.hint)
        self.composer.focus()

    @on(SessionList.Opened)
    def _open_clicked(self, event: SessionList.Opened) -> None:
        self.open_by_id(event.session_id)

    @on(SessionList.FindWanted)
    def _find_clicked(self) -> None:
        self.action_find()

    def write(self, text: str) -> None:
        """Begin to write ``text``, unless something is written already."""
        if not self.composer.text:
            self.composer.insert(text)
        self.composer.focus()

    def action_about(self) -> None:
        """Tell about the model and why its template was chosen."""
        state = self.manager.model_state
        if isinstance(state, ModelReady):
            info, why = state.info, " ".join(state.why)
            self.tell(f"{info.name} on {info.device}, context {info.n_ctx}. Template {state.template}: {why}")
        else:
            self.tell("No model is loaded.", "F4 chooses one.")

    def action_prompt(self) -> None:
        """Show what the model will see."""
        from airochat.tui.screens.prompt import PromptScreen

        text = self.composer.full_text
        self.attempt(lambda session: self.app.push_screen(PromptScreen(session, text)), begin=True)
