"""What a prompt template is, and the one made from data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from airochat.errors import TemplateError
from airochat.templates.scenes import SceneForm
from airochat.templates.segment import ChatTurn, Part, Segment
from airochat.templates.turns import (
    PREFILL,
    TEMPLATE,
    Goal,
    alternate,
    join,
    kept_reply,
    merge_notes,
    opened,
    split_system,
    unwritten,
    without_last_spaces,
)
from airochat.templates.voices import NAMES, NOBODY, Voices, voiced_name

_JOINT = (Segment("\n\n"),)


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

    @property
    def voices(self) -> Voices:
        """Who speaks, as far as it was told."""
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

    def voiced(self, voices: Voices, default_system: str | None = None) -> Template:
        """Return this template for a chat of certain speakers, with another system text of its own if one is given.

        Its name tells whether it writes names that this template does not, since token ids of replies may then not be
        reused.
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
    joint: tuple[Segment, ...] = ()
    """What parts two replies in a row that begin with names; each then stands in the turn of the first."""
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
    roleplay: str = ""
    """The template in which the models of this one were trained to be characters, if that is another one."""
    scene: SceneForm | None = None
    """How characters are brought before the conversation, if the models were trained so."""
    acquaint: SceneForm | None = None
    """The same for getting to know one character."""
    voices: Voices = NOBODY
    """Who speaks; a template that always writes names says so in its ``labels``."""

    def render(self, turns: Sequence[ChatTurn], *, goal: Goal = "reply", prefill: str = "") -> list[Segment]:
        """Write a conversation; see `Template.render`."""
        system, rest = self._arranged(turns, goal, prefill)
        opens = goal != "nothing"
        written = [[Segment(self.spelling.get("bos", ""), "bos")]] if self.bos == "always" else []
        if system:
            written.append([*self._begun(ChatTurn("system", system)), *self.system.after])
        for number, turn in enumerate(rest):
            before = rest[number - 1] if number else None
            after = rest[number + 1] if number + 1 < len(rest) else None
            waits = goal == "reply" and after is None
            begun = self._begun(turn, before, bool(system) and not number, waits)
            stays = opens if after is None else self._joins(turn, after)
            written.append(begun if stays else [*begun, *self._closing(self._marks(turn).after, turn)])
        if self.bos == "always" and any(
            segment.special == "bos" for one in written[1:2] for segment in one[:1]
        ):
            del written[0]
        following = written.pop() if opens else []
        if goal == "user" and not prefill:
            following, _ = without_last_spaces(following)
        return join(written, following)

    def finish(self, text: str, begun: str = "") -> str:
        """Apply the strip rules of the format; see `Template.finish`."""
        if not begun:
            text = self.voices.without_label(text)
            text = text.removeprefix(" ") if self.strip_leading_space or self.voices.named else text
        text = begun + text
        return text.rstrip() if self.strip_end else text

    def voiced(self, voices: Voices, default_system: str | None = None) -> Family:
        """Bind it to speakers; see `Template.voiced`."""
        bound = voices.joined(self.voices)
        return dataclasses.replace(
            self,
            name=voiced_name(self.name, bound, self.voices),
            voices=bound,
            user_stop=(*self.user_stop, *voices.user_stop),
            default_system=self.default_system if default_system is None else default_system,
        )

    def _arranged(
        self, turns: Sequence[ChatTurn], goal: Goal, prefill: str
    ) -> tuple[tuple[Part, ...], tuple[ChatTurn, ...]]:
        system, rest = split_system(turns)
        if goal == "continue" and not rest:
            raise TemplateError("There is no message to continue.")
        if not system and self.default_system:
            system = (Part(self.default_system, TEMPLATE),)
        if self.notes == "user":
            system, rest = merge_notes(system, rest, self.voices)
        if goal == "user":
            rest = (*rest, ChatTurn("user", (Part(prefill, PREFILL),), self.voices.user))
        if self.turns == "alternate":
            rest = alternate(rest, goal, self.voices, apart=self.voices.named)
        else:
            rest = opened(rest, goal, self.voices.opening)
        if goal == "reply":
            rest = (*rest, ChatTurn("assistant", (Part(prefill, PREFILL),), self.voices.reply))
        return system, rest

    def _marks(self, turn: ChatTurn) -> Marks:
        return {"system": self.system, "user": self.user, "assistant": self.assistant}[turn.role]

    def _joins(self, one: ChatTurn, other: ChatTurn) -> bool:
        """Return whether two turns are replies of which the second goes on in the turn of the first."""
        return (
            one.role == other.role == "assistant"
            and self.voices.named
            and bool(self.joint or self.turns == "alternate")
        )

    def _begun(
        self, turn: ChatTurn, before: ChatTurn | None = None, first: bool = False, waits: bool = False
    ) -> list[Segment]:
        """Write a turn up to its end; one that ``waits`` is the reply that the model is to write."""
        bare = bool(turn.tokens) or (waits and not turn.text)
        label = "" if bare and self.voices.own else self.voices.label(turn)
        lead = self.reply if bare and not label else self._marks(turn).before
        if before is not None and self._joins(before, turn):
            lead = tuple(self._closing(self.joint or _JOINT, before))
        elif first and turn.role == "user" and self.after_system is not None:
            lead = self.after_system
        if bare:
            kept = [kept_reply(turn)] if turn.tokens else []
            return [*lead, *([Segment(label, source=NAMES)] if label else []), *kept]
        parts = self.voices.labelled(turn)
        return [*lead, *(Segment(part.text, source=part.source) for part in parts if part.text)]

    def _closing(self, after: tuple[Segment, ...], turn: ChatTurn) -> list[Segment]:
        """Return what ends a turn, without what a reply that was kept has written of it."""
        if not turn.tokens or not after or after[0].special is not None:
            return list(after)
        return [dataclasses.replace(after[0], text=unwritten(after[0].text, turn.text)), *after[1:]]
