"""A backend without a model: it says what it was told to, for tests of front ends and for demos."""

from __future__ import annotations

import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence

from airochat.backends.base import (
    CacheReport,
    Candidate,
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
    Scored,
    StopReason,
    Timings,
    Usage,
)
from airochat.backends.kv import reusable
from airochat.backends.notes import Unheeded
from airochat.backends.reply import Reply
from airochat.backends.several import one_by_one
from airochat.errors import BackendError, ModelError
from airochat.templates.segment import Vocabulary

REPLIES = (
    '*She looks up from the map, the lantern drawing gold along her cheek.* "You took your time. The pass closes at '
    "dusk — and the wolves don't.\"\n\nShe slides a cup of tea across the table. ☕",
    '"Then we go by the river," *he says*, and folds the letter twice before it disappears into his coat.',
    "The rain stops as if someone had closed a door.\n\nFor a while there is only the **drip** from the eaves, and "
    "far off, a bell.",
)
"""What is said by default, in turn."""
SPECIALS = {"<s>": 1, "</s>": 2, "<|im_start|>": 3, "<|im_end|>": 4}
"""The control tokens of the scripted vocabulary."""
_WORDS = re.compile(rb"\s?[^\s]+|\s")
_BYTES = 3
"""How many bytes of text one token holds at most."""
_BASES = (0, 16, 16 + 256, 16 + 256 + 65_536)
"""The first id of the tokens of each length in bytes; those before 16 are for control tokens."""
N_VOCAB = 16 + 256 + 65_536 + 16_777_216
_CHUNK = 32
_TOKEN_S = 0.02
"""What the invented clock says that a token takes, so that timings are the same in every run."""


class ScriptedTokenizer:
    """Cuts words into pieces of up to three bytes, each of which has an id that can be computed."""

    vocabulary = Vocabulary(bos=1, eos=2, eot=4, add_bos=True, specials=SPECIALS)

    def encode(self, texts: Sequence[str], continued: Sequence[bool]) -> list[list[int]]:
        """Return the ids of each text; ``continued`` makes no difference."""
        return [self.tokens(text) for text, _ in zip(texts, continued, strict=True)]

    def tokens(self, text: str) -> list[int]:
        """Return the ids of one text."""
        words: list[bytes] = _WORDS.findall(text.encode("utf-8", "replace"))
        parts = (word[at : at + _BYTES] for word in words for at in range(0, len(word), _BYTES))
        return [_BASES[len(part)] + int.from_bytes(part, "big") for part in parts]

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """Return the bytes of each token; control tokens give their spelling."""
        return [_piece(token) for token in tokens]


def _piece(token: int) -> bytes:
    if token < _BASES[1]:
        return ScriptedTokenizer.vocabulary.spelling(token).encode()
    size = 1 if token < _BASES[2] else 2 if token < _BASES[3] else 3
    return (token - _BASES[size]).to_bytes(size, "big")


class _Pieces(dict[int, bytes]):
    def __missing__(self, token: int) -> bytes:
        return _piece(token) if token >= _BASES[1] else b""


class _Run:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.stopped = False


class ScriptedBackend:
    """Says ``replies`` in turn, or what the function ``replies`` makes of the prompt's text; implements `Backend`.

    ``delay`` is the pause before each token in seconds. With ``gated``, each token waits until `allow` lets it pass.
    With ``held``, loading waits for `finish_loading`. ``fail_after`` makes the engine die after so many tokens of the
    next reply; the one after it works again.
    """

    def __init__(
        self,
        replies: Sequence[str] | Callable[[str], str] = REPLIES,
        *,
        n_ctx: int = 4096,
        delay: float = 0.0,
        gated: bool = False,
        held: bool = False,
        fail_after: int | None = None,
    ) -> None:
        self.fail_after = fail_after
        self._replies = replies
        self._delay = delay
        self._tokenizer = ScriptedTokenizer()
        self._model = ModelInfo(
            name="scripted",
            fingerprint="scripted",
            architecture="scripted",
            n_ctx=n_ctx,
            n_ctx_train=n_ctx,
            n_vocab=N_VOCAB,
            vocabulary=self._tokenizer.vocabulary,
            metadata={"general.name": "scripted", "general.architecture": "scripted"},
            abilities=frozenset({"swipes", "prepare", "background", "score"}),
        )
        self._changed = threading.Condition()
        self._listener: Callable[[LoadEvent], None] = lambda _event: None
        self._state = "new"
        self._load_error = ""
        self._held = held
        self._allowed: float = 0 if gated else float("inf")
        self._served = 0
        self._cached: list[int] = []
        self._queue: deque[_Run] = deque()
        self._runs: weakref.WeakSet[_Run] = weakref.WeakSet()
        self._stopped_early: deque[str] = deque(maxlen=64)
        self._unheeded = Unheeded("A script is said as it is, whatever logits processors want.")

    # -- for tests -----------------------------------------------------------------------------------------------

    def allow(self, tokens: float = float("inf")) -> None:
        """Let so many more tokens pass a gate, or all."""
        with self._changed:
            self._allowed += tokens
            self._changed.notify_all()

    def finish_loading(self, error: str = "") -> None:
        """End a held loading, with an error or without."""
        with self._changed:
            self._held, self._load_error = False, error
            self._changed.notify_all()

    # -- the backend ---------------------------------------------------------------------------------------------

    def load(self, listener: Callable[[LoadEvent], None]) -> None:
        """Start loading, unless that has been done; see `Backend.load`."""
        with self._changed:
            self._listener = listener
            self._start()

    def wait(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready; see `Backend.wait`."""
        with self._changed:
            self._start()
            if not self._changed.wait_for(lambda: self._state != "loading", timeout):
                raise TimeoutError("The model is still being loaded.")
            if self._state == "ready":
                return self._model
            raise ModelError(self._load_error or "The model has been closed.")

    @property
    def info(self) -> ModelInfo | None:
        """The scripted model once it is loaded."""
        return self._model if self._state == "ready" else None

    @property
    def tokenizer(self) -> ScriptedTokenizer:
        """The tokenizer; always usable."""
        return self._tokenizer

    def generate(self, request: Request) -> Iterator[Event]:
        """Run one request; see `Backend.generate`."""
        run = _Run(request)
        with self._changed:
            self._runs.add(run)
            run.stopped = request.id in self._stopped_early
        return self._unheeded.tell(request, self._events(run))

    def score(self, prompt: Sequence[int], reply: Sequence[int], top: int = 10) -> list[Scored]:
        """Tell an invented probability of each token, the lower the longer its piece; see `Backend.score`."""
        if self._state != "ready":
            raise BackendError("The model is not loaded.")
        others = [self._tokenizer.tokens(word)[0] for word in (" a", " the", " rain", " door")][:top]
        return [self._scored(token, others) for token in reply]

    def cache_report(self) -> CacheReport:
        """Tell how many tokens are in the cache that there would be."""
        return CacheReport("exact", tokens=len(self._cached))

    def foresee(self, prompt: Sequence[int]) -> Usage | None:
        """Tell how much of a prompt is in the cache that there would be."""
        reused = reusable(self._cached, prompt)
        return Usage(len(prompt), reused, len(prompt) - reused) if prompt else None

    def forget(self, chat: str) -> None:
        """Do nothing: no cache is kept."""

    def stop(self, request_id: str) -> None:
        """End a request soon; see `Backend.stop`."""
        with self._changed:
            runs = [run for run in self._runs if run.request.id == request_id]
            if not runs:
                self._stopped_early.append(request_id)
            for run in runs:
                run.stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop everything."""
        with self._changed:
            cancelled = self._state == "loading"
            self._state = "closed"
            for run in self._runs:
                run.stopped = True
            self._changed.notify_all()
        if cancelled:
            self._listener(LoadFailed("Loading was cancelled."))

    # -- inside --------------------------------------------------------------------------------------------------

    def _scored(self, token: int, others: Sequence[int]) -> Scored:
        probability = 1 / (1 + len(_piece(token)))
        share = (1 - probability) / 2
        candidates = [
            (token, probability),
            *((other, share / 2**number) for number, other in enumerate(others)),
        ]
        ranked = sorted({one: share for one, share in reversed(candidates)}.items(), key=lambda one: -one[1])
        return Scored(
            token,
            _piece(token),
            probability,
            tuple(Candidate(one, _piece(one), share) for one, share in ranked),
        )

    def _start(self) -> None:
        if self._state in ("new", "failed", "dead"):
            self._state = "loading"
            threading.Thread(target=self._load, name="airochat-scripted", daemon=True).start()

    def _load(self) -> None:
        self._listener(Loading(0.0, "reading the script"))
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._state != "loading")
            if self._state != "loading":
                return
            self._state = "failed" if self._load_error else "ready"
            self._changed.notify_all()
        self._listener(LoadFailed(self._load_error) if self._load_error else Loaded(self._model))

    def _events(self, run: _Run) -> Generator[Event, None, None]:
        with self._changed:
            self._queue.append(run)
        try:
            with self._changed:
                self._changed.wait_for(lambda: run.stopped or self._queue[0] is run)
                self._start()
                self._changed.wait_for(lambda: run.stopped or self._state != "loading")
            if run.stopped:
                yield Finished("user", Usage(), Timings())
            elif self._state != "ready":
                yield Failed(self._load_error or "The model has been closed.")
            else:
                yield from one_by_one(run.request, lambda request: self._serve(run, request))
        finally:
            with self._changed:
                self._queue.remove(run)
                self._changed.notify_all()

    def _serve(self, run: _Run, request: Request) -> Iterator[Event]:
        prompt = request.prompt
        if isinstance(prompt, str) or not prompt or min(prompt) < 0 or max(prompt) >= N_VOCAB:
            yield Failed("The prompt is empty, has not been tokenised, or was written for another model.")
            return
        if len(prompt) >= self._model.n_ctx:
            yield Failed(
                f"The prompt has {len(prompt)} tokens, but the context is only {self._model.n_ctx}.",
                "Shorten it.",
            )
            return
        reused = reusable(self._cached, prompt)
        self._cached = list(prompt[:reused])
        yield PromptProgress(reused, len(prompt), reused)
        while len(self._cached) < len(prompt) and not run.stopped:
            self._cached += prompt[len(self._cached) : len(self._cached) + _CHUNK]
            yield PromptProgress(len(self._cached), len(prompt), reused)
        if request.purpose == "prepare":
            read = len(self._cached)
            yield Finished("length", Usage(read, reused, read - reused), Timings())
            return
        yield from self._write(run, prompt, reused)

    def _write(self, run: _Run, prompt: tuple[int, ...], reused: int) -> Iterator[Event]:
        read = len(self._cached)
        reply = Reply(_Pieces(), run.request.stop, 0.0)
        reason: StopReason | None = "user"
        if read == len(prompt):
            reason = yield from self._tokens(run, reply, self._script(prompt))
        self._cached += reply.tokens[:-1]
        rest = reply.finish()
        if rest is not None:
            yield rest
        usage = Usage(read, reused, read - reused, len(reply.tokens))
        if reason is None:
            yield self._die(usage)
        else:
            yield Finished(reason, usage, reply.timings(), reply.exact_tokens())

    def _tokens(
        self, run: _Run, reply: Reply, script: list[int]
    ) -> Generator[Event, None, StopReason | None]:
        """Say the script and return why it ended, None if the engine is to die."""
        room = min(run.request.sampling.max_tokens, self._model.n_ctx + 1 - len(self._cached))
        for number, token in enumerate(script, 1):
            if self.fail_after is not None and number > self.fail_after:
                return None
            if not self._may_go_on(run):
                return "user"
            if token in run.request.stop_tokens:
                return "eos"
            delta = reply.add(token, number * _TOKEN_S)
            if delta is not None:
                yield delta
            if reply.stopped:
                return "stop"
            if number >= room:
                return "length"
        return "eos"

    def _may_go_on(self, run: _Run) -> bool:
        with self._changed:
            if self._delay:
                self._changed.wait_for(lambda: run.stopped, self._delay)
            self._changed.wait_for(lambda: run.stopped or self._allowed > 0)
            self._allowed -= not run.stopped
            return not run.stopped

    def _script(self, prompt: tuple[int, ...]) -> list[int]:
        if callable(self._replies):
            return self._tokenizer.tokens(
                self._replies(b"".join(map(_piece, prompt)).decode("utf-8", "replace"))
            )
        self._served += 1
        return self._tokenizer.tokens(self._replies[(self._served - 1) % len(self._replies)])

    def _die(self, usage: Usage) -> Failed:
        with self._changed:
            self._state, self.fail_after = "dead", None
            self._cached.clear()
        failed = Failed("The engine ended unexpectedly (as the script wants it).", "Send again.", usage)
        self._listener(LoadFailed(failed.message, failed.hint))
        return failed
