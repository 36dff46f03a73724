"""Saving a growing reply about every second, away from the thread that receives it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from airochat.conversation import Message
from airochat.errors import StoreError

SECONDS = 1.0
"""How much of a running reply a killed program may lose."""


class ReplySaver:
    """While entered, saves the messages of ``snapshot()`` once a second, those that have changed.

    A failed save is told once to ``on_error`` and tried again a second later; the reply goes on meanwhile, since the
    text is still in memory and on the screen.
    """

    def __init__(
        self,
        snapshot: Callable[[], Iterable[Message]],
        save: Callable[[Message], None],
        on_error: Callable[[StoreError], None],
    ) -> None:
        self._snapshot = snapshot
        self._save = save
        self._on_error = on_error
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="airochat-saver", daemon=True)

    def __enter__(self) -> ReplySaver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        saved: dict[str, int] = {}
        told = False
        while not self._over.wait(SECONDS):
            for message in self._snapshot():
                if len(message.text) == saved.get(message.id):
                    continue
                try:
                    self._save(message)
                    saved[message.id] = len(message.text)
                except StoreError as error:
                    if not told:
                        self._on_error(error)
                    told = True
