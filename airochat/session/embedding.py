"""Vectors of texts for plugins, by the model of the setting ``embedding_model``: asked on a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from airochat.errors import AirochatError, BackendError

if TYPE_CHECKING:
    from airochat.backends.llama.embed import Embedder
    from airochat.session.manager import SessionManager

_log = logging.getLogger(__name__)
_JOIN_S = 10.0
"""How long closing waits; the model's process is gone within seconds."""
Vectors = list[list[float]]
_CLOSED = ("Embedding has ended, since airochat is being closed.", "")


class Embedding:
    """Embeds texts, one call after the other; the model is loaded at the first one and freed when it is not used.

    `close` ends it; what waits then fails.
    """

    def __init__(self, manager: SessionManager) -> None:
        self._manager = manager
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[tuple[str, ...], Future[Vectors]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._embedder: Embedder | None = None
        self._ref = ""
        self._closed = False

    def __call__(self, texts: Sequence[str]) -> Future[Vectors]:
        """Return the vectors of some texts as a future, each of length 1, or zeros for an empty text.

        The future raises `AirochatError` if there are none, for instance since no model is set. It can be cancelled
        as long as it waits.
        """
        found: Future[Vectors] = Future()
        with self._lock:
            if self._closed:
                found.set_exception(BackendError(*_CLOSED))
                return found
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="airochat-embedding", daemon=True)
                self._thread.start()
            self._waiting.put((tuple(texts), found))
        return found

    def close(self) -> None:
        """End the thread and the model; returns when both are gone."""
        with self._lock:
            self._closed = True
            thread, embedder = self._thread, self._embedder
        self._waiting.put(None)
        if embedder is not None:
            embedder.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_S)

    def _work(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            texts, found = waiting
            if not found.set_running_or_notify_cancel():
                continue
            try:
                vectors = self._ready(self._manager.settings.embedding_model).embed(texts)
            except AirochatError as error:
                found.set_exception(BackendError(*_CLOSED) if self._closed else error)
            except Exception as error:
                _log.exception("Embedding failed")
                found.set_exception(BackendError(f"Embedding failed: {type(error).__name__}: {error}"))
            else:
                found.set_result(vectors)

    def _ready(self, ref: str) -> Embedder:
        """Return the embedder of the model that is set now."""
        if self._closed:
            raise BackendError(*_CLOSED)
        if self._embedder is not None and ref == self._ref:
            return self._embedder
        from airochat.backends.llama.embed import create_embedder

        made = create_embedder(self._manager.settings, self._manager.home)
        with self._lock:
            if self._closed:
                raise BackendError(*_CLOSED)
            before, self._embedder, self._ref = self._embedder, made, ref
        if before is not None:
            before.close()
        return made
