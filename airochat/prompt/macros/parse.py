"""From text to a tree of macros, in one pass and in time that grows with the length alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from airochat.prompt.macros.limits import MAX_CALLS, MAX_DEPTH

_TOKEN = re.compile(
    r"\\\{\\\{|\\\}\\\}|\{\{+|\}\}|<(?:user|bot|char|charifnotgroup|group)>", re.IGNORECASE | re.ASCII
)
_HEAD = re.compile(
    r"\s*(?P<keep>#\s*)?(?P<name>//|[.$]|time_utc(?=[+-])|[^\W\d][\w-]*)(?P<form>\s*::?|\s+|)", re.IGNORECASE
)
_CLOSING = re.compile(r"\s*/\s*(//|[^\W\d][\w-]*)\s*")
_GLUED = ("//", ".", "$", "time_utc")
_OLD_NAMES = {"bot": "char"}


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A macro as it is written; ``start`` and ``end`` are its place in the text, braces included."""

    start: int
    end: int
    name: str
    """In small letters; ``/name`` for an end tag, and empty if there is no name."""
    form: str
    """What separates the name from the rest: ``::``, ``:``, a space for any white space, or nothing."""
    rest: Nodes
    """What follows the name and the separator."""
    parts: Nodes
    """All that stands between the braces."""
    keep: bool = False
    """Whether white space at the ends of the block stays, as ``#`` before the name says."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A macro, the text after it, and its end tag."""

    call: Call
    body: Nodes
    closing: Call

    @property
    def start(self) -> int:
        """Where the macro begins in the text."""
        return self.call.start

    @property
    def end(self) -> int:
        """Where the end tag ends in the text."""
        return self.closing.end


Node: TypeAlias = "str | Call | Block"
Nodes: TypeAlias = "tuple[Node, ...]"


def parse(text: str, opens: Callable[[Call], bool]) -> Nodes:
    """Return the pieces of a text: plain text, macros, and macros with a block.

    ``opens`` tells whether a macro may have a block. Braces without a partner are plain text, as is what lies deeper
    or comes later than the limits allow.
    """
    reader = _Reader(text, opens)
    for token in _TOKEN.finditer(text):
        if reader.calls >= MAX_CALLS:
            break
        reader.take(token)
    return reader.finish()


def call_of(parts: Sequence[Node], start: int, end: int) -> Call:
    """Make a macro from what stands between its braces."""
    first = parts[0] if parts and isinstance(parts[0], str) else ""
    closing = _CLOSING.fullmatch(first) if len(parts) == 1 else None
    if closing:
        return Call(start, end, f"/{closing[1].lower()}", "", (), tuple(parts))
    head = _HEAD.match(first)
    if not head:
        return Call(start, end, "", "", (), tuple(parts))
    name, after = head["name"].lower(), first[head.end() :]
    rest = (after, *parts[1:]) if after else tuple(parts[1:])
    form = head["form"].strip() or head["form"][:1]
    if not form and rest and name not in _GLUED:
        name = ""
    return Call(start, end, name, form, rest, tuple(parts), bool(head["keep"]))


class _Reader:
    def __init__(self, text: str, opens: Callable[[Call], bool]) -> None:
        self.calls = 0
        self._text = text
        self._opens = opens
        self._at = 0
        self._levels: list[list[Node]] = [[]]
        self._opened: list[int] = []
        self._too_deep = 0

    def take(self, token: re.Match[str]) -> None:
        written = token[0]
        if written[0] == "{":
            self._open(token)
        elif written == "}}":
            self._close(token.start())
        elif written[0] == "<":
            name = written[1:-1].lower()
            call = Call(token.start(), token.end(), _OLD_NAMES.get(name, name), "", (), ())
            self._add(token, call)
            self.calls += 1
        else:
            self._add(token, written.replace("\\", ""))

    def finish(self) -> Nodes:
        self._plain(len(self._text))
        while self._opened:
            parts = self._levels.pop()
            start = self._opened.pop()
            self._levels[-1] += [self._text[start : start + 2], *parts]
        return _with_blocks(self._levels[0], self._opens)

    def _plain(self, end: int) -> None:
        if end > self._at:
            self._levels[-1].append(self._text[self._at : end])

    def _add(self, token: re.Match[str], node: Node) -> None:
        self._plain(token.start())
        self._levels[-1].append(node)
        self._at = token.end()

    def _open(self, token: re.Match[str]) -> None:
        # Of an odd number of braces the first one is text: {{{user}}} is a name in single braces.
        for start in range(token.start() + len(token[0]) % 2, token.end(), 2):
            if len(self._opened) >= MAX_DEPTH:
                self._too_deep += 1
                continue
            self._plain(start)
            self._at = start + 2
            self._opened.append(start)
            self._levels.append([])

    def _close(self, end: int) -> None:
        if self._too_deep:
            self._too_deep -= 1
        elif self._opened:
            self._plain(end)
            self._at = end + 2
            parts = _with_blocks(self._levels.pop(), self._opens)
            self._levels[-1].append(call_of(parts, self._opened.pop(), end + 2))
            self.calls += 1


def _with_blocks(nodes: Sequence[Node], opens: Callable[[Call], bool]) -> Nodes:
    """Join each end tag with the nearest macro of its name that waits for one, and what lies between."""
    done: list[Node] = []
    places: dict[str, list[int]] = {}
    for node in nodes:
        if isinstance(node, Call) and node.name:
            place = _opener(done, places.get(node.name[1:], []), opens) if _ends(node) else None
            if place is not None:
                node = _block(done, place, node)
            else:
                places.setdefault(node.name, []).append(len(done))
        done.append(node)
    return tuple(done)


def _ends(call: Call) -> bool:
    return len(call.name) > 1 and call.name[0] == "/" and call.name != "//"


def _opener(done: Sequence[Node], places: list[int], opens: Callable[[Call], bool]) -> int | None:
    # A place may be of a macro that by now lies within a block, and hold that block or nothing.
    while places:
        place = places.pop()
        node = done[place] if place < len(done) else None
        if isinstance(node, Call) and opens(node):
            return place
    return None


def _block(done: list[Node], place: int, closing: Call) -> Block:
    call, *body = done[place:]
    assert isinstance(call, Call)
    del done[place:]
    return Block(call, tuple(body), closing)
