"""What a macro is, and what it gets when a text asks for it."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airochat.prompt.macros.limits import MAX_ITEMS
from airochat.prompt.macros.parse import Call, Node, Nodes

if TYPE_CHECKING:
    from airochat.characters import Card
    from airochat.prompt.macros.evaluate import Expansion, Macros
    from airochat.prompt.macros.scope import Scope
    from airochat.prompt.macros.variables import Variables

_COMMA = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class MacroCall:
    """A macro of a plugin as a text asks for it: its name in small letters, and its arguments, expanded."""

    name: str
    arguments: tuple[str, ...]
    macros: Macros


MacroFunction = Callable[[MacroCall], "str | None"]
"""Returns the text that takes the macro's place; it is not expanded. ``None`` leaves the macro as written."""


class Site:
    """A macro of airochat at one place of one text; arguments are expanded when they are asked for."""

    __slots__ = ("_expansion", "call", "parts")

    def __init__(self, expansion: Expansion, call: Call, parts: Sequence[Nodes]) -> None:
        self._expansion = expansion
        self.call = call
        self.parts = parts

    @property
    def macros(self) -> Macros:
        """The macros that expand the text."""
        return self._expansion.macros

    @property
    def scope(self) -> Scope:
        """What macros can see."""
        return self._expansion.macros.scope

    @property
    def variables(self) -> Variables:
        """The variables, to be read and changed."""
        return self._expansion.macros.variables

    @property
    def card(self) -> Card | None:
        """Whose text it is, or else the first of the cast."""
        return self._expansion.card

    def argument(self, number: int = 0) -> str:
        """Expand an argument; empty if there are fewer."""
        return self.expand(self.parts[number]) if number < len(self.parts) else ""

    def arguments(self) -> tuple[str, ...]:
        """Expand all arguments, in order."""
        return tuple(map(self.expand, self.parts))

    def expand(self, nodes: Sequence[Node]) -> str:
        """Expand a piece of the text that the macro stands in."""
        return self._expansion.join(nodes)

    def value(self, call: Call) -> str | None:
        """Return what another macro at this place expands to, or ``None`` if there is none of its name."""
        return self._expansion.value(call)

    def author_text(self, text: str) -> str | None:
        """Expand a text that the card's author or the user wrote; empty within itself."""
        return self._expansion.nested(text)

    def original(self) -> str | None:
        """Return the text that an override replaces, empty when asked again, and ``None`` without one."""
        return self._expansion.take_original()

    def pay(self, characters: int) -> bool:
        """Count work against the limits of the text; false if that is too much."""
        return self._expansion.pay(characters)

    def draw(self, turn: str = "") -> random.Random:
        """Return chance that depends on the seed, the text, the place in it, and ``turn`` alone."""
        key = "\0".join((self.scope.seed, turn, self._expansion.digest, str(self.call.start)))
        return random.Random(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """A macro of airochat: its names as written in tables, what it does, and how many arguments it takes."""

    names: tuple[str, ...]
    usage: str
    summary: str
    run: Callable[[Site], str | None]
    """Returns what takes the macro's place, or ``None`` to leave it as written."""
    low: int = 0
    high: int | None = 0
    """The last argument takes all that is left, separators included; ``None`` is no limit."""
    listed: bool = False
    """Whether a single argument is a list with commas."""

    def split(self, call: Call, body: Nodes | None = None) -> list[Nodes] | None:
        """Return the arguments, the block last; ``None`` if the macro does not take so many."""
        most = MAX_ITEMS if self.high is None else self.high - (body is not None)
        parts = _arguments(call, most)
        if parts is None:
            return None
        if body is not None:
            parts.append(body if call.keep else trimmed(body))
        if self.listed and len(parts) == 1:
            parts = _items(parts[0])
        return parts if parts is not None and self.low <= len(parts) and self._fits(parts) else None

    def wants_block(self, call: Call) -> bool:
        """Tell whether the last argument may follow as a block."""
        parts = _arguments(call, MAX_ITEMS) or []
        return self.high is None or len(parts) < self.low or (not parts and self.high > 0)

    def _fits(self, parts: Sequence[Nodes]) -> bool:
        return self.high is None or len(parts) <= self.high


def _arguments(call: Call, most: int) -> list[Nodes] | None:
    if not call.rest and call.form in ("", " "):
        return []
    if most < 1 or _count(call.rest, "::") >= MAX_ITEMS:
        return None
    parts: list[list[Node]] = [[]]
    for node in call.rest:
        pieces = [node] if not isinstance(node, str) else node.split("::", most - len(parts))
        parts[-1].append(pieces[0])
        parts += [[piece] for piece in pieces[1:]]
    return [tuple(part) for part in parts]


def _items(nodes: Nodes) -> list[Nodes] | None:
    if _count(nodes, ",") >= MAX_ITEMS:
        return None
    items: list[list[Node]] = [[]]
    for node in nodes:
        pieces = [node] if not isinstance(node, str) else _COMMA.split(node)
        plain = [piece.replace("\\,", ",") if isinstance(piece, str) else piece for piece in pieces]
        items[-1].append(plain[0])
        items += [[piece] for piece in plain[1:]]
    return [_without_space(tuple(item)) for item in items]


def _count(nodes: Nodes, separator: str) -> int:
    return sum(node.count(separator) for node in nodes if isinstance(node, str))


def trimmed(nodes: Nodes) -> Nodes:
    """Return a block without white space at its ends, its lines moved left by the first one's indentation."""
    first = nodes[0] if nodes and isinstance(nodes[0], str) else ""
    space = first[: len(first) - len(first.lstrip())]
    indent = len(space) - space.rfind("\n") - 1 if "\n" in space else 0
    if indent:
        line = re.compile(rf"\n[ \t]{{1,{indent}}}")
        nodes = tuple(line.sub("\n", node) if isinstance(node, str) else node for node in nodes)
    return _without_space(nodes)


def _without_space(nodes: Nodes) -> Nodes:
    cut = list(nodes)
    if cut and isinstance(cut[0], str):
        cut[0] = cut[0].lstrip()
    if cut and isinstance(cut[-1], str):
        cut[-1] = cut[-1].rstrip()
    return tuple(cut)
