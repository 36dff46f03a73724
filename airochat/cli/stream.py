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
from airochat.cli.common import put
from airochat.cli.lazy import report
from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.session import Session, SessionManager, Turn
from airochat.session.events import ModelLoading, Notice, PromptRead, SessionEvent, TextAdded, TurnStarted
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


def stream(turn: Turn, session: Session, diagnostics: Diagnostics, quiet: bool = False) -> bool:
    """Print a reply as it is written, unless ``quiet``, then those beside it; return whether Ctrl-C stopped it.

    In a group the speaker's name is told first. What was written until then is kept. A second Ctrl-C leaves at once.
    A failure is told on stderr.
    """
    printed = ""
    with _stopped_by_ctrl_c(turn) as interrupted:
        for event in turn:
            if isinstance(event, TurnStarted) and not quiet:
                _open(event, session)
            if isinstance(event, TextAdded) and not event.index and not quiet:
                diagnostics.clear()
                put(event.text, end="")
                printed += event.text
    diagnostics.clear()
    _close(turn, "" if quiet else printed, interrupted.is_set(), quiet)
    for message in () if quiet else turn.messages[1:]:
        click.echo()
        _print_numbered(message, session)
    if turn.error:
        report(turn.error, turn.hint)
    return interrupted.is_set()


def _open(started: TurnStarted, session: Session) -> None:
    """Say what comes now, where that is in question: which of several alternatives, or who speaks."""
    before, count = len(session.tree.children.get(started.parent, ())), 1 + len(started.alternatives)
    if before and count > 1:
        _head(before + 1, before + count)
    if _has_names(session):
        put(f"{one_line(started.name)}: ", end="")


def _close(turn: Turn, printed: str, interrupted: bool, quiet: bool) -> None:
    """End what was printed of a reply with what was added to it, and tell if something else was kept."""
    kept = turn.message.text if turn.message and not quiet else ""
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
def _stopped_by_ctrl_c(turn: Turn) -> Iterator[threading.Event]:
    """Let Ctrl-C stop the turn rather than break into a print; the event tells whether it did."""
    asked = threading.Event()

    def interrupt(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        turn.stop()

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
