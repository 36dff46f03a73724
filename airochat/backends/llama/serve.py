"""The engine's side of the conversation: one thread that computes, and a way past it for everything quick."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from airochat.backends.base import Failed, Finished, Loaded, LoadFailed, Loading, Timings, Usage
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.wire import (
    Answer,
    Cancelled,
    Command,
    Encode,
    Generate,
    Happened,
    Message,
    Open,
    Pieces,
    Stop,
)
from airochat.errors import AirochatError, BackendError

if TYPE_CHECKING:
    from airochat.backends.llama.engine import Engine
    from airochat.backends.llama.model import Model
    from airochat.backends.llama.vocab import Vocab

_log = logging.getLogger(__name__)


class Server:
    """Loads a model and serves requests.

    `run` is called once, on the thread that shall own the model; `handle` and `close` from any thread. ``send`` must
    be safe to call from all of them; ``log`` is an open descriptor for llama.cpp's messages.
    """

    def __init__(self, opening: Open, send: Callable[[Message], None], log: int) -> None:
        self._opening, self._send, self._log = opening, send, log
        self._stop = StopFlag()
        self._changed = threading.Condition()
        self._waiting: deque[Generate] = deque()
        self._current: int | None = None
        self._closing = False
        self._model: Model | None = None
        self._in_use = threading.Lock()
        """Held while the model's vocabulary is read, and while the model is freed."""
        self._fraction, self._stage = -1.0, ""

    def run(self) -> None:
        """Load the model, then serve until `close`; returns early if loading fails."""
        try:
            engine = self._load()
        except Exception as error:
            self._send(_load_failure(error))
            return
        try:
            while (command := self._next()) is not None:
                self._serve(engine, command)
        finally:
            with self._in_use:
                self._model = None
                engine.close()

    def handle(self, command: Command) -> None:
        """Take a command; returns at once."""
        match command:
            case Generate():
                with self._changed:
                    self._waiting.append(command)
                    self._changed.notify()
            case Stop(run):
                self._stop_run(run)
            case Encode() | Pieces():
                self._send(self._answer(command))

    def close(self) -> None:
        """Stop loading or computing soon; `run` then returns."""
        with self._changed:
            self._closing = True
            self._stop.set()
            self._changed.notify()

    def _load(self) -> Engine:
        self._progress(0.0, "starting llama.cpp")
        from airochat.backends.llama.engine import Engine
        from airochat.backends.llama.log import EngineLog
        from airochat.backends.llama.model import Model

        log = EngineLog(self._log)
        model = Model(self._opening.path, self._opening.options, log, self._stop, self._progress)
        engine = Engine(model, self._stop)
        try:
            self._progress(1.0, "warming up")
            engine.warm_up()
            if self._closing:
                raise Cancelled
        except BaseException:
            engine.close()
            raise
        self._model = model
        self._send(Loaded(model.info))
        return engine

    def _progress(self, fraction: float, stage: str) -> bool:
        if stage != self._stage or fraction - self._fraction >= 0.01:
            self._fraction, self._stage = fraction, stage
            self._send(Loading(fraction, stage))
        return not self._closing

    def _next(self) -> Generate | None:
        with self._changed:
            self._current = None
            while not self._waiting and not self._closing:
                self._changed.wait()
            if self._closing:
                return None
            command = self._waiting.popleft()
            self._current = command.run
            self._stop.clear()
            return command

    def _serve(self, engine: Engine, command: Generate) -> None:
        try:
            for event in engine.generate(command.request):
                self._send(Happened(command.run, event))
        except Exception as error:
            _log.exception("A request failed")
            message = f"The engine failed: {type(error).__name__}: {error}"
            self._send(Happened(command.run, Failed(message, "The engine's log has the details.")))

    def _stop_run(self, run: int) -> None:
        with self._changed:
            if run == self._current:
                self._stop.set()
                return
            waiting = [command for command in self._waiting if command.run == run]
            for command in waiting:
                self._waiting.remove(command)
        for command in waiting:
            self._send(Happened(command.run, Finished("user", Usage(), Timings())))

    def _answer(self, command: Encode | Pieces) -> Answer:
        try:
            with self._in_use:
                if self._model is None:
                    return Answer(command.call, error=BackendError("The model is not loaded."))
                return Answer(command.call, _look_up(self._model.vocab, command))
        except Exception as error:
            _log.exception("A text could not be tokenised")
            return Answer(command.call, error=BackendError(f"The text could not be tokenised: {error}"))


def _look_up(vocab: Vocab, command: Encode | Pieces) -> list[list[int]] | list[bytes]:
    match command:
        case Encode(_, texts, continued):
            return [vocab.encode(*pair) for pair in zip(texts, continued, strict=True)]
        case Pieces(_, tokens):
            return vocab.pieces(tokens)


def _load_failure(error: Exception) -> LoadFailed:
    match error:
        case Cancelled():
            return LoadFailed("Loading was cancelled.")
        case AirochatError():
            return LoadFailed(error.message, error.hint)
        case ImportError():
            return LoadFailed(
                f"llama-cpp-python cannot be used: {error}.", "Install it anew; see `airochat doctor`."
            )
    _log.error("Loading failed", exc_info=error)
    return LoadFailed(
        f"The model cannot be loaded: {type(error).__name__}: {error}", "The engine's log says more."
    )
