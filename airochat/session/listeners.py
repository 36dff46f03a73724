"""Delivering events to whoever listens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

E = TypeVar("E")
_log = logging.getLogger(__name__)


class Listeners(Generic[E]):
    """A set of callables that receive every event on the thread where it happens.

    A listener that raises is logged and kept, so that a fault in one front end never breaks a turn.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: tuple[Callable[[E], None], ...] = ()

    def add(self, listener: Callable[[E], None]) -> Callable[[], None]:
        """Add a listener and return the callable that removes it again."""
        with self._lock:
            self._all = (*self._all, listener)

        def remove() -> None:
            with self._lock:
                self._all = tuple(known for known in self._all if known is not listener)

        return remove

    def emit(self, event: E) -> None:
        """Hand one event to every listener."""
        for listener in self._all:
            try:
                listener(event)
            except Exception:
                _log.exception("A listener failed on %s", type(event).__name__)
