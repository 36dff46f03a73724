"""What a scan is given, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .entry import SOURCES, Entry
from .timed import NO_EFFECTS, Timed

Count = Callable[[Sequence[str]], list[int]]
"""Counts the tokens of each text."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message as the scan reads it."""

    id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The moment for which lore is looked up."""

    said: tuple[Said, ...] = ()
    """The messages of the branch, oldest first."""
    extras: Mapping[str, str] = field(default_factory=dict)
    """Texts that only entries look at which say so, by the keys of `SOURCES`."""
    injects: tuple[str, ...] = ()
    """Texts that every entry looks at, such as an author's note."""
    names: tuple[str, ...] = ()
    """Of the character: what entries for some characters only call it."""
    tags: tuple[str, ...] = ()
    trigger: str = "normal"
    """How the reply was asked for."""
    greeting: int | None = None
    """Which of the greetings the chat begins with, from 0; None if it begins otherwise."""
    replies: int = 0
    """How many messages are the model's."""
    seed: str = ""
    """What chance depends on, with nothing else."""
    room: int = 0
    """Tokens that the prompt may have; 0 if that is not known."""
    timed: Timed = NO_EFFECTS
    forced: frozenset[str] = frozenset()
    """Keys of entries that are on whatever their keys say."""
    held_back: Mapping[str, str] = field(default_factory=dict)
    """Why entries are off, by their keys: frozen in the history, switched off in this chat."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A text in which keys are looked for."""

    kind: str
    """``message``, ``inject``, ``recursion``, or a key of `SOURCES`."""
    text: str
    label: str
    """What it is, in words: ``message 12``."""
    age: int = 0
    """How many messages are newer."""
    id: str = ""
    """The message's id, or the key of the entry."""


CauseKind = Literal["key", "constant", "sticky", "decorator", "kept", "forced"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an entry is on: for a key also which one, where it stands and what else was needed."""

    kind: CauseKind
    key: str = ""
    piece: Piece | None = None
    offset: int = 0
    """Characters before the key in the piece."""
    also: str = ""
    """The secondary key that was needed; for a sticky one, how long it stays."""

    @property
    def words(self) -> str:
        """The cause as people say it: ``keyword "lantern" in message 12``."""
        if self.kind == "key" and self.piece is not None:
            kind = "regex" if self.key.startswith("/") else "keyword"
            more = f' with "{self.also}"' if self.also else ""
            return f'{kind} "{self.key}"{more} in {self.piece.label}'
        return {
            "constant": "constant",
            "sticky": f"sticky, for {self.also} more",
            "decorator": "@@activate",
            "kept": "has matched before",
            "forced": "asked for",
        }.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True)
class Fired:
    """An entry that is in the prompt."""

    entry: Entry
    text: str
    """Its content, macros expanded."""
    tokens: int
    cause: Cause
    loop: int
    """In which pass it was found, from 1; later ones look through the lore that was found before."""
    rank: int
    """Which it was, from 1, to get its tokens from the budget."""
    dice: float | None = None
    """What was thrown, from 0 to 100, if it was a matter of chance."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was looked at and is not in the prompt, and why."""

    entry: Entry
    reason: str
    cause: Cause | None = None
    """What would have put it in."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan found: the entries in the order of the prompt, and why others that were looked at are not in it."""

    fired: tuple[Fired, ...]
    skipped: Mapping[str, Skipped]
    used: int
    """Tokens of the entries that count."""
    total: int | None
    """Tokens that lore may take, None without a limit."""
    loops: int
    depth: int
    """How many messages were read for entries without a depth of their own."""
    slow: tuple[str, ...] = ()
    """Regex keys that ran out of time."""


def extra_label(kind: str) -> str:
    """Return what a text of `SOURCES` is called."""
    return SOURCES.get(kind, kind)
