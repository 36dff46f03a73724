"""What a conversation is set to: cards, persona, template, system prompt, sampling and roleplay options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airochat import checks
from airochat.characters import Card, Persona, parse_card
from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.presets import card_sampling
from airochat.roleplay import Roleplay
from airochat.sampling import Sampling
from airochat.session.cast import Cast
from airochat.settings import Settings

CHANGEABLE = ("muted", "persona", "roleplay", "sampling", "scenario", "system", "template", "title")
"""What `Session.set` may change."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings kept with one conversation, over those of the program. It never changes; `changed` makes another."""

    defaults: Settings
    cards: tuple[Card, ...] = ()
    card_ids: tuple[str, ...] = ()
    """For each card its id in the library; empty for one that is not there."""
    persona: Persona | None = None
    template: str = ""
    """The template set for this conversation; empty if the program's setting or the model decides."""
    system: str = ""
    """The system prompt set for this conversation; empty if card, program's setting or template decide."""
    scenario: str = ""
    """Where and when this conversation takes place, instead of what the cards say."""
    muted: tuple[str, ...] = ()
    """Characters that speak only when told to."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """The sampling fields set for this conversation."""
    roleplay: Mapping[str, Any] = field(default_factory=dict)
    """The roleplay options set for this conversation."""

    @classmethod
    def load(cls, stored: Mapping[str, Any], defaults: Settings) -> Profile:
        """Make a profile from what `stored` returned."""
        raws = stored.get("cards") or ([stored["card"]] if stored.get("card") else [])
        return cls(
            defaults,
            tuple(parse_card(raw, "kept with this chat") for raw in raws),
            tuple(stored.get("card_ids") or [""] * len(raws)),
            Persona(**stored["persona"]) if stored.get("persona") else None,
            str(stored.get("template", "")),
            str(stored.get("system", "")),
            str(stored.get("scenario", "")),
            tuple(stored.get("muted", ())),
            dict(stored.get("sampling", {})),
            dict(stored.get("roleplay", {})),
        )

    def stored(self) -> dict[str, Any]:
        """Return what is kept in the database, as JSON values."""
        values = {
            "cards": [card.fields() for card in self.cards],
            "card_ids": list(self.card_ids) if any(self.card_ids) else [],
            "persona": dataclasses.asdict(self.persona) if self.persona else None,
            "template": self.template,
            "system": self.system,
            "scenario": self.scenario,
            "muted": list(self.muted),
            "sampling": dict(self.sampling),
            "roleplay": dict(self.roleplay),
        }
        return {name: value for name, value in values.items() if value}

    def changed(self, **changes: Any) -> Profile:
        """Return a copy with some of `CHANGEABLE` exchanged, checked."""
        for name in changes.keys() - set(CHANGEABLE):
            raise UsageError(f"A session has no setting {name!r}.", checks.did_you_mean(name, CHANGEABLE))
        changes.pop("title", None)
        if "muted" in changes:
            changes["muted"] = tuple(self.cast.member(name).called for name in changes["muted"])
        profile = dataclasses.replace(self, **changes)
        profile.effective_sampling()
        _ = profile.effective_roleplay
        return profile

    def with_card(self, card: Card, card_id: str) -> Profile:
        """Return a copy with one more character; `UsageError` if one of this name is there already."""
        if card.called.casefold() in (name.casefold() for name in self.cast.names):
            raise UsageError(
                f"{card.called} is here already.", "Two characters need two names; give one card a nickname."
            )
        return dataclasses.replace(self, cards=(*self.cards, card), card_ids=(*self.card_ids, card_id))

    def without_card(self, name: str) -> Profile:
        """Return a copy without a character."""
        gone = self.cast.member(name).called
        kept = [one for one in zip(self.cards, self.card_ids, strict=True) if one[0].called != gone]
        muted = tuple(one for one in self.muted if one != gone)
        cards, ids = tuple(card for card, _ in kept), tuple(key for _, key in kept)
        return dataclasses.replace(self, cards=cards, card_ids=ids, muted=muted)

    def refreshed(self, card_id: str, card: Card) -> Profile:
        """Return a copy in which a card of the library is replaced by its present state.

        It stays as it is if its new name is that of another character.
        """
        others = [old.called for old, key in zip(self.cards, self.card_ids, strict=True) if key != card_id]
        if card.called.casefold() in map(str.casefold, others):
            return self
        pairs = zip(self.cards, self.card_ids, strict=True)
        return dataclasses.replace(self, cards=tuple(card if key == card_id else old for old, key in pairs))

    def effective_sampling(self, **fields: Any) -> Sampling:
        """Return the sampling parameters for a turn: ``fields`` over those of conversation, card and program.

        A card has a say where it is the only one.
        """
        return self.defaults.sampling.replace(**{**self.card_sampling[0], **self.sampling, **fields})

    @property
    def card_sampling(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What the card wants the sampling to be, and what of that is not understood."""
        return card_sampling(self.cards[0].extensions) if len(self.cards) == 1 else ({}, ())

    @property
    def effective_roleplay(self) -> Roleplay:
        """The roleplay options of the conversation over those of the program."""
        return self.defaults.roleplay.replace(**self.roleplay)

    @property
    def effective_template(self) -> str:
        """The template to use; empty if the model decides."""
        return self.template or self.defaults.template

    @property
    def effective_system(self) -> str:
        """The system prompt to use; empty if card or template decide."""
        return self.system or self.defaults.system

    @property
    def cast(self) -> Cast:
        """Who takes part, and in which order they speak."""
        return Cast(self.cards, self.effective_roleplay.group_order, frozenset(self.muted))

    @property
    def card(self) -> Card | None:
        """The character of the chat; the first one of a group."""
        return self.cards[0] if self.cards else None

    def speaker(self, history: Sequence[Message], seed: str) -> str:
        """Return who speaks next after a history; empty if there are no characters."""
        return self.cast.next(history, seed).called if self.cards else ""

    @property
    def user_name(self) -> str:
        """The name under which the user speaks."""
        return self.persona.name if self.persona else self.defaults.user_name

    @property
    def reply_name(self) -> str:
        """The name under which replies appear, if nobody in particular is to speak."""
        return self.card.called if self.card else "Assistant"
