"""What the keys of the chat do about replies: sending, writing alternatives, stopping, turning through them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import on
from textual.binding import Binding

from airochat.conversation import Message
from airochat.errors import AirochatError, UsageError
from airochat.session.commands import USUAL_SWIPES, run_command
from airochat.session.turn import Turn
from airochat.text import one_line
from airochat.tui.pasted import card_paths
from airochat.tui.screens.answer import AnswerScreen, is_long
from airochat.tui.screens.chat_people import ChatPeople
from airochat.tui.widgets.composer import Composer

if TYPE_CHECKING:
    from airochat.session import Session
    from airochat.tui.app import AirochatApp
    from airochat.tui.bridge import Bridge

PAUSE_S = 0.4
"""Seconds without a key after which the model begins to read what is written."""
PATIENCE_S = 0.5
"""Seconds that the screen waits for a command."""

_BUSY = ("A reply is being written.", "Esc stops it; what you wrote stays here.")


class ChatReplies(ChatPeople):
    """The part of the chat's keys that begins, stops and turns through replies."""

    BINDINGS = [
        Binding("escape", "back", "Stop, or back to writing"),
        Binding("ctrl+r", "again", "Another reply", priority=True),
        # A key of priority would overtake those that were typed before and are not in the composer yet.
        Binding("ctrl+s", "several", "Four replies at once"),
        Binding("ctrl+g", "go_on", "Go on with the reply", priority=True),
        Binding("ctrl+t", "speak_for_me", "Let the model write for you", priority=True),
    ]

    _offered = ""
    """The path that was last offered for import."""
    _waiting: tuple[str, int] | None = None
    """What is to be sent, and for how many replies, once those that are being written have stopped."""
    _typed = 0.0
    """When the last key was pressed in the composer."""
    _prepare_waits = False

    def choose_model(self) -> None:
        """Ask which model shall reply."""
        raise NotImplementedError

    # Writing

    @on(Composer.Submitted)
    def _submitted(self, event: Composer.Submitted) -> None:
        self._send(event.text)

    def _send(self, text: str, count: int = 1) -> None:
        if self._several_run():
            self._send_later(text, count)
        elif self.desk.running:
            self.activity.problem(*_BUSY)
        elif text != self._offered and (found := card_paths(text)):
            self._offered = text  # sent a second time, it is a text
            self.composer.post_message(Composer.FilesPasted(text, found))
        elif not self.manager.settings.model and self.manager.model_state is None:
            self.choose_model()
        elif text.startswith("/") and not text.startswith("//"):
            self._command(text)
        elif not text.strip() and not len(self.desk.conversation):
            self.activity.problem("There is nothing to send yet.")
        elif self.attempt(lambda session: session.send(_said(text), n=count), begin=True):
            # Whoever asks for several wants to choose among them before anybody goes on.
            self.stopped = count > 1
            self.composer.accept()
            self.transcript.go_end()

    def _several_run(self) -> bool:
        """Return whether several replies are being written, or the end of that is not shown yet."""
        session, live = self.desk.session, self.desk.conversation.live
        turn = session.turn if session is not None else None
        return (turn is not None and len(turn.message_ids) > 1) or (live is not None and live.several)

    def _send_later(self, text: str, count: int) -> None:
        """Stop the replies that are being written, and send the text, which stays where it is, after their end."""
        if text.strip():
            self._waiting = (text, count)
            self._stop()
        else:
            self.activity.problem("Several replies are being written.", "Esc stops them.")

    def send_waiting(self) -> None:
        """Send what waited for the end of the replies, unless it was changed meanwhile."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if waiting[0] == self.composer.full_text:
            self._send(*waiting)
        else:
            self.activity.problem("This was not sent yet, since it was changed.", "Enter sends it.")

    def forget_waiting(self) -> None:
        """Send nothing by itself."""
        self._waiting = None

    @property
    def sends_later(self) -> bool:
        """Whether something waits to be sent."""
        return self._waiting is not None

    def _command(self, line: str) -> None:
        name = line.removeprefix("/").split(" ")[0]
        if name == "tokens":
            if self._look():
                self.composer.accept()
        elif name == "steer":
            self._slow_command(line)
        elif name == "panel":
            if cast("AirochatApp", self.app).choose_panel(line.partition(" ")[2].strip()):
                self.composer.accept()
        else:
            self._patient_command(line)

    def _patient_command(self, line: str) -> None:
        """Run a command, and wait a moment for it; one that takes longer, as a server does, leaves the screen free."""
        ended: list[Turn | str | AirochatError] = []
        there = threading.Event()

        def work(session: Session) -> None:
            try:
                ended.append(run_command(session, line))
            except AirochatError as error:
                ended.append(error)
            finally:
                there.set()

        def done(_: object) -> None:
            if ended:
                self._ended(line, ended.pop())

        def run(session: Session) -> None:
            self._bridge.run(lambda: work(session), done)
            if there.wait(PATIENCE_S):
                done(None)
            else:
                self.composer.accept()
                self.tell(f"{one_line(line, 60)} takes longer; you can go on meanwhile.")

        self.attempt(run, begin=True)

    def _slow_command(self, line: str) -> None:
        """Run a command that waits for the model, while the screen goes on."""

        def run(session: Session) -> None:
            self._bridge.run(lambda: run_command(session, line), lambda result: self._ended(line, result))

        self.attempt(run)

    def _ended(self, line: str, result: Turn | str | AirochatError) -> None:
        if isinstance(result, AirochatError):
            self.activity.problem(result.message, result.hint)
        else:
            self._answered(line, result)

    def _answered(self, line: str, answer: Turn | str) -> None:
        self.stopped = isinstance(answer, Turn) and len(answer.message_ids) > 1
        if self.composer.full_text == line:
            self.composer.accept()
        self.redraw()
        self.transcript.go_end()
        if isinstance(answer, str) and is_long(answer):
            self.app.push_screen(AnswerScreen(one_line(line, 60), answer))
        elif isinstance(answer, str) and answer:
            self.tell(answer)

    @property
    def _bridge(self) -> Bridge:
        return cast("AirochatApp", self.app).bridge

    @on(Composer.Changed)
    def _written(self) -> None:
        self.activity.clear()
        self.keep_draft_soon()
        self.prepare_soon()

    def keep_draft_soon(self) -> None:
        """Keep what is written before long."""
        raise NotImplementedError

    # Reading ahead

    def prepare_soon(self) -> None:
        """Let the model read the coming prompt once nothing is typed for a moment; a key costs no more than this."""
        self._typed = time.monotonic()
        if not self._prepare_waits:
            self._prepare_waits = True
            self.set_timer(PAUSE_S, self._prepare_after_pause)

    def _prepare_after_pause(self) -> None:
        rest = self._typed + PAUSE_S - time.monotonic()
        if rest > 0:
            self.set_timer(rest, self._prepare_after_pause)
        else:
            self._prepare_waits = False
            self.prepare()

    def prepare(self) -> None:
        """Let the model read what it can of the prompt that would be sent now."""
        session, text = self.desk.session, self.composer.full_text
        if session is None or self.desk.running or (text.startswith("/") and not text.startswith("//")):
            return
        session.prepare(_said(text))

    # Replies

    def action_back(self) -> None:
        """Stop the running reply; otherwise go back to writing."""
        self.stopped = True
        self.forget_waiting()
        if not self._stop():
            self.activity.clear()
            self.composer.focus()

    def _stop(self) -> bool:
        session = self.desk.session
        turn = session.turn if session is not None else None
        if turn is None:
            return False
        turn.stop()
        self.desk.conversation.stopping()
        self.redraw()
        return True

    def action_again(self) -> None:
        """Write another alternative of the last reply."""
        self._begin(lambda session: session.swipe())

    def action_several(self) -> None:
        """Write four replies at once: to what is written, or else of the last reply."""
        text = self.composer.full_text
        if text.startswith("/") and not text.startswith("//"):
            self.activity.problem("A command is not answered by several replies.", "Enter runs it.")
        elif text.strip() or not len(self.desk.conversation):
            self._send(text, USUAL_SWIPES)
        elif self._begin(lambda session: session.swipe(n=USUAL_SWIPES)):
            self.stopped = True

    def action_go_on(self) -> None:
        """Write on where the last reply ends."""
        self._begin(lambda session: session.continue_())

    def action_speak_for_me(self) -> None:
        """Let the model write what the user says next."""
        if self.attempt(lambda session: session.impersonate(), begin=True):
            self.transcript.go_end()

    def _begin(self, begin: Callable[[Session], Turn]) -> bool:
        begun = self.attempt(begin)
        if begun:
            self.stopped = False
            self.transcript.go_end()
        return begun

    def action_swipe(self, by: int) -> None:
        """Show the alternative before or after the chosen message, or else the last one, also while it is written."""
        index = self.transcript.chosen if self.transcript.has_focus else None
        message = None if index is None else self.desk.conversation.message(index)
        live = self.desk.conversation.live
        if message is None and live is not None and live.several:
            self.desk.conversation.look(by)
            self.redraw()
            return

        def swipe(session: Session) -> None:
            if message is None or message.id == session.head:
                session.next_swipe() if by > 0 else session.previous_swipe()
                return
            siblings = session.tree.siblings(message.id)
            place = siblings.index(message.id) + by
            if 0 <= place < len(siblings):
                session.turn_to(siblings[place])

        self.attempt(swipe)

    # The chosen message

    def _chosen(self) -> Message:
        index = self.transcript.chosen
        message = None if index is None else self.desk.conversation.message(index)
        if message is None:
            raise UsageError("No message is chosen.", "Choose one with the arrow keys.")
        return message

    def action_again_here(self) -> None:
        """Write another alternative of the chosen reply, or a reply to the chosen message."""
        if self._begin(lambda session: self._again_here(session, 1)):
            self.composer.focus()

    def action_several_here(self) -> None:
        """Write four alternatives of the chosen reply at once, or four replies to the chosen message."""
        if self._begin(lambda session: self._again_here(session, USUAL_SWIPES)):
            self.stopped = True
            self.composer.focus()

    def _again_here(self, session: Session, count: int) -> Turn:
        message = self._chosen()
        if message.role == "user":
            session.move(message.id)
            return session.swipe(n=count)
        return session.swipe(message.id, n=count)

    def action_look(self) -> None:
        """Show the words of the chosen reply, or else of the last one, with what could have stood in their places."""
        self._look()

    def _look(self) -> bool:
        from airochat.tui.screens.look import LookScreen

        def look(session: Session) -> None:
            if self.desk.running:
                raise UsageError(*_BUSY)
            # Also when this comes from the palette, which has the focus then.
            chosen = self.focused is self.transcript and self.transcript.chosen is not None
            message = self._chosen() if chosen or not session.history else session.history[-1]
            if message.role != "assistant":
                raise UsageError("Only the words of replies can be looked at.", "Choose a reply.")
            self.app.push_screen(LookScreen(session, message), self._looked)

        return self.attempt(look)

    def _looked(self, begun: bool | None) -> None:
        if begun:
            self.composer.focus()
            self.stopped = False
            self.redraw()
            self.transcript.go_end()


def _said(text: str) -> str:
    """Return what a written text says: two slashes stand for a text that begins with one."""
    return text[text.startswith("//") :]
