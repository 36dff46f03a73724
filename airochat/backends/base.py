"""What every backend does: load a model, tell about it, and turn a prompt into text.

A backend is driven by at most one turn thread per request and may be told to stop from any thread. Everything it
yields is a frozen value of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from airochat.backends.bans import NO_BANS, BanReport
from airochat.prompt.tokens import Tokenizer
from airochat.sampling import FIELDS, LogitsProcessor, Sampling
from airochat.templates.segment import Vocabulary

StopReason = Literal["eos", "stop", "length", "user"]
"""Why a reply ended by itself or by request: end token, stop text, length limit, or the user."""

Ability = Literal["swipes", "prepare", "background", "score"]
"""What not every backend can: several replies to one prompt that is read once, reading a prompt before it is needed,
requests that yield to others, and telling how likely each token of a reply was."""

Purpose = Literal["reply", "prepare", "background"]
"""What a request is for. A ``reply`` is what somebody waits for. ``prepare`` reads the prompt and writes nothing; it
gives way to the next request, and what was read until then is reused. ``background`` writes while nobody waits: it
pauses within a token when a reply is asked for, and leaves the cache of the chat as it is."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a loaded model."""

    name: str
    """A short name for people, usually the file's stem."""
    fingerprint: str
    """Tells models apart whose token ids or caches must not be mixed."""
    architecture: str = ""
    parameters: int = 0
    """Number of weights; 0 if unknown."""
    size: int = 0
    """Bytes of the model file; 0 if unknown."""
    n_ctx: int = 0
    """Context in tokens, as granted."""
    n_ctx_train: int = 0
    """Context in tokens that the model was trained for; 0 if unknown."""
    n_vocab: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The GGUF's own keys, with arrays left out; ``tokenizer.chat_template`` is the embedded template."""
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    device: str = "cpu"
    """Where the layers are, in words: ``cpu``, ``24 of 33 layers on CUDA0``."""
    path: str = ""
    """The model file; empty if there is none here."""
    warnings: tuple[str, ...] = ()
    """What the user should know, such as a context larger than the model was trained for."""
    sampling_fields: frozenset[str] = FIELDS
    """The fields of `Sampling` that replies from this model heed."""
    abilities: frozenset[Ability] = frozenset()
    """What the backend can beyond writing one reply after the other."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request. ``prompt`` = ``reused`` + ``evaluated``."""

    prompt: int = 0
    reused: int = 0
    """Prompt tokens that were still in the cache, or were brought back into it."""
    evaluated: int = 0
    """Prompt tokens that the model had to read."""
    generated: int = 0
    """Tokens written, by all replies of the request together."""
    moved: int = 0
    """Of those reused, how many stood elsewhere before and were shifted, which is an approximation."""
    restored: int = 0
    """Of those reused, how many came from a snapshot."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall times of one request, in seconds and tokens per second."""

    first_token_s: float = 0.0
    """From the start of the request to its first token."""
    tokens_per_s: float = 0.0
    """Generation alone, without the prompt."""


@dataclass(frozen=True, slots=True)
class Request:
    """One generation.

    ``prompt`` are token ids, or the prompt's text for a backend without a tokenizer. ``sampling.seed`` is set.
    ``stop`` holds all texts that end the reply, ``sampling.stop`` included; ``stop_tokens`` are ids that end it beside
    the model's own end tokens. ``n`` replies are written to the one prompt, by seeds that follow on
    ``sampling.seed``. ``chat`` names the conversation, so that its cache can outlive the program; empty if it has none.
    ``processors`` change the logits before every token of each reply, in their order; only for a ``reply``.
    """

    id: str
    prompt: tuple[int, ...] | str
    sampling: Sampling
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[int, ...] = ()
    n: int = 1
    purpose: Purpose = "reply"
    chat: str = ""
    processors: tuple[LogitsProcessor, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """The prompt is being read: ``done`` of ``total`` tokens, of which ``reused`` came from the cache."""

    done: int
    total: int
    reused: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New text of the reply number ``index``, whole characters only, and how many tokens it took."""

    text: str
    tokens: int
    index: int = 0


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """One of several replies has ended while others go on; ``tokens`` as in `Finished`."""

    index: int
    reason: StopReason
    tokens: tuple[int, ...] = ()
    bans: BanReport = NO_BANS
    """What was done about banned phrases."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The request has ended. ``reason`` and ``tokens`` are those of the first reply.

    ``tokens`` are its ids if their text is exactly the text sent, else empty. The others that were begun have each
    ended with a `ReplyEnded`.
    """

    reason: StopReason
    usage: Usage
    timings: Timings
    tokens: tuple[int, ...] = ()
    bans: BanReport = NO_BANS
    """What was done about banned phrases."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about what went otherwise than asked for, such as a logits processor that failed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The reply broke off; what was sent before stays valid. Two sentences for the user, and the counts so far."""

    message: str
    hint: str = ""
    usage: Usage = field(default_factory=Usage)


Event = PromptProgress | TextDelta | ReplyEnded | Finished | Failed


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that could have stood at some place, and its probability before any sampler."""

    token: int
    piece: bytes
    probability: float


@dataclass(frozen=True, slots=True)
class Scored:
    """One token of a reply: how probable it was, and what else could have stood there, likeliest first."""

    token: int
    piece: bytes
    probability: float
    others: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheReport:
    """What a backend keeps so that no token is read twice; sizes in bytes, counts since the model was loaded."""

    mode: str = ""
    """``exact`` or ``shift``: whether parts of the cache are moved to other places."""
    tokens: int = 0
    """Tokens in the cache of the model."""
    snapshots: int = 0
    snapshot_bytes: int = 0
    snapshot_limit: int = 0
    disk_files: int = 0
    disk_bytes: int = 0
    disk_limit: int = 0
    requests: int = 0
    hits: int = 0
    """Requests that brought something back from a snapshot."""
    reused: int = 0
    moved: int = 0
    restored: int = 0
    evaluated: int = 0
    guessed: int = 0
    accepted: int = 0
    """Tokens that were guessed and checked (setting ``speculative``), and how many of them were right."""
    notes: tuple[str, ...] = ()
    """Why something is not done, such as shifting with this type of cache."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A model is being loaded: a fraction from 0 to 1, and what is being done."""

    fraction: float
    stage: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is ready."""

    info: ModelInfo


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """Loading failed or was cancelled, or a loaded model was lost because its engine ended."""

    message: str
    hint: str = ""


LoadEvent = Loading | Loaded | LoadFailed


class Backend(Protocol):
    """One model and what runs it. All methods may be called from any thread."""

    def load(self, listener: Callable[[LoadEvent], None]) -> None:
        """Start loading and return at once.

        ``listener`` is called from a thread of the backend: `Loading` any number of times, then `Loaded` or
        `LoadFailed`; later again if the engine dies (`LoadFailed`) or is started anew.
        """
        ...

    def wait(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready, starting the engine anew if it has died.

        Raises `ModelError` if it cannot be loaded and `TimeoutError` after ``timeout`` seconds.
        """
        ...

    @property
    def info(self) -> ModelInfo | None:
        """The loaded model, or None while there is none."""
        ...

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The model's tokenizer, or None if the backend takes text; only valid after `wait`."""
        ...

    def generate(self, request: Request) -> Iterator[Event]:
        """Run one request and yield its events, the last of which is `Finished` or `Failed`.

        Requests are served one after the other; the iterator blocks meanwhile. Leaving it early stops the request.
        """
        ...

    def score(self, prompt: Sequence[int], reply: Sequence[int], top: int = 10) -> list[Scored]:
        """Tell for every token of a reply how probable it was after ``prompt``, with the ``top`` likeliest ones.

        Blocks until requests before it are served; afterwards prompt and reply are in the cache. `BackendError` if
        it cannot be told; only for backends with the ability ``score``.
        """
        ...

    def cache_report(self) -> CacheReport:
        """Tell what is kept in caches; an empty report where there is none, or no model."""
        ...

    def foresee(self, prompt: Sequence[int]) -> Usage | None:
        """Tell what reading a prompt would take now, without reading it; None if that is not known."""
        ...

    def forget(self, chat: str) -> None:
        """Keep nothing of a conversation beyond the end of the program; returns at once."""
        ...

    def stop(self, request_id: str) -> None:
        """End a request soon, also while it is waiting or its prompt is being read; unknown ids are ignored."""
        ...

    def close(self) -> None:
        """Stop everything and free the model; also cancels a load. Further calls do nothing."""
        ...
