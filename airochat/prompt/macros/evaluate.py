"""Expanding a text: values take the places of macros and are not looked at again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from types import MappingProxyType

from airochat.characters import Card
from airochat.conversation import Message, Role
from airochat.prompt.macros.call import Macro, MacroCall, MacroFunction, Site
from airochat.prompt.macros.limits import Budget
from airochat.prompt.macros.parse import Block, Call, Node, parse
from airochat.prompt.macros.registry import built_in
from airochat.prompt.macros.scope import Scope
from airochat.prompt.macros.variables import Variables


def _ignore(name: str, error: Exception) -> None:
    """Report nothing."""


class Macros:
    """Expands the macros in texts that authors wrote, for one prompt.

    Names count in any case; what macros insert from the chat is never expanded. Only ``variables`` changes, and that
    is a working copy. ``extra`` are macros of plugins by name, which go before those of airochat; a failing one stays
    as written, and ``on_error`` is told its name and the error.
    """

    def __init__(
        self,
        scope: Scope,
        variables: Variables | None = None,
        extra: Mapping[str, MacroFunction] = MappingProxyType({}),
        on_error: Callable[[str, Exception], None] = _ignore,
    ) -> None:
        self.scope = scope
        self.variables = Variables() if variables is None else variables
        self._extra = {name.lower(): function for name, function in extra.items()}
        self._on_error = on_error
        self._budget: Budget | None = None
        self._newest: dict[tuple[Role, int], Message | None] = {}

    def expand(self, text: str, *, card: Card | None = None, original: str | None = None) -> str:
        """Expand a text once.

        ``card`` is whose text it is (the first of the cast if not given). ``original`` is what the text replaces; it
        is inserted as it is, for the first ``{{original}}``.
        """
        mine = card or next(iter(self.scope.cards), None)
        # A plugin's macro may call this again; the limits are those of the outermost text.
        outer, self._budget = self._budget, self._budget or Budget()
        try:
            return Expansion(self, self._budget, text, mine, original).run()
        finally:
            self._budget = outer

    def find(self, name: str) -> Macro | None:
        """Return the macro of a name in small letters."""
        if name in self._extra:
            return Macro(names=(name,), usage="", summary="", run=partial(self._plugin, name), high=None)
        return built_in().get(name)

    def opens(self, call: Call) -> bool:
        """Tell whether the text up to an end tag is the last argument of a macro: whether that is missing."""
        macro = self.find(call.name)
        return macro is not None and macro.wants_block(call)

    def newest(self, role: Role, skipped: int = 0) -> Message | None:
        """Return the newest message of a role, not counting so many of the newest of all."""
        if (role, skipped) not in self._newest:
            messages = islice(reversed(self.scope.history), skipped, None)
            found = (message for message in messages if message.role == role)
            self._newest[role, skipped] = next(found, None)
        return self._newest[role, skipped]

    def _plugin(self, name: str, site: Site) -> str | None:
        try:
            value = self._extra[name](MacroCall(name, site.arguments(), self))
            if value is not None and not isinstance(value, str):
                raise TypeError(f"The macro {name} made a {type(value).__name__}, not a text.")
        except Exception as error:
            self._on_error(name, error)
            return None
        return value


class Expansion:
    """One text while it is expanded."""

    def __init__(
        self,
        macros: Macros,
        budget: Budget,
        text: str,
        card: Card | None,
        original: str | None = None,
        within: frozenset[str] = frozenset(),
    ) -> None:
        self.macros = macros
        self.card = card
        self._budget = budget
        self._text = text
        self._original = original
        self._within = within | {text}

    def run(self) -> str:
        """Return the whole text, expanded."""
        return self.join(parse(self._text, self.macros.opens))

    @cached_property
    def digest(self) -> str:
        """What tells this text from others."""
        return hashlib.sha256(self._text.encode("utf-8", "surrogatepass")).hexdigest()

    def join(self, nodes: Sequence[Node]) -> str:
        """Expand pieces of the text. ``{{trim}}`` takes away the line breaks around it."""
        pieces: list[str] = []
        trimming = False
        for node in nodes:
            if isinstance(node, Call) and node.name == "trim" and not node.rest:
                _cut_line_breaks(pieces)
                trimming = True
                continue
            piece = node if isinstance(node, str) else self._place(node)
            if trimming:
                piece = piece.lstrip("\r\n")
                trimming = not piece
            pieces.append(piece)
        return "".join(pieces)

    def value(self, call: Call) -> str | None:
        """Return what a macro expands to, or ``None`` if there is no such macro or it does not expand."""
        macro = self.macros.find(call.name)
        parts = macro.split(call) if macro else None
        return macro.run(Site(self, call, parts)) if macro and parts is not None else None

    def nested(self, text: str) -> str | None:
        """Expand another text of the same author; empty within itself, and ``None`` if that is too much."""
        text = text.replace("\r", "")
        if text in self._within:
            return ""
        if not self.pay(len(text)):
            return None
        return Expansion(self.macros, self._budget, text, self.card, None, self._within).run()

    def take_original(self) -> str | None:
        """Return the original text once, then an empty one; ``None`` without one."""
        if self._original is None:
            return None
        text, self._original = self._original, ""
        return text

    def pay(self, characters: int) -> bool:
        """Count work against the limits; false if that is too much."""
        return self._budget.pay(characters)

    def _place(self, node: Call | Block) -> str:
        if not self._budget.enter():
            return self._written(node)
        try:
            text = self._block(node) if isinstance(node, Block) else self._call(node)
        finally:
            self._budget.leave()
        return text if self.pay(len(text)) else self._written(node)

    def _call(self, call: Call) -> str:
        macro = self.macros.find(call.name)
        parts = macro.split(call) if macro else None
        if not macro or parts is None:
            return self._unknown(call)
        text = macro.run(Site(self, call, parts))
        return self._written(call) if text is None else text

    def _block(self, block: Block) -> str:
        macro = self.macros.find(block.call.name)
        parts = macro.split(block.call, block.body) if macro else None
        if not macro or parts is None:
            return self.join((block.call, *block.body, block.closing))
        text = macro.run(Site(self, block.call, parts))
        return self._written(block) if text is None else text

    def _written(self, node: Call | Block) -> str:
        return self._text[node.start : node.end]

    def _unknown(self, call: Call) -> str:
        # Macros inside one that is not known are expanded all the same.
        if all(isinstance(part, str) for part in call.parts):
            return self._written(call)
        return "{{" + self.join(call.parts) + "}}"


def _cut_line_breaks(pieces: list[str]) -> None:
    while pieces:
        pieces[-1] = pieces[-1].rstrip("\r\n")
        if pieces[-1]:
            return
        pieces.pop()
