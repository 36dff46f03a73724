"""Facts: what the user asked to remember, and what the model found; who, what, and since when.

Each is kept under a key of its own. Those of a chat know the message since which they hold, so that a branch without
that message does not have those that belong to it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, get_args

from airochat.conversation import Message, new_id
from airochat.errors import UsageError
from airochat.hooks import Block, ChatContext
from airochat.sampling import Sampling
from airochat.text import clean, one_line

from .chunks import Count
from .lane import Job, Question

Reach = Literal["here", "chat", "character", "always"]
"""How far a fact reaches: this branch from here on, this chat, all chats with the character, all chats."""
Origin = Literal["user", "model"]
REACHES: Final = get_args(Reach)
KEY: Final = "fact:"
LOOKED: Final = "looked:"
"""Begins the keys that tell up to which message the model has looked for facts."""
PRIORITY: Final = 35
LONGEST: Final = 500
"""Characters of a fact."""
MOST: Final = 500
"""Facts that are kept in one place."""
_LOOK_AT: Final = 6
"""Messages in which the model looks for facts at a time."""
_SOURCE: Final = "plugin:memory/facts"
_POSSESSIVE = re.compile(
    r"(\w[\w .-]{0,60}?)['’]s? (\w[\w -]{0,60}?) (?:is|are|was|were) (.+)", re.IGNORECASE
)
_WRITTEN = re.compile(r"([^:=|]{1,80})[:|]([^:=|]{1,80})[=|](.+)", re.DOTALL)

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {
                    "who": {"type": "string", "maxLength": 60},
                    "what": {"type": "string", "maxLength": 60},
                    "value": {"type": "string", "maxLength": 200},
                },
                "required": ["who", "what", "value"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["facts"],
    "additionalProperties": False,
}
TASK: Final = (
    "Which lasting facts about people, places and things does this part of a chat tell? A name, an age, a promise, "
    "who owns what; not what happens at the moment. Answer in JSON: a list `facts` of at most five, each with `who` "
    "(or what) it is about, `what` about them, and the `value`. An empty list if there is none."
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. ``who`` and ``what`` are empty where it is a plain sentence."""

    id: str
    text: str
    reach: Reach = "chat"
    who: str = ""
    what: str = ""
    value: str = ""
    since: str = ""
    """The message since which it holds; empty before the first one."""
    number: int = 0
    """That message's number from 1 on."""
    pinned: bool = False
    origin: Origin = "user"
    created: float = 0.0

    @property
    def topic(self) -> tuple[str, str] | None:
        """What it is about, so that two facts about the same can be told; None for a plain sentence."""
        if not self.who or not self.what:
            return None
        return _plain(self.who), _plain(self.what)

    @classmethod
    def read(cls, value: Any) -> Fact | None:
        """Return a fact from what is kept; None if that is none."""
        if not isinstance(value, Mapping) or value.get("reach") not in REACHES:
            return None
        if not isinstance(value.get("id"), str) or not isinstance(value.get("text"), str):
            return None
        return cls(**{key: value[key] for key in cls.__dataclass_fields__ if key in value})


@dataclass(frozen=True, slots=True)
class Conflict:
    """Facts that say different things about the same: the one that counts, and those that are struck."""

    counts: Fact
    struck: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fact for the prompt, and why."""

    fact: Fact
    reason: str


def parsed(text: str) -> Fact:
    """Return a fact as a person has written it.

    "Maya's eyes are green" and "Maya: eyes = green" tell who, what and value, everything else is a plain sentence.

    >>> parsed("Maya's eyes are green.").topic, parsed("Maya: eyes = blue").value, parsed("It rains.").topic
    (('maya', 'eyes'), 'blue', None)
    """
    line = one_line(text, LONGEST)
    if not line:
        raise UsageError("What shall be remembered?", "/remember [here|chat|character|always] TEXT")
    if found := _WRITTEN.fullmatch(line):
        who, what, value = (part.strip() for part in found.groups())
        return Fact(new_id(), f"{who}: {what} = {value}", who=who, what=what, value=value)
    if found := _POSSESSIVE.fullmatch(line):
        who, what, value = found.groups()
        return Fact(new_id(), line, who=who.strip(), what=what.strip(), value=value.strip(" ."))
    return Fact(new_id(), line)


def place(context: ChatContext, reach: Reach) -> MutableMapping[str, Any]:
    """Return where facts of a reach are kept."""
    if reach == "always":
        return context.storage("global")
    return context.storage("card") if reach == "character" else context.data


def every(context: ChatContext) -> list[Fact]:
    """Return the facts that hold on this branch, the oldest first."""
    there = {message.id for message in context.history}
    found: list[Fact] = []
    for kept in (context.storage("global"), context.storage("card"), context.data):
        for key in kept:
            if key.startswith(KEY):
                fact = Fact.read(kept.get(key))
                # What the model found belongs to the messages it was found in.
                bound = fact is not None and (fact.reach == "here" or fact.origin == "model")
                if fact is not None and not (bound and fact.since and fact.since not in there):
                    found.append(fact)
    return sorted(found, key=lambda one: (one.created, one.id))


def remember(context: ChatContext, fact: Fact, reach: Reach) -> Fact:
    """Keep a fact; `UsageError` where there are too many."""
    kept = place(context, reach)
    if sum(key.startswith(KEY) for key in kept) >= MOST:
        raise UsageError(f"There are {MOST} facts already.", "/forget N makes room.")
    newest = context.history[-1].id if context.history else ""
    number = len(context.history) if context.history else 0
    made = replace(fact, reach=reach, since=fact.since or newest, number=fact.number or number)
    made = replace(made, created=made.created or time.time())
    kept[f"{KEY}{made.id}"] = asdict(made)
    return made


def change(context: ChatContext, fact: Fact) -> None:
    """Keep a changed fact in the place of itself."""
    place(context, fact.reach)[f"{KEY}{fact.id}"] = asdict(fact)


def forget(context: ChatContext, fact: Fact) -> None:
    """Forget a fact."""
    place(context, fact.reach).pop(f"{KEY}{fact.id}", None)


def find(facts: Sequence[Fact], words: str) -> Fact:
    """Return a fact by its number in the list, or by a part of its text that no other has; else `UsageError`."""
    wanted = words.strip()
    if wanted.isascii() and wanted.isdecimal() and 0 < int(wanted[:9]) <= len(facts):
        return facts[int(wanted) - 1]
    folded = _plain(wanted)
    same = [one for one in facts if folded and _plain(one.text) == folded]
    found = same or [one for one in facts if folded and folded in _plain(one.text)]
    if len(found) == 1:
        return found[0]
    told = "There is no such fact" if not found else f"{len(found)} facts have that"
    raise UsageError(f"{told}: {one_line(wanted, 60)!r}.", "/memory facts lists them with their numbers.")


def conflicts(facts: Sequence[Fact]) -> list[Conflict]:
    """Return where facts say different things about the same. A pinned one counts, else the newest."""
    groups: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        if fact.topic is not None:
            groups.setdefault(fact.topic, []).append(fact)
    found = []
    for group in groups.values():
        if len({_plain(one.value) for one in group}) > 1:
            counts = max(group, key=lambda one: (one.pinned, one.created, one.id))
            struck = tuple(one for one in group if _plain(one.value) != _plain(counts.value))
            found.append(Conflict(counts, struck))
    return found


def choose(
    facts: Sequence[Fact], ranked: Sequence[tuple[int, Sequence[str]]], tokens: int, count: Count
) -> list[Chosen]:
    """Return the facts for a prompt within so many tokens: pinned ones, those found by words, then the user's newest.

    ``ranked`` are the places of facts that are about the newest messages, the best first, with the words.
    """
    struck = {one.id for conflict in conflicts(facts) for one in conflict.struck}
    order = [Chosen(one, "pinned") for one in reversed(facts) if one.pinned]
    order += [Chosen(facts[at], f"words {', '.join(words)}") for at, words in ranked]
    order += [Chosen(one, "told by you") for one in reversed(facts) if one.origin == "user"]
    unique: dict[str, Chosen] = {}
    for one in order:
        if one.fact.id not in struck:
            unique.setdefault(_plain(one.fact.text), one)
    wanted = list(unique.values())
    sizes = count([_line(one.fact) for one in wanted])
    room = tokens - count([written([])])[0]
    chosen = []
    for one, size in zip(wanted, sizes, strict=True):
        if size + 1 <= room:
            chosen.append(one)
            room -= size + 1
    # Counted together, since texts apart from each other may take less.
    while chosen and count([written(chosen)])[0] > tokens:
        chosen.pop()
    return chosen


def written(chosen: Sequence[Chosen]) -> str:
    """Return facts as the model reads them, the oldest first."""
    lines = [_line(one.fact) for one in sorted(chosen, key=lambda one: (one.fact.created, one.fact.id))]
    return "\n".join(["[What is known and holds:", *lines, "]"])


def block(chosen: Sequence[Chosen], depth: int) -> Block | None:
    """Return facts as a block; None without any."""
    if not chosen:
        return None
    told = "; ".join(dict.fromkeys(one.reason for one in chosen))
    reason = f"{len(chosen)} {'fact' if len(chosen) == 1 else 'facts'}: {one_line(told, 160)}"
    return Block(_SOURCE, written(chosen), depth, priority=PRIORITY, reason=reason)


def unlooked(context: ChatContext, history: Sequence[Message]) -> Sequence[Message]:
    """Return the newest messages in which the model has not looked for facts, once there are a few."""
    data = context.data
    looked = {key.removeprefix(LOOKED) for key in data if key.startswith(LOOKED)}
    last = max((number for number, one in enumerate(history, 1) if one.id in looked), default=0)
    # The newest two may still be swiped or edited.
    fresh = history[last : max(len(history) - 2, last)]
    return fresh[-_LOOK_AT:] if len(fresh) >= _LOOK_AT else ()


def job(context: ChatContext, messages: Sequence[Message]) -> Job:
    """Let the model look for facts in messages, and keep those that are not known yet."""
    said = "\n".join(f"{one.name}: {one_line(one.text, 1200)}" for one in messages)
    sampling = Sampling(temperature=0.2, max_tokens=400, json_schema=json.dumps(SCHEMA))
    answer = yield Question(f"{said}\n\n---\n{TASK}", "You keep the record of a story.", sampling)
    known = {_plain(one.text) for one in every(context)}
    last = messages[-1]
    number = next((at for at, one in enumerate(context.history, 1) if one.id == last.id), 0)
    for fact in found_in(answer):
        if _plain(fact.text) not in known:
            known.add(_plain(fact.text))
            try:
                remember(context, replace(fact, since=last.id, number=number), "chat")
            except UsageError:
                break
    context.data[f"{LOOKED}{last.id}"] = True


def found_in(answer: str) -> list[Fact]:
    """Return the facts in a model's answer; an answer that is no such JSON has none."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return []
    entries = value.get("facts") if isinstance(value, dict) else None
    facts = []
    for entry in entries[:5] if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            parts = [entry.get(key) for key in ("who", "what", "value")]
            who, what, text = (one_line(part, 200) if isinstance(part, str) else "" for part in parts)
            if who and what and text:
                facts.append(
                    Fact(new_id(), f"{who}: {what} = {text}", who=who, what=what, value=text, origin="model")
                )
    return facts


def _line(fact: Fact) -> str:
    return f"- {fact.text}"


def _plain(text: str) -> str:
    return " ".join(clean(text).casefold().split()).strip(" .")
