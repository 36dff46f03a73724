"""Texts of the card and the persona. Macros in them are expanded, since an author wrote them."""

from __future__ import annotations

from collections.abc import Callable

from airochat.characters import Card
from airochat.prompt.macros.call import Macro, Site


def _field(read: Callable[[Card], str]) -> Callable[[Site], str | None]:
    def run(site: Site) -> str | None:
        return site.author_text(read(site.card)) if site.card else None

    return run


def _depth_prompt(card: Card) -> str:
    note = card.extensions.get("depth_prompt")
    text = note.get("prompt") if isinstance(note, dict) else ""
    return text if isinstance(text, str) else ""


def _macro(names: tuple[str, ...], summary: str, read: Callable[[Card], str]) -> Macro:
    return Macro(names=names, usage=f"{{{{{names[0]}}}}}", summary=summary, run=_field(read))


MACROS = (
    _macro(("description", "charDescription"), "the card's description", lambda card: card.description),
    _macro(("personality", "charPersonality"), "the card's personality", lambda card: card.personality),
    _macro(("scenario", "charScenario"), "the card's scenario", lambda card: card.scenario),
    Macro(
        names=("persona",),
        usage="{{persona}}",
        summary="the text about the user",
        run=lambda site: site.author_text(site.scope.persona),
    ),
    _macro(("mesExamples", "mesExamplesRaw"), "the card's example dialogue", lambda card: card.mes_example),
    _macro(("charPrompt",), "the card's system prompt", lambda card: card.system_prompt),
    _macro(
        ("charInstruction", "charJailbreak"),
        "what the card wants to stand after the newest message",
        lambda card: card.post_history_instructions,
    ),
    _macro(("charDepthPrompt",), "the character's note of SillyTavern cards", _depth_prompt),
    _macro(("charFirstMessage", "greeting"), "the card's greeting", lambda card: card.first_mes),
    _macro(("charCreatorNotes", "creatorNotes"), "the card's notes", lambda card: card.creator_notes),
    Macro(
        names=("charVersion", "char_version"),
        usage="{{charVersion}}",
        summary="the card's version",
        run=lambda site: site.card.character_version if site.card else None,
    ),
    Macro(
        names=("original",),
        usage="{{original}}",
        summary="in a text that replaces another: that other text, the first time only",
        run=Site.original,
    ),
)
"""Macros about the card."""
