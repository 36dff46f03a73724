"""What a session tells about its prompts and its replies' tokens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airochat.backends.base import Scored, Usage
from airochat.conversation import Message, new_id
from airochat.errors import UsageError
from airochat.prompt import PromptPlan, message_source
from airochat.session.ahead import Ahead
from airochat.session.events import HorizonMoved, SessionEvent
from airochat.session.listeners import Listeners
from airochat.session.moves import SessionMoves
from airochat.session.steering import Steering
from airochat.session.task import Task
from airochat.text import whole


class SessionInsight(SessionMoves):
    """The half of a session that asks the model without changing the conversation."""

    ahead: Ahead
    """Reads the coming prompt while nothing else is done."""
    _steering: Steering
    _listeners: Listeners[SessionEvent]

    def prompt(self, text: str | None = None, *, speaker: str = "", **sampling: Any) -> PromptPlan:
        """Return the prompt of the next turn, as if ``text`` were said; waits for a model that is being loaded."""
        return self._coming(self._said(text) if text else None, speaker, sampling)

    def foresee(self, plan: PromptPlan) -> Usage | None:
        """Tell what reading a prompt would take now: tokens in the cache, moved ones among them, and those to read.

        None if the backend does not know.
        """
        return None if plan.tokens is None else self.backend.foresee(plan.tokens)

    def prepare(self, text: str = "") -> None:
        """Let the model read what it can of the coming prompt, for a message that begins with ``text`` so far.

        Returns at once; a turn, or another call, ends it. Does nothing if the setting ``read_ahead`` is off, on
        battery, or if the backend cannot.
        """
        self.ahead.read(text)

    def coming(self, text: str) -> tuple[PromptPlan, str]:
        """Return the prompt of the next turn if ``text`` were said, and the source of its text in there."""
        message = self._said(text)
        plan = self._coming(message)
        self._note_horizon(plan)
        return plan, message_source(message)

    def _said(self, text: str) -> Message:
        return self._user_message(self._prompts.expanded(whole(text))[0])

    def _coming(
        self, message: Message | None, speaker: str = "", sampling: Mapping[str, Any] | None = None
    ) -> PromptPlan:
        info = self.wait_for_model()
        tree = self.tree if message is None else self.tree.append(message)
        name = speaker or self.profile.speaker(tree.history, self.id)
        wanted = self.profile.effective_sampling(**(sampling or {}))
        return self._prompts.write(Task(tree.head, speaker=name), info, wanted, tree).plan

    def alternatives(self, message_id: str | None = None, top: int = 10) -> list[Scored]:
        """Tell for every token of a reply, by default of the last one, how likely it was, and what else fits.

        Blocks while the model reads the reply again. Raises `UsageError` if the message is no reply, or the backend
        cannot tell.
        """
        self._check_idle()
        return self._steering.score(message_id or self._last_message().id, top)

    def _note_horizon(self, plan: PromptPlan) -> None:
        if plan.horizon != self.horizon:
            self.horizon = plan.horizon
            self._listeners.emit(HorizonMoved(self.id, self.horizon))

    def _last_message(self) -> Message:
        if not self.history:
            raise UsageError("There is no reply yet.", "Say something first.")
        return self.history[-1]

    def _user_message(self, text: str) -> Message:
        return Message(new_id(), self.tree.head, "user", self.user_name, text, time.time())
