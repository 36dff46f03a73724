"""The one path of a turn, from the history to the stored replies."""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING

from airochat.backends.bans import NO_BANS
from airochat.backends.base import (
    Failed,
    Finished,
    ModelInfo,
    PromptProgress,
    ReplyEnded,
    Request,
    TextDelta,
    Timings,
    Usage,
)
from airochat.conversation import Message
from airochat.errors import AirochatError, StoreError
from airochat.hooks import TurnFacts
from airochat.prompt import PromptPlan, wire_text
from airochat.sampling import MAX_SEED, Sampling, unheeded_notice
from airochat.session.batches import TextBatches
from airochat.session.draft import Draft, Origin
from airochat.session.events import (
    AlternativeEnded,
    PromptRead,
    PromptReady,
    TextAdded,
    TurnEnded,
    TurnStarted,
)
from airochat.session.saving import ReplySaver
from airochat.session.task import Task

if TYPE_CHECKING:
    from airochat.session.session import Session
    from airochat.session.turn import Turn

_log = logging.getLogger(__name__)
_SPECIAL_ENDS = {"user": "on_turn_stopped", "failed": "on_turn_failed"}
_WAIT_SLICE = 0.1
"""Seconds between two looks at the stop flag while a model is loading."""


class TurnRun:
    """Runs one turn on a thread of its own; the session creates it and calls `run` once."""

    def __init__(self, session: Session, turn: Turn, task: Task, sampling: Sampling) -> None:
        self._session = session
        self._turn = turn
        self._task = task
        self._name = session.user_name if task.role == "user" else task.speaker or session.reply_name
        self._sampling = sampling
        self._origin: Origin | None = None
        self._drafts: list[Draft] = []
        self._ended: dict[int, Message | None] = {}
        """The alternatives that are complete, by their number."""
        self._first_end: ReplyEnded | None = None
        """How the first reply ended, if others went on."""
        self._end: Finished | Failed | None = None

    def run(self) -> None:
        """Run the turn to its end; whatever happens, the last event is a `TurnEnded`."""
        session, turn = self._session, self._turn
        first, *others = turn.message_ids
        session.publish(TurnStarted(session.id, turn.id, first, self._task.parent, self._name, tuple(others)))
        session.tell("on_turn_started", self._facts(None, ""))
        try:
            self._generate()
        except AirochatError as error:
            self._end = Failed(error.message, error.hint)
        except Exception as error:
            _log.exception("A turn failed")
            self._end = Failed(
                f"The turn failed: {type(error).__name__}: {error}", "The log file has the details."
            )
        self._finish()

    def _generate(self) -> None:
        info = self._wait_for_model()
        if info is None:
            return
        session, turn = self._session, self._turn
        written = session.write(self._task, info, self._sampling)
        plan = written.plan
        session.warn(plan.warnings)
        session.publish(PromptReady(session.id, turn.id, plan))
        if plan.begun:
            for index in range(len(turn.message_ids)):
                session.publish(TextAdded(session.id, turn.id, plan.begun, 0, index))
        sampling = session.plugins.sampling(session.context, self._sampling)
        if sampling.seed is None:
            sampling = sampling.replace(seed=secrets.randbelow(MAX_SEED + 1))
        session.warn(session.profile.card_sampling[1])
        session.warn(unheeded_notice(sampling, info.sampling_fields))
        self._origin = Origin(session, self._task, info, written, sampling, time.time())
        self._drafts = [
            Draft(self._origin, index, message_id, self._name)
            for index, message_id in enumerate(turn.message_ids)
        ]
        told = TextBatches(session, turn)
        with ReplySaver(
            self._partial, session.save_reply, lambda error: session.notice(error.message, error.hint)
        ):
            for event in session.backend.generate(self._request(plan, sampling)):
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
                        self._end = event
        told.flush()

    def _wait_for_model(self) -> ModelInfo | None:
        while not self._turn.stopping:
            try:
                return self._session.wait_for_model(_WAIT_SLICE)
            except TimeoutError:
                continue
        return None

    def _request(self, plan: PromptPlan, sampling: Sampling) -> Request:
        stop = tuple(dict.fromkeys((*plan.stop, *sampling.stop)))
        prompt = wire_text(plan) if plan.tokens is None else plan.tokens
        count = len(self._turn.message_ids)
        return Request(
            self._turn.id, prompt, sampling, stop, plan.stop_tokens, n=count, chat=self._session.id
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

    def _finish(self) -> None:
        session, turn, end = self._session, self._turn, self._end
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
            except StoreError as error:
                session.notice(error.message, error.hint)
        reason, error_text, hint = "user", "", ""
        usage, timings = Usage(), Timings()
        match end:
            case Finished(reason, usage, timings):
                pass
            case Failed(error_text, hint, usage):
                reason = "failed"
        facts = self._facts(message, reason, error_text)
        if reason in _SPECIAL_ENDS:
            session.tell(_SPECIAL_ENDS[reason], facts)
        session.tell("on_turn_finished", facts)
        bans = end.bans if isinstance(end, Finished) else NO_BANS
        session.warn(bans.sentences())
        session.end_turn(
            TurnEnded(session.id, turn.id, message, reason, usage, timings, error_text, hint, bans)
        )

    def _facts(self, message: Message | None, reason: str, error: str = "") -> TurnFacts:
        return TurnFacts(self._session.id, self._turn.id, message, reason, error)
