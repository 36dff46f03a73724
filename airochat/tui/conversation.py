"""What is shown of one session: a fold of its events, without any widget."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from airochat.conversation import TOOLS, Message, Tree
from airochat.prompt import NARRATOR
from airochat.session.events import (
    HorizonMoved,
    RoundEnded,
    ToolCalled,
    TreeChanged,
    TurnEnded,
    TurnEvent,
    TurnStarted,
)
from airochat.text import clean, one_line
from airochat.tui import words
from airochat.tui.entries import Entry, Piece
from airochat.tui.live import Live
from airochat.tui.voices import Voices

HORIZON = "the model no longer sees what stands above"
"""What is written above the oldest message that the prompt has room for."""

RESULT_LINES, RESULT_CHARACTERS = 8, 800
"""How much of the results of calls is shown; the rest can be read by copying or editing them."""

_UNFINISHED = "cut off: the program ended while this was being written"


@dataclass(frozen=True, slots=True)
class Change:
    """What to redraw: all messages from ``keep`` on, or else only the last one's text; and single ``others``."""

    keep: int | None = None
    last: bool = False
    others: tuple[int, ...] = ()


class Conversation:
    """The messages of one session as the transcript shows them; a `Source`.

    The running reply stands after the messages it answers; once it is in the tree, it is a message like any other.
    Events of another turn than the running one are late, and change nothing.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.voices = Voices()
        """The colours of the characters."""
        self.audience: Callable[[str], Collection[str]] = lambda message_id: ()
        """Tells who alone knows of a message."""
        self.live: Live | None = None
        self.calls: dict[str, ToolCalled] = {}
        """The calls that are being made for the last message, by their ids."""
        self.ended: TurnEnded | None = None
        """How the newest turn ended."""
        self.looked_at: str | None = None
        """The alternative that was looked at when its turn ended, unless it is the one that the session shows."""
        self.horizon: str | None = None
        """The oldest message that the model still sees; None if that is the first."""
        self._shown: tuple[Message, ...] = tree.history
        self._stopping = False
        self._keep: int | None = None
        self._last = False
        self._others: list[int] = []

    def apply(self, event: TreeChanged | HorizonMoved | TurnEvent) -> None:
        """Take in one event of the session."""
        match event:
            case TreeChanged(tree=tree):
                self._exchange(tree)
            case HorizonMoved(message=message):
                self._move_horizon(message)
            case TurnStarted():
                self.live, self.ended, self.looked_at = Live(event), None, None
                self.calls, self._stopping = {}, False
                self._reshow()
            case TurnEnded():
                self._end(event)
            case ToolCalled():
                self._call(event)
            case RoundEnded():
                self.calls = {}
                self._reshow()
            case _ if self.live is not None and self.live.start.turn == event.turn:
                self.live.apply(event)
                self._last = True

    def take_change(self) -> Change | None:
        """Return what changed since the last call, or None."""
        changed = self._keep is not None or self._last or self._others
        change = Change(self._keep, self._last, tuple(self._others)) if changed else None
        self._keep, self._last, self._others = None, False, []
        return change

    def stopping(self) -> None:
        """Note that the running turn was asked to stop."""
        self._stopping, self._last = True, True
        if self.live is not None:
            self.live.stopping = True

    def look(self, by: int) -> bool:
        """Look at the reply before or after among those that are being written; false if there is none."""
        if self.live is None or not self.live.look(by):
            return False
        self._last = True
        return True

    def _exchange(self, tree: Tree) -> None:
        self.tree = tree
        live = self.live
        if live is not None and any(one in tree for one in live.ids):
            self.live, looked_at = None, live.ids[live.shown]
            if looked_at in tree and looked_at != tree.head and live.shown:
                # The session shows the first one until it is told.
                self.looked_at, self.tree = looked_at, tree.move(looked_at)
        if tree.head is not None and tree[tree.head].is_results:
            self.calls = {}
        self._reshow()

    def _call(self, event: ToolCalled) -> None:
        """Show the calls of a reply under it, while no other one is written."""
        self.live = None
        self.calls[event.call_id] = event
        self._reshow()
        self._last = True

    def _move_horizon(self, message_id: str | None) -> None:
        moved = (self.horizon, message_id)
        self.horizon = message_id
        self._others += [index for index, message in enumerate(self._shown) if message.id in moved]

    def _end(self, event: TurnEnded) -> None:
        self.ended = event
        if self.calls:
            self.calls = {}
            self._reshow()
        if self.live is not None and self.live.start.turn == event.turn:
            self.live = None
            self._reshow()
        self._last = True

    def _reshow(self) -> None:
        """Compare what is to be shown with what was, and note from which message on it differs."""
        new = self.tree.path(self.live.start.parent) if self.live is not None else self.tree.history
        same = 0
        for old, fresh in zip(self._shown, new, strict=False):
            if old.id != fresh.id:
                break
            same += 1
        # The last of the same messages may lose or gain what stands under the last message.
        keep = max(0, same - 1)
        self._keep = keep if self._keep is None else min(self._keep, keep)
        self._shown = new

    # The transcript's source

    def __len__(self) -> int:
        return len(self._shown) + (self.live is not None or bool(self.calls))

    def message(self, index: int) -> Message | None:
        """Return a message, or None for the reply that is being written, or calls that are being made."""
        return self._shown[index] if index < len(self._shown) else None

    def sizes(self, start: int = 0) -> Iterator[tuple[int, int]]:
        """Yield the characters and line breaks of each message from ``start`` on."""
        for message in self._shown[start:]:
            text, _ = _beginning(message)
            yield len(text), text.count("\n")
        if self.live is not None and start <= len(self._shown):
            yield len(self.live.text), self.live.text.count("\n")
        elif self.calls and start <= len(self._shown):
            yield sum(len(call.arguments) for call in self.calls.values()), len(self.calls)

    def entry(self, index: int) -> Entry:
        """Return a message as it is shown."""
        message = self.message(index)
        if message is None:
            return self._calls_entry() if self.live is None else self._live_entry()
        notes = [*_problems(message), *_secret(self.audience(message.id))]
        beginning, left_out = _beginning(message)
        facts = [*_endings(message), *left_out]
        place: Iterable[Piece] = ()
        if index == len(self) - 1:
            place, facts = self._place(message), [*facts, *self._figures(message)]
        if pieces := (*place, *((" · ".join(facts), "faint") for _ in facts[:1])):
            notes.append(pieces)
        name, text = _name(message.name), _text(beginning)
        voice, when = self._voice(message.role, message.name), words.clock(message.created)
        above = HORIZON if index and message.id == self.horizon else ""
        return Entry(message.role, name, text, when, voice, notes=tuple(notes), above=above)

    def _voice(self, role: str, name: str) -> str:
        return self.voices.of(name) if role == "assistant" or name == NARRATOR else ""

    def _live_entry(self) -> Entry:
        live = self.live
        assert live is not None, "only the running reply has no message"
        before = len(self.tree.children.get(live.start.parent, ()))
        place = _swipes(before + live.shown + 1, before + len(live.replies))
        pieces = (*place, (live.doing, "faint"))
        when = words.clock(live.created)
        name, voice = live.start.name, self._voice("assistant", live.start.name)
        name, text, going_on = _name(name), _text(live.text), not live.replies[live.shown].ended
        return Entry(
            "assistant", name, text, when, voice, live=going_on, notes=(pieces,), beside=live.beside()
        )

    def _calls_entry(self) -> Entry:
        lines = [f"{call.title} {call.arguments}" for call in self.calls.values()]
        state = list(self.calls.values())[-1].state
        doing = "stopping" if self._stopping else _DOING.get(state, "")
        notes = (((doing, "accent" if state == "asked" else "faint"),),) if doing else ()
        return Entry("system", TOOLS, _text("\n".join(lines)), live=state == "running", notes=notes)

    def _place(self, message: Message) -> Iterable[Piece]:
        siblings = self.tree.siblings(message.id)
        return _swipes(siblings.index(message.id) + 1, len(siblings))

    def _figures(self, message: Message) -> Iterable[str]:
        ended, usage = self.ended, message.provenance.usage
        mine = ended is not None and ended.message is not None and ended.message.id == message.id
        if ended is not None and mine and ended.timings.tokens_per_s:
            yield words.rate(ended.timings.tokens_per_s)
        if usage.get("prompt"):
            moved = f" ({usage['moved']:,} moved)" if usage.get("moved") else ""
            yield f"{usage.get('reused', 0):,} tokens reused{moved}, {usage.get('evaluated', 0):,} read"
        if ended is not None and mine and (kept_out := sum(one.removed for one in ended.bans.counts)):
            yield f"{kept_out} banned {'phrase' if kept_out == 1 else 'phrases'} kept out"

    @property
    def context_used(self) -> int:
        """Tokens that prompt and reply of the newest turn take; 0 if unknown."""
        if self.live is not None:
            return self.live.prompt + self.live.tokens
        # Of replies that were written at once, only the first knows the prompt.
        siblings = self.tree.siblings(self._shown[-1].id) if self._shown else ()
        for message in (*self._shown[-1:], *map(self.tree.__getitem__, siblings)):
            if used := _used(message):
                return used
        return next(filter(None, map(_used, reversed(self._shown))), 0)


_DOING = {"asked": "waiting for your answer", "running": "being called · esc stops it"}


def _beginning(message: Message) -> tuple[str, list[str]]:
    """Return what is shown of a message's text, and what is said about the rest: of results there is much."""
    text = message.text
    if not message.is_results:
        return text, []
    lines = text[:RESULT_CHARACTERS].split("\n")[:RESULT_LINES]
    shown = "\n".join(lines)
    left = len(text) - len(shown)
    return shown, [f"and {words.count(left, 'more character')}"] if left > 1 else []


def _used(message: Message) -> int:
    usage = message.provenance.usage
    generated = usage.get("generated", 0)  # by all replies of the turn together
    own = min(generated, len(message.tokens) or generated)
    return usage["prompt"] + own if usage.get("prompt") else 0


def _swipes(position: int, count: int) -> Iterable[Piece]:
    if count > 1:
        yield from (("‹ ", "soft"), (str(position), "accent"), (f" of {count} ›", "soft"), ("     ", "soft"))


def _problems(message: Message) -> Iterable[tuple[Piece, ...]]:
    if message.state == "failed":
        yield ((f"broken off: {one_line(message.provenance.stop_reason, 400)}", "error"),)
    elif message.state == "running":
        yield ((_UNFINISHED, "error"),)


def _secret(audience: Collection[str]) -> Iterable[tuple[Piece, ...]]:
    if audience:
        yield ((f"only {one_line(' and '.join(audience), 80)} knows", "faint"),)


def _endings(message: Message) -> Iterable[str]:
    if message.state == "stopped":
        yield "stopped"
    elif message.provenance.stop_reason == "length":
        yield "reached the length limit"


def _name(name: str) -> str:
    return one_line(name, 40) or "?"


def _text(text: str) -> str:
    return clean(text).strip("\n").expandtabs(4)
