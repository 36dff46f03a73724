"""``/remember``, ``/forget`` and ``/memory``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from . import facts, horizon, summary
from .adding import add
from .desk import Desk, Look
from .documents import Document
from .documents import Reach as DocumentReach
from .facts import REACHES, Fact, Reach

REACH_WORDS: Final = {
    "here": "on this branch",
    "chat": "in this chat",
    "character": "with this character",
    "always": "in all chats",
}
DOCUMENT_REACHES: Final[tuple[DocumentReach, ...]] = ("chat", "character", "always")


def remember(context: ChatContext, words: str) -> str:
    """Keep a fact."""
    first, _, rest = words.strip().partition(" ")
    reach: Reach | None = next((one for one in REACHES if one == first and rest.strip()), None)
    return keep(context, rest if reach else words, reach or "chat")


def keep(context: ChatContext, text: str, reach: Reach) -> str:
    """Keep a fact for a reach, and tell what it contradicts."""
    fact = facts.parsed(text)
    if reach == "character" and not context.cards:
        raise UsageError("This chat has no character.", "/remember TEXT keeps it for this chat.")
    made = facts.remember(context, fact, reach)
    known = facts.every(context)
    lines = [f"Remembered {REACH_WORDS[made.reach]}: {made.text}"]
    for conflict in facts.conflicts(known):
        if made.id in (conflict.counts.id, *(one.id for one in conflict.struck)):
            lines.append(conflict_line(conflict))
    return "\n".join(lines)


def forget(context: ChatContext, words: str) -> str:
    """Forget a fact by its number or its words."""
    if not words.strip():
        raise UsageError("Which fact?", "/forget N, as /memory facts numbers them, or /forget TEXT.")
    fact = facts.find(facts.every(context), words)
    facts.forget(context, fact)
    return f"Forgotten: {fact.text}"


def run(desk: Desk, context: ChatContext, words: str) -> str:
    """Run ``/memory`` with what stands after it; raises `AirochatError`."""
    verb, _, rest = words.strip().partition(" ")
    if not verb:
        return overview(desk, context)
    if verb not in _VERBS:
        raise UsageError(f"/memory has no {one_line(verb, 40)!r}.", did_you_mean(verb, _VERBS))
    return _VERBS[verb](desk, context, rest.strip())


def overview(desk: Desk, context: ChatContext) -> str:
    """Return what the next prompt has of each layer, as far as it is known before the next message."""
    look = desk.look(context)
    sizes = tokens_of(context, look)
    seen = len(horizon.spoken(context.history)) - look.left
    lines = [
        f"The model sees the newest {seen:,} messages; {look.left:,} have left its context."
        if look.left
        else "The model sees the whole chat."
    ]
    lines.append(f"Summary: {_size(sizes, look, 'summary')}" + _summary_words(desk, context, look))
    known = facts.every(context)
    struck = len({one.id for each in facts.conflicts(known) for one in each.struck})
    told = f"; {len(look.facts)} of {len(known)} are in the prompt" if known else ""
    lines.append(f"Facts: {_size(sizes, look, 'facts')}{told}" + (f", {struck} struck" if struck else ""))
    numbers = ", ".join(str(one.number) for one in look.excerpts)
    lines.append(
        f"Recall: {_size(sizes, look, 'recall')}" + (f"; from messages {numbers}" if numbers else "")
    )
    titles = ", ".join(one.title for one in look.parts)
    count = len(desk.library.every(context))
    many = f"; {count} {'document' if count == 1 else 'documents'}" if count else ""
    lines.append(
        f"Documents: {_size(sizes, look, 'documents')}{many}" + (f", now {titles}" if titles else "")
    )
    off = [name for name in ("summary", "facts", "recall", "documents") if not context.settings[name]]
    if off:
        lines.append(f"Off by the settings: {', '.join(off)}.")
    lines.append("/memory summary, facts, conflicts, recall and documents tell more.")
    return "\n".join(lines)


def tokens_of(context: ChatContext, look: Look) -> dict[str, int]:
    """Return how many tokens the blocks of each layer take."""
    sizes = dict.fromkeys(("summary", "facts", "recall", "documents"), 0)
    counts = context.count_tokens([one.text for one in look.blocks]) if look.blocks else []
    for block, size in zip(look.blocks, counts, strict=True):
        sizes[block.source.split("/")[1]] += size
    return sizes


def conflict_line(conflict: facts.Conflict) -> str:
    """Return a conflict in words."""
    struck = "; ".join(f"{one.value} ({_since(one)})" for one in conflict.struck)
    counts = conflict.counts
    why = "pinned" if counts.pinned else _since(counts)
    return f"{counts.who}: {counts.what} = {counts.value} counts ({why}); struck: {struck}."


def fact_line(fact: Fact) -> str:
    """Return what there is to know of a fact beside its text."""
    told = [
        REACH_WORDS[fact.reach],
        _since(fact),
        "told by you" if fact.origin == "user" else "found by the model",
    ]
    return ", ".join([*(["pinned"] if fact.pinned else []), *told])


def summary_line(one: summary.Summary) -> str:
    """Return where a summary comes from."""
    when = datetime.fromtimestamp(one.created).strftime("%Y-%m-%d %H:%M") if one.created else "some time ago"
    by = "edited by you" if one.edited else f"by {one.model}" if one.model else "by the model"
    return f"Messages {one.skipped + 1:,} to {one.count:,}, {when}, {by}."


def _summary(desk: Desk, context: ChatContext, rest: str) -> str:
    verb, _, text = rest.partition(" ")
    history = horizon.spoken(context.history)
    if verb == "edit":
        made = summary.edited(context, history, text, desk.limits(context, history)["summary"])
        return f"The summary is yours now, and the next one is built on it. {summary_line(made)}"
    if verb == "redo" and not text:
        if desk.redo(context):
            return "The summary is being written anew; it changes when that is done."
        return "A summary is being written already."
    one = summary.adopted(context, history)
    if verb == "forget" and not text:
        if one is None:
            raise UsageError("There is no summary in the prompt.")
        summary.forget(context.data, one)
        return "The summary is forgotten. Another one is written after the next turn, if the setting is on."
    if verb:
        raise UsageError(
            f"/memory summary has no {one_line(verb, 40)!r}.", "/memory summary [edit TEXT | redo | forget]"
        )
    if one is None:
        return "There is no summary in the prompt." + _summary_words(desk, context, Look())
    return f"{summary_line(one)}\n{one.text}"


def _summary_words(desk: Desk, context: ChatContext, look: Look) -> str:
    if look.summary is not None:
        return f"; {summary_line(look.summary)}"
    return "; one is being written" if desk.lane.busy(context.session_id) else ""


def _facts(desk: Desk, context: ChatContext, rest: str) -> str:
    known = facts.every(context)
    if not known:
        return "Nothing is remembered yet. /remember TEXT keeps a fact."
    now = {one.fact.id: one.reason for one in desk.look(context).facts}
    struck = {one.id for each in facts.conflicts(known) for one in each.struck}
    lines = []
    for number, fact in enumerate(known, 1):
        state = (
            "struck"
            if fact.id in struck
            else f"in the prompt: {now[fact.id]}"
            if fact.id in now
            else "not now"
        )
        lines.append(f"  {number}. {fact.text} ({fact_line(fact)}; {state})")
    return "\n".join(["Facts:", *lines])


def _pin(pinned: bool) -> Callable[[Desk, ChatContext, str], str]:
    def pin(desk: Desk, context: ChatContext, rest: str) -> str:
        fact = facts.find(facts.every(context), rest)
        facts.change(context, replace(fact, pinned=pinned))
        return f"{'Pinned, so that it is always in the prompt' if pinned else 'Not pinned any more'}: {fact.text}"

    return pin


def _conflicts(desk: Desk, context: ChatContext, rest: str) -> str:
    found = facts.conflicts(facts.every(context))
    return "\n".join(conflict_line(one) for one in found) or "No two facts say different things."


def _recall(desk: Desk, context: ChatContext, rest: str) -> str:
    look = desk.look(context)
    if not look.left:
        return "Nothing has left the context yet, so there is nothing to recall."
    if not look.excerpts:
        return "No older message is about what was said last."
    lines = []
    for one in look.excerpts:
        lines += [f"  {one.reason}", f"    {one.name}: {one_line(one.text, 300)}"]
    return "\n".join(["In the prompt of the newest message:", *lines])


def _documents(desk: Desk, context: ChatContext, rest: str) -> str:
    known = desk.library.every(context)
    if not known:
        return "There are no documents. /memory add FILE adds one."
    lines = [f"  {number}. {document_line(one)}" for number, one in enumerate(known, 1)]
    return "\n".join(["Documents:", *lines])


def document_line(one: Document) -> str:
    """Return a document in words."""
    many = "part" if one.parts == 1 else "parts"
    return f"{one.name}: {one.parts:,} {many}, {one.characters:,} characters, {REACH_WORDS[one.reach]}"


def _add(desk: Desk, context: ChatContext, rest: str) -> str:
    path, _, last = rest.rpartition(" ")
    reach = next((one for one in DOCUMENT_REACHES if one == last and path), None)
    return add(desk, context, path if reach else rest, reach or "chat")


def _drop(desk: Desk, context: ChatContext, rest: str) -> str:
    if not rest:
        raise UsageError("Which document?", "/memory drop NAME")
    return f"{desk.library.drop(context, rest).name} is dropped."


def _since(fact: Fact) -> str:
    return f"since message {fact.number}" if fact.number else "from the start"


def _size(sizes: dict[str, int], look: Look, name: str) -> str:
    limit = look.limits.get(name)
    return f"{sizes[name]:,} tokens" if limit is None else f"{sizes[name]:,} of {limit:,} tokens"


_VERBS: Final[dict[str, Callable[[Desk, ChatContext, str], str]]] = {
    "summary": _summary,
    "facts": _facts,
    "pin": _pin(True),
    "unpin": _pin(False),
    "conflicts": _conflicts,
    "recall": _recall,
    "documents": _documents,
    "add": _add,
    "drop": _drop,
}
