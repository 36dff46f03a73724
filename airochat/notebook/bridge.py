"""Between a session's threads and a widget: one queue and one thread for each widget.

Everything that arrives, from the session or from the page, is only put into the queue. The bridge's own thread takes
it out, acts on it, and is the only one that publishes, at most `RATE` times a second: a notebook's message channel
loses messages when its reader is slow, and redrawing costs a browser more than anything else here.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airochat.errors import AirochatError, UsageError
from airochat.notebook.transcript import State, Transcript, difference
from airochat.session.approval import PendingCall
from airochat.session.commands import run_command
from airochat.session.events import SessionEvent, ToolCalled, TreeChanged, TurnEnded, TurnStarted
from airochat.session.session import MAX_REPLIES
from airochat.text import one_line

if TYPE_CHECKING:
    from airochat.session import Session, Turn

RATE = 12
"""Messages a second to the page, at most."""

Publish = Callable[[State], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Flush:
    done: threading.Event


class Bridge:
    """Connects a session with a widget.

    ``publish`` sends one message to the page: ``full`` with ``rev`` and ``state``, or ``change`` with the next
    ``rev`` and what `difference` returns. ``keep`` receives a ``full`` message worth keeping, whenever messages changed
    and no reply is growing. Both are called on the bridge's thread.
    """

    def __init__(self, session: Session, publish: Publish, keep: Publish) -> None:
        self.session = session
        self._publish_message = publish
        self._keep = keep
        self._turn: Turn | None = None
        self._queue: queue.SimpleQueue[SessionEvent | _Asked | _Flush | PendingCall | None] = (
            queue.SimpleQueue()
        )
        self._transcript = Transcript(session.tree, self._texts_of)
        self._transcript.horizon = session.horizon
        self._transcript.template = session.template_name
        self._transcript.partner = session.reply_name
        self._transcript.model = session.model_state
        self._state = self._kept = self._transcript.state()
        self._rev = 0
        self._draft = ""
        self._back = ""
        self._full_wanted = False
        self._flushes: list[threading.Event] = []
        self._pending: PendingCall | None = None
        self._thread = threading.Thread(target=self._run, name="airochat-widget", daemon=True)
        self._unsubscribe: Callable[[], None] = lambda: None

    def full(self) -> State:
        """Return the whole state with its revision, as a ``full`` message carries it."""
        return {"type": "full", "rev": self._rev, "state": self._state, "draft": self._draft}

    def start(self) -> None:
        """Begin to listen and publish, also what a turn that is already running does."""
        turn = self.session.turn
        if turn is not None:
            self._turn = turn
            first = next(iter(turn))
            self._transcript.apply(turn.started or first)
        self._unsubscribe = self.session.subscribe(self._queue.put)
        self._queue.put(TreeChanged(self.session.id, self.session.tree))
        if turn is not None and turn.done:
            self._queue.put(list(turn)[-1])
        self._thread.start()

    def ask(self, message: Mapping[str, Any]) -> None:
        """Take a request of the page; returns at once, on whatever thread it comes.

        Whoever has a page can be asked about calls there; in a notebook that runs without one, nobody waits for that.
        """
        if message:
            self.session.own_approver = self._wonder
        self._queue.put(_Asked(message))

    @property
    def replies(self) -> int:
        """How many alternatives are written at once."""
        return self._transcript.replies

    @replies.setter
    def replies(self, number: object) -> None:
        self._transcript.replies = _number(number)
        self.ask({})  # the page is to show it

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything that has happened so far is published and kept, and no reply is growing."""
        done = threading.Event()
        self._queue.put(_Flush(done))
        return done.wait(timeout)

    def close(self) -> None:
        """Stop listening and publishing; the session goes on."""
        self._unsubscribe()
        if self.session.own_approver == self._wonder:
            self.session.own_approver = None
        if self._pending is not None:
            self._pending.withdraw()
        self._queue.put(None)

    def _wonder(self, pending: PendingCall) -> None:
        self._queue.put(pending)

    def _texts_of(self, turn_id: str) -> Sequence[str]:
        return self._turn.texts if self._turn is not None and self._turn.id == turn_id else ()

    def _run(self) -> None:
        due = 0.0
        while self._gather(due):
            self._publish()
            due = time.monotonic() + 1 / RATE
        for waiting in self._flushes:
            waiting.set()
        while not self._queue.empty():
            if isinstance(item := self._queue.get(), PendingCall):
                item.withdraw()

    def _gather(self, due: float) -> bool:
        """Take what arrives, at least one item and until ``due``; return False once the bridge is closed."""
        item = self._queue.get()
        while item is not None:
            self._take(item)
            try:
                item = self._queue.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                return True
        return False

    def _take(self, item: SessionEvent | _Asked | _Flush | PendingCall) -> None:
        try:
            match item:
                case _Flush():
                    self._flushes.append(item.done)
                case _Asked():
                    self._obey(item.message)
                case PendingCall():
                    self._pending, self._transcript.question = item, _question(item)
                case _:
                    self._hear(item)
        except Exception as error:
            self._report(error)

    def _hear(self, event: SessionEvent) -> None:
        match event:
            case TurnStarted():
                self._turn = self.session.turn or self._turn
                self._transcript.template = self.session.template_name
                self._transcript.apply(event)
            case TreeChanged():
                # The session's own tree is never older than the event's, whatever order threads came in.
                self._transcript.apply(TreeChanged(event.session, self.session.tree))
            case TurnEnded():
                picked = self._transcript.picked
                self._transcript.apply(event)
                self._drop_question()
                # Another widget on this session may have been quicker.
                with contextlib.suppress(UsageError):
                    self._go_on(event, picked)
            case ToolCalled():
                self._transcript.apply(event)
                self._drop_question()
            case _:
                self._transcript.apply(event)

    def _drop_question(self) -> None:
        """Ask no longer about a call that was answered, here or elsewhere."""
        if self._pending is None or self._pending.over:
            self._pending = self._transcript.question = None

    def _go_on(self, ended: TurnEnded, picked: str | None) -> None:
        """Show the reply that was picked while it grew; or let whoever of a group is due speak.

        Alternatives wait until one of them is chosen.
        """
        session = self.session
        if picked is not None and picked in session.tree:
            session.turn_to(picked)
        several = self._turn is not None and len(self._turn.messages) > 1
        if ended.reason not in ("user", "failed") and not several and session.group.due():
            session.speak()

    def _report(self, error: Exception) -> None:
        """Show an error in the widget: raised in a callback or thread of a kernel, it would be seen nowhere."""
        if not isinstance(error, AirochatError):
            _log.error("The chat widget failed", exc_info=error)
        self._transcript.tell_error(error)

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message.get("type"):
            case "resync":
                self._full_wanted = True
            case "draft":
                self._keep_draft(str(message.get("text", "")))
            case "replies":
                self.replies = message.get("n")
            case "cards":
                self._transcript.turn_cards()
            case "show":
                self._show(str(message.get("id", "")))
            case "stop":
                if self._turn is not None:
                    self._turn.stop()
            case "approve":
                self._approve(str(message.get("id", "")), message.get("answer"))
            case "earlier":
                self._transcript.show_earlier()
            case "send":
                self._send(str(message.get("text", "")))
            case "again":
                self._transcript.line = None
                self.session.swipe(n=self.replies)
            case "previous":
                self._transcript.line = None
                self.session.previous_swipe()
            case "next":
                self._transcript.line = None
                self.session.next_swipe()

    def _approve(self, call_id: str, answer: Any) -> None:
        """Answer a question; a click that comes late, when another one is asked, is none."""
        if self._pending is not None and self._pending.question.call_id == call_id:
            self._pending.answer(answer)
            self._drop_question()

    def _keep_draft(self, text: str) -> None:
        """Keep what is being typed, and let the model read what will not change any more."""
        self._draft = text
        if not text.startswith("/"):
            self.session.prepare(text)

    def _show(self, message_id: str) -> None:
        """Show one of several alternatives, also while they grow."""
        self._transcript.line = None
        if not self._transcript.pick(message_id):
            self.session.turn_to(message_id)

    def _send(self, text: str) -> None:
        """Send a message or run a command; text that was refused goes back to the composer."""
        self._transcript.line = None
        try:
            if text.startswith("/") and not text.startswith("//"):
                answer = run_command(self.session, text)
                if isinstance(answer, str) and answer:
                    self._transcript.tell("notice", answer)
            else:
                self.session.send(text[text.startswith("//") :], n=self.replies)
            self._draft = ""
        except Exception:
            self._draft = self._back = text
            raise

    def _publish(self) -> None:
        try:
            self._publish_changes()
        except Exception as error:
            self._report(error)
        while self._flushes and not self._transcript.busy:
            self._flushes.pop().set()

    def _publish_changes(self) -> None:
        old, self._state = self._state, self._transcript.state()
        change = difference(old, self._state)
        if self._back:
            change["back"], self._back = self._back, ""
        if change:
            self._rev += 1
            self._publish_message({"type": "change", "rev": self._rev, **change})
        if self._full_wanted:
            self._full_wanted = False
            self._publish_message(self.full())
        if not self._transcript.busy and (self._flushes or self._state["messages"] != self._kept["messages"]):
            self._kept = self._state
            self._keep(self.full())


def _question(pending: PendingCall) -> State:
    question = pending.question
    return {
        "id": question.call_id,
        "title": question.title,
        "plugin": question.plugin,
        "about": one_line(question.description, 400),
        "arguments": question.arguments,
    }


def _number(wanted: object) -> int:
    """Return how many replies are wanted at once, or raise `UsageError`."""
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= MAX_REPLIES:
        raise UsageError(f"{wanted!r} is no number of replies.", f"Choose 1 to {MAX_REPLIES}.")
    return wanted
