"""The one path of a turn, from the history to the stored reply."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time
from typing import TYPE_CHECKING

from airochat.backends.base import (
    Failed,
    Finished,
    ModelInfo,
    PromptProgress,
    Request,
    TextDelta,
    Timings,
    Usage,
)
from airochat.conversation import Message, Provenance, State
from airochat.errors import AirochatError, StoreError
from airochat.hooks import TurnFacts
from airochat.prompt import PromptPlan, wire_text
from airochat.prompt.finish import finish_reply
from airochat.sampling import MAX_SEED, Sampling, unheeded_notice
from airochat.session.events import PromptRead, PromptReady, TextAdded, TurnEnded, TurnStarted
from airochat.session.saving import ReplySaver
from airochat.session.task import Task
from airochat.templates.voices import awaits_label, written_label

if TYPE_CHECKING:
    from airochat.session.prompts import Written
    from airochat.session.session import Session
    from airochat.session.turn import Turn
    from airochat.templates import Template

_log = logging.getLogger(__name__)
_MARK = "\ue000"
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
        self._created = time.time()
        self._info: ModelInfo | None = None
        self._plan: PromptPlan | None = None
        self._template: Template | None = None
        self._written: Written | None = None
        self._end: Finished | Failed | None = None
        self._raw: list[str] = []
        self._shown = False

    def run(self) -> None:
        """Run the turn to its end; whatever happens, the last event is a `TurnEnded`."""
        session, turn = self._session, self._turn
        session.publish(TurnStarted(session.id, turn.id, turn.message_id, self._task.parent, self._name))
        session.plugins.notify("on_turn_started", session.context, self._facts(None, ""))
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
        self._info = info
        written = self._written = session.write(self._task, info, self._sampling)
        plan, self._template = written.plan, written.template
        self._plan = plan
        session.warn(plan.warnings)
        session.publish(PromptReady(session.id, turn.id, plan))
        if plan.begun:
            session.publish(TextAdded(session.id, turn.id, plan.begun, 0))
        self._sampling = session.plugins.sampling(session.context, self._sampling)
        if self._sampling.seed is None:
            self._sampling = self._sampling.replace(seed=secrets.randbelow(MAX_SEED + 1))
        session.warn(session.profile.card_sampling[1])
        session.warn(unheeded_notice(self._sampling, info.sampling_fields))
        request = self._request(plan)
        with ReplySaver(
            self._partial, session.save_reply, lambda error: session.notice(error.message, error.hint)
        ):
            for event in session.backend.generate(request):
                match event:
                    case PromptProgress(done, total, reused):
                        session.publish(PromptRead(session.id, turn.id, done, total, reused))
                    case TextDelta(text, tokens):
                        self._add_text(text, tokens)
                    case _:
                        self._end = event

    def _wait_for_model(self) -> ModelInfo | None:
        while not self._turn.stopping:
            try:
                return self._session.wait_for_model(_WAIT_SLICE)
            except TimeoutError:
                continue
        return None

    def _request(self, plan: PromptPlan) -> Request:
        stop = tuple(dict.fromkeys((*plan.stop, *self._sampling.stop)))
        prompt = wire_text(plan) if plan.tokens is None else plan.tokens
        return Request(self._turn.id, prompt, self._sampling, stop, plan.stop_tokens)

    def _add_text(self, text: str, tokens: int) -> None:
        self._raw.append(text)
        if not self._shown and self._template is not None:
            written = "".join(self._raw)
            if not self._begun and awaits_label(written, self._labels):
                text = ""
            else:
                # The mark keeps the end from being stripped, since more text will follow.
                text = self._template.finish(written + _MARK, self._begun).removesuffix(_MARK)
                text = text.removeprefix(self._begun)
            self._shown = bool(text)
        self._session.publish(TextAdded(self._session.id, self._turn.id, text, tokens))

    def _partial(self) -> Message | None:
        return self._message(self._turn.text, "running", (), Usage()) if self._shown else None

    def _message(
        self, text: str, state: State, tokens: tuple[int, ...], usage: Usage, reason: str = ""
    ) -> Message:
        info = self._info
        provenance = Provenance(
            model=info.name if info else "",
            fingerprint=info.fingerprint if info else "",
            template=self._template.name if self._template else "",
            sampling=self._sampling.stored(),
            stop_reason=reason,
            usage=dataclasses.asdict(usage),
        )
        return Message(
            id=self._turn.message_id,
            parent=self._task.parent,
            role=self._task.role,
            name=self._name,
            text=text,
            created=self._created,
            state=state,
            tokens=tokens,
            provenance=provenance,
        )

    def _final(self, end: Finished | Failed | None) -> Message | None:
        raw = "".join(self._raw)
        if not raw.strip() or self._template is None:
            return None
        whole = self._template.finish(raw, self._begun)
        if not whole.strip():
            return None
        label = "" if self._begun else written_label(raw, self._labels)
        self._name = label.removesuffix(":") or self._name
        text = self._tidied(whole, end)
        changed = self._session.plugins.reply(self._session.context, text)
        tokens: tuple[int, ...] = ()
        if self._plan is not None and isinstance(end, Finished) and changed == whole:
            tokens = self._plan.reply_tokens(end.tokens)
        usage = end.usage if end else Usage()
        state, reason = _ending(end)
        message = self._message(changed, state, tokens, usage, reason)
        if changed == whole:
            return message
        return dataclasses.replace(message, provenance=dataclasses.replace(message.provenance, raw=whole))

    def _tidied(self, text: str, end: Finished | Failed | None) -> str:
        """Return a reply as the roleplay options want it; without characters it stays as it is."""
        if self._written is None or not self._session.profile.cards:
            return text
        options = self._session.profile.effective_roleplay
        cut = not isinstance(end, Finished) or end.reason in ("length", "user")
        try:
            return finish_reply(
                text,
                speakers=self._written.speakers,
                speaker=self._name,
                trim=options.trim_replies and cut,
                balance=options.balance_replies,
            )
        except Exception:
            # What the model wrote is worth more than its looks.
            _log.exception("A reply could not be tidied")
            return text

    @property
    def _labels(self) -> tuple[str, ...]:
        return self._written.labels if self._written else ()

    @property
    def _begun(self) -> str:
        return self._plan.begun if self._plan else ""

    def _finish(self) -> None:
        session, turn, end = self._session, self._turn, self._end
        message = self._final(end)
        if message is not None:
            try:
                session.keep_reply(message, self._written.variables if self._written else None)
            except StoreError as error:
                session.notice(error.message, error.hint)
        reason, error_text, hint = "user", "", ""
        usage, timings = Usage(), Timings()
        match end:
            case Finished(reason, usage, timings):
                pass
            case Failed(error_text, hint, usage):
                reason = "failed"
        session.plugins.notify("on_turn_finished", session.context, self._facts(message, reason))
        session.end_turn(TurnEnded(session.id, turn.id, message, reason, usage, timings, error_text, hint))

    def _facts(self, message: Message | None, reason: str) -> TurnFacts:
        return TurnFacts(self._session.id, self._turn.id, message, reason)


def _ending(end: Finished | Failed | None) -> tuple[State, str]:
    """Return the state of a reply, and why it ended."""
    match end:
        case Finished("user") | None:
            return "stopped", "user"
        case Finished(reason):
            return "finished", reason
        case Failed(reason):
            return "failed", reason
