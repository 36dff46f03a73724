"""What the keys of the chat do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding

from airochat.conversation import Message
from airochat.errors import AirochatError
from airochat.session.events import ModelReady
from airochat.text import clean
from airochat.tui.screens.chat_replies import ChatReplies
from airochat.tui.widgets.composer import Composer
from airochat.tui.widgets.sessions import SessionList
from airochat.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from airochat.session import Session
    from airochat.session.approval import PendingCall


class ChatActions(ChatReplies):
    """The keys of the chat screen and their actions; `ChatScreen` shows what comes of them.

    Whatever a session refuses is said above the composer, and nothing that was written goes away.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (28, "-narrow"), (112, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (6, "-short"), (18, "-tall")]
    BINDINGS = [
        Binding("ctrl+n", "new_chat", "New chat", priority=True),
        Binding("ctrl+k", "find", "Find a chat", priority=True),
        Binding("ctrl+z", "undo", "Undo"),
        Binding("ctrl+y", "redo", "Redo"),
        Binding("ctrl+end", "end", "To the end", show=False, priority=True),
        Binding("f3", "prompt", "What the model sees"),
    ]

    def choose_model(self) -> None:
        """Ask which model shall reply."""
        from airochat.tui.screens.model import ModelScreen

        self.app.push_screen(ModelScreen(self.manager))

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

    # The tree

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

    def ask_about(self, pending: PendingCall) -> None:
        """Ask whether the model may call a tool."""
        from airochat.tui.screens.approve import ApproveScreen

        if not pending.over:
            elsewhere = pending.session is not self.desk.session
            self.app.push_screen(ApproveScreen(pending, pending.session.title if elsewhere else ""))

    def drop_questions(self) -> None:
        """Close the questions that need no answer any more, since their turn was stopped."""
        from airochat.tui.screens.approve import ApproveScreen

        for screen in reversed(self.app.screen_stack):
            if isinstance(screen, ApproveScreen):
                screen.close_if_over()

    def action_page(self, direction: int) -> None:
        """Move the transcript by a page."""
        self.transcript.page(direction)

    def action_start(self) -> None:
        """Show the beginning of the transcript."""
        self.transcript.choose(0)

    def action_end(self) -> None:
        """Show the end of the transcript."""
        self.transcript.go_end()

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
