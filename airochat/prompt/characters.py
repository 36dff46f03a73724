"""The texts of cards and personas, their macros expanded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airochat.characters import Card
from airochat.conversation import Role
from airochat.prompt.blocks import Block
from airochat.templates.voices import spoken_name

if TYPE_CHECKING:
    from airochat.prompt.macros import Macros

DETAIL = 10
"""The priority of what may be left out when nothing else helps."""

ALWAYS = "always, by the card"

_START = re.compile(r"<START>", re.IGNORECASE)
_ROLES: dict[str, Role] = {"user": "user", "1": "user", "assistant": "assistant", "2": "assistant"}
_DEPTH = 4
_DEEPEST = 1000


@dataclass(frozen=True, slots=True)
class CardTexts:
    """What one card says, ready for a prompt: macros expanded, no carriage returns, no space at the ends."""

    name: str
    mark: str
    """What the sources of its texts end with: nothing for the first card of a chat, ``:NAME`` for others."""
    system_prompt: str
    description: str
    personality: str
    scenario: str
    examples: tuple[str, ...]
    """The blocks of the example dialogue, oldest first, each with its ``<START>`` if it has one."""

    def source(self, field: str) -> str:
        """Return the source of a text: ``card.description`` …"""
        return f"card.{field}{self.mark}"

    def examples_by_age(self) -> Iterator[tuple[str, str, int]]:
        """Yield source, text and priority of each example; the oldest is the first to be left out."""
        for number, text in enumerate(self.examples):
            source = self.source("mes_example") + (f"#{number + 1}" if number else "")
            yield source, text, number - len(self.examples)


def expanded(text: str, macros: Macros, card: Card | None, original: str = "") -> str:
    """Return an author's text as it stands in a prompt."""
    return macros.expand(text.replace("\r", ""), card=card, original=original).strip()


def card_texts(card: Card, macros: Macros, original: str, first: bool) -> CardTexts:
    """Expand a card's texts; ``original`` is the system text that its own one replaces."""
    name = spoken_name(card.called)
    examples = expanded(card.mes_example, macros, card)
    return CardTexts(
        name,
        "" if first else f":{name}",
        expanded(card.system_prompt, macros, card, original),
        expanded(card.description, macros, card),
        expanded(card.personality, macros, card),
        expanded(card.scenario, macros, card),
        tuple(_examples(examples)),
    )


def without_start(example: str) -> str:
    """Return a block of example dialogue without the tag that begins it."""
    return _START.sub("", example).strip()


def late_blocks(card: Card, macros: Macros, first: bool, speaks: bool) -> Iterator[Block]:
    """Yield what a card wants amid the conversation, and if it is the one that speaks, at its end."""
    mark = "" if first else f":{spoken_name(card.called)}"
    note = card.extensions.get("depth_prompt")
    if isinstance(note, dict):
        text = expanded(str(note.get("prompt") or ""), macros, card)
        role = _ROLES.get(str(note.get("role")), "system")
        depth = _whole(note.get("depth"))
        yield Block(f"card.depth_prompt{mark}", text, depth, role, DETAIL, reason=ALWAYS)
    if speaks:
        last = expanded(card.post_history_instructions, macros, card)
        source = f"card.post_history_instructions{mark}"
        yield Block(source, last, 0, priority=DETAIL, reason=ALWAYS, order=1)


def greetings(card: Card, *, group: bool = False) -> tuple[str, ...]:
    """Return the card's greeting and its alternatives, macros unexpanded, without empty ones.

    In a ``group``, those that are meant for groups come first.
    """
    meant = card.group_only_greetings if group else ()
    return tuple(text for text in (*meant, card.first_mes, *card.alternate_greetings) if text.strip())


def _examples(text: str) -> Iterator[str]:
    for number, block in enumerate(_START.split(text)):
        if block.strip():
            yield f"<START>\n{block.strip()}" if number else block.strip()


def _whole(value: Any) -> int:
    # Other programs write the depth as a number, a text, or nothing.
    try:
        return min(max(int(value), 0), _DEEPEST)
    except (TypeError, ValueError, OverflowError):
        return _DEPTH
