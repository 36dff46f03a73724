"""Telling plugins when nobody has done anything in a chat for a while."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airochat.session.session import Session


class Idle:
    """A clock that begins to run when a turn ends."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self.seconds = 30.0
        """How long nothing must have happened."""

    def start(self) -> None:
        """Begin to count, if a plugin wants to know."""
        self.stop()
        if self._session.plugins.offers("on_idle"):
            with self._lock:
                self._timer = threading.Timer(self.seconds, self._tell)
                self._timer.daemon = True
                self._timer.start()

    def stop(self) -> None:
        """Give up what was begun."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _tell(self) -> None:
        if self._session.turn is None:
            self._session.tell("on_idle")
