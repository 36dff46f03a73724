"""What the tests of backends share."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

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
from airochat.backends.llama.client import LlamaBackend
from airochat.sampling import Sampling
from airochat.settings import EngineOptions

GREEDY = Sampling(temperature=0, seed=1, max_tokens=24)
WAIT_S = 60.0
"""How long a test waits for an event that must come, before it fails."""


def llama(path: Path, engine: str, log: Path, **options: object) -> LlamaBackend:
    """Return a backend with a small context and one thread, since tests share their cores."""
    values: dict[str, object] = {"engine": engine, "n_ctx": 1024, "n_threads": 1, **options}
    return LlamaBackend(path, EngineOptions(**values), log)  # type: ignore[arg-type]


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
) -> Request:
    """Return a request with an id of its own."""
    return Request(f"request-{next(_numbers)}", prompt, sampling, stop, stop_tokens, n, purpose, chat)


def listen(
    backend: Backend, asked: Request, on_event: Callable[[Event], None] = lambda _event: None
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
