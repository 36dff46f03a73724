"""Assembly: blocks and history in, a prompt that fits the context and its report out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airochat.conversation import Message, Role
from airochat.errors import PromptError
from airochat.prompt.blocks import SCENE, Block, BlockReport, PromptPlan
from airochat.prompt.budget import BlockSize, Fit, TurnSize, fit
from airochat.prompt.encode import Encoded, encode, prepare
from airochat.prompt.kept import kept_replies
from airochat.prompt.layout import as_turn, head, turns, with_system
from airochat.prompt.tokens import Tokenizer
from airochat.templates.segment import ChatTurn, Part, Segment
from airochat.templates.template import Template
from airochat.templates.turns import PREFILL, TEMPLATE, Goal
from airochat.templates.voices import NAMES

_BYTES_PER_TOKEN = 4
# Messages beyond this many bytes per token of the context cannot fit and are not tokenised to find that out.
_MOST_BYTES_PER_TOKEN = 16
_TURN_WEIGHT = 8
_UNLIMITED = 1 << 40
_TALKING: tuple[Role, Role] = ("user", "assistant")


def assemble(
    blocks: Sequence[Block],
    history: Sequence[Message],
    template: Template,
    *,
    tokenizer: Tokenizer | None,
    n_ctx: int,
    reserve: int,
    fingerprint: str = "",
    default_system: str = "",
    goal: Goal = "reply",
    prefill: str = "",
    speakers: Sequence[str] = (),
) -> PromptPlan:
    """Build a prompt, oldest message first in ``history``.

    The ``goal`` says what the model is to write: a ``reply``, the rest of the last message (``continue``), what the
    ``user`` says next, or ``nothing``. A reply and the user's words start with ``prefill``. A reply ends where a line
    begins with the name of one of the ``speakers``.

    The prompt takes at most ``n_ctx`` - ``reserve`` tokens; ``n_ctx`` 0 means that the context is unknown, and
    nothing is left out. Token ids of replies are reused where ``fingerprint`` and the template are those they were
    made with. ``default_system`` takes the place of the template's own system text, unless a block does. Sizes are
    estimates without a tokenizer. Raises `PromptError` if the least possible prompt is too large or there is nothing
    to continue, and `TemplateError`.
    """
    budget = n_ctx - reserve if n_ctx else _UNLIMITED
    if budget <= 0:
        raise PromptError(
            f"A reply of {reserve:,} tokens leaves no room for a prompt in a context of {n_ctx:,}.",
            "Lower max_tokens, or raise n_ctx.",
        )
    messages = tuple(message for message in history if message.text)
    if goal == "continue" and not messages:
        raise PromptError("There is no message to continue.", "Say something first.")
    recent = _recent(messages, budget)
    kept = kept_replies(recent, template, tokenizer, fingerprint, last_open=goal == "continue")
    draft = _Draft(
        with_system(blocks, default_system),
        tuple(as_turn(message, kept.get(message.id)) for message in messages),
        template,
        tokenizer,
        goal,
        prefill if goal in ("reply", "user") else "",
        speaker_stops(speakers),
    )
    return _fitted(draft, _measure(draft, len(messages) - len(recent)), budget)


def speaker_stops(names: Iterable[str]) -> tuple[str, ...]:
    r"""Return the texts that end a reply where one of these people would begin to speak.

    A name counts at the start of a line only, so that it may be mentioned anywhere else.

    >>> speaker_stops(["Rowan", " Maya ", "Rowan", ""])
    ('\nRowan:', '\nMaya:')
    """
    lines = [" ".join(name.split()) for name in names]
    return tuple(dict.fromkeys(f"\n{name}:" for name in lines if name))


@dataclass(frozen=True, slots=True)
class _Draft:
    """All that a prompt may be made of."""

    blocks: tuple[Block, ...]
    history: tuple[ChatTurn, ...]
    template: Template
    tokenizer: Tokenizer | None
    goal: Goal
    prefill: str
    speakers: tuple[str, ...]

    def render(self, chosen: Fit) -> tuple[list[Segment], tuple[str, ...]]:
        blocks = [block for block, stays in zip(self.blocks, chosen.blocks, strict=True) if stays]
        placed = turns(
            blocks, self.history[chosen.first :], self.template, last_stays=self.goal == "continue"
        )
        segments = self.template.render(placed, goal=self.goal, prefill=self.prefill)
        return (segments, ()) if self.tokenizer is None else prepare(segments, self.tokenizer.vocabulary)

    @property
    def stop(self) -> tuple[str, ...]:
        """The texts that end what the model writes."""
        continued = self.goal == "continue" and self.history[-1].role == "user"
        as_user = self.goal == "user" or continued
        if as_user:
            return self.template.user_stop
        return tuple(dict.fromkeys((*self.template.stop, *self.speakers)))

    @property
    def begun(self) -> tuple[str, tuple[int, ...]]:
        """The text of what is continued, without the format's whitespace, and its kept ids."""
        if self.goal != "continue":
            return self.prefill, ()
        last = self.history[-1]
        return (self.template.finish(last.text) if last.tokens else last.text), last.tokens


@dataclass(frozen=True, slots=True)
class _Sizes:
    blocks: tuple[BlockSize, ...]
    turns: tuple[TurnSize, ...]
    base: int
    """What the template takes for itself, without any message."""


def _fitted(draft: _Draft, sizes: _Sizes, budget: int) -> PromptPlan:
    # Sizes come from texts tokenised one by one; together they can take a few tokens more.
    allowed = budget
    while True:
        chosen = fit(sizes.blocks, sizes.turns, sizes.base, allowed)
        segments, warnings = draft.render(chosen)
        encoded = None if draft.tokenizer is None else encode(segments, draft.tokenizer)
        excess = len(encoded.tokens) - budget if encoded else 0
        if excess <= 0:
            return _plan(draft, sizes, chosen, segments, encoded, warnings)
        allowed -= excess


def _plan(
    draft: _Draft,
    sizes: _Sizes,
    chosen: Fit,
    segments: Sequence[Segment],
    encoded: Encoded | None,
    warnings: tuple[str, ...],
) -> PromptPlan:
    ids = (
        []
        if draft.tokenizer is None
        else map(draft.tokenizer.vocabulary.resolve, draft.template.stop_specials)
    )
    begun, begun_tokens = draft.begun
    return PromptPlan(
        template=draft.template.name,
        segments=tuple(segments),
        tokens=encoded.tokens if encoded else None,
        sources=encoded.sources if encoded else None,
        stop=draft.stop,
        stop_tokens=tuple(dict.fromkeys(token for token in ids if token is not None)),
        report=_report(draft, sizes, chosen, _counts(segments, encoded)),
        warnings=(*draft.template.warnings, *warnings),
        begun=begun,
        begun_tokens=begun_tokens,
    )


def _recent(messages: Sequence[Message], budget: int) -> Sequence[Message]:
    room = budget * _MOST_BYTES_PER_TOKEN
    for number in range(len(messages) - 1, -1, -1):
        if room < 0:
            return messages[number + 1 :]
        room -= len(messages[number].text)
    return messages


def _measure(draft: _Draft, old: int) -> _Sizes:
    """Count everything in one round trip to the tokenizer; the ``old`` first messages are only estimated."""
    fresh = [turn for turn in draft.history[old:] if not turn.tokens]
    least, more = _probes(draft)
    texts = [block.framed for block in draft.blocks] + [turn.text for turn in fresh]
    texts += [segment.text for segment in (*least, *more) if segment.special is None]
    counts = iter(count_tokens(texts, draft.tokenizer))
    blocks = tuple(
        BlockSize(next(counts) + _TURN_WEIGHT, block.priority, block.pinned) for block in draft.blocks
    )
    counted = {id(turn): next(counts) for turn in fresh}
    base, longer = (
        sum(1 if segment.special else next(counts) for segment in probe) for probe in (least, more)
    )
    each = -(-(longer - base) // 2)
    history = tuple(
        TurnSize(
            each + (len(turn.tokens) or counted.get(id(turn), _estimate(turn.text))),
            _TURN_WEIGHT + _estimate(turn.text),
            turn.role == "user",
        )
        for turn in draft.history
    )
    return _Sizes(blocks, history, base)


def _probes(draft: _Draft) -> tuple[list[Segment], list[Segment]]:
    """Return what the template writes by itself around no message, and around two."""
    nothing = Part("x", "probe")
    own = tuple(part for part in head(draft.blocks, draft.template) if part.source == TEMPLATE)
    first = ChatTurn("system", own or (nothing,))
    asked, said = (_sample(draft.history, role, nothing) for role in _TALKING)
    talk = [asked, said, asked]

    def around(messages: Sequence[ChatTurn]) -> list[Segment]:
        goal: Goal = "reply" if draft.goal == "continue" else draft.goal
        written = draft.template.render([first, *messages], goal=goal, prefill=draft.prefill)
        return [segment for segment in written if segment.source != "probe"]

    return around(talk[:1]), around(talk)


def _sample(history: Sequence[ChatTurn], role: Role, part: Part) -> ChatTurn:
    """Return a turn of a role under a name that it has in the history, since names are written, too."""
    name = next((turn.name for turn in reversed(history) if turn.role == role), "")
    return ChatTurn(role, (part,), name)


def count_tokens(texts: Sequence[str], tokenizer: Tokenizer | None) -> list[int]:
    """Return how many tokens each text takes; estimates from their lengths without a tokenizer."""
    if tokenizer is None:
        return [_estimate(text) for text in texts]
    return [len(ids) for ids in tokenizer.encode(texts, [False] * len(texts))]


def _estimate(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def _counts(segments: Sequence[Segment], encoded: Encoded | None) -> Mapping[str, int]:
    if encoded:
        return Counter(encoded.sources)
    counts: Counter[str] = Counter()
    for segment in segments:
        counts[segment.source] += 1 if segment.special else _estimate(segment.text)
    return counts


def _report(draft: _Draft, sizes: _Sizes, chosen: Fit, counts: Mapping[str, int]) -> tuple[BlockReport, ...]:
    rows = [BlockReport(name, True, reason, counts[name]) for name, reason in _OWN.items() if name in counts]
    repeated = {
        source for source, times in Counter(block.source for block in draft.blocks).items() if times > 1
    }
    for block, size, stays in zip(draft.blocks, sizes.blocks, chosen.blocks, strict=True):
        if block.source in _OWN:
            continue
        exact = stays and block.source not in repeated
        reason = block.reason or "always"
        rows.append(
            BlockReport(
                block.source,
                stays,
                reason if stays else f"left out, since it does not fit ({reason})",
                counts.get(block.source, 0) if exact else size.tokens,
            )
        )
    for number, (turn, turn_size) in enumerate(zip(draft.history, sizes.turns, strict=True)):
        source = turn.parts[0].source
        rows.append(_message_row(source, number >= chosen.first, turn, counts.get(source, turn_size.tokens)))
    return tuple(rows)


_OWN = {
    TEMPLATE: "the template's own",
    SCENE: "what stands around cards and persona",
    NAMES: "who speaks",
    PREFILL: "what is written starts with it",
}


def _message_row(source: str, stays: bool, turn: ChatTurn, tokens: int) -> BlockReport:
    if not stays:
        return BlockReport(source, False, "left out, since newer messages fill the context", tokens)
    return BlockReport(source, True, "history, with its own token ids" if turn.tokens else "history", tokens)
