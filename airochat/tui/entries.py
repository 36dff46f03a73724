"""What the transcript shows of one message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Piece = tuple[str, str]
"""A text and the name of its style: ``soft``, ``faint``, ``accent`` or ``error``."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One of several replies that are written at once, as a line under the one that is looked at; clean text."""

    number: int
    text: str
    """How it begins."""
    state: str
    """How far it is."""
    shown: bool = False
    """Whether it is the one that is looked at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, ready to be laid out; every text in it is clean."""

    role: Literal["system", "user", "assistant"]
    name: str
    text: str
    when: str = ""
    voice: str = ""
    """Which of the characters' colours the name has; empty for the colour of the role."""
    live: bool = False
    """Whether it is being written now, and so ends in a cursor."""
    notes: tuple[tuple[Piece, ...], ...] = ()
    """Lines under the text, such as its place among the alternatives."""
    beside: tuple[Beside, ...] = ()
    """All replies that are written at once, this one included; nothing if it is the only one."""
    above: str = ""
    """What stands between this message and those before it."""


class Source(Protocol):
    """Where the transcript gets its messages from."""

    def sizes(self, start: int = 0) -> Iterable[tuple[int, int]]:
        """Yield for each message from ``start`` on the number of characters and of line breaks."""
        ...

    def entry(self, index: int) -> Entry:
        """Return one message; called only for those that come into view."""
        ...
