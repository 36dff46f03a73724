"""One life of an engine, from its start to its end, and what is asked of it meanwhile."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from airochat.backends.base import (
    Event,
    Failed,
    Finished,
    Loaded,
    LoadEvent,
    LoadFailed,
    Loading,
    ModelInfo,
    PromptProgress,
    Request,
    TextDelta,
    Timings,
    Usage,
)
from airochat.backends.llama.gguf import check_model_file
from airochat.backends.llama.transport import Transport
from airochat.backends.llama.wire import Answer, Call, Generate, Happened, Keep, Message, Stop
from airochat.errors import AirochatError, EngineDied
from airochat.text import one_line

_log = logging.getLogger(__name__)
_CANCELLED = EngineDied("Loading was cancelled.")
_KEEP = 0
"""The number of the call that is made once at the end of a life; others count from 1."""
_JOIN_S = 10.0
"""How long closing waits for the engine's thread; a thread in the middle of a computation needs a moment."""
STOP_S, PROCESSORS_STOP_S = 30.0, 5.0
"""How long an engine may take to stop a request, without logits processors and with them, before it is ended.

llama.cpp stops within moments; saved states of a gigabyte may have to be read first. Code of a plugin can hang."""


class Run:
    """One request on its way through an engine. ``usage`` counts what its events have told so far."""

    def __init__(self, number: int, request: Request) -> None:
        self.number = number
        self.request = request
        self.stopped = False
        self.life: Life | None = None
        self.usage = Usage()
        self.overdue = ""
        """What to say if the engine was ended because it did not stop this request; else empty."""
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def put(self, event: Event) -> None:
        """Take an event from the engine."""
        match event:
            case PromptProgress(done, _, reused):
                self.usage = Usage(done, reused, done - reused, 0)
            case TextDelta(tokens=tokens):
                used = self.usage
                self.usage = replace(used, generated=used.generated + tokens)
        self._events.put(event)

    def next(self) -> Event:
        """Return the next event, once there is one."""
        return self._events.get()


class Life:
    """An engine being loaded, in use, or over.

    ``on_load`` is called with every load event, on the engine's thread or on the one that ends an engine which does not
    stop; the state has changed before. Attributes are read under the caller's lock; ``closing`` is set by whoever ends
    it on purpose.
    """

    def __init__(self, transport: Transport, on_load: Callable[[Life, LoadEvent], None]) -> None:
        self.transport = transport
        self.info: ModelInfo | None = None
        self.failure: AirochatError = _CANCELLED
        self.over = False
        self.closing = False
        self.awaited = False
        """Whether somebody waits for the end of loading."""
        self.thread: threading.Thread
        self._on_load = on_load
        self._lock = threading.Lock()
        self._runs: dict[int, Run] = {}
        self._watches: dict[int, threading.Timer] = {}
        self._calls: dict[int, Future[Any]] = {}

    @property
    def ready_info(self) -> ModelInfo:
        """The loaded model; only once there is one."""
        assert self.info is not None
        return self.info

    def first_event(self, run: Run) -> Event:
        """Give the engine a request and return its first event; `Failed` if the engine is over."""
        run.life = self
        with self._lock:
            if self.over:
                return self._last_event(run)
            self._runs[run.number] = run
        try:
            self.transport.send(Generate(run.number, run.request))
            if run.stopped:
                self.stop(run)
            return run.next()
        except BaseException:
            self._leave(run)
            raise

    def events(self, run: Run, first: Event) -> Iterator[Event]:
        """Yield the first and all further events of a request; leaving early stops it."""
        try:
            event = first
            yield event
            while not isinstance(event, (Finished, Failed)):
                event = run.next()
                yield event
        finally:
            self._leave(run)

    def stop(self, run: Run) -> None:
        """Have a request end soon; an engine that does not heed this is ended itself."""
        self.transport.send(Stop(run.number))
        limit = PROCESSORS_STOP_S if run.request.processors else STOP_S
        with self._lock:
            if run.number not in self._runs or run.number in self._watches:
                return
            watch = self._watches[run.number] = threading.Timer(limit, self._give_up, [run, limit])
            watch.daemon = True
            watch.start()

    def _give_up(self, run: Run, limit: float) -> None:
        with self._lock:
            if run.number not in self._runs:
                return
        names = ", ".join(one_line(processor.name) for processor in run.request.processors)
        blame = f" It was running logits processors: {names}." if names else ""
        message = f"The engine did not stop within {limit:.0f} s, so it was ended.{blame}"
        run.overdue = message
        self._end(EngineDied(message, "The next reply starts a new one."))
        self.transport.kill()

    def _leave(self, run: Run) -> None:
        with self._lock:
            running = run.number in self._runs
        if running:
            self.stop(run)

    def ask(self, command: Call, timeout: float | None = None) -> Any:
        """Return the answer to a call; `EngineDied` if the engine ends before it, `TimeoutError` if it is late."""
        future: Future[Any] = Future()
        with self._lock:
            if self.over:
                raise self.failure
            self._calls[command.call] = future
        self.transport.send(command)
        return future.result(timeout)

    def keep(self, timeout: float) -> None:
        """Have what runs end, and the cache written to the disk, within so many seconds; else it is lost."""
        if self.info is None or self.over or self.thread is threading.current_thread():
            return
        with self._lock:
            runs = list(self._runs)
        for number in runs:
            self.transport.send(Stop(number))
        with contextlib.suppress(AirochatError, TimeoutError, concurrent.futures.TimeoutError):
            self.ask(Keep(_KEEP), timeout)

    def start(self, path: Path) -> None:
        """Check the model file, then start the engine, in a thread."""
        self.thread = threading.Thread(target=self._live, args=(path,), name="airochat-engine", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End the engine on purpose: what runs on it ends as if it had been stopped."""
        self.closing = True
        self.transport.close()
        if self.thread is not threading.current_thread():
            self.thread.join(_JOIN_S)

    def _live(self, path: Path) -> None:
        try:
            self._on_load(self, Loading(0.0, "starting the engine"))
            check_model_file(path)
            self.transport.run(self._deliver)
        except AirochatError as error:
            self._end(error)
        except BaseException as error:  # else whoever waits would wait forever
            _log.exception("The engine's thread failed")
            self._end(EngineDied(f"The engine failed: {type(error).__name__}: {error}"))
        else:
            self._end(EngineDied("The engine has ended."))

    def _end(self, reason: AirochatError) -> None:
        with self._lock:
            if self.over:
                return
            self.over, self.failure = True, _CANCELLED if self.closing else reason
            runs, calls = list(self._runs.values()), list(self._calls.values())
            self._runs.clear()
            self._calls.clear()
            self._unwatch(*self._watches)
        if self.info is None or not self.closing:
            self._on_load(self, LoadFailed(self.failure.message, self.failure.hint))
        for call in calls:
            call.set_exception(self.failure)
        for run in runs:
            run.put(self._last_event(run))

    def _last_event(self, run: Run) -> Finished | Failed:
        if self.closing:
            return Finished("user", run.usage, Timings())
        if run.overdue:
            return Finished("user", run.usage, Timings(), notes=(run.overdue,))
        return Failed(self.failure.message, self.failure.hint, run.usage)

    def _deliver(self, message: Message) -> None:
        match message:
            case Happened(number, event):
                self._hand_on(number, event)
            case Answer(call, value, error):
                self._settle(call, value, error)
            case Loading():
                self._on_load(self, message)
            case Loaded(info):
                self.info, self.awaited = info, False
                self._on_load(self, message)
            case LoadFailed(text, hint):
                self._end(EngineDied(text, hint))

    def _hand_on(self, number: int, event: Event) -> None:
        with self._lock:
            last = isinstance(event, (Finished, Failed))
            run = self._runs.pop(number, None) if last else self._runs.get(number)
            if last:
                self._unwatch(number)
        if run is not None:
            run.put(event)

    def _unwatch(self, *numbers: int) -> None:
        for number in numbers:
            if (watch := self._watches.pop(number, None)) is not None:
                watch.cancel()

    def _settle(self, call: int, value: Any, error: AirochatError | None) -> None:
        with self._lock:
            future = self._calls.pop(call, None)
        if future is None:
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
