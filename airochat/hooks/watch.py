"""Calling what others wrote for a limited time, so that a plugin that hangs holds up nothing for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_Result = TypeVar("_Result")


class Overtime(Exception):
    """A call that was given up, since it took too long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many seconds calls of a plugin may take."""

    load: float = 60.0
    """Running its code for the first time: some import half of the world."""
    hook: float = 5.0
    command: float = 60.0
    macro: float = 2.0
    """Less than a hook, so that the one to blame is found if a hook of another plugin expands the macro."""


USUAL = Limits()
"""What counts if nobody says otherwise."""


class Watch:
    """Runs calls on threads of their own. One that is given up stays behind; its result is dropped."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or USUAL

    def run(self, call: Callable[[], _Result], seconds: float) -> _Result:
        """Return what ``call`` returns, or raise what it raises; `Overtime` after so many seconds."""
        results: list[_Result] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                results.append(call())
            except KeyboardInterrupt:
                # The user's reaches the main thread only; this one is the plugin's own.
                errors.append(RuntimeError("it raised KeyboardInterrupt"))
            except BaseException as error:
                errors.append(error)

        worker = threading.Thread(target=work, name="airochat-plugin", daemon=True)
        try:
            worker.start()
        except RuntimeError:
            work()  # Python starts no threads any more while it ends
        else:
            self.wait(worker, seconds)
        if not (results or errors):
            raise Overtime(f"it took more than {seconds:g} seconds")
        if errors:
            raise errors[0]
        return results[0]

    def wait(self, worker: threading.Thread, seconds: float) -> None:
        """Block until a thread or the time is over."""
        worker.join(seconds)
