"""The one path of a turn: replies, the calls in them, and further replies that know the results."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from airochat.backends.bans import NO_BANS
from airochat.backends.base import Failed, Finished, Timings, Usage
from airochat.conversation import Message, new_id
from airochat.errors import AirochatError
from airochat.hooks import TurnFacts
from airochat.sampling import Sampling
from airochat.session.events import RoundStarted, TurnEnded, TurnStarted
from airochat.session.rounds import Calls, Rounds
from airochat.session.task import Task
from airochat.session.writing import Writing

if TYPE_CHECKING:
    from airochat.session.session import Session
    from airochat.session.turn import Turn

_log = logging.getLogger(__name__)
_SPECIAL_ENDS = {"user": "on_turn_stopped", "failed": "on_turn_failed"}


class TurnRun:
    """Runs one turn on a thread of its own; the session creates it and calls `run` once."""

    def __init__(self, session: Session, turn: Turn, task: Task, sampling: Sampling) -> None:
        self._session = session
        self._turn = turn
        self._sampling = sampling
        self._task = task
        self._rounds = Rounds(session, turn, sampling)
        self._message: Message | None = None
        self._end: Finished | Failed | None = None
        self._usage = Usage()
        self._first_token_s = 0.0

    def run(self) -> None:
        """Run the turn to its end; whatever happens, the last event is a `TurnEnded`."""
        session, turn = self._session, self._turn
        first, *others = turn.message_ids
        calls = self._unmade()
        writing = Writing(session, turn, self._task, self._sampling, turn.message_ids)
        session.publish(
            TurnStarted(session.id, turn.id, first, self._task.parent, writing.name, tuple(others))
        )
        session.tell("on_turn_started", TurnFacts(session.id, turn.id))
        try:
            self._go(writing, calls)
        except AirochatError as error:
            self._end = Failed(error.message, error.hint)
        except Exception as error:
            _log.exception("A turn failed")
            self._end = Failed(
                f"The turn failed: {type(error).__name__}: {error}", "The log file has the details."
            )
        self._finish()

    def _unmade(self) -> Calls | None:
        """Return the calls that are to be made before anything is written, such as those of a killed program."""
        called = self._task.called
        if called is None:
            return None
        try:
            calls = self._rounds.find(called, self._task)
        except Exception:
            _log.exception("Calls could not be looked for")
            return None
        if calls is not None:
            self._task = Task(called.id, speaker=self._session.speaker_of(called))
        return calls

    def _go(self, writing: Writing, calls: Calls | None) -> None:
        """Write, make the calls of what was written, and write on, until there is nothing to call."""
        while True:
            if calls is None:
                self._message = None
                self._write(writing)
                if self._message is not None and self._goes_on(writing):
                    calls = self._rounds.find(self._message, self._task)
            if calls is None:
                return
            results, calls = self._rounds.make(calls), None
            if self._turn.stopping:
                self._end = self._stopped()
                return
            if results is None:
                # The turn ends with what was called, also where nothing was written before.
                self._end = self._end or Finished("stop", Usage(), Timings())
                return
            self._task = Task(results.id, speaker=self._task.speaker)
            writing = self._next_round()

    def _write(self, writing: Writing) -> None:
        """Let the model write and keep it, whatever happens; the turn's thread goes on after a failure with nothing."""
        self._end = None
        try:
            writing.generate()
        except AirochatError as error:
            writing.end = Failed(error.message, error.hint)
        except Exception as error:
            _log.exception("A reply failed")
            writing.end = Failed(
                f"The turn failed: {type(error).__name__}: {error}", "The log file has the details."
            )
        self._end = writing.end
        self._message = writing.keep()
        self._count()

    def _goes_on(self, writing: Writing) -> bool:
        """Return whether the reply may have calls: only one that came to its end, and that has no alternatives."""
        ended = isinstance(self._end, Finished) and self._end.reason != "user" and not self._turn.stopping
        return ended and writing.kept and self._task.role == "assistant" and len(self._turn.message_ids) == 1

    def _next_round(self) -> Writing:
        session, turn, message_id = self._session, self._turn, new_id()
        session.group.inherit(message_id, self._task)
        # Before anybody can look at the stop flag, so that a stop finds the request that comes.
        turn.request = new_id()
        writing = Writing(session, turn, self._task, self._sampling, (message_id,))
        session.publish(RoundStarted(session.id, turn.id, message_id, self._task.parent, writing.name))
        return writing

    def _stopped(self) -> Finished | Failed | None:
        """Return how a turn ends that was stopped while calls were made."""
        end = self._end
        return dataclasses.replace(end, reason="user") if isinstance(end, Finished) else end

    def _count(self) -> None:
        if self._end is None:
            return
        usage = dataclasses.asdict(self._end.usage)
        self._usage = Usage(**{name: getattr(self._usage, name) + count for name, count in usage.items()})
        if isinstance(self._end, Finished) and not self._first_token_s:
            self._first_token_s = self._end.timings.first_token_s

    def _finish(self) -> None:
        session, turn, end, message = self._session, self._turn, self._end, self._message
        reason, error_text, hint = "user", "", ""
        timings = Timings()
        match end:
            case Finished(reason, _, timings):
                timings = dataclasses.replace(timings, first_token_s=self._first_token_s)
            case Failed(error_text, hint):
                reason = "failed"
        facts = TurnFacts(session.id, turn.id, message, reason, error_text)
        if reason in _SPECIAL_ENDS:
            session.tell(_SPECIAL_ENDS[reason], facts)
        session.tell("on_turn_finished", facts)
        bans = end.bans if isinstance(end, Finished) else NO_BANS
        session.warn((*bans.sentences(), *(end.notes if isinstance(end, Finished) else ())))
        session.end_turn(
            TurnEnded(session.id, turn.id, message, reason, self._usage, timings, error_text, hint, bans)
        )
