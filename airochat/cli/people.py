"""The characters and the persona of ``airochat prompt``, without a chat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airochat.backends.base import ModelInfo
from airochat.characters import Card, Persona, read_card
from airochat.cli.reading import user_path
from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.paths import Home
from airochat.prompt import Scene, Staged, greetings, persona_stage, stage
from airochat.prompt.macros import Macros, Scope
from airochat.session.cast import Cast
from airochat.settings import Settings
from airochat.store import Store
from airochat.templates import Goal, Template, Templates


@dataclass(frozen=True, slots=True)
class People:
    """Who takes part in a prompt."""

    cards: tuple[Card, ...]
    speaker: Card | None
    user: str
    persona: Persona | None

    @property
    def card(self) -> Card | None:
        """The first character."""
        return self.cards[0] if self.cards else None

    @property
    def reply_name(self) -> str:
        """The name of who answers."""
        return self.speaker.called if self.speaker else "Assistant"

    def macros(self, history: Sequence[Message], info: ModelInfo | None) -> Macros:
        """Return macros for these people; dice fall the same way every time."""
        return Macros(
            Scope(
                user=self.user,
                persona=self.persona.description if self.persona else "",
                cards=self.cards,
                history=tuple(history),
                model=info.name if info else "",
            )
        )

    def greeting(self) -> list[Message]:
        """Return the first greeting that a character has, as a message."""
        for card in self.cards:
            if texts := greetings(card, group=len(self.cards) > 1):
                text = self.macros((), None).expand(texts[0], card=card)
                return [Message("greeting", None, "assistant", card.called, text)]
        return []

    def staged(
        self, template: Template, templates: Templates, macros: Macros, settings: Settings, goal: Goal
    ) -> Staged:
        """Bring them into the form that a template knows."""
        if self.speaker is None:
            return persona_stage(template, self.persona, macros)
        options = settings.roleplay
        scene = Scene(
            cards=self.cards,
            speaker=self.speaker,
            user=self.user,
            persona=self.persona,
            form=options.card_form,
            actions=options.action_mark,
            label=options.speaker_label,
            goal=goal,
        )
        return stage(scene, template, templates, macros, settings.system)


def find_people(home: Home, settings: Settings, cards: Sequence[str], speaker: str) -> People:
    """Return the people that the options name; the library is looked into only where a name is no file."""
    found = tuple(_card(home, ref) for ref in cards)
    if speaker and not found:
        raise UsageError("--speaker names a character.", "Give the characters with --card.")
    chosen = Cast(found).find(speaker) if speaker else next(iter(found), None)
    return People(found, chosen, settings.user_name, _persona(home, settings.user_name))


def _card(home: Home, ref: str) -> Card:
    path = user_path(ref)
    if path.exists() or not home.database.exists():
        return read_card(path)
    store = Store(home.database)
    try:
        return store.cards(home.folder("cards")).open(ref).card
    finally:
        store.close()


def _persona(home: Home, name: str) -> Persona | None:
    if not home.database.exists():
        return None
    store = Store(home.database)
    try:
        return store.personas().get(name)
    except UsageError:
        return None
    finally:
        store.close()
