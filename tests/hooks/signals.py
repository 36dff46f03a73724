"""What plugins of the tests tell the test, and how they hang until it has ended."""

from __future__ import annotations

import threading

from airochat.hooks.watch import Watch

PATIENCE = 30.0
_changed = threading.Condition()
_told: list[str] = []
_hanging: set[threading.Thread] = set()


def reset() -> None:
    """Forget what was told."""
    with _changed:
        _told.clear()


def tell(word: str) -> None:
    """Let the test know."""
    with _changed:
        _told.append(word)
        _changed.notify_all()


def told() -> set[str]:
    """What was told so far."""
    return set(_told)


def wait_for(word: str) -> bool:
    """Block until a word was told; return whether it was."""
    with _changed:
        return _changed.wait_for(lambda: word in _told, PATIENCE)


def hang() -> None:
    """Never return."""
    _hanging.add(threading.current_thread())
    threading.Event().wait()


class QuickWatch(Watch):
    """Gives up a call as soon as it is known to hang, and no other one, however busy the machine is."""

    def wait(self, worker: threading.Thread, seconds: float) -> None:
        while worker.is_alive() and worker not in _hanging:
            worker.join(0.005)
