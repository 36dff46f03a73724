"""What a prompt template is, and the one made from data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from airochat.templates.segment import ChatTurn, Part, Segment
from airochat.templates.turns import TEMPLATE, kept_reply, merge_notes, split_system, tidy, unwritten


class Template(Protocol):
    """How a model family wants a conversation to be written, byte for byte."""

    @property
    def name(self) -> str:
        """The name by which users and stored messages refer to it."""
        ...

    @property
    def title(self) -> str:
        """What it is for, in a few words."""
        ...

    @property
    def why(self) -> str:
        """One sentence on where its form comes from."""
        ...

    @property
    def default_system(self) -> str:
        """The system text of its own, or an empty text if it has none that is known."""
        ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end a reply."""
        ...

    @property
    def stop_specials(self) -> tuple[str, ...]:
        """Control tokens that end a reply, named as in `Segment.special`."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before relying on it."""
        ...

    def render(self, turns: Sequence[ChatTurn], *, reply: bool = True, prefill: str = "") -> list[Segment]:
        """Write a conversation, then the reply's prefix and ``prefill`` if a ``reply`` is to follow.

        A first turn of role system replaces the template's own system text. Before a turn that carries tokens stands
        exactly the reply prefix that they were generated after. Raises `TemplateError` if it cannot be written.
        """
        ...

    def finish(self, text: str) -> str:
        """Return the raw text of a reply without the whitespace that belongs to the format."""
        ...


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands before and after the text of one role."""

    before: tuple[Segment, ...] = ()
    after: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """A template made from data; `airochat.templates.family` reads and checks the files."""

    name: str
    title: str
    why: str
    system: Marks
    user: Marks
    assistant: Marks
    reply: tuple[Segment, ...]
    """What the model continues; the reply's first token comes right after it."""
    bos: Literal["always", "model"] = "model"
    """Whether a prompt begins with BOS if the model has one, or only if its file asks for it."""
    notes: Literal["own", "user"] = "own"
    """Whether a system turn amid the conversation stands alone or is merged into a user turn."""
    default_system: str = ""
    stop: tuple[str, ...] = ()
    stop_specials: tuple[str, ...] = ()
    strip_leading_space: bool = True
    strip_end: bool = False
    versions: tuple[str, ...] = ()
    """The Airoboros versions that were trained with it."""
    spelling: Mapping[str, str] = field(default_factory=dict)
    """How ``bos``, ``eos`` and ``eot`` are written while no model is loaded."""
    warnings: tuple[str, ...] = ()

    def render(self, turns: Sequence[ChatTurn], *, reply: bool = True, prefill: str = "") -> list[Segment]:
        """Write a conversation; see `Template.render`."""
        system, rest = split_system(turns)
        if not system and self.default_system:
            system = (Part(self.default_system, TEMPLATE),)
        if self.notes == "user":
            system, rest = merge_notes(system, rest)
        written = [Segment(self.spelling.get("bos", ""), "bos")] if self.bos == "always" else []
        if system:
            written += self._turn(ChatTurn("system", system))
        for turn in rest:
            written += self._turn(turn)
        if reply:
            written += [*self.reply, Segment(prefill, source="prefill")]
        return tidy(written)

    def finish(self, text: str) -> str:
        """Apply the strip rules of the format to a raw reply."""
        if self.strip_leading_space:
            text = text.removeprefix(" ")
        return text.rstrip() if self.strip_end else text

    def _turn(self, turn: ChatTurn) -> list[Segment]:
        if turn.tokens:
            return [*self.reply, kept_reply(turn), *_closing(self.assistant.after, turn.text)]
        marks = {"system": self.system, "user": self.user, "assistant": self.assistant}[turn.role]
        return [*marks.before, *(Segment(part.text, source=part.source) for part in turn.parts), *marks.after]


def _closing(after: tuple[Segment, ...], written: str) -> list[Segment]:
    if not after or after[0].special is not None:
        return list(after)
    return [dataclasses.replace(after[0], text=unwritten(after[0].text, written)), *after[1:]]
