"""Bringing cards and persona into a prompt: in the layout that the model was trained on, or in a plain one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airochat.characters import Card, Persona
from airochat.prompt.blocks import OPENING, SCENE, Block
from airochat.prompt.characters import ALWAYS, DETAIL, CardTexts, card_texts, expanded, late_blocks
from airochat.prompt.trained import Stage, trained_blocks
from airochat.templates.catalog import Templates
from airochat.templates.scenes import SceneForm
from airochat.templates.template import Family, Template
from airochat.templates.turns import Goal
from airochat.templates.voices import Labels, Voices, spoken_name

if TYPE_CHECKING:
    from airochat.prompt.macros import Macros

NARRATOR = "Narrator"
"""The name of whoever tells what happens; never written in trained layouts, unless somebody in the chat bears it."""

_NARRATION = "Describe what happens next as the narrator, without speaking for anyone."
_NOBODY = "Assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who is in a chat, and how that is to be written.

    ``cards`` are the cast, the chat's own card first; ``speaker`` is the one that speaks next, or the `NARRATOR`.
    ``form``: ``scene`` is the layout that Airoboros was trained on, ``acquaint`` its form for getting to know one
    character, ``plain`` fits every model; ``auto`` is ``scene``. A template without the form wanted gets the next
    one of these. ``actions`` is the sign around actions; empty leaves that line out. ``label`` says who writes the
    name before a reply where there is one: the prompt ends with it (``prefill``), or the ``model`` writes it.
    ``scenario`` is that of this chat, in place of the cards'.
    """

    cards: tuple[Card, ...]
    speaker: Card
    user: str
    persona: Persona | None = None
    form: str = "auto"
    actions: str = "*"
    label: str = "prefill"
    scenario: str = ""
    goal: Goal = "reply"
    """What the model is to write; what a card says after the history is for its own replies alone."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What `assemble` needs for a scene: the template bound to the speakers, the blocks, and who ends a reply."""

    template: Template
    blocks: list[Block]
    speakers: tuple[str, ...]
    """The names at whose line start a reply ends."""
    labels: tuple[str, ...] = ()
    """The names that the model may write before its reply; none if the prompt ends with one, or there are none."""


def stage(scene: Scene, template: Template, templates: Templates, macros: Macros, system: str = "") -> Staged:
    """Bring a scene into the form of a template; ``system`` is the system text that the user set.

    Only what a model is to continue depends on who speaks, and what the speaker's card wants right before it.
    Raises `TemplateError` if a template refers to one that there is not.
    """
    used, form = _form(scene, template, templates)
    leads = form is not None and bool(form.header)
    original = system or ("" if leads else used.default_system)
    texts = [card_texts(card, macros, original if not n else "", not n) for n, card in enumerate(scene.cards)]
    here = Stage(
        texts=tuple(texts),
        user=spoken_name(scene.user),
        persona=_persona_text(scene.persona, macros),
        system=system,
        scenario=expanded(scene.scenario, macros, scene.cards[0]) if scene.scenario else "",
        actions=scene.actions,
    )
    head = plain_blocks(here) if form is None else trained_blocks(here, form)
    voices = _voices(scene, form, [one.name for one in texts])
    bound = used.voiced(voices, "" if leads else None)
    late = [
        block
        for number, card in enumerate(scene.cards)
        for block in late_blocks(card, macros, not number, card == scene.speaker and scene.goal != "user")
    ]
    if voices.reply == NARRATOR and scene.speaker not in scene.cards and scene.goal == "reply":
        late.append(Block(SCENE, _NARRATION, 0, pinned=True, order=2))
    blocks = [block for block in (*head, *late) if block.text]
    return Staged(bound, blocks, _others(bound.voices, scene.user), voices.cast if bound.voices.own else ())


def persona_stage(template: Template, persona: Persona | None, macros: Macros) -> Staged:
    """Bring a persona into a chat without characters."""
    text = _persona_text(persona, macros)
    blocks = [_persona(text)] if text else []
    return Staged(template.voiced(Voices(reply=_NOBODY, user=macros.scope.user)), blocks, ())


def plain_blocks(here: Stage) -> Iterator[Block]:
    """Yield the texts of cards and persona in a form that fits every model.

    Names stand before descriptions only where there are several characters.
    """
    several = len(here.texts) > 1
    if here.system and not here.texts[0].system_prompt:
        yield Block("system", here.system, pinned=True, reason="from the settings", order=OPENING)
    for one in here.texts:
        yield from _plain_card(one, f"{one.name}: " if several else "")
    for source, text in here.places:
        reason = "always, by the chat" if source == "scenario" else ALWAYS
        yield Block(source, f"Scenario: {text}", priority=DETAIL, reason=reason)
    for one in here.texts:
        for source, text, priority in one.examples_by_age():
            yield Block(source, text, priority=priority, reason="example dialogue, while it fits")
    if here.persona:
        yield _persona(here.persona, f"{here.user}: " if several else "")


def _plain_card(one: CardTexts, name: str) -> Iterator[Block]:
    order = 0 if one.mark else OPENING
    yield Block(one.source("system_prompt"), one.system_prompt, pinned=True, reason=ALWAYS, order=order)
    yield Block(one.source("description"), one.description, pinned=True, reason=ALWAYS, before=name)
    if one.personality:
        text = f"{one.name}'s personality: {one.personality}"
        yield Block(one.source("personality"), text, priority=DETAIL, reason=ALWAYS)


def _persona(text: str, name: str = "") -> Block:
    return Block("persona", text, priority=DETAIL, reason="always, by the persona", before=name)


def _persona_text(persona: Persona | None, macros: Macros) -> str:
    return expanded(persona.description, macros, None) if persona else ""


def _form(scene: Scene, template: Template, templates: Templates) -> tuple[Template, SceneForm | None]:
    """Return the template that writes a scene and its layout, or None for the plain one."""
    if scene.form == "plain" or not isinstance(template, Family):
        return template, None
    family = templates.get(template.roleplay) if template.roleplay else template
    if scene.form == "acquaint" and family.acquaint and len(scene.cards) == 1:
        return family, family.acquaint
    return (family, family.scene) if family.scene else (template, None)


def _voices(scene: Scene, form: SceneForm | None, names: Sequence[str]) -> Voices:
    several = len(names) > 1
    labels: Labels = "all" if several else "none"
    if form is not None:
        labels = form.labels if several or form.labels_if == "always" else "none"
    return Voices(
        labels=labels,
        reply=spoken_name(scene.speaker.called),
        user=spoken_name(scene.user),
        narrators=frozenset() if form is None else frozenset({NARRATOR}) - {*names, spoken_name(scene.user)},
        cast=tuple(names),
        own=scene.label == "model",
        opening=form.opening if form else "",
        user_stop=tuple(f"\n{name}:" for name in dict.fromkeys(names)),
    )


def _others(voices: Voices, user: str) -> tuple[str, ...]:
    """Return the names at which a reply ends; where the model writes names, also that of who speaks."""
    others = (name for name in voices.cast if name != voices.reply or voices.own)
    return tuple(dict.fromkeys((spoken_name(user), *others)))
