"""What the tests of backends share."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from airochat.backends.base import (
    Backend,
    Event,
    Failed,
    Finished,
    LoadEvent,
    PromptProgress,
    Purpose,
    ReplyEnded,
    Request,
    TextDelta,
)
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.cache import Cache
from airochat.backends.llama.chain import Logits
from airochat.backends.llama.client import LlamaBackend
from airochat.backends.llama.context import Context
from airochat.backends.llama.engine import Engine
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.model import Model
from airochat.backends.llama.serve import Server
from airochat.backends.llama.transport import ThreadTransport
from airochat.backends.llama.wire import Command, Generate
from airochat.sampling import LogitsProcessor, Sampling
from airochat.settings import EngineOptions

GREEDY = Sampling(temperature=0, seed=1, max_tokens=24)
WAIT_S = 60.0
"""How long a test waits for an event that must come, before it fails."""


def llama(path: Path, engine: str, log: Path, states: Path | None = None, **options: Any) -> LlamaBackend:
    """Return a backend with a small context and one thread, since tests share their cores."""
    values: dict[str, object] = {"engine": engine, "n_ctx": 1024, "n_threads": 1, **options}
    return LlamaBackend(path, EngineOptions(**values), log, states)  # type: ignore[arg-type]


def chat(backend: Backend, text: str) -> tuple[int, ...]:
    """Return a ChatML prompt with one user message."""
    tokenizer = backend.tokenizer
    assert tokenizer is not None
    specials = tokenizer.vocabulary.specials
    user, end, assistant = tokenizer.encode(["user\n" + text, "\n", "assistant\n"], [False, True, False])
    start = specials["<|im_start|>"]
    return (start, *user, specials["<|im_end|>"], *end, start, *assistant)


@dataclass
class Heard:
    """The events of one request, sorted."""

    progress: list[PromptProgress] = field(default_factory=list)
    deltas: list[TextDelta] = field(default_factory=list)
    end: Finished | Failed | None = None
    order: list[type] = field(default_factory=list)
    others: list[ReplyEnded] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.text_of(0)

    def text_of(self, index: int) -> str:
        return "".join(delta.text for delta in self.deltas if delta.index == index)

    @property
    def finished(self) -> Finished:
        assert isinstance(self.end, Finished), self.end
        return self.end

    @property
    def failed(self) -> Failed:
        assert isinstance(self.end, Failed), self.end
        return self.end

    def take(self, event: Event) -> None:
        self.order.append(type(event))
        match event:
            case PromptProgress():
                self.progress.append(event)
            case TextDelta():
                self.deltas.append(event)
            case ReplyEnded():
                self.others.append(event)
            case _:
                assert self.end is None, "nothing comes after the end"
                self.end = event


_numbers = iter(range(10**9))


def request(
    prompt: tuple[int, ...],
    sampling: Sampling = GREEDY,
    *,
    stop: tuple[str, ...] = (),
    stop_tokens: tuple[int, ...] = (),
    n: int = 1,
    purpose: Purpose = "reply",
    chat: str = "",
    processors: tuple[LogitsProcessor, ...] = (),
) -> Request:
    """Return a request with an id of its own."""
    number = next(_numbers)
    return Request(f"request-{number}", prompt, sampling, stop, stop_tokens, n, purpose, chat, processors)


class Generates(Protocol):
    """A backend, or the engine in it."""

    def generate(self, request: Request) -> Iterator[Event]: ...


def listen(
    backend: Generates, asked: Request, on_event: Callable[[Event], None] = lambda _event: None
) -> Heard:
    """Run a request to its end; ``on_event`` sees each event when it comes."""
    heard = Heard()
    for event in backend.generate(asked):
        heard.take(event)
        on_event(event)
    assert heard.end is not None
    return heard


class LoadEvents:
    """A listener that a test can wait on."""

    def __init__(self) -> None:
        self.seen: list[LoadEvent] = []
        self._queue: queue.SimpleQueue[LoadEvent] = queue.SimpleQueue()

    def __call__(self, event: LoadEvent) -> None:
        self._queue.put(event)

    def wait_for(self, kind: type) -> LoadEvent:
        """Return the next event of a kind."""
        while True:
            event = self._queue.get(timeout=WAIT_S)
            self.seen.append(event)
            if isinstance(event, kind):
                return event


def bare_engine(path: Path, stop: StopFlag | None = None, **options: Any) -> Engine:
    """Return an engine in this thread, with nothing around it; the caller closes it."""
    flag = StopFlag() if stop is None else stop
    values: dict[str, object] = {"n_ctx": 1024, "n_threads": 1, **options}
    loaded = Model(path, EngineOptions(**values), EngineLog(2), flag, lambda _fraction, _stage: True)  # type: ignore[arg-type]
    return Engine(loaded, flag)


def read(cache: Cache, wanted: Sequence[int], chunk: int = 256) -> bool:
    """Bring a prompt into the lane of the chat; return whether that was not stopped."""
    reading = cache.read(tuple(wanted), chunk)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return bool(end.value)


def log_probabilities(cache: Cache, n_vocab: int) -> Logits:
    """Return what the model expects behind the last token that was read."""
    logits = np.ctypeslib.as_array(cache.context.logits(-1), (n_vocab,)).astype(np.float64)
    logits -= logits.max()
    values: Logits = logits - np.log(np.exp(logits).sum())
    return values


def divergence(one: Logits, other: Logits) -> float:
    """Return by how much two expectations differ (Kullback and Leibler), in nats."""
    return float((np.exp(one) * (one - other)).sum())


def text_tokens(seed: int, length: int, low: int = 10, high: int = 400) -> tuple[int, ...]:
    """Return tokens by chance, the same ones for the same seed."""
    chance = random.Random(seed)
    return tuple(chance.randrange(low, high) for _ in range(length))


class Gate:
    """Holds up what a context computes, so that a test decides what happens meanwhile.

    ``log`` gets ``name`` whenever something is about to be computed.
    """

    def __init__(self, context: Context, name: str = "", log: list[str] | None = None) -> None:
        self._plainly = context.compute
        self._name, self.log = name, [] if log is None else log
        self._arrived, self._open = threading.Semaphore(0), threading.Semaphore(0)
        self._free = False
        context.compute = self._compute  # type: ignore[method-assign]

    def _compute(self, batch: Batch) -> int:
        self.log.append(self._name)
        if not self._free:
            self._arrived.release()
            assert self._open.acquire(timeout=WAIT_S)
        return self._plainly(batch)

    def wait(self, passed: int = 0) -> None:
        """Return when something waits to be computed, after letting so many pass."""
        for _ in range(passed):
            self.wait()
            self._open.release()
        assert self._arrived.acquire(timeout=WAIT_S)

    def open(self) -> None:
        """Let everything pass from now on."""
        self._free = True
        self._open.release()


class Asked:
    """A request that runs in a thread of its own; the engine has it when this returns."""

    def __init__(self, backend: LlamaBackend, asked: Request) -> None:
        self.request, self.heard = asked, Heard()
        life, taken = backend._life, threading.Event()
        assert life is not None
        send = life.transport.send

        def watched(command: Command) -> None:
            send(command)
            if isinstance(command, Generate) and command.request.id == asked.id:
                taken.set()

        life.transport.send = watched  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._listen, args=(backend,))
        self._thread.start()
        assert taken.wait(WAIT_S)
        life.transport.send = send  # type: ignore[method-assign]

    def _listen(self, backend: LlamaBackend) -> None:
        for event in backend.generate(self.request):
            self.heard.take(event)

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> Heard:
        """Return what was heard once it is over."""
        self._thread.join(WAIT_S)
        assert self.heard.end is not None
        return self.heard


def server_of(backend: LlamaBackend) -> Server:
    """Return the server of a backend that runs in this process."""
    assert backend._life is not None
    transport = backend._life.transport
    assert isinstance(transport, ThreadTransport)
    server = transport._server
    assert isinstance(server, Server)
    return server


def chat_context(backend: LlamaBackend) -> Context:
    """Return the context of the chat, once the model is loaded."""
    backend.wait(WAIT_S)
    engine = server_of(backend)._engine
    assert engine is not None
    return engine._model.context


def aside_context(backend: LlamaBackend) -> Context:
    """Return the context for what is written in the background."""
    backend.wait(WAIT_S)
    aside = server_of(backend)._aside
    assert aside is not None
    return aside._ready_cache().context
