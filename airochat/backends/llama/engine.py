"""The engine: reads a prompt, then writes replies to it token by token."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from airochat.backends.bans import Bans
from airochat.backends.base import (
    CacheReport,
    Event,
    Failed,
    Finished,
    ReplyEnded,
    Request,
    Scored,
    StopReason,
    TextDelta,
    Usage,
)
from airochat.backends.guess import Pace
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.cache import CHAT, Cache, Counts
from airochat.backends.llama.chain import Logits
from airochat.backends.llama.disk import Disk
from airochat.backends.llama.form import NothingAllowed
from airochat.backends.llama.line import Line
from airochat.backends.llama.model import Model
from airochat.backends.llama.processors import Processors
from airochat.backends.llama.sampler import Sampler
from airochat.backends.llama.score import ScoreStopped, score
from airochat.backends.llama.writer import Guesser, Guesses, write_many, write_one
from airochat.backends.reply import Reply
from airochat.backends.shelf import Shelf
from airochat.errors import BackendError, PromptError

_CHUNK = 256
"""Tokens of a prompt between two progress events; also how late a GPU notices Stop, since it ignores the flag."""
_SMALL_CHUNK = 64
"""The same for prompts that are read ahead: a real request must not wait for more, and what was begun is lost."""


class Engine:
    """Runs requests on a loaded model, one at a time and from one thread, and keeps the KV cache between them.

    ``stop`` is the flag that ends what runs; whoever sets it clears it before the next request. ``disk`` is where the
    cache of a conversation outlives the engine, if it may; ``guesser`` guesses tokens that are checked together.
    """

    def __init__(
        self, model: Model, stop: StopFlag, disk: Disk | None = None, guesser: Guesser | None = None
    ) -> None:
        self._model = model
        self._stop = stop
        self._disk = disk
        self._batch = Batch(min(model.n_batch, _CHUNK), model.context.limits.lanes)
        self._cache = Cache(
            model.context, self._batch, model.kind, Shelf(model.snapshot_limit), shift=model.shift
        )
        # A guess that fails is cut off again, which not every model can.
        usable = guesser if model.kind == "plain" else None
        self._guesses = Guesses(usable, model.options.n_draft) if usable else None
        self._chat = ""
        self._totals = CacheReport(
            model.options.kv_reuse if model.shift else "exact", notes=model.shift_notes
        )

    def warm_up(self) -> None:
        """Compute one token, so that the weights are in memory and what does not fit fails now."""
        self._cache.evaluate([self._model.vocab.vocabulary.bos or 0])
        self._cache.forget()

    def close(self) -> None:
        """Free the model, and the one that guesses."""
        if self._guesses is not None:
            self._guesses.close()
        self._model.close()

    # -- requests ------------------------------------------------------------------------------------------------

    def generate(self, request: Request) -> Iterator[Event]:
        """Serve a request and yield its events; the last one is `Finished` or `Failed`."""
        lines: list[Line] = []
        self._cache.counts = Counts()
        try:
            prompt = self.checked(request.prompt)
            if request.purpose != "prepare":
                lines += self._lines(request, prompt)
            self._remember(request.chat)
            yield from self._serve(request, prompt, lines)
        except PromptError as refusal:
            yield Failed(refusal.message, refusal.hint)
        except NothingAllowed as end:
            yield from _rests(lines)
            yield Failed(end.message, end.hint, self._usage(lines))
        except BackendError as failure:
            self._cache.forget()
            yield from _rests(lines)
            yield Failed(failure.message, failure.hint, self._usage(lines))
        except Exception:
            self._cache.forget()
            raise
        finally:
            self._count()
            for line in lines:
                line.close()

    def checked(self, prompt: Sequence[int] | str) -> tuple[int, ...]:
        """Return a prompt that llama.cpp may see, or raise `PromptError`."""
        if isinstance(prompt, str) or not prompt:
            raise PromptError("The prompt is empty, or has not been tokenised.")
        if min(prompt) < 0 or max(prompt) >= self._model.vocab.size:
            raise PromptError(
                "The prompt has token ids that this model does not know.", "Another model wrote them."
            )
        if len(prompt) >= self._model.n_ctx:
            raise PromptError(
                f"The prompt has {len(prompt)} tokens, which leaves no room in the context of {self._model.n_ctx}.",
                "Shorten it, or set a larger n_ctx.",
            )
        return tuple(prompt)

    def _lines(self, request: Request, prompt: tuple[int, ...]) -> list[Line]:
        """Return a line for each reply; nothing is computed yet."""
        vocab, started = self._model.vocab, time.perf_counter()
        ends = vocab.ends.union(request.stop_tokens)
        bans = Bans.of(request.sampling.banned) if self._model.kind == "plain" else None
        lines = []
        for index in range(request.n):
            sampling = request.sampling.numbered(index)
            lines.append(
                Line(
                    vocab,
                    Sampler(vocab, sampling, prompt, ends),
                    Reply(vocab.shown, request.stop, started),
                    prompt=len(prompt),
                    ends=ends,
                    limit=sampling.max_tokens,
                    index=index,
                    bans=bans.start(request.stop) if bans else None,
                    processors=Processors(request.processors, prompt) if request.processors else None,
                )
            )
        return lines

    def _serve(
        self, request: Request, prompt: tuple[int, ...], lines: list[Line]
    ) -> Generator[Event, None, None]:
        chunk = _SMALL_CHUNK if request.purpose == "prepare" else _CHUNK
        was_read = yield from self._cache.read(prompt, chunk)
        if not was_read or not lines:
            reply = Reply(self._model.vocab.shown, (), time.perf_counter())
            reason: StopReason = "length" if was_read else "user"
            yield Finished(reason, self._usage(lines), reply.timings())
            return
        first = lines[0]
        yield from self._write_all(prompt, lines)
        usage = self._usage(lines)
        yield Finished(
            first.reason or "user",
            usage,
            first.reply.timings(),
            first.reply.exact_tokens(),
            first.report(),
            tuple(dict.fromkeys(note for line in lines for note in line.notes)),
        )

    def _write_all(self, prompt: tuple[int, ...], lines: list[Line]) -> Generator[Event, None, None]:
        context, cache, first = self._model.context, self._cache, lines[0]
        # What a processor makes of the logits is not what was guessed by, so that guesses would not pay.
        guesses = None if first.processed else self._guesses
        if len(lines) == 1:
            yield from write_one(cache, first, lambda: first.advance(context, -1), guesses)
            yield from _rests([first])
            return
        logits = np.ctypeslib.as_array(context.logits(-1), (self._model.vocab.size,)).copy()
        source = CHAT
        if self._model.kind == "recurrent":
            # Such a state has no positions: the one after the prompt must be set aside before it goes on.
            source = 1
            context.share(CHAT, source)
        try:
            yield from write_one(cache, first, lambda: first.advance_from(logits), guesses)
            yield from _rests([first])
            if first.reason != "user":
                yield _ended(first)
            waiting = lines[1:]
            while waiting and not self._stop:
                count = self._room(prompt, first, source)
                wave, waiting = waiting[:count], waiting[count:]
                yield from self._write_wave(prompt, wave, source, logits)
        finally:
            for lane in range(1, context.limits.lanes):
                context.cut(lane, 0)

    def _room(self, prompt: tuple[int, ...], first: Line, source: int) -> int:
        """Return how many replies can be written side by side; the first one makes room if it has to."""
        cache, n_ctx = self._cache, self._model.n_ctx
        lanes = self._model.context.limits.lanes - 1 - source
        lanes = min(lanes, self._model.parallel, self._batch.capacity)
        if self._model.kind == "recurrent":
            return lanes
        need = min(first.limit, n_ctx - len(prompt))
        if n_ctx - len(cache.tokens) < need and len(cache.tokens) > len(prompt):
            cache.save_lane(CHAT, tuple(cache.tokens), len(prompt))
            cache.cut(len(prompt))
        return max(1, min(lanes, (n_ctx - len(cache.tokens)) // max(need, 1)))

    def _write_wave(
        self, prompt: tuple[int, ...], lines: Sequence[Line], source: int, logits: Logits
    ) -> Generator[Event, None, None]:
        """Write some replies side by side, then put them onto the shelf."""
        context, recurrent = self._model.context, self._model.kind == "recurrent"
        for lane, line in enumerate(lines, source + 1):
            line.lane = lane
            if source == CHAT:
                context.share(source, lane, 0, len(prompt))
            else:
                context.share(source, lane)
            delta = line.advance_from(logits)
            if delta is not None:
                yield dataclasses.replace(delta, index=line.index)
        yield from write_many(context, self._batch, lines)
        for line in lines:
            yield from _rests([line])
            yield _ended(line)
            computed = context.end(line.lane)
            # What an abort leaves of a state that has no positions is not known.
            if computed > len(prompt) and not (recurrent and line.reason == "user"):
                tokens = (*prompt, *line.tokens[: computed - len(prompt)])
                self._cache.save_lane(line.lane, tokens, len(prompt))
            context.cut(line.lane, 0)

    # -- looking at tokens ---------------------------------------------------------------------------------------

    def score(self, prompt: Sequence[int], reply: Sequence[int], top: int) -> list[Scored]:
        """Tell how likely each token of a reply was; see `Backend.score`. Raises `PromptError` and `BackendError`."""
        whole = self.checked((*prompt, *reply))
        if not prompt or not reply:
            raise PromptError("There are no tokens to look at.")
        try:
            return score(self._cache, self._model, whole, len(prompt), top)
        except ScoreStopped:
            raise
        except BackendError:
            self._cache.forget()
            raise
        finally:
            self._count()

    # -- the cache -----------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Write the cache of the conversation to the disk, if it is to outlive the engine and has changed."""
        if self._disk is not None and self._chat:
            self._disk.keep(self._chat, self._cache)

    def forget(self, chat: str) -> None:
        """Keep nothing of a conversation on the disk, unless it is gone on with."""
        if self._disk is not None:
            self._disk.forget(chat)
        if chat == self._chat:
            self._chat = ""

    @property
    def unkept(self) -> bool:
        """Whether `keep` would write something."""
        return self._disk is not None and self._disk.wants(self._chat, self._cache)

    def foresee(self, prompt: Sequence[int]) -> Usage:
        """Tell what reading a prompt would take now; see `Backend.foresee`."""
        plan = self._cache.foresee(tuple(prompt))
        return Usage(len(prompt), len(prompt) - plan.evaluated, plan.evaluated, moved=plan.moved)

    def report(self) -> CacheReport:
        """Tell what is kept in caches."""
        shelf, disk = self._cache.shelf, self._disk
        files, size, limit = disk.usage() if disk else (0, 0, 0)
        pace = self._guesses.pace if self._guesses else Pace()
        return dataclasses.replace(
            self._totals,
            tokens=len(self._cache.tokens),
            snapshots=len(shelf),
            snapshot_bytes=shelf.size,
            snapshot_limit=shelf.limit,
            disk_files=files,
            disk_bytes=size,
            disk_limit=limit,
            hits=self._cache.hits,
            guessed=pace.checked,
            accepted=pace.accepted,
        )

    def _remember(self, chat: str) -> None:
        """Have what the disk knows of a conversation on the shelf, once."""
        if chat and chat != self._chat and self._disk is not None:
            self._disk.bring(chat, self._cache)
        self._chat = chat

    def _usage(self, lines: Sequence[Line]) -> Usage:
        counts = self._cache.counts
        generated = sum(len(line.reply.tokens) for line in lines)
        return Usage(
            counts.reused + counts.evaluated,
            counts.reused,
            counts.evaluated,
            generated,
            counts.moved,
            counts.restored,
        )

    def _count(self) -> None:
        totals, counts = self._totals, self._cache.counts
        self._totals = dataclasses.replace(
            totals,
            requests=totals.requests + 1,
            reused=totals.reused + counts.reused,
            moved=totals.moved + counts.moved,
            restored=totals.restored + counts.restored,
            evaluated=totals.evaluated + counts.evaluated,
        )


def _ended(line: Line) -> ReplyEnded:
    return ReplyEnded(line.index, line.reason or "user", line.reply.exact_tokens(), line.report())


def _rests(lines: Sequence[Line]) -> Iterator[TextDelta]:
    """Yield what of the replies' texts was held back."""
    for line in lines:
        rest = line.reply.finish()
        if rest is not None:
            yield dataclasses.replace(rest, index=line.index)
