"""The llama backend: keeps an engine running, gives it requests, and survives its death."""

from __future__ import annotations

import itertools
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from airochat.backends.base import (
    CacheReport,
    Event,
    Failed,
    Finished,
    Loaded,
    LoadEvent,
    ModelInfo,
    Request,
    Scored,
    Timings,
    Usage,
)
from airochat.backends.llama.life import Life, Run
from airochat.backends.llama.tokens import EngineTokenizer
from airochat.backends.llama.transport import ProcessTransport, ThreadTransport, Transport
from airochat.backends.llama.wire import Call, Foresee, Forget, Open, Report, Score, portable
from airochat.backends.notes import with_notes
from airochat.backends.states import forget_state
from airochat.errors import AirochatError, EngineDied, ModelError
from airochat.prompt.tokens import Tokenizer
from airochat.settings import EngineOptions

_log = logging.getLogger(__name__)


_KEEP_S = 5.0
"""How long closing waits for the cache of a conversation to be written to the disk."""


def _nobody(_event: LoadEvent) -> None:
    """Stands for a listener as long as there is none."""


class LlamaBackend:
    """Runs one GGUF model with llama.cpp, in a process of its own or in a thread; implements `Backend`.

    ``log`` is the file for llama.cpp's messages, ``states`` the folder where caches of conversations outlive it.
    Nothing is started before `load` or `wait`. If the engine dies, the running request fails with the reason, and the
    next one starts a new engine.
    """

    def __init__(self, path: Path, options: EngineOptions, log: Path, states: Path | None = None) -> None:
        self._opening = Open(_absolute(path), _with_absolute_paths(options), states)
        self._log = log
        self._listener: Callable[[LoadEvent], None] = _nobody
        self._changed = threading.Condition(threading.RLock())
        self._life: Life | None = None
        self._tokenizer: EngineTokenizer | None = None
        self._closed = False
        self._numbers = itertools.count(1)
        self._runs: weakref.WeakSet[Run] = weakref.WeakSet()
        self._stopped_early: deque[str] = deque(maxlen=64)

    def load(self, listener: Callable[[LoadEvent], None]) -> None:
        """Start loading, unless the model is loaded or being loaded; see `Backend.load`."""
        with self._changed:
            self._listener = listener
            if not self._closed and (self._life is None or self._life.over):
                self._start()

    def wait(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready; see `Backend.wait`."""
        return self._ready_life(timeout).ready_info

    @property
    def info(self) -> ModelInfo | None:
        """The loaded model, or None while there is none."""
        life = self._life
        return life.info if life is not None and not life.over else None

    @property
    def pid(self) -> int | None:
        """The process id of the engine, or None while there is no such process."""
        life = self._life
        return life.transport.pid if life is not None and not life.over else None

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The model's tokenizer; it stays usable when the engine has to be started anew."""
        return self._tokenizer

    def score(self, prompt: Sequence[int], reply: Sequence[int], top: int = 10) -> list[Scored]:
        """Tell how probable each token of a reply was; see `Backend.score`."""
        whole = tuple(prompt), tuple(reply)
        scored: list[Scored] = self._ask(lambda call: Score(call, *whole, top))
        return scored

    def foresee(self, prompt: Sequence[int]) -> Usage | None:
        """Tell what reading a prompt would take now; see `Backend.foresee`."""
        life = self._life
        if life is None or life.over or life.info is None or not prompt:
            return None
        usage: Usage = life.ask(Foresee(next(self._numbers), tuple(prompt)))
        return usage

    def cache_report(self) -> CacheReport:
        """Tell what is kept in caches; see `Backend.cache_report`."""
        life = self._life
        if life is None or life.over or life.info is None:
            return CacheReport()
        report: CacheReport = life.ask(Report(next(self._numbers)))
        return report

    def forget(self, chat: str) -> None:
        """Keep nothing of a conversation; see `Backend.forget`."""
        if self._opening.states is not None:
            forget_state(self._opening.states, chat)
        if (life := self._life) is not None and life.info is not None:
            life.transport.send(Forget(chat))

    def generate(self, request: Request) -> Iterator[Event]:
        """Run one request; it can be stopped from this call on. See `Backend.generate`."""
        request, notes = portable(request)
        run = Run(next(self._numbers), request)
        with self._changed:
            self._runs.add(run)
            run.stopped = request.id in self._stopped_early
        return with_notes(self._events(run), notes) if notes else self._events(run)

    def stop(self, request_id: str) -> None:
        """End a request soon; see `Backend.stop`."""
        with self._changed:
            runs = [run for run in self._runs if run.request.id == request_id]
            if not runs:
                self._stopped_early.append(request_id)
            for run in runs:
                run.stopped = True
            self._changed.notify_all()
        for run in runs:
            if run.life is not None:
                run.life.stop(run)

    def close(self) -> None:
        """Stop everything and free the model."""
        with self._changed:
            life, self._life = self._life, None
            self._closed = True
            for run in self._runs:
                run.stopped = True
            self._changed.notify_all()
        if life is not None:
            life.keep(_KEEP_S)
            life.close()

    # -- requests ------------------------------------------------------------------------------------------------

    def _events(self, run: Run) -> Generator[Event, None, None]:
        try:
            life = self._ready_life(None, run)
            first = life.first_event(run)
            if isinstance(first, Failed) and life.over:
                # The engine had died before it saw the request; a new one has not.
                life = self._ready_life(None, run)
                first = life.first_event(run)
        except InterruptedError:
            yield Finished("user", Usage(), Timings())
        except AirochatError as error:
            yield Failed(error.message, error.hint)
        else:
            yield from life.events(run, first)

    def _ask(self, make: Callable[[int], Call]) -> Any:
        try:
            return self._ready_life(None).ask(make(next(self._numbers)))
        except EngineDied:
            return self._ready_life(None).ask(make(next(self._numbers)))

    # -- the engine's life ---------------------------------------------------------------------------------------

    def _ready_life(self, timeout: float | None, run: Run | None = None) -> Life:
        """Return a life whose model is loaded; `InterruptedError` if ``run`` is stopped meanwhile."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                if run is not None and run.stopped:
                    raise InterruptedError
                life = self._attempt()
                if life.info is not None:
                    return life
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError("The model is still being loaded.")
                self._changed.wait(left)

    def _attempt(self) -> Life:
        """Return the life that is loaded or loading, a new one if the last is over.

        A failure is raised once to whoever waits for it; who comes later tries again.
        """
        if self._closed:
            raise ModelError("The model has been closed.")
        life = self._life
        if life is not None and life.over and life.awaited:
            life.awaited = False
            failure = life.failure
            raise ModelError(failure.message, failure.hint)
        if life is None or life.over:
            life = self._start()
        life.awaited = life.info is None
        return life

    def _start(self) -> Life:
        kind = ProcessTransport if self._opening.options.engine == "process" else ThreadTransport
        transport: Transport = kind(self._opening, self._log)
        life = self._life = Life(transport, self._on_load)
        life.start(self._opening.path)
        return life

    def _on_load(self, life: Life, event: LoadEvent) -> None:
        with self._changed:
            if life.info is not None and isinstance(event, Loaded):
                self._tokenizer = EngineTokenizer(life.info.vocabulary, self._ask)
            self._changed.notify_all()
        try:
            self._listener(event)
        except Exception:
            _log.exception("A listener failed")


def _absolute(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


def _with_absolute_paths(options: EngineOptions) -> EngineOptions:
    """Return options for a process whose current folder is another one."""
    lora = tuple((str(_absolute(path)), scale) for path, scale in options.lora)
    draft = str(_absolute(options.draft_model)) if options.draft_model else ""
    return replace(options, lora=lora, draft_model=draft)
