"""Work off the screen's thread of which only the newest matters, such as a search while one types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from airochat.errors import AirochatError
from airochat.tui.bridge import Bridge

R = TypeVar("R")
_Job = tuple[Callable[[], Any], Callable[[Any], None]]


class Latest:
    """Does one thing at a time; of what is asked for meanwhile, all but the newest is left undone."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._running = False
        self._next: _Job | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._running

    def ask(self, work: Callable[[], R], done: Callable[[R | AirochatError], None]) -> None:
        """Do ``work`` on another thread as soon as the present work is over, then call ``done`` on the app's.

        If something newer was asked for meanwhile, ``done`` is not called.
        """
        self._next = (work, done)
        if not self._running:
            self._begin()

    def _begin(self) -> None:
        if (job := self._next) is None:
            return
        self._next, self._running = None, True
        self._bridge.run(job[0], lambda result: self._end(job, result))

    def _end(self, job: _Job, result: object) -> None:
        self._running = False
        if self._next is not None:
            self._begin()
        else:
            job[1](result)
