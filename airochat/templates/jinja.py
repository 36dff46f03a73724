"""The model's own chat template: Jinja from the GGUF's metadata, written to segments."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airochat.conversation import Role
from airochat.errors import TemplateError
from airochat.templates.segment import ChatTurn, Part, Segment, Vocabulary
from airochat.templates.turns import (
    OPENING,
    PREFILL,
    TEMPLATE,
    Goal,
    alternate,
    kept_reply,
    merge_notes,
    split_system,
    strip_parts,
    tidy,
    unwritten,
    without_last_spaces,
)
from airochat.templates.voices import NAMES, NOBODY, Voices, voiced_name
from airochat.text import one_line

if TYPE_CHECKING:
    from airochat.templates.sandbox import Sandbox

OWN = "gguf"
"""The name of the model's own template."""

METADATA_KEY = "tokenizer.chat_template"
"""Where a GGUF file keeps it."""

# Stands for the user's words that the model is to write, since a template may leave out a turn without a text.
_STAND_IN = "x"

# Whitespace that str.strip() takes and no template writes: what is left of it tells whether contents are stripped.
_PAD = "\u2003"
_MARK = re.compile(f"({_PAD}?)\ue000([0-9]+)\ue001({_PAD}?)")


@dataclass(frozen=True, slots=True)
class _Habits:
    """What a template was seen to do with a test conversation."""

    system: bool
    """It writes a system message."""
    trims: bool
    """It strips whitespace off replies."""
    lead: str | None
    """The text that stands before every earlier reply; None if a reply's prefix is another one."""
    gap: str
    """What of it comes after the prefix that a reply is generated after."""
    stop: tuple[str, ...]
    user_stop: tuple[str, ...]
    stop_specials: tuple[str, ...]


@dataclass(frozen=True)
class JinjaTemplate:
    """A Jinja chat template that has rendered a test conversation; made by `own_template`."""

    source: str = field(repr=False)
    vocabulary: Vocabulary
    clock: Callable[[], datetime] = datetime.now
    name: str = OWN
    title: str = "The model's own"
    why: str = "The model file brings this template."
    default_system: str = ""
    warnings: tuple[str, ...] = field(default=())
    voices: Voices = NOBODY
    """Who speaks."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end a reply."""
        return self._habits.stop

    @property
    def user_stop(self) -> tuple[str, ...]:
        """Texts that end what the model writes in the user's place."""
        return (*self._habits.user_stop, *self.voices.user_stop)

    @property
    def stop_specials(self) -> tuple[str, ...]:
        """Control tokens that end a reply."""
        return self._habits.stop_specials

    def render(self, turns: Sequence[ChatTurn], *, goal: Goal = "reply", prefill: str = "") -> list[Segment]:
        """Write a conversation; see `Template.render`.

        Where the template refuses two turns of one role in a row, or an assistant that opens, these are joined, or
        given an opening.
        """
        system, rest = merge_notes(*split_system(turns), self.voices)
        if goal == "continue" and not rest:
            raise TemplateError("There is no message to continue.")
        if system and not self._habits.system:
            rest = _into_first_user(system, rest, self.voices)
            system = ()
        if goal == "user":
            rest = (*rest, ChatTurn("user", (Part(prefill or _STAND_IN, PREFILL),), self.voices.user))
        try:
            segments = self._write(system, rest, goal)
        except TemplateError:
            alternating = alternate(rest, goal, self.voices)
            if alternating == rest:
                raise
            segments = self._write(system, alternating, goal)
        if goal == "user" and not prefill:
            return without_last_spaces(_without_stand_in(segments))[0]
        asked = ChatTurn("assistant", (Part(prefill, PREFILL),), self.voices.reply)
        if goal == "reply" and (prefill or not self.voices.own):
            begun = [Segment(part.text, source=part.source) for part in self.voices.labelled(asked)]
            if any(segment.text for segment in begun):
                return tidy([*segments, Segment(self._habits.gap), *begun])
        return segments

    def finish(self, text: str, begun: str = "") -> str:
        """Strip one leading space, or all whitespace if the template strips it from replies."""
        if begun:
            return (begun + text).rstrip() if self._habits.trims else begun + text
        text = self.voices.without_label(text)
        return text.strip() if self._habits.trims else text.removeprefix(" ")

    def voiced(self, voices: Voices, default_system: str | None = None) -> JinjaTemplate:
        """Bind it to speakers; see `Template.voiced`."""
        # A copy keeps what was found out by rendering the test conversation.
        bound = copy.copy(self)
        joined = voices.joined(self.voices)
        changes = {"name": voiced_name(self.name, joined, self.voices), "voices": joined}
        changes |= {} if default_system is None else {"default_system": default_system}
        for name, value in changes.items():
            object.__setattr__(bound, name, value)
        return bound

    @cached_property
    def _sandbox(self) -> Sandbox:
        from airochat.templates.sandbox import Sandbox

        return Sandbox(self.source, self.clock)

    @cached_property
    def _habits(self) -> _Habits:
        return _observe(self)

    def _run(self, messages: Sequence[Mapping[str, Any]], reply: bool) -> str:
        names = {"bos_token": self.vocabulary.bos, "eos_token": self.vocabulary.eos}
        context: dict[str, Any] = {name: self.vocabulary.spelling(token) for name, token in names.items()}
        context |= {
            "messages": list(messages),
            "add_generation_prompt": reply,
            "tools": None,
            "documents": None,
        }
        try:
            return self._sandbox.run(context, size=1_000 * len(messages))
        # A stranger's template can raise anything at all, and whatever it is, the template is not usable.
        except Exception as error:
            reason = one_line(str(error), 200).rstrip(".") or type(error).__name__
            raise TemplateError(
                f"The model's own template cannot be used: {reason}.",
                "Choose another one, for instance chatml.",
            ) from None

    def _mark(self, turns: Sequence[ChatTurn], reply: bool) -> Iterator[str | tuple[int, bool, bool]]:
        """Yield the template's texts, and for each content its turn's number and whether its sides are stripped."""
        messages = [
            {"role": turn.role, "content": f"{_PAD}\ue000{number}\ue001{_PAD}" if turn.text else ""}
            for number, turn in enumerate(turns)
        ]
        rendered = self._run(messages, reply)
        done = 0
        for match in _MARK.finditer(rendered):
            if int(match[2]) < len(turns):
                yield rendered[done : match.start()]
                yield int(match[2]), not match[1], not match[3]
                done = match.end()
        yield rendered[done:]

    def _write(self, system: tuple[Part, ...], rest: Sequence[ChatTurn], goal: Goal) -> list[Segment]:
        turns = (*([ChatTurn("system", system)] if system else []), *rest)
        written: list[Segment] = []
        text, raw = "", ""
        for item in self._items(turns, goal):
            if isinstance(item, str):
                text = unwritten(item, raw) if raw else item
                raw = ""
                continue
            turn = turns[item[0]]
            if turn.tokens and self._habits.lead and text.endswith(self._habits.lead):
                label = "" if self.voices.own else self.voices.label(turn)
                lead = text if label else text.removesuffix(self._habits.gap)
                written += [*self._template_text(lead), Segment(label, source=NAMES), kept_reply(turn)]
                raw = turn.text
            else:
                parts = strip_parts(self.voices.labelled(turn), left=item[1], right=item[2])
                written += [
                    *self._template_text(text),
                    *(Segment(part.text, source=part.source) for part in parts),
                ]
            text = ""
        return tidy([*written, *self._template_text(text)])

    def _items(self, turns: Sequence[ChatTurn], goal: Goal) -> list[str | tuple[int, bool, bool]]:
        items = list(self._mark(turns, goal == "reply"))
        if goal not in ("continue", "user"):
            return items
        last = [
            at for at, item in enumerate(items) if not isinstance(item, str) and item[0] == len(turns) - 1
        ]
        if not last:
            raise TemplateError(
                "The model's own template leaves out the last message.",
                "Choose another one, for instance chatml.",
            )
        return items[: last[-1] + 1]

    @cached_property
    def _controls(self) -> re.Pattern[str] | None:
        # Some vocabularies list plain words and runs of whitespace as user-defined tokens; those stay text.
        spellings = [spelling for spelling in self.vocabulary.specials if not spelling.isspace() and spelling]
        longest = sorted(spellings, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest))) if longest else None

    def _template_text(self, text: str) -> Iterator[Segment]:
        done = 0
        for match in self._controls.finditer(text) if self._controls else ():
            yield Segment(text[done : match.start()])
            yield Segment(match[0], match[0])
            done = match.end()
        yield Segment(text[done:])


def own_template(
    metadata: Mapping[str, str], vocabulary: Vocabulary, clock: Callable[[], datetime] = datetime.now
) -> JinjaTemplate:
    """Return the template in a model's metadata; `TemplateError` if there is none, or it fails a test conversation.

    ``clock`` tells the time to templates that write today's date.
    """
    from airochat.templates.sandbox import MAX_SOURCE

    source = metadata.get(METADATA_KEY, "")
    if not source.strip():
        raise TemplateError("The model file has no template of its own.", "Choose one, for instance chatml.")
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"The model's own template is too long: {len(source):,} characters.")
    template = JinjaTemplate(source, vocabulary, clock)
    template.stop  # noqa: B018 -- renders the test conversation
    return template


def _without_stand_in(segments: Sequence[Segment]) -> list[Segment]:
    """Return segments without the stand-in for the user's words, and without the space before it."""
    found = list(segments[:-1])
    if found and found[-1].source == NAMES:
        found[-1] = Segment(found[-1].text.rstrip(), source=NAMES)
    return found


def _into_first_user(
    system: tuple[Part, ...], turns: Sequence[ChatTurn], voices: Voices
) -> tuple[ChatTurn, ...]:
    between = Part("\n\n", TEMPLATE)
    if not turns:
        return (ChatTurn("user", system),)
    if turns[0].role == "user":
        return (ChatTurn("user", (*system, between, *voices.labelled(turns[0]))), *turns[1:])
    return (ChatTurn("user", (*system, between, Part(voices.opening or OPENING, TEMPLATE))), *turns)


def _observe(template: JinjaTemplate) -> _Habits:
    system = _try_system(template)
    roles: tuple[Role, ...] = (
        ("system", "user", "assistant", "user") if system else ("user", "assistant", "user")
    )
    turns = [ChatTurn(role, (Part("x", TEMPLATE),)) for role in roles]
    first = int(system)
    before, after, trims = _around(template, turns, True, first + 1)
    _around(template, turns, True, first + 2)
    prefix = list(template._mark(turns[: first + 1], True))[-1]
    reused = isinstance(prefix, str) and before.startswith(prefix) and not before[len(prefix) :].strip()
    specials = [segment.special for segment in template._template_text(after) if segment.special]
    stops = _ending(template, after)
    return _Habits(
        system=system,
        trims=trims,
        lead=before if reused else None,
        gap=before[len(prefix) :] if reused else "",
        stop=stops,
        user_stop=_ending(template, before),
        stop_specials=tuple(specials[:1]) if specials and not stops else ("eos", "eot"),
    )


def _ending(template: JinjaTemplate, after: str) -> tuple[str, ...]:
    """Return the text that ends a turn, if one does and no control token, by what comes after the turn."""
    closing = next(template._template_text(after)).text
    return (closing.rstrip(),) if closing.strip() else ()


def _try_system(template: JinjaTemplate) -> bool:
    turns = [ChatTurn("system", (Part("x", TEMPLATE),)), ChatTurn("user", (Part("x", TEMPLATE),))]
    try:
        return 0 in [item[0] for item in template._mark(turns, True) if not isinstance(item, str)]
    except TemplateError:
        return False


def _around(
    template: JinjaTemplate, turns: Sequence[ChatTurn], reply: bool, number: int
) -> tuple[str, str, bool]:
    """Return the texts before and after a content, and whether its sides are stripped."""
    items = list(template._mark(turns, reply))
    for index, item in enumerate(items):
        if not isinstance(item, str) and item[0] == number:
            return str(items[index - 1]), str(items[index + 1]), item[1] and item[2]
    raise TemplateError(
        "The model's own template cannot be used: it leaves out messages.",
        "Choose another one, for instance chatml.",
    )
