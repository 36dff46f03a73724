"""Questions to the model in the background: one job at a time for each chat, in steps that wait for each answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

from airochat.errors import AirochatError, StoreError
from airochat.hooks import ChatContext
from airochat.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Question:
    """What a job asks next."""

    text: str
    system: str
    sampling: Sampling


Job = Generator[Question, str, None]
"""A job: it yields questions, is sent the answers, and keeps what came of it at its end."""


class Lane:
    """Runs jobs. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._running: dict[str, Future[str] | None] = {}
        self._told: set[str] = set()
        self._stopped: set[str] = set()
        """Chats whose job was given up, perhaps between two questions."""

    def busy(self, session_id: str) -> bool:
        """Return whether a job runs for a chat."""
        with self._lock:
            return session_id in self._running

    def wait(self, session_id: str, seconds: float) -> bool:
        """Block until no job runs for a chat, at most so many seconds; return whether that is so."""
        with self._lock:
            return self._lock.wait_for(lambda: session_id not in self._running, seconds)

    def start(
        self, context: ChatContext, job: Job, what: str, done: Callable[[], None] | None = None
    ) -> bool:
        """Begin a job, unless one runs for this chat; ``what`` says in a sentence that fails what it was for.

        A job that fails is told once, until one has gone well; whoever wants it tries it again.
        """
        with self._lock:
            if context.session_id in self._running:
                return False
            self._running[context.session_id] = None
        self._step(context, job, what, None, done)
        return True

    def stop(self, session_id: str) -> None:
        """Give up the job of a chat that is closed."""
        with self._lock:
            if session_id not in self._running:
                return
            self._stopped.add(session_id)
            future = self._running[session_id]
        if future is not None:
            future.cancel()

    def _step(
        self, context: ChatContext, job: Job, what: str, answer: str | None, done: Callable[[], None] | None
    ) -> None:
        try:
            question = next(job) if answer is None else job.send(answer)
        except StopIteration:
            self._end(context)
            with self._lock:
                self._told.discard(context.session_id)
            if done is not None:
                done()
            return
        except Exception as error:
            self._fail(context, what, error)
            return
        try:
            future = context.ask(question.text, system=question.system, sampling=question.sampling)
        except Exception as error:
            self._fail(context, what, error)
            return
        with self._lock:
            self._running[context.session_id] = future
            stopped = context.session_id in self._stopped
        if stopped:
            future.cancel()

        def answered(found: Future[str]) -> None:
            try:
                text = found.result()
            except (Exception, CancelledError) as error:
                job.close()
                self._fail(context, what, error)
            else:
                self._step(context, job, what, text, done)

        future.add_done_callback(answered)

    def _end(self, context: ChatContext) -> None:
        with self._lock:
            self._running.pop(context.session_id, None)
            self._stopped.discard(context.session_id)
            self._lock.notify_all()

    def _fail(self, context: ChatContext, what: str, error: BaseException) -> None:
        self._end(context)
        context.log.info("%s: %s: %s", what, type(error).__name__, error)
        if isinstance(error, (CancelledError, StoreError)):
            return  # The chat is closed, or its database is; nobody can do anything about it now.
        with self._lock:
            if context.session_id in self._told:
                return
            self._told.add(context.session_id)
        reason = error.message if isinstance(error, AirochatError) else f"{type(error).__name__}."
        context.notify(f"{what}: {reason}", "It is tried again after the next turn.")
