"""Leaving when the terminal is gone, as after a lost connection.

A program that got no signal for it would otherwise stay for ever, with its input thread spinning on a dead terminal.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable

STATUS = 129
"""The exit status of a program that SIGHUP ended."""


def leave_at_hangup(save: Callable[[], None]) -> None:
    """Watch standard input's terminal from a daemon thread; when it hangs up, call ``save`` and end the process."""
    if sys.__stdin__ is None or not sys.__stdin__.isatty() or not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(sys.__stdin__.fileno(), 0)  # hang-up and error are always told

    def watch() -> None:
        poll.poll()
        try:
            save()
        finally:
            os._exit(STATUS)  # the main thread may be stuck in writing to the terminal

    threading.Thread(target=watch, name="airochat-hangup", daemon=True).start()
