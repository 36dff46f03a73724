"""The engine's side of the conversation: one thread that computes, and a way past it for everything quick."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airochat.backends.base import Event, Failed, Finished, Loaded, Loading, Timings, Usage
from airochat.backends.guess import Lookup
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.answers import answered, load_failure
from airochat.backends.llama.wire import (
    Answer,
    Cancelled,
    Command,
    Encode,
    Foresee,
    Forget,
    Generate,
    Happened,
    Keep,
    Message,
    Open,
    Pieces,
    Report,
    Score,
    Stop,
)
from airochat.errors import BackendError

if TYPE_CHECKING:
    from airochat.backends.llama.aside import Aside
    from airochat.backends.llama.engine import Engine
    from airochat.backends.llama.log import EngineLog
    from airochat.backends.llama.model import Model
    from airochat.backends.llama.vocab import Vocab
    from airochat.backends.llama.writer import Guesser

_log = logging.getLogger(__name__)


_IDLE_S = 120.0
"""How long nothing must have been asked for before the cache of a conversation is written to the disk.

Large models have a gigabyte there, which is not to be written after every turn; closing writes it, too."""
_Work = Generate | Score | Keep | Forget
"""What the engine's thread does, one after the other."""


class _Asides:
    """What is to be written while nobody waits, one after the other; guarded by the server's lock."""

    def __init__(self) -> None:
        self.stop = StopFlag()
        self.waiting: deque[Generate] = deque()
        self.run: int | None = None
        """The one that has begun."""
        self.cancelled = False
        self.told = False
        """Whether its end has been told already, since it was cancelled while a request was served."""
        self.events: Iterator[Event | None] | None = None


class Server:
    """Loads a model and serves requests.

    `run` is called once, on the thread that shall own the model; `handle` and `close` from any thread. ``send`` must
    be safe to call from all of them; ``log`` is an open descriptor for llama.cpp's messages.
    """

    def __init__(self, opening: Open, send: Callable[[Message], None], log: int) -> None:
        self._opening, self._send, self._log = opening, send, log
        self._stop = StopFlag()
        self._changed = threading.Condition()
        self._waiting: deque[_Work] = deque()
        self._current: _Work | None = None
        self._asides = _Asides()
        self._closing = False
        self._engine: Engine | None = None
        self._aside: Aside | None = None
        self._vocab: Vocab | None = None
        self._in_use = threading.Lock()
        """Held while the model's vocabulary is read, and while the model is freed."""
        self._fraction, self._stage = -1.0, ""

    def run(self) -> None:
        """Load the model, then serve until `close`; returns early if loading fails."""
        try:
            engine = self._load()
        except Exception as error:
            self._send(load_failure(error))
            return
        try:
            while self._serve_next(engine):
                pass
        finally:
            self._end_aside()
            with self._in_use:
                self._vocab = self._engine = None
                engine.close()

    def handle(self, command: Command) -> None:
        """Take a command; returns at once."""
        match command:
            case Generate():
                self._take_request(command)
            case Score() | Keep() | Forget():
                self._take_work(command)
            case Stop(run):
                self._stop_run(run)
            case Encode() | Pieces() | Report() | Foresee():
                self._send(self._answer(command))

    def close(self) -> None:
        """Stop loading or computing soon; `run` then returns."""
        with self._changed:
            self._closing = True
            self._stop.set()
            self._asides.stop.set()
            self._changed.notify()

    def _take_request(self, command: Generate) -> None:
        if command.request.purpose != "background":
            self._take_work(command)
            return
        with self._changed:
            self._asides.waiting.append(command)
            self._changed.notify()

    def _take_work(self, work: _Work) -> None:
        with self._changed:
            self._waiting.append(work)
            if _gives_way(self._current, work):
                self._stop.set()
            self._asides.stop.set()
            self._changed.notify()

    def _load(self) -> Engine:
        self._progress(0.0, "starting llama.cpp")
        from airochat.backends.llama.aside import Aside
        from airochat.backends.llama.disk import disk_for
        from airochat.backends.llama.engine import Engine
        from airochat.backends.llama.log import EngineLog
        from airochat.backends.llama.model import Model

        log = EngineLog(self._log)
        model = Model(self._opening.path, self._opening.options, log, self._stop, self._progress)
        engine = Engine(model, self._stop, disk_for(model, self._opening.states), self._guesser(model, log))
        try:
            self._progress(1.0, "warming up")
            engine.warm_up()
            if self._closing:
                raise Cancelled
        except BaseException:
            engine.close()
            raise
        self._aside = Aside(model, self._asides.stop)
        self._engine, self._vocab = engine, model.vocab
        self._send(Loaded(model.info))
        return engine

    def _guesser(self, model: Model, log: EngineLog) -> Guesser | None:
        """Return what guesses tokens, as the settings want it; the model is freed if it cannot be had."""
        options = self._opening.options
        if options.speculative == "lookup":
            return Lookup()
        if options.speculative != "draft":
            return None
        from airochat.backends.llama.draft import DraftModel
        from airochat.backends.llama.model import Model

        small = options.replace(n_ctx=model.n_ctx, lora=(), n_seq_max=1)
        try:
            draft = Model(Path(options.draft_model), small, log, self._stop, self._progress)
            return DraftModel(draft, model)
        except BaseException:
            model.close()
            raise

    def _progress(self, fraction: float, stage: str) -> bool:
        if stage != self._stage or fraction - self._fraction >= 0.01:
            self._fraction, self._stage = fraction, stage
            self._send(Loading(fraction, stage))
        return not self._closing

    def _serve_next(self, engine: Engine) -> bool:
        """Do what is to be done next, or wait for it; return whether to go on."""
        with self._changed:
            self._current = None
            if not self._waiting and not self._asides.waiting and not self._asides.run and not self._closing:
                self._changed.wait(_IDLE_S if engine.unkept else None)
            if self._closing:
                return False
            self._stop.clear()
            work = self._current = self._waiting.popleft() if self._waiting else None
            superseded = any(_gives_way(work, later) for later in self._waiting)
            if superseded and isinstance(work, Score):
                self._waiting.append(work)
            aside = work is None and bool(self._asides.run or self._asides.waiting)
            if aside:
                self._asides.stop.clear()
        if superseded:
            if isinstance(work, Generate):
                self._send(_dropped(work.run))
        elif work is not None:
            self._do(engine, work)
        elif aside:
            self._write_aside()
        else:
            engine.keep()
        return True

    def _do(self, engine: Engine, work: _Work) -> None:
        match work:
            case Generate(run, request):
                try:
                    for event in engine.generate(request):
                        self._send(Happened(run, event))
                except Exception as error:
                    self._send(Happened(run, _failed(error)))
            case Score(call, prompt, reply, top):
                answer = answered(call, lambda: engine.score(prompt, reply, top))
                with self._changed:
                    again = answer.error is not None and bool(self._stop) and not self._closing
                    if again:
                        # A reply came first; most of what was computed is still there then.
                        self._waiting.append(work)
                if not again:
                    self._send(answer)
            case Forget(chat):
                engine.forget(chat)
            case Keep(call):
                self._send(answered(call, engine.keep))

    def _write_aside(self) -> None:
        """Go on with what is written in the background, until a request comes or it is done."""
        asides = self._asides
        with self._changed:
            if asides.run is None:
                command = asides.waiting.popleft()
                asides.run, asides.cancelled, asides.told = command.run, False, False
                assert self._aside is not None
                asides.events = self._aside.generate(command.request, lambda: asides.cancelled)
        assert asides.events is not None and asides.run is not None
        try:
            for event in asides.events if not asides.told else ():
                if event is not None:
                    self._send(Happened(asides.run, event))
                elif self._must_pause():
                    return
        except Exception as error:
            self._send(Happened(asides.run, _failed(error)))
        self._end_aside()

    def _must_pause(self) -> bool:
        with self._changed:
            if self._waiting or self._closing:
                return True
            if not self._asides.cancelled:
                self._asides.stop.clear()  # whatever came has been stopped again
            return False

    def _end_aside(self) -> None:
        """Forget what was written in the background, whether it is complete or not."""
        events = self._asides.events
        if isinstance(events, Generator):
            events.close()
        with self._changed:
            self._asides.run = self._asides.events = None

    def _stop_run(self, run: int) -> None:
        with self._changed:
            if isinstance(self._current, Generate) and run == self._current.run:
                self._stop.set()
                return
            over = self._drop(run)
            if run == self._asides.run and not self._asides.told:
                self._asides.cancelled = True
                self._asides.stop.set()
                # It is not computed now, so that nobody has to wait for its end.
                over = self._asides.told = self._current is not None
        if over:
            self._send(_dropped(run))

    def _drop(self, run: int) -> bool:
        """Take a request that has not begun out of its queue; return whether there was one."""
        for work in (*self._waiting, *self._asides.waiting):
            if isinstance(work, Generate) and work.run == run:
                (self._waiting if work in self._waiting else self._asides.waiting).remove(work)
                return True
        return False

    def _answer(self, command: Encode | Pieces | Report | Foresee) -> Answer:
        def value() -> object:
            with self._in_use:
                if self._vocab is None or self._engine is None:
                    raise BackendError("The model is not loaded.")
                if isinstance(command, Foresee):
                    return self._engine.foresee(command.prompt)
                if isinstance(command, Report):
                    return self._engine.report()
                return _look_up(self._vocab, command)

        return answered(command.call, value)


def _gives_way(work: _Work | None, later: _Work) -> bool:
    """Return whether somebody waits for ``later`` sooner than for ``work``."""
    if isinstance(work, Score):
        return isinstance(later, Generate) and later.request.purpose == "reply"
    return isinstance(work, Generate) and work.request.purpose == "prepare" and not isinstance(later, Keep)


def _dropped(run: int) -> Happened:
    return Happened(run, Finished("user", Usage(), Timings()))


def _failed(error: Exception) -> Failed:
    _log.error("A request failed", exc_info=error)
    message = f"The engine failed: {type(error).__name__}: {error}"
    return Failed(message, "The engine's log has the details.")


def _look_up(vocab: Vocab, command: Encode | Pieces) -> list[list[int]] | list[bytes]:
    match command:
        case Encode(_, texts, continued):
            return [vocab.encode(*pair) for pair in zip(texts, continued, strict=True)]
        case Pieces(_, tokens):
            return vocab.pieces(tokens)
