"""What one chat widget shows, folded from the events of its session; and the difference between two such states.

A state is JSON. ``messages`` are the newest ones (``id``, ``role``, ``name``, ``html``, ``note``), ``earlier``
counts those left out. ``running`` is the growing reply (``id``, ``name``, ``text``) or None, ``swipe`` [number from 1,
count] or None. ``model``, ``why``, ``partner`` and ``activity`` are texts, ``progress`` goes from 0 to 1 or is None,
``line`` is an error or notice (``kind``, ``text``, ``hint``) or None.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airochat.conversation import Message, Tree
from airochat.errors import AirochatError
from airochat.notebook import status
from airochat.notebook.markdown import to_html
from airochat.session.events import (
    HorizonMoved,
    ModelEvent,
    ModelFailed,
    ModelLoading,
    ModelReady,
    Notice,
    PromptRead,
    SessionEvent,
    TextAdded,
    TreeChanged,
    TurnEnded,
    TurnStarted,
)
from airochat.text import clean, one_line

State = dict[str, Any]
SHOWN = 100
"""How many of the newest messages are shown, and how many more each time the user asks for earlier ones."""

_NOTES = {"finished": "", "stopped": "stopped", "failed": "broke off", "running": "interrupted"}


@dataclass(slots=True)
class _Running:
    started: TurnStarted
    read: PromptRead | None = None
    tokens: int = 0
    since: float = 0.0


class Transcript:
    """Folds session events into a state; used by one thread at a time.

    ``text_of`` returns the text so far of the turn with the given id.
    """

    def __init__(self, tree: Tree, text_of: Callable[[str], str]) -> None:
        self._tree = tree
        self._text_of = text_of
        self._html: dict[str, tuple[Message, State]] = {}
        self._running: _Running | None = None
        self._ended: TurnEnded | None = None
        self._shown = SHOWN
        self.model: ModelEvent | None = None
        self.template = ""
        """The session's own choice of template; empty if the model decides."""
        self.partner = ""
        """The name under which replies appear."""
        self.line: State | None = None
        """The one line under the conversation: an error or a notice."""

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self._running is not None

    def show_earlier(self) -> None:
        """Show more of the older messages."""
        self._shown += SHOWN

    def tell(self, kind: str, text: str, hint: str = "") -> None:
        """Put an ``error`` or a ``notice`` on the line."""
        self.line = {"kind": kind, "text": clean(text), "hint": clean(hint)}

    def tell_error(self, error: Exception) -> None:
        """Put an exception on the line, in the user's words if it has them."""
        if isinstance(error, AirochatError):
            self.tell("error", error.message, error.hint)
        else:
            words = f"{type(error).__name__}: {error}"
            self.tell("error", words, "This is a fault in airochat; the chat goes on.")

    def apply(self, event: SessionEvent) -> None:
        """Take in one event; those of a turn that is no longer running change nothing."""
        match event:
            case TreeChanged():
                self._tree = event.tree
            case TurnStarted():
                if not self._running or self._running.started != event:
                    self._running, self._ended, self.line = _Running(event), None, None
            case ModelLoading() | ModelReady() | ModelFailed():
                self._apply_model(event)
            case Notice():
                self.tell("notice", event.message, event.hint)
            case HorizonMoved():
                pass
            case _ if self._running and event.turn == self._running.started.turn:
                self._apply_turn(self._running, event)

    def _apply_model(self, event: ModelEvent) -> None:
        self.model = event
        if isinstance(event, ModelFailed):
            self.tell("error", event.message, event.hint)

    def _apply_turn(self, running: _Running, event: SessionEvent) -> None:
        match event:
            case PromptRead():
                running.read = event
            case TextAdded(index=0):
                running.since = running.since or time.monotonic()
                running.tokens += event.tokens
            case TurnEnded():
                self._running = None
                self._ended = event
                if event.error:
                    self.tell("error", event.error, event.hint)

    def state(self) -> State:
        """Return the state as it is now."""
        history = self._tree.path(self._running.started.parent) if self._running else self._tree.history
        shown = history[-self._shown :]
        self._html = {message.id: self._html.get(message.id, (message, {})) for message in shown}
        model, why = status.model_words(self.model, self.template)
        if not model:
            model = next(
                filter(None, (status.provenance_words(one.provenance) for one in reversed(shown))), ""
            )
        activity, progress = self._activity()
        return {
            "messages": [self._wire(message) for message in shown],
            "earlier": len(history) - len(shown),
            "running": self._growing(),
            "swipe": None if self._running else self._swipe(),
            "model": model,
            "why": why,
            "partner": one_line(self.partner, 40),
            "activity": activity,
            "progress": progress,
            "line": self.line,
        }

    def _wire(self, message: Message) -> State:
        known, wire = self._html[message.id]
        if not wire or known is not message:
            wire = {
                "id": message.id,
                "role": message.role,
                "name": one_line(message.name),
                "html": to_html(message.text),
                "note": _NOTES[message.state],
            }
            self._html[message.id] = (message, wire)
        return wire

    def _growing(self) -> State | None:
        if self._running is None:
            return None
        started, text = self._running.started, self._text_of(self._running.started.turn)
        return {"id": started.message, "name": one_line(started.name), "text": clean(text)}

    def _swipe(self) -> list[int] | None:
        head = self._tree.head
        if head is None or self._tree[head].role != "assistant":
            return None
        siblings = self._tree.siblings(head)
        return [siblings.index(head) + 1, len(siblings)]

    def _activity(self) -> tuple[str, float | None]:
        if isinstance(self.model, ModelLoading):
            return status.loading_words(self.model)
        running = self._running
        if running is None:
            return self._took(), None
        if running.tokens:
            return status.writing_words(running.tokens, time.monotonic() - running.since), None
        return status.reading_words(running.read) if running.read else ("waiting for the model", None)

    def _took(self) -> str:
        """Return what the last message shown took, with its pace if it was written just now."""
        if self._tree.head is None:
            return ""
        last, ended = self._tree[self._tree.head], self._ended
        fresh = ended is not None and ended.message is not None and ended.message.id == last.id
        return status.ended_words(
            last.provenance.usage, ended.timings.tokens_per_s if ended and fresh else 0.0
        )


def difference(old: State, new: State) -> State:
    """Return what turns ``old`` into ``new``; empty if they are equal.

    ``splice`` [n, messages] keeps the first n messages and appends others; ``text`` is appended to the growing reply;
    ``set`` holds new values of all else.
    """
    change: State = {}
    before, after = old["messages"], new["messages"]
    keep = _common(before, after)
    if keep < len(before) or keep < len(after):
        change["splice"] = [keep, after[keep:]]
    added = _added_text(old["running"], new["running"])
    if added:
        change["text"] = added
    names = [name for name in new if name != "messages" and not (name == "running" and added is not None)]
    fresh = {name: new[name] for name in names if new[name] != old[name]}
    return {**change, "set": fresh} if fresh else change


def _common(before: list[State], after: list[State]) -> int:
    count = 0
    for left, right in zip(before, after, strict=False):
        if left != right:
            break
        count += 1
    return count


def _added_text(old: State | None, new: State | None) -> str | None:
    """Return the text to append, or None if the growing reply must be set anew."""
    if old is None or new is None or {**old, "text": ""} != {**new, "text": ""}:
        return None
    return new["text"][len(old["text"]) :] if new["text"].startswith(old["text"]) else None
