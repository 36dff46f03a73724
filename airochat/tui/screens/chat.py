"""The chat: transcript, composer, and what surrounds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from airochat.errors import AirochatError, StoreError
from airochat.session.events import (
    ModelFailed,
    ModelLoading,
    ModelReady,
    Notice,
    SessionEvent,
    TreeChanged,
    TurnEnded,
)
from airochat.tui import words
from airochat.tui.conversation import Change
from airochat.tui.desk import Desk
from airochat.tui.latest import Latest
from airochat.tui.picture import Drawn, read_and_draw
from airochat.tui.screens.chat_actions import ChatActions
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.composer import Composer
from airochat.tui.widgets.header import Header
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.portrait import ROOM, Portrait
from airochat.tui.widgets.sessions import SessionList
from airochat.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from airochat.session import Session, SessionManager
    from airochat.tui.app import AirochatApp

_DRAFT_S = 1.0
"""Seconds after which what is being written is kept."""

_WRITING: tuple[Hint, ...] = (
    *(("enter", "send"), ("ctrl+j", "new line"), ("ctrl+r ctrl+s", "again, four"), ("F1", "keys")),
)
_CHOOSING: tuple[Hint, ...] = (
    *(("↑↓", "choose"), ("e c", "edit, copy"), ("r", "again"), ("t", "words"), ("b", "go on here")),
    ("esc", "back"),
)
_RUNNING: tuple[Hint, ...] = (("esc", "stop"), ("tab", "messages"), ("F1", "keys"))
_SEVERAL: tuple[Hint, ...] = (("←→", "look at the others"), *_RUNNING)
_WAITING: tuple[Hint, ...] = (("", "sends what you wrote once the replies have stopped"), ("esc", "don't"))


class ChatScreen(ChatActions):
    """The main screen. It shows what the desk's current session is, and hands keys to it."""

    def __init__(self, manager: SessionManager, desk: Desk) -> None:
        super().__init__()
        self.manager = manager
        self.desk = desk
        self._draft_waits = False
        self._portrayed = ""

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical(id="side"):
            yield SessionList(id="sessions")
            yield Portrait()
        with Vertical(id="main"):
            with Vertical(classes="column"):
                yield Header(id="header")
            yield Transcript(id="transcript")
            with Vertical(classes="column"):
                yield Activity(id="activity")
                yield Composer(id="composer")
                yield Hints(id="hints")
        yield Static("airochat needs a larger terminal", id="small", markup=False)

    def on_mount(self) -> None:
        """Begin in the composer; what is shown comes after the first paint."""
        self.transcript = self.query_one(Transcript)
        self.composer = self.query_one(Composer)
        self.activity = self.query_one(Activity)
        self.header, self.hints = self.query_one(Header), self.query_one(Hints)
        self.side, self.portrait = self.query_one(SessionList), self.query_one(Portrait)
        self._portraying = Latest(self._bridge)
        bridge = self._bridge
        self.manager.approver = lambda pending: bridge.soon(lambda: self.ask_about(pending))
        self.composer.focus()
        self._describe()

    def on_screen_suspend(self) -> None:
        """Begin also if another screen was opened before the first frame was there."""
        cast("AirochatApp", self.app).begin()

    # Showing

    def open(self, session: Session | None) -> None:
        """Show another session, keeping what was written in this one."""
        self.forget_waiting()
        self.keep_draft()
        self.composer.restore("")
        self.desk.show(session)
        self.show_current()

    def show_current(self) -> None:
        """Show the current session from its end, with the draft that was kept for it."""
        self.activity.clear()
        self.transcript.show(self.desk.conversation)
        # What was typed before the session was read comes after what was written the last time.
        self.composer.restore(self.desk.draft() + self.composer.full_text)
        self.composer.sent = [] if self.desk.session is None else _said(self.desk.session)
        self.refresh_sessions()
        self._describe()
        self.prepare_soon()

    def receive(self, events: Iterable[SessionEvent]) -> None:
        """Take in what happened since the last time, and redraw what changed."""
        listed = False
        ended: TurnEnded | None = None
        for event in events:
            mine = self.desk.apply(event)
            listed |= isinstance(event, (TreeChanged, TurnEnded))
            if isinstance(event, (ModelLoading, ModelReady, ModelFailed)):
                self.show_model(event)
            elif isinstance(event, Notice):
                self.tell(event.message, event.hint)
            elif mine and isinstance(event, TurnEnded):
                ended = event
                self._end_turn(event)
            elif mine and isinstance(event, TreeChanged) and not self.desk.running:
                self.prepare_soon()
        self.redraw()
        self.drop_questions()
        if ended is not None:
            self._go_on(ended)
        if listed:
            self.refresh_sessions()

    def _end_turn(self, event: TurnEnded) -> None:
        # Whatever is attempted with a session begins at the alternative that was looked at.
        if self.desk.conversation.looked_at is not None:
            self.attempt(lambda session: None)
        if event.error:
            self.activity.problem(event.error, event.hint)

    def _go_on(self, ended: TurnEnded) -> None:
        """Do what waited for the end of a turn."""
        if self.sends_later:
            self.send_waiting()
        else:
            self.go_on_with_group(ended)
        self.prepare()

    def redraw(self) -> None:
        """Redraw what changed in the current conversation."""
        change = self.desk.conversation.take_change()
        if change is not None:
            self._redraw(change)
        self._describe()

    def _redraw(self, change: Change) -> None:
        keep, count = change.keep, len(self.desk.conversation)
        if keep is not None:
            self.transcript.replace_tail(keep)
        for index in change.others:
            if index < (count if keep is None else keep):
                self.transcript.changed(index)
        if keep is None and change.last and count:
            self.transcript.changed(count - 1)

    def show_model(self, event: ModelLoading | ModelReady | ModelFailed) -> None:
        """Show how the model is doing."""
        match event:
            case ModelLoading(fraction, stage):
                self.activity.progress(fraction, stage)
            case ModelReady(info=info):
                self.activity.progress_done()
                self.activity.clear("model")
                for warning in info.warnings:
                    self.tell(warning)
                self.prepare()
            case ModelFailed(message, hint):
                self.activity.progress_done()
                self.activity.problem(message, f"{hint} F4 chooses another model.".strip(), "model")

    def refresh_sessions(self) -> set[str] | None:
        """Read the list of sessions anew; return the ids of those in which something was said, None on an error."""
        try:
            sessions = [each for each in self.manager.sessions() if each.messages]
        except StoreError as error:
            self.activity.problem(error.message, error.hint)
            return None
        self.side.show(sessions[:100], self.desk.session.id if self.desk.session else "")
        return {each.id for each in sessions}

    def _describe(self) -> None:
        session = self.desk.session
        title = (session.title if session else "") or "New chat"
        self.header.show(title, _company(session, title) if session else "", self._facts())
        self.hints.show(self._hints())
        self._portray()
        if self.manager.model_state is None or isinstance(self.manager.model_state, ModelLoading):
            self.composer.prompt_with("write already; the reply comes once the model is loaded")
        elif not len(self.desk.conversation):
            self.composer.prompt_with("write something")
        else:
            name = (session.group.next() or session.reply_name) if session else "the model"
            self.composer.prompt_with(f"write, or leave empty and press enter to let {name} go on")

    def _portray(self) -> None:
        """Show who spoke last, or whoever the chat is with."""
        session = self.desk.session
        name = _last_speaker(session) if session else ""
        if session is None or not name:
            self._portrayed = ""
            self.portrait.show((), "", "")
            return
        card_id = dict(zip(session.group.names, session.profile.card_ids, strict=False)).get(name)
        if self._portrayed == (key := f"{session.id}:{name}"):
            return
        self._portrayed = key
        if not card_id:
            self.portrait.show((), name, "")
            return

        def take(drawn: Drawn | AirochatError) -> None:
            # A card that is gone from the library leaves its name.
            if self._portrayed != key:
                return
            if isinstance(drawn, AirochatError) or drawn.file is None:
                self.portrait.show((), name, "")
            else:
                self.portrait.show(drawn.strips, drawn.file.card.name, drawn.entry.notes)

        app, library = cast("AirochatApp", self.app), self.manager.cards
        room, background = (0, 0) if app.plain_colors else ROOM, self.portrait.background_colors[1].rgb
        self._portraying.ask(lambda: read_and_draw(library, library.find(card_id), room, background), take)

    def _facts(self) -> tuple[str, ...]:
        state = self.manager.model_state
        if not isinstance(state, ModelReady):
            return ("no model" if state is None and not self.manager.settings.model else "",)
        used = words.tokens(self.desk.conversation.context_used)
        template = (self.desk.session.template_name if self.desk.session else "") or state.template
        doubtful = "?" if state.doubts and template == state.template else ""
        facts = state.info.name, f"{used} of {words.tokens(state.info.n_ctx)}"
        return (*facts, words.template(template) + doubtful)

    def _hints(self) -> tuple[Hint, ...]:
        if self.desk.running:
            live = self.desk.conversation.live
            if self.sends_later:
                return _WAITING
            return _SEVERAL if live is not None and live.several else _RUNNING
        if self.transcript.has_focus:
            return _CHOOSING
        return _WRITING

    def keep_draft(self, quiet: bool = False) -> None:
        """Keep what is written for the next time this session is open; a failure is told unless ``quiet``."""
        try:
            self.desk.keep_draft(self.composer.full_text)
        except AirochatError as error:
            if not quiet:
                self.tell(error.message, error.hint)

    def keep_draft_soon(self) -> None:
        """Keep what is written before long, in case the terminal is closed."""
        if not self._draft_waits:
            self._draft_waits = True
            self.set_timer(_DRAFT_S, self._keep_waiting_draft)

    def _keep_waiting_draft(self) -> None:
        self._draft_waits = False
        self.keep_draft(quiet=True)

    def on_descendant_focus(self) -> None:
        """Show the keys of what has the focus now."""
        if self.is_mounted:
            self.hints.show(self._hints())


def _company(session: Session, title: str) -> str:
    """Return who is here besides what the title says already, and who the user is."""
    names = ", ".join(session.group.names)
    company = f"with {names}" if names and names != title else ""
    return " ".join(filter(None, (company, f"as {session.persona.name}" if session.persona else "")))


def _last_speaker(session: Session) -> str:
    """Return which of the characters spoke last, else the first of them, else nothing."""
    names = session.group.names
    spoke = (message.name for message in reversed(session.history) if message.name in names)
    return next(spoke, names[0] if names else "")


def _said(session: Session) -> list[str]:
    """Return what the user said last in a session, oldest first."""
    return [message.text for message in session.history if message.role == "user"][-50:]
