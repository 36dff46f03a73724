"""Showing a turn while it runs: the reply on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import click

from airochat.backends.base import ModelInfo
from airochat.cli.approve import Approver
from airochat.cli.common import put
from airochat.cli.lazy import report
from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.session import Session, SessionManager, Turn
from airochat.session.events import (
    ModelLoading,
    Notice,
    PromptRead,
    RoundEnded,
    SessionEvent,
    TextAdded,
    ToolCalled,
    TurnEvent,
    TurnStarted,
)
from airochat.text import one_line

LONG_PROMPT = 256
"""Tokens to be read above which it is worth saying how far the model is."""


class Diagnostics:
    """Shows what airochat is waiting for on one line of stderr, and notices on lines of their own.

    Where stderr is not a terminal there are notices only. Events may come from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._width = 0
        self._live = sys.stderr.isatty()

    def __call__(self, event: SessionEvent) -> None:
        """Take in an event of a manager, a session or a turn."""
        match event:
            case ModelLoading(fraction, stage):
                self._show(f"{stage} {fraction:.0%}" if fraction else stage)
            case PromptRead(done=done, total=total, reused=reused) if done < total > reused + LONG_PROMPT:
                self._show(f"Reading the prompt {done / total:.0%}")
            case Notice(message, hint):
                self.clear()
                report(message, hint)

    def warn(self, warnings: Iterable[str]) -> None:
        """Pass on warnings about the model, each only once."""
        for warning in warnings:
            if warning not in self._told:
                self._told.add(warning)
                report(warning)

    def clear(self) -> None:
        """Remove the line again."""
        self._show("")

    def _show(self, text: str) -> None:
        with self._lock:
            if self._live and (text or self._width):
                text = one_line(text, 70)
                click.echo(f"\r{text.ljust(self._width)}" + ("" if text else "\r"), nl=False, err=True)
                self._width = len(text)


def load_model(manager: SessionManager, diagnostics: Diagnostics) -> ModelInfo:
    """Wait until the model is ready, and pass on its warnings; raises `ModelError`."""
    manager.start()
    try:
        info = manager.wait_for_model()
    finally:
        diagnostics.clear()
    diagnostics.warn(info.warnings)
    return info


def stream(
    turn: Turn,
    session: Session,
    diagnostics: Diagnostics,
    quiet: bool = False,
    approver: Approver | None = None,
) -> bool:
    """Print a reply as it is written, unless ``quiet``, then those beside it; return whether Ctrl-C stopped it.

    In a group the speaker's name is told first. Calls of tools are told on stderr, where ``approver`` asks about them.
    What was written until then is kept. A second Ctrl-C leaves at once. A failure is told on stderr.
    """
    printer = _Printer(turn, session, diagnostics, quiet)
    with _stopped_by_ctrl_c(turn, approver) as interrupted:
        for event in turn:
            printer.take(event)
            if isinstance(event, ToolCalled) and event.state == "asked" and approver is not None:
                with contextlib.suppress(KeyboardInterrupt):
                    approver.ask(event.call_id)
    diagnostics.clear()
    printer.close(turn.message, interrupted.is_set())
    for message in () if quiet else turn.messages[1:]:
        click.echo()
        _print_numbered(message, session)
    if turn.error:
        report(turn.error, turn.hint)
    return interrupted.is_set()


class _Printer:
    """Prints the replies of one turn, one after the other, and what is called between them."""

    def __init__(self, turn: Turn, session: Session, diagnostics: Diagnostics, quiet: bool) -> None:
        self._turn = turn
        self._session = session
        self._diagnostics = diagnostics
        self._quiet = quiet
        self._printed = ""
        self._begun = False
        """Whether something stands on the line that has not been ended."""

    def take(self, event: TurnEvent) -> None:
        """Take in one event of the turn."""
        match event:
            case TurnStarted() if not self._quiet:
                self._begun = _open(event, self._session)
            case TextAdded(index=0, text=text) if not self._quiet:
                self._diagnostics.clear()
                put(text, end="")
                self._printed += text
            case ToolCalled():
                self._diagnostics.clear()
                self._end_reply()
                _tell_call(event)
            case RoundEnded():
                self._end_reply()

    def close(self, message: Message | None, interrupted: bool) -> None:
        """End what was printed of the last reply."""
        if not self._printed and message is not None and message in self._turn.rounds[:-1]:
            return  # the turn ended with the results of its calls
        _close(message, self._printed, interrupted, self._quiet)

    def _end_reply(self) -> None:
        if self._printed and self._turn.message_id in self._session.tree:
            _close(self._session.tree[self._turn.message_id], self._printed, False, self._quiet)
        elif self._begun:
            click.echo()
        self._printed, self._begun = "", False


def _tell_call(event: ToolCalled) -> None:
    """Say on one line of stderr that a tool is called, or what came of it."""
    if event.state == "running":
        text = f"{event.title} {event.arguments}"
    elif event.state == "asked":
        return
    else:
        text = f"{event.title} {event.state}: {one_line(event.text, 200)}"
    click.echo(one_line(text, 300), err=True)


def _open(started: TurnStarted, session: Session) -> bool:
    """Say what comes now, where that is in question: which of several alternatives, or who speaks.

    Return whether the reply goes on behind that.
    """
    before, count = len(session.tree.children.get(started.parent, ())), 1 + len(started.alternatives)
    if before and count > 1:
        _head(before + 1, before + count)
    if _has_names(session):
        put(f"{one_line(started.name)}: ", end="")
        return True
    return False


def _close(message: Message | None, printed: str, interrupted: bool, quiet: bool) -> None:
    """End what was printed of a reply with what was added to it, and tell if something else was kept."""
    kept = message.text if message and not quiet else ""
    if kept.startswith(printed):
        put(kept[len(printed) :], end="")  # such as a closing quote
        printed = kept
    if printed and not printed.endswith("\n"):
        click.echo()
    elif interrupted:
        click.echo(err=True)  # what follows is not to stand behind the terminal's ^C
    if kept and kept.strip() != printed.strip():
        report(
            "This reply was changed after it was written, by a plugin or to tidy it.",
            "`airochat chats show` prints it as it is kept.",
        )


def print_alternatives(session: Session) -> None:
    """Print the last message with all its alternatives, each under its number; `UsageError` if there is none."""
    if session.head is None:
        raise UsageError("There is nothing yet.")
    for number, message_id in enumerate(session.tree.siblings(session.head)):
        if number:
            click.echo()
        _print_numbered(session.tree[message_id], session)


def _print_numbered(message: Message, session: Session) -> None:
    siblings = session.tree.siblings(message.id)
    _head(siblings.index(message.id) + 1, len(siblings))
    put((f"{one_line(message.name)}: " if _has_names(session) else "") + message.text.rstrip("\n"))


def _head(number: int, count: int) -> None:
    click.echo(click.style(f"— {number} of {count} —", dim=True))


def _has_names(session: Session) -> bool:
    return len(session.group.names) > 1


@contextlib.contextmanager
def _stopped_by_ctrl_c(turn: Turn, approver: Approver | None = None) -> Iterator[threading.Event]:
    """Let Ctrl-C stop the turn rather than break into a print; the event tells whether it did.

    A question is broken off by it.
    """
    asked = threading.Event()

    def interrupt(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        turn.stop()
        if approver is not None and approver.asking.is_set():
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def describe(turn: Turn, session: Session, manager: SessionManager, info: ModelInfo) -> dict[str, Any]:
    """Return a finished turn as ``say --json`` prints it."""
    choice = manager.model.choose(session.template_name, info)
    message = turn.message
    return {
        "text": turn.text,
        "template": choice.template.name,
        "why": list(choice.reasons),
        "model": info.name,
        "seed": message.provenance.sampling.get("seed") if message else None,
        "session": session.id,
        "message": message.id if message else None,
        "name": message.name if message else None,
        "stop_reason": turn.reason,
        "usage": dataclasses.asdict(turn.usage),
        "timings": {
            "first_token_s": turn.timings.first_token_s,
            "tokens_per_s": turn.timings.tokens_per_s,
        },
        "bans": dataclasses.asdict(turn.bans),
        "calls": [dict(call) for one in turn.rounds for call in one.provenance.calls],
    }


def describe_swipes(turn: Turn) -> list[dict[str, Any]]:
    """Return all replies of a finished turn as ``say --swipes N --json`` lists them, the first one included."""
    return [
        {
            "text": message.text,
            "message": message.id,
            "name": message.name,
            "seed": message.provenance.sampling.get("seed"),
            "stop_reason": "failed" if message.state == "failed" else message.provenance.stop_reason,
        }
        for message in turn.messages
    ]
