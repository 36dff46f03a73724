"""The question whether the model may call a tool."""

from __future__ import annotations

import time

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from airochat.session.approval import Decision, PendingCall
from airochat.text import one_line
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hints

PAUSE_S = 0.7
"""Seconds without a key before a key counts as an answer: whoever was typing has not read the question."""

_KEYS = frozenset("ycanv")
_LONGEST_DESCRIPTION = 400


class ApproveScreen(Dialog[None]):
    """Asks about one call, and hands the answer over; Esc is a no. It goes away if the turn is stopped."""

    BINDINGS = [
        Binding("y", "answer('once')", "Yes, once"),
        Binding("c", "answer('chat')", "Yes, in this chat"),
        Binding("a", "answer('always')", "Yes, always"),
        Binding("n", "answer('no')", "No"),
        Binding("v", "answer('never')", "Never"),
    ]

    def __init__(self, pending: PendingCall, chat: str = "") -> None:
        super().__init__()
        self.pending = pending
        self._chat = chat
        self._touched = time.monotonic()

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        question = self.pending.question
        where = f"in the chat {one_line(self._chat, 60)}, " if self._chat else ""
        about = one_line(question.description, _LONGEST_DESCRIPTION)
        with Vertical(classes="panel"):
            yield Static(f"May the model use {question.title}?", classes="heading", markup=False)
            yield Static(f"{where}by the plugin {question.plugin}", classes="text", markup=False)
            if about:
                yield Static(about, classes="text", markup=False)
            with VerticalScroll(id="approve-arguments"):
                yield Static(question.arguments, markup=False)
            yield Hints(
                (
                    ("y", "yes, once"),
                    ("n esc", "no"),
                    ("c", "yes, in this chat"),
                    ("a", "yes, always"),
                    ("v", "never"),
                )
            )

    def on_mount(self) -> None:
        """Begin at the arguments, which can be scrolled."""
        self._touched = time.monotonic()
        self.query_one("#approve-arguments").focus()

    @property
    def ready(self) -> bool:
        """Whether the next key counts."""
        return time.monotonic() - self._touched >= PAUSE_S

    def action_answer(self, decision: Decision) -> None:
        """Answer and close, unless the key can only have been meant for something else."""
        if self.ready:
            self.pending.answer(decision)
            self.dismiss(None)
        self._touched = time.monotonic()

    def action_cancel(self) -> None:
        """Say no, and close."""
        self.pending.answer("no")
        self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Wait until nobody types any more; the keys that answer look at that themselves."""
        if event.key not in _KEYS:
            self._touched = time.monotonic()

    def on_screen_resume(self) -> None:
        """Close if the question is over, now that nothing lies above it."""
        self.close_if_over()

    def close_if_over(self) -> None:
        """Close without an answer if none is needed any more."""
        # Not `is_current`, which also counts screens that can be seen below another one; to close pops the topmost.
        if self.pending.over and self.is_active:
            self.dismiss(None)
