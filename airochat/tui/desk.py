"""Which sessions are open, and what is shown of each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, MutableMapping
from typing import Any

from airochat.conversation import Tree
from airochat.errors import AirochatError, StoreError
from airochat.session import Session, SessionManager
from airochat.session.events import (
    ModelFailed,
    ModelLoading,
    ModelReady,
    Notice,
    SessionEvent,
    TreeChanged,
    TurnEnded,
)
from airochat.tui.conversation import Conversation

_DRAFT = "draft"


class Desk:
    """One current session, which may be a new one that nothing was said in yet, and others that still reply.

    ``attach`` starts the flow of a session's events and returns what ends it.
    """

    def __init__(self, manager: SessionManager, attach: Callable[[Session], Callable[[], None]]) -> None:
        self._manager = manager
        self._attach = attach
        self._open: dict[str, tuple[Session, Conversation, Callable[[], None]]] = {}
        self.session: Session | None = None
        """The current session; None is a new chat, which is stored once something is said in it."""
        self.conversation = Conversation(Tree())

    @property
    def running(self) -> bool:
        """Whether the current session writes a reply."""
        return self.session is not None and self.session.turn is not None

    def show(self, session: Session | None) -> None:
        """Make a session the current one; None begins a new one."""
        left, self.session = self.session, session
        if session is None:
            self.conversation = Conversation(Tree())
        else:
            if session.id not in self._open:
                self._take(session, Conversation(session.tree))
            self.conversation = self._open[session.id][1]
        if left is not None and left is not session and left.turn is None:
            self._close(left.id)

    def ensure(self) -> Session:
        """Return the current session, storing a new chat first."""
        if self.session is None:
            session = self._manager.new()
            self.keep_draft("")
            self._take(session, self.conversation)
            self.conversation.apply(TreeChanged(session.id, session.tree))
            self.session = session
        return self.session

    def _take(self, session: Session, conversation: Conversation) -> None:
        conversation.audience = session.group.audience
        conversation.horizon = session.horizon
        conversation.voices.meet(session.group.names)
        self._open[session.id] = (session, conversation, self._attach(session))

    def apply(self, event: SessionEvent) -> bool:
        """Give an event to the session it belongs to; true if that is the current one."""
        if isinstance(event, (ModelLoading, ModelReady, ModelFailed, Notice)):
            return False
        known = self._open.get(event.session)
        if known is None:
            return False
        known[1].apply(event)
        mine = known[0] is self.session
        if isinstance(event, TurnEnded) and not mine:
            with contextlib.suppress(AirochatError):
                self.keep_looked_at(event.session)
            self._close(event.session)
        return mine

    def keep_looked_at(self, session_id: str) -> None:
        """Let a session show the alternative that was looked at when its turn ended; it shows the first by itself.

        If that is refused, the first is shown, and the error raised.
        """
        session, conversation, _ = self._open[session_id]
        looked_at, conversation.looked_at = conversation.looked_at, None
        if looked_at is None:
            return
        try:
            session.turn_to(looked_at)
        except AirochatError:
            conversation.apply(TreeChanged(session.id, session.tree))
            raise

    def _close(self, session_id: str) -> None:
        session, _, leave = self._open.pop(session_id)
        leave()
        session.close()

    # What was written and not sent

    def draft(self) -> str:
        """Return what was last kept for the current session."""
        try:
            return str(self._drafts().get(_DRAFT, ""))
        except StoreError:
            return ""

    def keep_draft(self, text: str) -> None:
        """Keep what is written for the current session, also beyond the end of the program."""
        if text != self.draft():
            self._drafts()[_DRAFT] = text

    def _drafts(self) -> MutableMapping[str, Any]:
        return self._manager.store.mapping("tui", f"chat:{self.session.id}" if self.session else "new")
