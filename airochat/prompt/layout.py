"""Where blocks and messages stand: values in, the turns of a template out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airochat.conversation import Message
from airochat.prompt.blocks import MESSAGE, OPENING, SCENE, Block
from airochat.prompt.kept import Kept
from airochat.templates.segment import ChatTurn, Part
from airochat.templates.template import Template
from airochat.templates.turns import TEMPLATE

SYSTEM_SOURCES = frozenset(("system", "card.system_prompt"))
"""Sources of blocks that take the place of the default system text."""


def with_system(blocks: Sequence[Block], default_system: str) -> tuple[Block, ...]:
    """Return the blocks that have text, led by the default system text unless one of them takes its place."""
    found = tuple(block for block in blocks if block.text)
    if not default_system or any(block.source in SYSTEM_SOURCES for block in found):
        return found
    return (Block("system", default_system, pinned=True, reason="from the settings", order=OPENING), *found)


def head(blocks: Sequence[Block], template: Template) -> tuple[Part, ...]:
    """Return the parts of the system turn; none if the template shall write its own text alone.

    The template's own text comes first where no block takes its place.
    """
    found = sorted((block for block in blocks if block.depth is None), key=lambda block: block.order)
    if found and template.default_system and not any(block.source in SYSTEM_SOURCES for block in found):
        found = [Block(TEMPLATE, template.default_system), *found]
    parts: list[Part] = []
    wanted = 0
    for block in found:
        above, below = block.margins
        gap = "\n" * max(wanted, above) if parts else ""
        frame = (Part(block.before, SCENE), Part(block.text, block.source), Part(block.after, SCENE))
        parts += [part for part in (Part(gap, TEMPLATE), *frame) if part.text]
        wanted = below
    return tuple(parts)


def turns(
    blocks: Sequence[Block], history: Sequence[ChatTurn], template: Template, *, last_stays: bool = False
) -> list[ChatTurn]:
    """Return system turn, history, and the blocks at their depth; depth d stands before the d newest messages.

    With ``last_stays`` the last message stays at the end, and what would come after it stands before it.
    """
    system = head(blocks, template)
    placed = [ChatTurn("system", system)] if system else []
    for number, turn in enumerate(history):
        depth = len(history) - number
        placed += _notes(blocks, depth, deeper=number == 0)
        if last_stays and depth == 1:
            placed += _notes(blocks, 0)
        placed.append(turn)
    return placed if last_stays and history else [*placed, *_notes(blocks, 0, deeper=not history)]


def message_source(message: Message) -> str:
    """Return the source under which a message stands in the prompt and its report."""
    return f"{MESSAGE}{message.id}"


def as_turn(message: Message, kept: Kept | None) -> ChatTurn:
    """Return a message as a turn; ``kept`` are its token ids with their raw text if they are to be reused."""
    text, tokens = (message.text, ()) if kept is None else (kept.text, kept.tokens)
    return ChatTurn(message.role, (Part(text, message_source(message)),), message.name, tokens)


def _notes(blocks: Sequence[Block], depth: int, *, deeper: bool = False) -> Iterator[ChatTurn]:
    for block in sorted(blocks, key=lambda block: block.order):
        if block.depth is not None and (block.depth == depth or (deeper and block.depth > depth)):
            yield ChatTurn(block.role, (Part(block.text, block.source),))
