"""Writing one reply, or several at once: from the history to the stored messages."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airochat.backends.base import (
    Failed,
    Finished,
    ModelInfo,
    PromptProgress,
    ReplyEnded,
    Request,
    TextDelta,
)
from airochat.conversation import Message
from airochat.errors import StoreError
from airochat.hooks import SamplingDraft, Tool
from airochat.prompt import PromptPlan, wire_text
from airochat.sampling import MAX_SEED, Sampling, unheeded_notice
from airochat.session.batches import TextBatches
from airochat.session.draft import Draft, Origin
from airochat.session.events import AlternativeEnded, PromptRead, PromptReady, TextAdded
from airochat.session.saving import ReplySaver
from airochat.session.task import Task

if TYPE_CHECKING:
    from airochat.hooks import ChatContext
    from airochat.session.session import Session
    from airochat.session.turn import Turn

_WAIT_SLICE = 0.1
"""Seconds between two looks at the stop flag while a model is loading."""


class Writing:
    """One request to the model within a turn; used by the turn's thread, which calls `generate` and then `keep`."""

    def __init__(
        self, session: Session, turn: Turn, task: Task, sampling: Sampling, ids: Sequence[str]
    ) -> None:
        self._session = session
        self._turn = turn
        self._task = task
        self._sampling = sampling
        self._ids = tuple(ids)
        self.name = session.user_name if task.role == "user" else task.speaker or session.reply_name
        """Who speaks."""
        self._origin: Origin | None = None
        self._drafts: list[Draft] = []
        self._tools: tuple[Tool, ...] = ()
        """What the model may call, once the prompt is written."""
        self._ended: dict[int, Message | None] = {}
        """The alternatives that are complete, by their number."""
        self._first_end: ReplyEnded | None = None
        """How the first reply ended, if others went on."""
        self.end: Finished | Failed | None = None
        """How it ended; None if it was stopped before the model was asked."""
        self.kept = False
        """Whether all that was written is in the store."""

    def context(self, plugin: str) -> ChatContext:
        """Return the chat up to where the reply will stand, as a plugin sees it."""
        session, task = self._session, self._task
        branch = session.tree.path(task.after)
        return session.context(
            plugin,
            session.group.seen_by(task.speaker, branch),
            branch,
            purpose=task.goal,
            speaker=task.speaker,
            reply_tokens=self._sampling.max_tokens,
            tools=self._tools,
        )

    def generate(self) -> None:
        """Let the model write; raises `AirochatError`."""
        info = self._wait_for_model()
        if info is None:
            return
        session, turn = self._session, self._turn
        written = session.write(self._task, info, self._sampling)
        plan, self._tools = written.plan, written.tools
        session.warn(plan.warnings)
        session.publish(PromptReady(session.id, turn.id, plan))
        if plan.begun:
            for index in range(len(self._ids)):
                session.publish(TextAdded(session.id, turn.id, plan.begun, 0, index))
        chosen = session.plugins.chosen_sampling(self.context, self._sampling)
        if chosen.sampling.seed is None:
            chosen.sampling = chosen.sampling.replace(seed=secrets.randbelow(MAX_SEED + 1))
        session.warn(session.profile.card_sampling[1])
        session.warn(unheeded_notice(chosen.sampling, info.sampling_fields))
        self._origin = Origin(session, self._task, info, written, chosen.sampling, time.time())
        self._drafts = [
            Draft(self._origin, index, message_id, self.name) for index, message_id in enumerate(self._ids)
        ]
        told = TextBatches(session, turn)
        with ReplySaver(
            self._partial, session.save_reply, lambda error: session.notice(error.message, error.hint)
        ):
            for event in session.backend.generate(self._request(plan, chosen)):
                match event:
                    case PromptProgress(done, total, reused):
                        session.publish(PromptRead(session.id, turn.id, done, total, reused))
                    case TextDelta(text, tokens, index):
                        shown = self._drafts[index].add(text)
                        session.publish(TextAdded(session.id, turn.id, shown, tokens, index))
                        told.add(shown, index)
                    case ReplyEnded(index=0):
                        self._first_end = event
                        session.publish(AlternativeEnded(session.id, turn.id, 0, None))
                    case ReplyEnded():
                        self._end_alternative(event.index, event)
                    case _:
                        self.end = event
        told.flush()

    def keep(self) -> Message | None:
        """Store what was written, and return the reply; None if nothing was written."""
        session, end = self._session, self.end
        for index in range(1, len(self._drafts)):
            if index not in self._ended:
                self._end_alternative(index, end if isinstance(end, Failed) else None)
        first_end = end if isinstance(end, Finished) else self._first_end or end
        message = self._drafts[0].final(first_end) if self._drafts else None
        others = [other for _, other in sorted(self._ended.items()) if other is not None]
        if message is None and others:
            message = others.pop(0)
        if message is not None:
            variables = self._origin.written.variables if self._origin else None
            try:
                session.keep_replies(message, others, variables)
                self.kept = True
            except StoreError as error:
                session.notice(error.message, error.hint)
        return message

    def _wait_for_model(self) -> ModelInfo | None:
        while not self._turn.stopping:
            try:
                return self._session.wait_for_model(_WAIT_SLICE)
            except TimeoutError:
                continue
        return None

    def _request(self, plan: PromptPlan, chosen: SamplingDraft) -> Request:
        stop = tuple(dict.fromkeys((*plan.stop, *chosen.sampling.stop)))
        prompt = wire_text(plan) if plan.tokens is None else plan.tokens
        return Request(
            self._turn.request,
            prompt,
            chosen.sampling,
            stop,
            plan.stop_tokens,
            n=len(self._ids),
            chat=self._session.id,
            processors=tuple(chosen.processors),
        )

    def _partial(self) -> list[Message]:
        """Return the replies that are being written, as they stand."""
        running = (draft.partial() for index, draft in enumerate(self._drafts) if index not in self._ended)
        return [message for message in running if message is not None]

    def _end_alternative(self, index: int, end: Finished | Failed | ReplyEnded | None) -> None:
        """Keep one of the replies beside the first; it is in the store before anybody hears of it."""
        session, message = self._session, self._drafts[index].final(end)
        # Those before it come first in the store, so that the alternatives keep their order.
        earlier = [] if self._ended else self._partial()
        self._ended[index] = message
        try:
            for one in (*earlier, message):
                if one is not None:
                    session.save_reply(one)
        except StoreError as error:
            session.notice(error.message, error.hint)
        session.publish(AlternativeEnded(session.id, self._turn.id, index, message))
