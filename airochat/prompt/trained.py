"""The head of a prompt as models were trained on it, from the texts of a `SceneForm`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airochat.prompt.blocks import OPENING, SCENE, Block
from airochat.prompt.characters import ALWAYS, DETAIL, CardTexts, without_start
from airochat.templates.scenes import SceneForm, framing

_FROM_SETTINGS = "from the settings"
# Blocks from plugins have the order 0, so that they stand before these.
_SETTING, _CLOSING, _END = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The texts of a scene, macros expanded; empty ones say nothing."""

    texts: tuple[CardTexts, ...]
    user: str
    persona: str
    system: str
    scenario: str
    """That of the chat, in place of the cards'."""
    actions: str

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where it happens: the chat's scenario, or else those of the cards, each once, with their sources."""
        if self.scenario:
            return [("scenario", self.scenario)]
        found = {one.scenario: one.source("scenario") for one in reversed(self.texts) if one.scenario}
        return [(source, text) for text, source in reversed(found.items())]


def trained_blocks(here: Stage, form: SceneForm) -> Iterator[Block]:
    """Yield the blocks of the head, each with what the layout writes around it; empty texts leave theirs out."""
    layout = _Layout(here, form)
    first = here.texts[0]
    system = (first.source("system_prompt"), first.system_prompt)
    source, stay = system if first.system_prompt else ("system", here.system)
    if form.header:
        yield from layout.line(form.header, OPENING)
    elif stay:
        reason = _FROM_SETTINGS if source == "system" else ALWAYS
        yield Block(source, stay, pinned=True, reason=reason, order=OPENING)
    for one in here.texts:
        yield from layout.character(one)
    if here.persona:
        yield layout.framed(form.persona, "persona", here.persona, here.user, reason="always, by the persona")
    yield from layout.line(form.known_as)
    if form.header:
        yield from layout.stay(source, stay)
    for one in here.texts[1:]:
        if one.system_prompt:
            yield layout.framed(form.stay, one.source("system_prompt"), one.system_prompt, one.name)
    yield from layout.setting()
    if here.actions:
        yield from layout.line(form.actions, _CLOSING)
    yield from layout.line(form.start, _CLOSING)
    if form.end:
        yield Block(SCENE, form.end, pinned=True, margins=(0, 0), order=_END)


class _Layout:
    """Fills the texts of a form for one scene."""

    def __init__(self, here: Stage, form: SceneForm) -> None:
        self._here = here
        self._form = form
        self._first = here.texts[0].name
        shared = {"user": here.user, "mark": here.actions, "count": str(len(here.texts) + 1)}
        user_as = framing(form.user_as, shared).before
        self._values = {**shared, "names": ", ".join((*(one.name for one in here.texts), user_as))}

    def line(self, text: str, order: int = 0) -> Iterator[Block]:
        """Yield a text of the layout itself."""
        found = framing(text, {**self._values, "name": self._first})
        if found.before:
            yield Block(SCENE, found.before, pinned=True, margins=found.margins, order=order)

    def framed(
        self,
        text: str,
        source: str,
        said: str,
        name: str,
        *,
        priority: int = DETAIL,
        pinned: bool = False,
        order: int = 0,
        reason: str = ALWAYS,
    ) -> Block:
        """Return what a card or persona says with the layout's text around it."""
        found = framing(text, {**self._values, "name": name})
        return Block(
            source,
            said,
            priority=priority,
            pinned=pinned,
            reason=reason,
            before=found.before,
            after=found.after,
            margins=found.margins,
            order=order,
        )

    def character(self, one: CardTexts) -> Iterator[Block]:
        """Yield the paragraphs about a character; the first text that there is bears the name."""
        form = self._form
        if one.description:
            yield self.framed(
                form.character, one.source("description"), one.description, one.name, pinned=True
            )
        if one.personality:
            text = form.personality if one.description else form.character
            yield self.framed(text, one.source("personality"), one.personality, one.name)
        for source, text, priority in one.examples_by_age():
            yield self.framed(
                form.example,
                source,
                without_start(text),
                one.name,
                priority=priority,
                reason="example dialogue, while it fits",
            )

    def stay(self, source: str, stay: str) -> Iterator[Block]:
        """Yield the system text; a layout that always has one ends with it."""
        form = self._form
        order = _CLOSING if form.usual_stay else 0
        if stay:
            reason = _FROM_SETTINGS if source == "system" else ALWAYS
            yield self.framed(form.stay, source, stay, self._first, pinned=True, order=order, reason=reason)
        elif form.usual_stay:
            found = framing(form.usual_stay, {**self._values, "name": self._first})
            yield self.framed(form.stay, SCENE, found.before, self._first, pinned=True, order=order)

    def setting(self) -> Iterator[Block]:
        """Yield where it happens."""
        places = self._here.places
        if places:
            text = "\n\n".join(said for _, said in places)
            yield self.framed(self._form.setting, places[0][0], text, self._first, order=_SETTING)
