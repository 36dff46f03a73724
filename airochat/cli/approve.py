"""Letting the model call tools from the command line: by an option, or by a question at the terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.session import Session
    from airochat.session.approval import Decision, PendingCall

F = TypeVar("F", bound=Callable[..., Any])

_QUESTION = "[y]es once, in this [c]hat, [a]lways, [n]o, ne[v]er? "
_ANSWERS: dict[str, Decision] = {"y": "once", "c": "chat", "a": "always", "n": "no", "v": "never"}
_ANSWERS |= {"yes": "once", "chat": "chat", "always": "always", "no": "no", "never": "never"}


def allow_option(command: F) -> F:
    """Give a command ``--allow-tools``, passed on as ``allow_tools``: all its values."""
    return click.option(
        "--allow-tools",
        metavar="NAME,…|all|none",
        multiple=True,
        help="Tools that the model may call without asking; those that reach nothing outside the chat always may.",
    )(command)


class Approver:
    """Decides about calls: those of allowed tools are made, about others the user is asked if there is a terminal.

    `__call__` comes on the thread of a turn; `ask` runs where the turn is followed, and waits for a line.
    """

    def __init__(self, allowed: Sequence[str], ask: bool) -> None:
        self._names = {name.strip() for value in allowed for name in value.split(",")} - {"", "none"}
        self._asks = ask
        self._waiting: dict[str, PendingCall] = {}
        self.asking = threading.Event()
        """Set while a line is waited for."""

    def check(self, session: Session) -> None:
        """Raise `UsageError` if an allowed tool is none of this chat."""
        from airochat.session.approval import named

        known = session.tools()
        for name in self._names - {"all"}:
            named(known, name)

    def __call__(self, pending: PendingCall) -> None:
        """Take a question."""
        if pending.question.tool in self._names or "all" in self._names:
            pending.answer("once")
        elif self._asks:
            self._waiting[pending.question.call_id] = pending
        else:
            pending.withdraw()

    def ask(self, call_id: str) -> None:
        """Ask the user about a call at the terminal, until there is an answer."""
        pending = self._waiting.pop(call_id, None)
        if pending is None or pending.over:
            return
        question = pending.question
        _tell(f"The model wants to use {question.title} (of the plugin {question.plugin}):")
        for line in (one_line(question.description, 300), question.arguments):
            _tell(line)
        self.asking.set()
        try:
            pending.answer(_answer())
        finally:
            self.asking.clear()
            pending.withdraw()


def interactive() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _answer() -> Decision:
    while True:
        _drop_typed()
        click.echo(_QUESTION, nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            return "no"
        if (decision := _ANSWERS.get(line.strip().lower())) is not None:
            return decision


def _drop_typed() -> None:
    """Drop the lines that were typed before the question could be read, since they are no answers to it."""
    if sys.platform != "win32" and sys.stdin.isatty():
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _tell(text: str) -> None:
    click.echo(clean(text), err=True)
