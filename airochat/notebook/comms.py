"""Sending from a thread of our own to a notebook's page, past what kernels do to such threads."""

from __future__ import annotations

import contextvars
from collections.abc import Callable


class Sender:
    """Calls functions that send in the context of the last request, which ipykernel 7 needs to address what is sent."""

    def __init__(self) -> None:
        self._context = contextvars.copy_context()

    def remember(self) -> None:
        """Take the context of the request that is being answered, or of the cell that runs."""
        self._context = contextvars.copy_context()

    def run(self, function: Callable[..., object], *values: object) -> None:
        """Call ``function`` in that context, on any thread."""
        self._context.copy().run(function, *values)


def answer_on_own_thread(comm: object) -> None:
    """Let a page's messages through while a cell runs.

    ipykernel 7.4.0 hands them to the thread whose request last made this widget publish, which may be the very cell
    that is blocking; without this attribute it keeps to the thread that the page asked for.
    """
    if getattr(comm, "_reply_subshell_for", None) is not None:
        comm._reply_subshell_for = None  # type: ignore[attr-defined]
