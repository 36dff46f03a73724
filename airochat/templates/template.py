"""What a prompt template is, and the one made from data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from airochat.errors import TemplateError
from airochat.templates.segment import ChatTurn, Part, Segment
from airochat.templates.turns import (
    PREFILL,
    TEMPLATE,
    Goal,
    alternate,
    join,
    kept_reply,
    merge_notes,
    split_system,
    unwritten,
    without_last_spaces,
)


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
    def user_stop(self) -> tuple[str, ...]:
        """Texts that end what the model writes in the user's place."""
        ...

    @property
    def stop_specials(self) -> tuple[str, ...]:
        """Control tokens that end a reply, named as in `Segment.special`."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before relying on it."""
        ...

    def render(self, turns: Sequence[ChatTurn], *, goal: Goal = "reply", prefill: str = "") -> list[Segment]:
        """Write a conversation, and what comes before the words that the model is to write.

        A first turn of role system replaces the template's own system text. Before a turn that carries tokens stands
        exactly the reply prefix that they were generated after. The goal ``continue`` leaves the last turn open;
        ``reply`` and ``user`` begin a turn, with the words ``prefill``. Raises `TemplateError` if it cannot be
        written.
        """
        ...

    def finish(self, text: str, begun: str = "") -> str:
        """Return a reply without the whitespace that belongs to the format.

        ``text`` is what the model wrote, and ``begun`` what of the reply its prompt held already.
        """
        ...


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands before and after the text of one role."""

    before: tuple[Segment, ...] = ()
    after: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """Another form of a template, for some of its models; chosen as ``TEMPLATE:VARIANT``, several joined by ``+``."""

    name: str
    why: str
    sizes: tuple[int, ...] = ()
    """The sizes in billions of weights that were trained with it."""


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
    after_system: tuple[Segment, ...] | None = None
    """What stands before the user's text right after the system text, if that is something else."""
    bos: Literal["always", "model"] = "model"
    """Whether a prompt begins with BOS if the model has one, or only if its file asks for it."""
    notes: Literal["own", "user"] = "own"
    """Whether a system turn amid the conversation stands alone or is merged into a user turn."""
    turns: Literal["any", "alternate"] = "any"
    """Whether user and assistant must take turns, the user first."""
    default_system: str = ""
    stop: tuple[str, ...] = ()
    user_stop: tuple[str, ...] = ()
    stop_specials: tuple[str, ...] = ()
    strip_leading_space: bool = True
    strip_end: bool = False
    versions: tuple[str, ...] = ()
    """The Airoboros versions that were trained with it, by what their trainer or card says."""
    inferred: tuple[str, ...] = ()
    """The Airoboros versions that seem to have been trained with it, though no source says so."""
    models: tuple[str, ...] = ()
    """Patterns of the names of other models that it fits, in small letters, with ``-`` for spaces and ``_``."""
    variants: tuple[Variant, ...] = ()
    spelling: Mapping[str, str] = field(default_factory=dict)
    """How ``bos``, ``eos`` and ``eot`` are written while no model is loaded."""
    warnings: tuple[str, ...] = ()

    def render(self, turns: Sequence[ChatTurn], *, goal: Goal = "reply", prefill: str = "") -> list[Segment]:
        """Write a conversation; see `Template.render`."""
        system, rest = self._arranged(turns, goal, prefill)
        opens = goal in ("continue", "user") or (goal == "reply" and bool(prefill))
        written = [[Segment(self.spelling.get("bos", ""), "bos")]] if self.bos == "always" else []
        if system:
            written.append(self._closed(ChatTurn("system", system)))
        for number, turn in enumerate(rest):
            first = not number and bool(system)
            last = opens and number == len(rest) - 1
            written.append(self._opened(turn, first) if last else self._closed(turn, first))
        if len(written) > 1 and self.bos == "always" and written[1][0].special == "bos":
            del written[0]
        following = written.pop() if opens else [*self.reply] if goal == "reply" else []
        if goal == "user" and not prefill:
            following, _ = without_last_spaces(following)
        return join(written, following)

    def finish(self, text: str, begun: str = "") -> str:
        """Apply the strip rules of the format; see `Template.finish`."""
        if self.strip_leading_space and not begun:
            text = text.removeprefix(" ")
        text = begun + text
        return text.rstrip() if self.strip_end else text

    def _arranged(
        self, turns: Sequence[ChatTurn], goal: Goal, prefill: str
    ) -> tuple[tuple[Part, ...], tuple[ChatTurn, ...]]:
        system, rest = split_system(turns)
        if goal == "continue" and not rest:
            raise TemplateError("There is no message to continue.")
        if not system and self.default_system:
            system = (Part(self.default_system, TEMPLATE),)
        if self.notes == "user":
            system, rest = merge_notes(system, rest)
        if goal == "user":
            rest = (*rest, ChatTurn("user", (Part(prefill, PREFILL),)))
        if self.turns == "alternate":
            rest = alternate(rest, goal)
        if goal == "reply" and prefill:
            rest = (*rest, ChatTurn("assistant", (Part(prefill, PREFILL),)))
        return system, rest

    def _marks(self, turn: ChatTurn) -> Marks:
        return {"system": self.system, "user": self.user, "assistant": self.assistant}[turn.role]

    def _opened(self, turn: ChatTurn, first: bool = False) -> list[Segment]:
        if turn.tokens:
            return [*self.reply, kept_reply(turn)]
        before = self._marks(turn).before
        if first and turn.role == "user" and self.after_system is not None:
            before = self.after_system
        parts = [Segment(part.text, source=part.source) for part in turn.parts if part.text]
        return [*before, *parts]

    def _closed(self, turn: ChatTurn, first: bool = False) -> list[Segment]:
        after = self._marks(turn).after
        return [*self._opened(turn, first), *(_closing(after, turn.text) if turn.tokens else after)]


def _closing(after: tuple[Segment, ...], written: str) -> list[Segment]:
    if not after or after[0].special is not None:
        return list(after)
    return [dataclasses.replace(after[0], text=unwritten(after[0].text, written)), *after[1:]]
