"""A turn in a cell: the cell waits, its output grows, and interrupting it stops the reply."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airochat.errors import AirochatError
from airochat.notebook import status
from airochat.notebook.markdown import plain_html, to_html
from airochat.session.events import ModelLoading, TextAdded
from airochat.text import clean

if TYPE_CHECKING:
    from airochat.session import SessionManager, Turn

SLICE = 0.1
"""Seconds between two looks at a running turn, and so between two repaints of its cell."""

_PATIENCE = 10.0
"""Seconds that an interrupted cell waits for the reply to end, so that its text is complete and saved."""


class ChatError(AirochatError):
    """An error in a cell: it ends the run of the notebook, and shows its two sentences without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [line for line in (self.message, self.hint) if line]


class Reply:
    """The output of one cell: an empty output at first, repainted in place.

    ``manager`` tells how far the model has been loaded, or is None if it is not known.
    """

    def __init__(self, turn: Turn, manager: SessionManager | None) -> None:
        from IPython.display import display

        self._turn = turn
        self._manager = manager
        self._last: dict[str, str] = self._bundle("")
        self._handle: Any = display(self._last, raw=True, display_id=True)

    def repaint(self, note: str = "") -> None:
        """Show the text so far, if it has changed; a finished reply as formatted text."""
        bundle = self._bundle(note)
        if bundle != self._last:
            self._last = bundle
            self._handle.update(bundle, raw=True)

    def _bundle(self, note: str) -> dict[str, str]:
        texts = [clean(text) for text in self._turn.texts]
        text = "\n\n".join(f"{head}\n{text}" if head else text for head, text in _headed(texts))
        note = note or ("" if any(texts) or self._turn.done else self._waiting())
        to_body = to_html if self._turn.done else plain_html
        body = "".join(_small(head) + to_body(text) for head, text in _headed(texts))
        return {
            "text/plain": f"{text} [{note}]".strip() if note else text,
            "text/html": f'<div style="max-width: 46em; line-height: 1.55">{body}{_small(note)}</div>',
        }

    def _waiting(self) -> str:
        state = self._manager.model_state if self._manager else None
        return status.loading_words(state)[0] if isinstance(state, ModelLoading) else "…"


def _headed(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each text with the line above it: its number, or nothing above the first."""
    for number, text in enumerate(texts, 1):
        if number == 1 or text:
            yield (f"— {number} of {len(texts)} —" if number > 1 else ""), text


def _small(text: str) -> str:
    return f'<small style="opacity: .65; display: block">{html.escape(text)}</small>' if text else ""


def run_turn(turn: Turn, manager: SessionManager | None) -> None:
    """Wait for a turn and repaint the cell meanwhile.

    An interrupt stops the turn, keeps and marks what was written, and goes on as `KeyboardInterrupt`. A turn that
    failed becomes a `ChatError`.
    """
    reply = Reply(turn, manager)
    try:
        while not turn.wait(SLICE):
            reply.repaint()
    except KeyboardInterrupt:
        turn.stop()
        turn.wait(_PATIENCE)
        reply.repaint("interrupted")
        raise
    reply.repaint({"user": "stopped", "failed": "broke off"}.get(turn.reason, ""))
    _raise_failure(turn)


def print_turn(turn: Turn) -> None:
    """Print a turn as it grows, for IPython in a terminal; interrupts and failures as in `run_turn`."""
    try:
        for event in turn:
            if isinstance(event, TextAdded) and not event.index:
                print(clean(event.text), end="", flush=True)
    except KeyboardInterrupt:
        turn.stop()
        turn.wait(_PATIENCE)
        print(" [interrupted]")
        raise
    print()
    for head, text in list(_headed(turn.texts))[1:]:
        print(f"\n{head}\n{clean(text)}")
    _raise_failure(turn)


def _raise_failure(turn: Turn) -> None:
    if turn.reason == "failed":
        raise ChatError(turn.error, turn.hint)
