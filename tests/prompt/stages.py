"""Characters for tests, and their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airochat.characters import Card, Persona
from airochat.conversation import Message
from airochat.prompt import PromptPlan, Scene, Staged, Tokenizer, assemble, stage
from airochat.prompt.macros import Macros, Scope
from airochat.templates import Goal, Template, Templates, detect

TEMPLATES = Templates()
MAYA = Card(
    "Maya",
    description="{{char}} keeps the lamp.\r\n\r\nShe is tall.",
    personality="calm",
    scenario="A lighthouse, at night.",
    mes_example='<START>\n{{user}}: Who is there?\n{{char}}: *turns* "Me."\n<start>\n<USER>: Oh.',
    system_prompt="Never leave the lamp.",
    post_history_instructions="Stay {{char}}.",
    creator_notes="Not for the model.",
)
BARE = Card("Maya", description="Maya keeps the lamp.", scenario="A lighthouse, at night.")
THEO = Card("Theo", description="Theo bakes.", scenario="A lighthouse, at night.")
INES = Card("Ines Maria", nickname="Ines", description="{{char}} sails.", scenario="The sea.")
ROOK = Persona("Rook", "{{user}} is a courier.")
NARRATOR = Card("Narrator")


def said(who: str, text: str, number: int = 0) -> Message:
    role = {"Rook": "user", "": "system"}.get(who, "assistant")
    return Message(f"{who}{number}", None, role, who, text)  # type: ignore[arg-type]


HI = [said("Maya", '*looks up* "Yes?"'), said("Rook", "hi")]


def find(name: str) -> Template:
    return TEMPLATES.get(name) if name in TEMPLATES.names() else detect(name, None, None, TEMPLATES).template


def staged(
    template: Template | str,
    cards: Sequence[Card] = (BARE,),
    speaker: Card | None = None,
    persona: Persona | None = ROOK,
    system: str = "",
    **others: Any,
) -> Staged:
    chosen = find(template) if isinstance(template, str) else template
    scene = Scene(cards=tuple(cards), speaker=speaker or cards[0], user="Rook", persona=persona, **others)
    return stage(scene, chosen, TEMPLATES, Macros(Scope(user="Rook", cards=tuple(cards))), system)


def prompt(
    template: Template | str,
    cards: Sequence[Card] = (BARE,),
    history: Sequence[Message] = tuple(HI),
    *,
    goal: Goal = "reply",
    prefill: str = "",
    tokenizer: Tokenizer | None = None,
    n_ctx: int = 0,
    **others: Any,
) -> PromptPlan:
    found = staged(template, cards, goal=goal, **others)
    return assemble(
        found.blocks,
        history,
        found.template,
        tokenizer=tokenizer,
        n_ctx=n_ctx,
        reserve=min(100, n_ctx // 2),
        fingerprint="f",
        goal=goal,
        prefill=prefill,
        speakers=found.speakers,
    )
