"""Blocks: the pieces that a prompt is made of, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airochat.conversation import Role
from airochat.templates.segment import Segment

if TYPE_CHECKING:
    from rich.text import Text


OPENING = -2
"""The order of what begins the head; blocks of the order -1 stand between it and the characters."""

SCENE = "scene"
"""The source of what a layout adds around the texts of cards and persona; it may hold their names."""


MESSAGE = "message:"
"""What the source of a message begins with; its id follows."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the prompt, before it is known whether it fits.

    ``depth`` None puts it at the head, in the order given; depth d puts it before the d newest messages, so 0 is after
    the last one. Among blocks that do not fit, the lowest ``priority`` goes first; ``pinned`` ones never go.
    """

    source: str
    """Where the text comes from: ``system``, ``card.description``, ``persona``, ``message:ID``, ``plugin:NAME`` …"""
    text: str
    depth: int | None = None
    role: Role = "system"
    priority: int = 0
    pinned: bool = False
    reason: str = ""
    """Why it is in the prompt, as a person would say it: ``always``, ``keyword "lantern"`` …"""
    before: str = ""
    """What the layout writes before the text if it is in the head; it comes and goes with it."""
    after: str = ""
    margins: tuple[int, int] = (2, 2)
    """The newlines wanted above and below in the head; between two blocks stand as many as one of them wants."""
    order: int = 0
    """Blocks of a lower number stand first; within one number, in the order given."""

    @property
    def framed(self) -> str:
        """The text with what the layout writes around it."""
        return f"{self.before}{self.text}{self.after}"


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What became of one block: whether it is in the prompt, why, and how many tokens it takes."""

    source: str
    included: bool
    reason: str
    tokens: int
    """Token count; an estimate from the length of the text if there is no tokenizer."""


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """A finished prompt: its segments, its token ids, and the report of every block.

    ``tokens`` is None without a tokenizer (a remote model, or none loaded); ``sources`` then is too, else it holds
    the source of each token. ``stop`` are the texts and ``stop_tokens`` the ids that end the reply.
    """

    template: str
    segments: tuple[Segment, ...]
    tokens: tuple[int, ...] | None
    sources: tuple[str, ...] | None
    stop: tuple[str, ...]
    stop_tokens: tuple[int, ...]
    report: tuple[BlockReport, ...]
    warnings: tuple[str, ...] = ()
    begun: str = ""
    """What of the reply the prompt holds already: the message that is continued, or the words it starts with."""
    begun_tokens: tuple[int, ...] = ()
    """The ids of ``begun``, if they are those that the model wrote."""

    def reply_tokens(self, generated: tuple[int, ...]) -> tuple[int, ...]:
        """Return the ids to keep with a reply, by those generated after this prompt; none if some are not known."""
        return () if self.begun and not self.begun_tokens else (*self.begun_tokens, *generated)

    @property
    def horizon(self) -> str | None:
        """The id of the oldest message in the prompt if older ones were left out; None if none was."""
        rows = [row for row in self.report if row.source.startswith(MESSAGE)]
        if all(row.included for row in rows):
            return None
        return next((row.source.removeprefix(MESSAGE) for row in rows if row.included), None)

    @property
    def text(self) -> str:
        """The exact prompt as text, control tokens spelled out."""
        return "".join(segment.text for segment in self.segments)

    @property
    def size(self) -> int:
        """The number of tokens, or an estimate without a tokenizer."""
        if self.tokens is not None:
            return len(self.tokens)
        return sum(row.tokens for row in self.report if row.included)

    def __rich__(self) -> Text:
        """Show the prompt in colour in a terminal."""
        from airochat.prompt.show import rich_text

        return rich_text(self)

    def _repr_html_(self) -> str:
        """Show the prompt in colour in a notebook."""
        from airochat.prompt.show import html_text

        return html_text(self)
