"""Vectors of texts, by which alike texts are found: a model in a process of its own, loaded while it is needed."""

from __future__ import annotations

import itertools
import threading
from array import array
from collections.abc import Sequence
from pathlib import Path

from airochat.backends.base import LoadEvent, ModelInfo
from airochat.backends.llama import library
from airochat.backends.llama.life import Life
from airochat.backends.llama.transport import ProcessTransport, ThreadTransport, Transport
from airochat.backends.llama.wire import Embed, OpenEmbedder
from airochat.errors import BackendError, EngineDied, ModelError
from airochat.paths import Home
from airochat.settings import EngineOptions, Settings

IDLE_S = 120.0
"""After so many seconds without a call the model is freed."""
_TEXTS = 256
"""How many texts the engine gets at once."""
_CLOSED = ("The model for embeddings has been closed.", "Open airochat again.")


class Embedder:
    """Embeds texts with one GGUF model; may be used by any threads, which are served one after the other.

    Nothing is started before the first `embed`. The model is freed ``idle_s`` seconds after the last one, and loaded
    again when it is needed. If its process dies, the call fails and the next one starts a new process. ``log`` is the
    file for llama.cpp's messages. Of ``options`` only ``engine``, ``n_threads`` and ``use_mmap`` count.
    """

    def __init__(self, path: Path, options: EngineOptions, log: Path, idle_s: float = IDLE_S) -> None:
        self._opening = OpenEmbedder(path.expanduser().absolute(), _modest(options))
        self._log, self._idle_s = log, idle_s
        self._numbers = itertools.count(1)
        self._turn = threading.Lock()
        self._changed = threading.Condition(threading.RLock())
        self._life: Life | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    @property
    def info(self) -> ModelInfo | None:
        """The model while it is loaded; its ``fingerprint`` tells whose vectors may be compared."""
        life = self._life
        return life.info if life is not None and not life.over else None

    @property
    def pid(self) -> int | None:
        """The process id of the engine, or None while there is no such process."""
        life = self._life
        return life.transport.pid if life is not None and not life.over else None

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the vector of each text, of length 1; zeros for an empty text.

        Of a text longer than the model's context its beginning counts. Raises `ModelError` if the model cannot be
        loaded and `BackendError` if its engine fails; the next call tries again.
        """
        if not texts:
            return []
        self._rest_never()
        try:
            with self._turn:
                life = self._ready_life()
                return [vector for part in _parts(texts) for vector in self._ask(life, part)]
        except EngineDied as error:
            reason = _CLOSED if self._closed else (error.message, error.hint)
            raise BackendError(*reason) from None
        finally:
            self._rest_later()

    def close(self) -> None:
        """End the engine, also while it computes; what is asked from now on is refused."""
        with self._changed:
            self._closed = True
            life, self._life = self._life, None
            self._changed.notify_all()
        self._rest_never()
        if life is not None:
            life.close()

    def rest(self) -> None:
        """Free the model until the next call, unless one is being served."""
        if self._turn.acquire(blocking=False):
            try:
                with self._changed:
                    life, self._life = self._life, None
                if life is not None:
                    life.close()
            finally:
                self._turn.release()

    def _ask(self, life: Life, texts: tuple[str, ...]) -> list[list[float]]:
        vectors: list[bytes] = life.ask(Embed(next(self._numbers), texts))
        return [array("f", vector).tolist() for vector in vectors]

    def _ready_life(self) -> Life:
        with self._changed:
            life = self._life
            if life is None or life.over:
                if self._closed:
                    raise BackendError(*_CLOSED)
                life = self._life = Life(self._transport(), self._on_load)
                life.start(self._opening.path)
            while life.info is None and not life.over:
                self._changed.wait()
            if life.over:
                raise BackendError(*_CLOSED) if self._closed else life.failure
            return life

    def _transport(self) -> Transport:
        kind = ProcessTransport if self._opening.options.engine == "process" else ThreadTransport
        return kind(self._opening, self._log)

    def _on_load(self, _life: Life, _event: LoadEvent) -> None:
        with self._changed:
            self._changed.notify_all()

    def _rest_later(self) -> None:
        self._rest_never()
        with self._changed:
            if self._closed or self._life is None:
                return
            self._timer = threading.Timer(self._idle_s, self.rest)
            self._timer.daemon = True
            self._timer.start()

    def _rest_never(self) -> None:
        with self._changed:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def create_embedder(settings: Settings, home: Home) -> Embedder:
    """Return an embedder for the setting ``embedding_model``, of which nothing is loaded yet.

    `ModelError` if none is set, or there is no such model.
    """
    ref = settings.embedding_model
    if not ref:
        raise ModelError(
            "No model for embeddings is set.",
            "Set embedding_model in settings.toml: a .gguf file, the name of a model, or `demo`.",
        )
    path = library.resolve(ref, library.model_folders(settings, home))
    return Embedder(path, settings.engine, home.folder("logs") / "embedding.log")


def _modest(options: EngineOptions) -> EngineOptions:
    """Return options that leave the graphics card to the model that writes."""
    wanted = {"engine": options.engine, "n_threads": options.n_threads, "use_mmap": options.use_mmap}
    return EngineOptions().replace(n_gpu_layers=0, flash_attn="off", **wanted)


def _parts(texts: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(texts[start : start + _TEXTS]) for start in range(0, len(texts), _TEXTS)]
