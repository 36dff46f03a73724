"""What is written while nobody waits, such as titles and summaries: in a small context of its own."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator

from airochat.backends.base import Event, Failed, Finished, Request, TextDelta, Usage
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.cache import Cache
from airochat.backends.llama.context import ABORTED, OK
from airochat.backends.llama.line import Line
from airochat.backends.llama.model import Model
from airochat.backends.llama.sampler import Sampler
from airochat.backends.reply import Reply
from airochat.backends.shelf import Shelf
from airochat.errors import AirochatError, BackendError, PromptError


class Aside:
    """Writes beside the chat, whose cache it leaves as it is; its memory is taken at first use.

    Setting ``stop`` makes a running computation give way; whoever sets it clears it before going on.
    """

    def __init__(self, model: Model, stop: StopFlag) -> None:
        self._model, self._stop = model, stop
        self._cache: Cache | None = None

    def generate(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Event | None]:
        """Serve a request and yield its events; None wherever it can be left for as long as one likes.

        It ends soon once ``cancelled`` says so.
        """
        line: Line | None = None
        used = Usage()
        try:
            cache = self._ready_cache()
            prompt = self._checked(request, cache)
            line = self._line(request, prompt)
            used = yield from self._read(cache, prompt, cancelled)
            if used.prompt == len(prompt):
                yield from self._write(cache, line, prompt, cancelled)
        except AirochatError as error:
            if self._cache is not None and not isinstance(error, PromptError):
                self._cache.forget()
            yield from _rest(line)
            yield Failed(error.message, error.hint, _with_reply(used, line))
        else:
            yield from _rest(line)
            yield Finished(
                line.reason or "user",
                _with_reply(used, line),
                line.reply.timings(),
                line.reply.exact_tokens(),
                line.report(),
            )
        finally:
            if line is not None:
                line.close()

    def _read(
        self, cache: Cache, tokens: tuple[int, ...], cancelled: Callable[[], bool]
    ) -> Generator[Event | None, None, Usage]:
        """Read tokens, however often others come first; return how many were read, and how."""
        evaluated = 0
        while True:
            was_read = yield from cache.read(tokens, cache.context.limits.n_batch)
            evaluated += cache.counts.evaluated
            if was_read or cancelled():
                there = len(cache.tokens)
                reused = max(0, there - evaluated)
                return Usage(there, reused, there - reused)
            yield None

    def _write(
        self, cache: Cache, line: Line, prompt: tuple[int, ...], cancelled: Callable[[], bool]
    ) -> Iterator[Event | None]:
        delta = line.advance(cache.context, -1)
        while True:
            if delta is not None:
                yield delta
            if line.reason is not None:
                return
            yield None
            delta = None
            if cancelled() or line.position >= cache.context.limits.n_ctx:
                line.reason = "user" if cancelled() else "length"
                return
            if len(cache.tokens) == line.position:
                code = cache.step(line.tokens[-1])
                if code == ABORTED:
                    continue
                if code != OK:
                    raise BackendError("The second context has no room for the reply.")
            else:
                # The state was lost by an abort; that it is read again is nobody's news.
                again = self._read(cache, (*prompt, *line.tokens), cancelled)
                yield from (event for event in again if event is None)
                if len(cache.tokens) <= line.position:
                    continue
            delta = line.advance(cache.context, -1)

    def _ready_cache(self) -> Cache:
        if self._cache is None:
            context = self._model.aside(self._stop)
            batch = Batch(context.limits.n_batch, 1)
            self._cache = Cache(context, batch, self._model.kind, Shelf(0), shift=False)
        return self._cache

    def _checked(self, request: Request, cache: Cache) -> tuple[int, ...]:
        prompt, n_ctx = request.prompt, cache.context.limits.n_ctx
        if isinstance(prompt, str) or not prompt:
            raise PromptError("The prompt is empty, or has not been tokenised.")
        if min(prompt) < 0 or max(prompt) >= self._model.vocab.size:
            raise PromptError("The prompt has token ids that this model does not know.")
        if len(prompt) >= n_ctx:
            raise PromptError(
                f"The prompt has {len(prompt)} tokens; what is written in the background has {n_ctx}.",
                "Shorten it.",
            )
        return tuple(prompt)

    def _line(self, request: Request, prompt: tuple[int, ...]) -> Line:
        vocab = self._model.vocab
        ends = vocab.ends.union(request.stop_tokens)
        # Nobody sees the text before it is finished, so that phrases are not worth going back for.
        sampling = dataclasses.replace(request.sampling, banned=())
        reply = Reply(vocab.shown, request.stop, time.perf_counter())
        return Line(
            vocab,
            Sampler(vocab, sampling, prompt, ends),
            reply,
            prompt=len(prompt),
            ends=ends,
            limit=sampling.max_tokens,
        )


def _rest(line: Line | None) -> Iterator[TextDelta]:
    """Yield what of a reply's text was held back."""
    rest = line.reply.finish() if line is not None else None
    if rest is not None:
        yield rest


def _with_reply(used: Usage, line: Line | None) -> Usage:
    return dataclasses.replace(used, generated=len(line.reply.tokens)) if line is not None else used
