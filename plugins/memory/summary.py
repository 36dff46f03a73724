"""The running summary: what it covers, which one a prompt has, and how the next is written.

A summary is kept in the chat under the id of the last message that it covers. That id tells the whole path to it, so
every branch finds the summaries of its own messages, and no others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from airochat.conversation import Message
from airochat.errors import AirochatError, StoreError
from airochat.hooks import Block, ChatContext
from airochat.sampling import Sampling
from airochat.text import clean

from .chunks import Count, parts, shortened, whole_sentences
from .horizon import place_of
from .lane import Job, Question

KEY: Final = "summary:"
ADOPTED: Final = "adopted:"
PRIORITY: Final = 40
_LANE: Final = 4096
"""Tokens of the context for background work, at most."""
_FRAME: Final = 220
"""Tokens of what stands around the texts in a question, and for counts that are estimates."""
_ORDER: Final = 1
"""After the texts of the card; only what opens the chat comes later."""
_WORDS_OF_TOKENS: Final = 0.6
TRAINED: Final = frozenset(("airoboros-2", "airoboros-2-roleplay", "airoboros-3", "airoboros-3.0"))
"""Templates of models that were trained to summarise: those from 2.2 on."""
SYSTEM: Final = "You keep the record of a story. You write down what happened, and add nothing."
TASK: Final = (
    "Write one summary of all of it in at most {words} words: who is there, what happened in its order, what was "
    "decided or promised, where things stand now. Plain sentences in the language of the text, in the third person. "
    "Write the summary only."
)


class NoSummary(AirochatError):
    """The model's answer is no summary."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary of the messages from ``first`` to ``last``, ``count`` in all, of which ``skipped`` were not read."""

    text: str
    first: str
    last: str
    count: int
    """Messages on the path up to ``last``."""
    skipped: int = 0
    created: float = 0.0
    model: str = ""
    edited: bool = False
    """Whether a person has written it, or changed it."""

    @classmethod
    def read(cls, value: Any) -> Summary | None:
        """Return a summary from what is kept; None if that is none."""
        if not isinstance(value, Mapping):
            return None
        wanted: dict[str, type] = {"text": str, "first": str, "last": str, "count": int}
        if any(not isinstance(value.get(key), kind) for key, kind in wanted.items()):
            return None
        known = {key: value[key] for key in cls.__dataclass_fields__ if key in value}
        return cls(**known)

    @property
    def value(self) -> dict[str, Any]:
        """The summary as JSON values."""
        return asdict(self)


def stored(context: ChatContext, history: Sequence[Message]) -> list[Summary]:
    """Return the summaries of messages of this branch alone, that of the fewest messages first."""
    data = context.data
    wanted = {key.removeprefix(KEY) for key in data if key.startswith(KEY)}
    found = []
    for number, message in enumerate(history, 1):
        if message.id in wanted:
            one = Summary.read(data.get(f"{KEY}{message.id}"))
            # Whoever does not know all messages of a branch must not learn of them by a summary.
            if one is not None and one.count == number and one.text.strip():
                found.append(one)
    return found


def best(found: Sequence[Summary], left: int) -> Summary | None:
    """Return the summary for a prompt that leaves out so many messages.

    It is the one that tells least of what is in the prompt, of those that cover all that left; else that with most.
    """
    whole = [one for one in found if one.count >= left]
    return (
        min(whole, key=lambda one: one.count)
        if whole
        else max(found, key=lambda one: one.count, default=None)
    )


def adopted(context: ChatContext, history: Sequence[Message]) -> Summary | None:
    """Return the summary that stands in the prompts of a horizon, and keep the choice.

    It changes as long as the horizon does not only once: when there is one at last that covers all that left. The
    choice depends on horizon and summaries alone, so it does not matter for which prompt it was made.
    """
    left = place_of(history, context.horizon)
    if not left:
        return None
    found = stored(context, history)
    key = f"{ADOPTED}{context.horizon}"
    chosen = next((one for one in found if one.last == context.data.get(key)), None)
    if chosen is not None and chosen.count >= left:
        return chosen
    better = best(found, left)
    if chosen is not None and (better is None or better.count < left):
        return chosen
    if better is not None:
        try:
            context.data[key] = better.last
        except StoreError as error:
            context.log.warning("The choice of a summary was not kept: %s", error)
    return better


def block(one: Summary, place: str, depth: int, tokens: int, count: Count) -> Block | None:
    """Return a summary as a block of at most so many tokens."""
    before, after = "[What happened before: ", "]"
    text = shortened(one.text, tokens - sum(count([before, after])), count)
    if not text:
        return None
    reason = f"summary of messages {one.skipped + 1} to {one.count}" + (
        ", edited by you" if one.edited else ""
    )
    whole = f"{before}{text}{after}"
    where = None if place == "head" else depth
    return Block("plugin:memory/summary", whole, where, priority=PRIORITY, reason=reason, order=_ORDER)


def edited(context: ChatContext, history: Sequence[Message], text: str, tokens: int) -> Summary:
    """Keep a text as the summary in the prompt, or as one of all that left; `NoSummary` if it cannot be."""
    if not text.strip():
        raise NoSummary("A summary needs some text.", "/memory summary forget takes it out of the prompt.")
    size = context.count_tokens([text])[0]
    if size > tokens:
        raise NoSummary(
            f"This summary takes {size:,} tokens, but only {tokens:,} are meant for it.",
            "Shorten it, or raise the setting summary_tokens.",
        )
    before = adopted(context, history)
    if before is None:
        left = place_of(history, context.horizon) or 0
        if not left:
            raise NoSummary("Nothing has left the context yet.", "The model still sees every message.")
        before = Summary("", history[0].id, history[left - 1].id, left)
    made = replace(before, text=clean(text).strip(), edited=True, created=time.time())
    context.data[f"{KEY}{made.last}"] = made.value
    for later in stored(context, history):
        # Written on the base of what stood there before; the next one shall know what the user has written.
        if later.count > made.count and not later.edited:
            forget(context.data, later)
    return made


def forget(data: MutableMapping[str, Any], one: Summary) -> None:
    """Forget a summary."""
    data.pop(f"{KEY}{one.last}", None)


def wanted_until(found: Sequence[Summary], left: int, ahead: int | None) -> int | None:
    """Return up to which message the next summary should go, as their count; None if there is one that will do.

    ``left`` messages are out of the prompt; ``ahead`` will be next, if that is near.
    """
    most = max((one.count for one in found), default=0)
    for target in (left, ahead or 0):
        if target > most:
            return target
    return None


def job(
    context: ChatContext, history: Sequence[Message], until: int, *, tokens: int, reach: int, model: str
) -> Job:
    """Summarise the messages up to the ``until``-th of a branch, on the base of the last summary before.

    One of the same messages is written anew. Nothing is kept before all answers are there, and nothing if the base
    has been changed by hand meanwhile.
    """
    target = f"{KEY}{history[until - 1].id}"
    standing = context.data.get(target)
    found = [one for one in stored(context, history) if one.count < until]
    base = found[-1] if found else None
    first = base.count if base else 0
    start = _within_reach(history, first, until, reach)
    text = base.text if base else ""
    room = min(context.n_ctx or _LANE, _LANE) - tokens - _FRAME
    room -= min(tokens, room // 3)
    for piece in _pieces(context, history[start:until], max(room, 200)):
        answer = yield Question(*_question(context, text, piece, tokens), _sampling(tokens))
        text = _checked(answer, tokens, context.count_tokens)
    now = None if base is None else Summary.read(context.data.get(f"{KEY}{base.last}"))
    if now != base or context.data.get(target) != standing:
        raise NoSummary("The summary was changed while the next one was written.")
    skipped = (base.skipped if base else 0) + start - first
    made = Summary(text, history[0].id, history[until - 1].id, until, skipped, time.time(), model)
    context.data[target] = made.value


def _sampling(tokens: int) -> Sampling:
    return Sampling(temperature=0.3, max_tokens=tokens)


def _question(context: ChatContext, before: str, piece: str, tokens: int) -> tuple[str, str]:
    """Return the question for the next summary, in the form that Airoboros models were trained on where it is one."""
    from airochat.prompt.forms import FormError, summarise

    words = max(int(tokens * _WORDS_OF_TOKENS), 20)
    text = f"What happened before: {before}\n\nWhat happened then:\n{piece}" if before else piece
    if context.template.partition(":")[0] in TRAINED:
        try:
            return summarise(text, words=words), ""
        except FormError:
            pass  # The text has one of the form's markers in it.
    return f"{text}\n\n---\n{TASK.format(words=words)}", SYSTEM


def _checked(answer: str, tokens: int, count: Count) -> str:
    """Return a model's answer as a summary of at most so many tokens; raises `NoSummary` if nothing is left."""
    text = clean(answer).strip()
    text = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    if len(text) < 10 or not any(one.isalpha() for one in text):
        raise NoSummary("The model's answer is no summary.")
    if count([text])[0] >= tokens - 1:
        text = whole_sentences(text)
    return shortened(text, tokens, count) or text[:tokens]


def _within_reach(history: Sequence[Message], first: int, until: int, reach: int) -> int:
    """Return the message with which reading begins, so that no more than about ``reach`` tokens are read."""
    total, start = 0, until
    while start > first and total < reach:
        start -= 1
        total += len(history[start].text) // 4 + 8
    return start


def _pieces(context: ChatContext, messages: Sequence[Message], room: int) -> Iterator[str]:
    """Yield the messages as texts of at most so many tokens."""
    lines = [f"{message.name}: {clean(message.text).strip()}" for message in messages]
    held: list[str] = []
    total = 0
    for line, size in _fitting(lines, room, context.count_tokens):
        if held and total + size + 1 > room:
            yield "\n".join(held)
            held, total = [], 0
        held.append(line)
        total += size + 1
    if held:
        yield "\n".join(held)


def _fitting(lines: Sequence[str], room: int, count: Count) -> Iterator[tuple[str, int]]:
    """Yield lines with their tokens; one that has more than fit is taken apart, whatever its script."""
    for line, size in zip(lines, count(lines), strict=True):
        if size < room:
            yield line, size
            continue
        pieces = list(parts(line.split("\n"), max(len(line) * room * 2 // (size * 3), 1), 0))
        # Parts of one text can be denser than all of it; what is too much even then is cut.
        for piece, tokens in zip(pieces, count(pieces), strict=True):
            yield (piece, tokens) if tokens < room else (shortened(piece, room - 1, count), room - 1)
