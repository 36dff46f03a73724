"""From the threads of sessions and backends to the screen: the only module that knows both."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from textual.app import App
from textual.message import Message

from airochat.errors import AirochatError
from airochat.session import Session, SessionManager
from airochat.session.events import ModelFailed, ModelLoading, ModelReady, Notice, SessionEvent

FLUSH = 0.04
"""Seconds between two updates of the screen; more while an update takes longer than a third of that."""

R = TypeVar("R")
Result = tuple[Callable[[Any], None], Any]


class Wake(Message, bubble=False):
    """Something is waiting in the queue of the bridge."""


class Bridge:
    """Collects events on any thread and hands them over on the app's own, many at once.

    Nothing runs while nothing happens: the first event after a pause wakes the app, which then takes whatever has
    come together in `FLUSH` seconds.
    """

    def __init__(self, app: App[Any], receive: Callable[[list[SessionEvent]], None]) -> None:
        self._app = app
        self._receive = receive
        self._queue: SimpleQueue[SessionEvent | Callable[[], None]] = SimpleQueue()
        self._awake = False
        self._pause = FLUSH
        self._notices: deque[Notice] = deque(maxlen=8)
        self._leave: list[Callable[[], None]] = []
        self._closed = False

    def listen(self, manager: SessionManager) -> None:
        """Receive what happens to the model, and all notices."""
        self._leave.append(manager.subscribe(self._put))

    def attach(self, session: Session) -> Callable[[], None]:
        """Receive the events of a session; return what ends that."""
        return session.subscribe(self._put_own)

    def run(self, work: Callable[[], R], done: Callable[[R | AirochatError], None]) -> None:
        """Do ``work``, which may block, on a thread that nothing waits for, then call ``done`` on the app's."""

        def target() -> None:
            result: R | AirochatError
            try:
                result = work()
            except AirochatError as error:
                result = error
            self._put(lambda: done(result))

        threading.Thread(target=target, name="airochat-tui", daemon=True).start()

    def soon(self, action: Callable[[], None]) -> None:
        """Let the app do something on its own thread, after what happened before; returns at once."""
        self._put(action)

    def drain_later(self) -> None:
        """Take the waiting events after a short pause; called by the app on `Wake`."""
        self._app.set_timer(self._pause, self.drain)

    def drain(self) -> None:
        """Take all waiting events now; nothing once the bridge is closed."""
        if self._closed:
            return
        self._awake = False
        began = time.monotonic()
        events: list[SessionEvent] = []
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if callable(item):
                item()
            elif self._is_new(item):
                events.append(item)
        if events:
            self._receive(events)
        self._pause = max(FLUSH, 3 * (time.monotonic() - began))

    def close(self) -> None:
        """Receive nothing any more."""
        self._closed = True
        for leave in self._leave:
            leave()

    def _put(self, item: SessionEvent | Callable[[], None]) -> None:
        if self._closed:
            return
        self._queue.put(item)
        if not self._awake:
            self._awake = True
            self._app.post_message(Wake())

    def _put_own(self, event: SessionEvent) -> None:
        # A session hands on what its manager tells, which `listen` has received already.
        if not isinstance(event, (ModelLoading, ModelReady, ModelFailed)):
            self._put(event)

    def _is_new(self, event: SessionEvent) -> bool:
        if not isinstance(event, Notice):
            return True
        if any(event is known for known in self._notices):
            return False
        self._notices.append(event)
        return True
