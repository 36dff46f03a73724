"""What one chat widget shows, folded from the events of its session; and the difference between two such states.

A state is JSON. ``messages`` are the newest ones (``id``, ``role``, ``name``, ``html``, ``note``), ``earlier``
counts those left out. ``horizon`` is the id of the oldest message that the model still sees, or None if that is the
first one. ``running`` is the growing reply (``id``, ``name``, ``text``) or None, ``swipe`` [number from 1, count] or
None. ``cards`` are alternatives to look at side by side (``id``, ``text``): all that grow, but with an empty text for
the one in ``running``; or those of the last message, if they are wanted; else none. ``replies`` is how many are written
at once. ``model``, ``why``, ``partner`` and ``activity`` are texts, ``progress`` goes from 0 to 1 or is None, ``line``
is an error or notice (``kind``, ``text``, ``hint``) or None. ``question`` is a call of a tool about which the user is
asked (``id``, ``title``, ``plugin``, ``about``, ``arguments``), or None.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
    RoundStarted,
    SessionEvent,
    TextAdded,
    ToolCalled,
    TreeChanged,
    TurnEnded,
    TurnStarted,
)
from airochat.text import clean, one_line

State = dict[str, Any]
SHOWN = 100
"""How many of the newest messages are shown, and how many more each time the user asks for earlier ones."""

PREVIEW = 400
"""How many characters of a finished alternative stand on its card."""

_NOTES = {"finished": "", "stopped": "stopped", "failed": "broke off", "running": "interrupted"}


@dataclass(slots=True)
class _Running:
    started: TurnStarted
    read: PromptRead | None = None
    call: ToolCalled | None = None
    """The call that waits or runs, if there is one."""
    tokens: int = 0
    since: float = 0.0
    picked: int = 0
    """The number of the reply that is shown; the others are on cards."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all replies that the turn writes."""
        return (self.started.message, *self.started.alternatives)


class Transcript:
    """Folds session events into a state; used by one thread at a time.

    ``texts_of`` returns the texts so far of all replies of the turn with the given id, or none.
    """

    def __init__(self, tree: Tree, texts_of: Callable[[str], Sequence[str]]) -> None:
        self._tree = tree
        self._texts_of = texts_of
        self._html: dict[str, tuple[Message, State]] = {}
        self._running: _Running | None = None
        self._ended: TurnEnded | None = None
        self._shown = SHOWN
        self._open: tuple[str | None] | None = None
        """The parent of the alternatives that are laid out as cards, if there are any."""
        self.horizon: str | None = None
        """The oldest message that the model sees, if older ones do not fit."""
        self.replies = 1
        """How many alternatives are written at once."""
        self.model: ModelEvent | None = None
        self.template = ""
        """The session's own choice of template; empty if the model decides."""
        self.partner = ""
        """The name under which replies appear."""
        self.line: State | None = None
        """The one line under the conversation: an error or a notice."""
        self.question: State | None = None
        """The call about which the user is asked."""

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self._running is not None

    def show_earlier(self) -> None:
        """Show more of the older messages."""
        self._shown += SHOWN

    def turn_cards(self) -> None:
        """Lay the alternatives of the last message out as cards, or put these away."""
        head = self._tree.head
        beside = None if head is None else (self._tree[head].parent,)
        self._open = None if self._open == beside else beside

    def pick(self, message_id: str) -> bool:
        """Show this one of several growing replies; False if it is none of them."""
        if self._running is None or message_id not in self._running.ids:
            return False
        self._running.picked = self._running.ids.index(message_id)
        return True

    @property
    def picked(self) -> str | None:
        """The reply that the reader has picked while it was growing, in place of the first; None if there is none."""
        running = self._running
        return running.ids[running.picked] if running is not None and running.picked else None

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
                    self._running, self._ended = _Running(event), None
                    self.line = self.line if isinstance(event, RoundStarted) else None
                    self._open = (event.parent,) if event.alternatives else self._open
            case ModelLoading() | ModelReady() | ModelFailed():
                self._apply_model(event)
            case Notice():
                self.tell("notice", event.message, event.hint)
            case HorizonMoved():
                self.horizon = event.message
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
            case TextAdded():
                running.since = running.since or time.monotonic()
                running.tokens += event.tokens
            case ToolCalled():
                running.call = event if event.state in ("asked", "running") else None
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
            "horizon": self.horizon,
            "running": self._growing(),
            "cards": self._cards(),
            "replies": self.replies,
            "swipe": None if self._running else self._swipe(),
            "model": model,
            "why": why,
            "partner": one_line(self.partner, 40),
            "activity": activity,
            "progress": progress,
            "line": self.line,
            "question": self.question,
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
        running = self._running
        if running is None:
            return None
        text = self._texts(running)[running.picked]
        return {"id": running.ids[running.picked], "name": one_line(running.started.name), "text": text}

    def _texts(self, running: _Running) -> list[str]:
        known = [clean(text) for text in self._texts_of(running.started.turn)]
        return known + [""] * (len(running.ids) - len(known))

    def _cards(self) -> list[State]:
        running, swipe = self._running, self._swipe()
        if running is not None:
            texts = self._texts(running) if len(running.ids) > 1 else []
            shown = running.ids[running.picked]
            pairs = zip(running.ids, texts, strict=False)
            return [{"id": one, "text": "" if one == shown else text} for one, text in pairs]
        head = self._tree.head
        if head is None or swipe is None or swipe[1] < 2 or self._open != (self._tree[head].parent,):
            return []
        siblings = (self._tree[one] for one in self._tree.siblings(head))
        return [{"id": one.id, "text": clean(one.text)[:PREVIEW]} for one in siblings]

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
        if running.call is not None:
            return status.calling_words(running.call), None
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

    ``splice`` [n, messages] keeps the first n messages and appends others; ``text`` is appended to the growing reply,
    ``grown`` [[number from 0, text], …] to cards; ``set`` holds new values of all else.
    """
    change: State = {}
    before, after = old["messages"], new["messages"]
    keep = _common(before, after)
    if keep < len(before) or keep < len(after):
        change["splice"] = [keep, after[keep:]]
    added = _added_text(old["running"], new["running"])
    if added:
        change["text"] = added
    grown = _added_to_cards(old.get("cards", []), new.get("cards", []))
    if grown:
        change["grown"] = grown
    done = {
        "messages",
        *(["running"] if added is not None else []),
        *(["cards"] if grown is not None else []),
    }
    names = [name for name in new if name not in done]
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


def _added_to_cards(old: list[State], new: list[State]) -> list[list[Any]] | None:
    """Return the texts to append to cards, or None if these must be set anew."""
    if [card["id"] for card in old] != [card["id"] for card in new]:
        return None
    pairs = [(before["text"], after["text"]) for before, after in zip(old, new, strict=True)]
    if not all(after.startswith(before) for before, after in pairs):
        return None
    return [[at, after[len(before) :]] for at, (before, after) in enumerate(pairs) if after != before]
