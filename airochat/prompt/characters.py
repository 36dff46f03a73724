"""What a card and a persona put into the prompt."""

from __future__ import annotations

from collections.abc import Iterator

from airochat.characters import Card, Persona
from airochat.prompt.blocks import Block
from airochat.prompt.macros import expand

_EXAMPLES = -10
_DETAILS = 10


def card_blocks(
    card: Card | None, persona: Persona | None, user_name: str, original: str = ""
) -> list[Block]:
    """Return the blocks of a card and a persona, macros expanded.

    The card's system prompt takes the place of the default one, for which ``{{original}}`` in it stands. Example
    dialogue is the first thing to be left out when the context is full.
    """
    values = {"char": card.name if card else "", "user": persona.name if persona else user_name}
    blocks = [*(_card(card) if card else ()), *(_persona(persona) if persona else ())]
    if not card:
        values.pop("char")
    values["original"] = original
    expanded = ((block, expand(block.text.replace("\r", ""), values)) for block in blocks)
    return [
        Block(block.source, text.strip(), block.depth, block.role, block.priority, block.pinned, block.reason)
        for block, text in expanded
        if text.strip()
    ]


def greetings(card: Card, persona: Persona | None, user_name: str) -> tuple[str, ...]:
    """Return the card's greeting and its alternatives, macros expanded, without empty ones."""
    values = {"char": card.name, "user": persona.name if persona else user_name}
    return tuple(expand(text, values) for text in (card.first_mes, *card.alternate_greetings) if text.strip())


def _card(card: Card) -> Iterator[Block]:
    always = "always, by the card"
    yield Block("card.system_prompt", card.system_prompt, pinned=True, reason=always)
    yield Block("card.description", card.description, pinned=True, reason=always)
    if card.personality.strip():
        text = f"{{{{char}}}}'s personality: {card.personality}"
        yield Block("card.personality", text, priority=_DETAILS, reason=always)
    if card.scenario.strip():
        yield Block("card.scenario", f"Scenario: {card.scenario}", priority=_DETAILS, reason=always)
    yield Block(
        "card.mes_example", card.mes_example, priority=_EXAMPLES, reason="example dialogue, while it fits"
    )
    last = card.post_history_instructions
    yield Block("card.post_history_instructions", last, depth=0, priority=_DETAILS, reason=always)


def _persona(persona: Persona) -> Iterator[Block]:
    yield Block("persona", persona.description, priority=_DETAILS, reason="always, by the persona")
