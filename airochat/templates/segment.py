"""The values that templates work on: chat turns in, prompt segments out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airochat.conversation import Role


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a turn's text that has one source, such as ``card.description`` or ``message:ID``."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One turn as a template sees it.

    ``parts`` joined are its text. ``tokens`` are the ids of a reply that this template and model produced: they stand
    for everything between the reply prefix and the end of the turn, and are used in place of the text.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    tokens: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The whole text of the turn."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a prompt with one source; the texts of all segments joined are the exact prompt.

    ``special`` is None for plain text, which never becomes a control token, whatever it says. Else the segment is one
    control token: ``bos``, ``eos`` or ``eot`` for whatever the model uses, or the token's own spelling. ``tokens``, if
    any, are the ids to use instead of tokenising ``text``. ``cuts`` are places in ``text``, counted in characters, at
    which it is tokenised apart, so that what follows never changes the ids before.
    """

    text: str
    special: str | None = None
    source: str = "template"
    tokens: tuple[int, ...] = ()
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a template must know of a model's tokens.

    ``specials`` maps the spelling of every control and user-defined token to its id. ``add_bos`` is what the model
    file asks for. An id is None where the model has no such token.
    """

    bos: int | None = None
    eos: int | None = None
    eot: int | None = None
    add_bos: bool = False
    specials: Mapping[str, int] = field(default_factory=dict)

    def spelling(self, token: int | None) -> str:
        """Return how a control token is written, or an empty text."""
        return next((text for text, known in self.specials.items() if known == token), "")

    def resolve(self, special: str) -> int | None:
        """Return the id for a segment's ``special``, or None if this model has no such token."""
        match special:
            case "bos":
                return self.bos
            case "eos":
                return self.eos
            case "eot":
                return self.eot if self.eot is not None else self.eos
            case spelling:
                return self.specials.get(spelling)
