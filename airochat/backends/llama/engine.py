"""The engine: reads a prompt, then writes a reply token by token."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat.backends.base import Event, Failed, Finished, PromptProgress, Request, StopReason, Usage
from airochat.backends.kv import reusable
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.form import NothingAllowed
from airochat.backends.llama.model import Model
from airochat.backends.llama.sampler import Sampler
from airochat.backends.reply import Reply
from airochat.errors import BackendError, PromptError

L: Any = _llama
_CHUNK = 256
"""Tokens of a prompt between two progress events; also how late a GPU notices Stop, since it ignores the flag."""
_OK, _NO_ROOM, _ABORTED = 0, 1, 2
"""What ``llama_decode`` returns; anything negative is an error."""
_UNUSABLE = (
    "The model's numbers are not usable (NaN), so no token can be chosen.",
    "The file may be damaged, or needs other settings: try type_k, type_v and flash_attn at their defaults.",
)


class Engine:
    """Runs requests on a loaded model, one at a time and from one thread, and keeps the KV cache between them.

    ``stop`` is the flag that ends what runs; whoever sets it clears it before the next request.
    """

    def __init__(self, model: Model, stop: StopFlag) -> None:
        self._model = model
        self._stop = stop
        self._cached: list[int] = []
        self._batch = _Batch(min(model.n_batch, _CHUNK))
        self._reused = self._evaluated = 0

    def warm_up(self) -> None:
        """Compute one token, so that the weights are in memory and what does not fit fails now."""
        self._evaluate([self._model.vocab.vocabulary.bos or 0], output=True)
        self._forget()

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def generate(self, request: Request) -> Iterator[Event]:
        """Serve a request and yield its events; the last one is `Finished` or `Failed`."""
        self._reused = self._evaluated = 0
        reply = Reply(self._model.vocab.shown, request.stop, time.perf_counter())
        try:
            reason = yield from self._serve(request, self._checked(request.prompt), reply)
        except PromptError as refusal:
            yield Failed(refusal.message, refusal.hint)
        except NothingAllowed as end:
            yield from _rest(reply)
            yield Failed(end.message, end.hint, self._usage(reply))
        except BackendError as failure:
            self._forget()
            yield from _rest(reply)
            yield Failed(failure.message, failure.hint, self._usage(reply))
        except Exception:
            self._forget()
            raise
        else:
            yield from _rest(reply)
            yield Finished(reason, self._usage(reply), reply.timings(), reply.exact_tokens())

    def _checked(self, prompt: tuple[int, ...] | str) -> tuple[int, ...]:
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
        return prompt

    def _serve(
        self, request: Request, prompt: tuple[int, ...], reply: Reply
    ) -> Generator[Event, None, StopReason]:
        vocab = self._model.vocab
        ends = vocab.ends.union(request.stop_tokens)
        with closing(Sampler(vocab, request.sampling, prompt, ends)) as sampler:
            if not (yield from self._read(prompt)):
                return "user"
            return (yield from self._write(request, reply, sampler, ends))

    def _read(self, prompt: tuple[int, ...]) -> Generator[Event, None, bool]:
        """Bring the prompt into the cache; return whether that was done, false if it was stopped."""
        total = len(prompt)
        self._reused = done = self._rewind(prompt)
        yield PromptProgress(done, total, self._reused)
        while done < total:
            end = min(done + self._batch.capacity, total)
            code = self._evaluate(prompt[done:end], output=end == total)
            done = len(self._cached)
            self._evaluated = max(0, done - self._reused)
            if code == _ABORTED:
                return False
            if code != _OK:
                raise BackendError("The context has no room for the prompt.", "Set a larger n_ctx.")
            yield PromptProgress(done, total, self._reused)
        return True

    def _write(
        self, request: Request, reply: Reply, sampler: Sampler, ends: Collection[int]
    ) -> Generator[Event, None, StopReason]:
        limit, n_ctx, clock = request.sampling.max_tokens, self._model.n_ctx, time.perf_counter
        tokens, cached = reply.tokens, self._cached
        while True:
            token, now = self._choose(sampler), clock()
            if token in ends:
                reply.tick(now)
                return "eos"
            delta = reply.add(token, now)
            if delta is not None:
                yield delta
            if reply.stopped:
                return "stop"
            if len(tokens) >= limit or len(cached) >= n_ctx:
                return "length"
            if self._stop:
                return "user"
            code = self._step(token)
            if code != _OK:
                return "user" if code == _ABORTED else "length"

    def _choose(self, sampler: Sampler) -> int:
        """Return the next token; samplers return one even if there is nothing to choose from."""
        context = self._model.context
        logits = L.llama_get_logits_ith(context, -1)
        if not logits or math.isnan(logits[0]):
            raise BackendError(*_UNUSABLE)
        token = sampler.choose(context)
        if not 0 <= token < self._model.vocab.size or not math.isfinite(logits[token]):
            raise BackendError(*_UNUSABLE)
        return token

    def _step(self, token: int) -> int:
        return self._computed(self._batch.one(token, len(self._cached)), (token,))

    def _evaluate(self, tokens: Sequence[int], *, output: bool) -> int:
        return self._computed(self._batch.fill(tokens, len(self._cached), output), tokens)

    def _computed(self, batch: Any, tokens: Sequence[int]) -> int:
        code: int = L.llama_decode(self._model.context, batch)
        if code == _OK:
            self._cached += tokens
        elif code == _ABORTED:
            self._keep_finished(tokens)
        elif code < 0:
            raise BackendError(
                f"llama.cpp could not compute (code {code}).",
                "If memory ran out: set a smaller n_ctx, or fewer n_gpu_layers. The engine's log says more.",
            )
        return code

    def _keep_finished(self, tokens: Sequence[int]) -> None:
        """After an abort the micro-batches that were finished are still in the cache."""
        if not self._model.can_rewind:
            self._forget()
            return
        end = int(L.llama_memory_seq_pos_max(self._model.memory, 0)) + 1
        self._cached += tokens[: max(0, end - len(self._cached))]

    def _rewind(self, prompt: tuple[int, ...]) -> int:
        """Drop from the cache what the prompt does not begin with; return how many tokens stay."""
        keep = reusable(self._cached, prompt, can_rewind=self._model.can_rewind)
        if keep < len(self._cached):
            if keep and L.llama_memory_seq_rm(self._model.memory, 0, keep, -1):
                del self._cached[keep:]
            else:
                self._forget()
        return len(self._cached)

    def _forget(self) -> None:
        L.llama_memory_clear(self._model.memory, True)
        self._cached.clear()

    def _usage(self, reply: Reply) -> Usage:
        return Usage(self._reused + self._evaluated, self._reused, self._evaluated, len(reply.tokens))


class _Batch:
    """Arrays for llama.cpp, made once: one of a whole chunk, and one of a single token."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lane = np.zeros(1, np.int32)
        self._tokens, self._positions, self._outputs, self._chunk = self._arrays(capacity)
        self._token, self._position, output, self._single = self._arrays(1)
        output[0] = 1
        self._single.n_tokens = 1

    def fill(self, tokens: Sequence[int], start: int, output: bool) -> Any:
        """Return a batch of at most ``capacity`` tokens from position ``start``, with logits for the last or none."""
        count = len(tokens)
        self._tokens[:count] = tokens
        self._positions[:count] = np.arange(start, start + count)
        self._outputs[:count] = 0
        self._outputs[count - 1] = output
        self._chunk.n_tokens = count
        return self._chunk

    def one(self, token: int, position: int) -> Any:
        """Return a batch of one token with logits."""
        self._token[0] = token
        self._position[0] = position
        return self._single

    def _arrays(self, size: int) -> tuple[Any, Any, Any, Any]:
        tokens, positions, counts = (
            np.zeros(size, np.int32),
            np.zeros(size, np.int32),
            np.ones(size, np.int32),
        )
        lanes = np.full(size, self._lane.ctypes.data, np.uint64)
        outputs = np.zeros(size, np.int8)
        batch = L.llama_batch()
        batch.token, batch.pos = _pointer(tokens, ctypes.c_int32), _pointer(positions, ctypes.c_int32)
        batch.n_seq_id, batch.seq_id = (
            _pointer(counts, ctypes.c_int32),
            _pointer(lanes, ctypes.POINTER(ctypes.c_int32)),
        )
        batch.logits = _pointer(outputs, ctypes.c_int8)
        batch.keep_alive = tokens, positions, counts, lanes, outputs
        return tokens, positions, outputs, batch


def _pointer(array: np.ndarray[Any, Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))


def _rest(reply: Reply) -> Iterator[Event]:
    rest = reply.finish()
    if rest is not None:
        yield rest
