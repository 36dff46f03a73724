"""What a conversation is set to: card, persona, template, system prompt and sampling."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airochat import checks
from airochat.characters import Card, Persona, parse_card
from airochat.errors import UsageError
from airochat.sampling import Sampling
from airochat.settings import Settings

CHANGEABLE = ("sampling", "system", "template", "title")
"""What `Session.set` may change."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings kept with one conversation, over those of the program. It never changes; `changed` makes another."""

    defaults: Settings
    card: Card | None = None
    persona: Persona | None = None
    template: str = ""
    """The template set for this conversation; empty if the program's setting or the model decides."""
    system: str = ""
    """The system prompt set for this conversation; empty if card, program's setting or template decide."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """The sampling fields set for this conversation."""

    @classmethod
    def load(cls, stored: Mapping[str, Any], defaults: Settings) -> Profile:
        """Make a profile from what `stored` returned."""
        return cls(
            defaults,
            parse_card(stored["card"], "kept with this chat") if stored.get("card") else None,
            Persona(**stored["persona"]) if stored.get("persona") else None,
            str(stored.get("template", "")),
            str(stored.get("system", "")),
            dict(stored.get("sampling", {})),
        )

    def stored(self) -> dict[str, Any]:
        """Return what is kept in the database, as JSON values."""
        values = {
            "card": self.card.fields() if self.card else None,
            "persona": dataclasses.asdict(self.persona) if self.persona else None,
            "template": self.template,
            "system": self.system,
            "sampling": dict(self.sampling),
        }
        return {name: value for name, value in values.items() if value}

    def changed(self, **changes: Any) -> Profile:
        """Return a copy with some of `CHANGEABLE` exchanged, checked."""
        for name in changes.keys() - set(CHANGEABLE):
            raise UsageError(f"A session has no setting {name!r}.", checks.did_you_mean(name, CHANGEABLE))
        changes.pop("title", None)
        profile = dataclasses.replace(self, **changes)
        profile.effective_sampling()
        return profile

    def effective_sampling(self, **fields: Any) -> Sampling:
        """Return the sampling parameters for a turn, with ``fields`` over those of conversation and program."""
        return self.defaults.sampling.replace(**{**self.sampling, **fields})

    @property
    def effective_template(self) -> str:
        """The template to use; empty if the model decides."""
        return self.template or self.defaults.template

    @property
    def effective_system(self) -> str:
        """The system prompt to use; empty if card or template decide."""
        return self.system or self.defaults.system

    @property
    def user_name(self) -> str:
        """The name under which the user speaks."""
        return self.persona.name if self.persona else self.defaults.user_name

    @property
    def reply_name(self) -> str:
        """The name under which replies appear."""
        return self.card.name if self.card and self.card.name else "Assistant"
