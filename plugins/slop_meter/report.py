"""What the replies of a chat repeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from airochat.conversation import Message

from .words import cliches, is_small, plain, runs

SHORTEST, LONGEST = 3, 24
"""Words of a phrase."""
BAN_LENGTH: Final = 200
"""Characters of a banned text."""
OPENING: Final = 3
"""Words of a reply's opening."""
CLICHE_WEIGHT: Final = 4
WORD_TIMES, WORD_REPLIES, WORD_RATIO = 4, 3, 3.0
"""A word is overused that comes so often, in so many replies, and so many times as often as with the user."""

Gram = tuple[str, ...]
Reply = tuple[int, list[list[str]]]
"""A message's number, and its words."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase that comes too often: how it is told, what bans it, how often it comes, and in which messages."""

    text: str
    ban: str
    times: int
    places: tuple[int, ...]
    score: float
    cliche: bool = False


@dataclass(frozen=True, slots=True)
class Overused:
    """A word, how often it comes in replies, and how many times as often as in what the user wrote."""

    word: str
    times: int
    ratio: float


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, the worst first. Places are the numbers of messages, from 1."""

    replies: int
    words: int
    phrases: tuple[Phrase, ...]
    openings: tuple[tuple[str, tuple[int, ...]], ...]
    overused: tuple[Overused, ...]


def look(history: Sequence[Message], most: int, names: Collection[str] = ()) -> Report:
    """Return what the ``most`` newest replies of a chat repeat; ``names`` are no overused words."""
    replies = [(n, message.text) for n, message in enumerate(history, 1) if message.role == "assistant"][
        -most:
    ]
    said = [(number, runs(text)) for number, text in replies]
    own = Counter(word for one in history if one.role == "user" for run in runs(one.text) for word in run)
    phrases = [*_cliches(replies), *_repeated(said)]
    phrases.sort(key=lambda one: (-one.score, one.text))
    words = sum(len(run) for _, reply in said for run in reply)
    return Report(len(said), words, tuple(phrases), _openings(said), _overused(said, own, words, names))


def _cliches(replies: Sequence[tuple[int, str]]) -> list[Phrase]:
    texts = [(number, plain(text)) for number, text in replies]
    found = []
    for one in cliches():
        hits = [(number, len(one.pattern.findall(text))) for number, text in texts]
        times = sum(count for _, count in hits)
        if times:
            places = tuple(number for number, count in hits if count)
            found.append(Phrase(one.written, one.ban, times, places, CLICHE_WEIGHT * times, cliche=True))
    return found


def _repeated(said: Sequence[Reply]) -> list[Phrase]:
    """Return phrases that stand in more than one reply, without clichés, and without mere parts of longer ones."""
    patterns = [one.pattern for one in cliches()]
    covered: dict[str, int] = {}
    found = []
    for level in reversed(_levels(said)):
        for gram, places in level.items():
            text = " ".join(gram)
            weight = sum(not is_small(word) for word in gram)
            if covered.get(text, 0) < len(places) and weight > 1:
                _cover(covered, gram, len(places))
                if not any(pattern.search(text) for pattern in patterns):
                    where = tuple(sorted(set(places)))
                    ban = text if len(text) <= BAN_LENGTH else text[:BAN_LENGTH].rpartition(" ")[0]
                    found.append(Phrase(text, ban, len(places), where, weight * (len(places) - 1)))
    return found


def _levels(said: Sequence[Reply]) -> list[dict[Gram, list[int]]]:
    """Return the phrases that stand in more than one reply, those of each length together, with their places.

    A phrase can repeat only if both of its parts without one word do, so long ones cost little.
    """
    levels: list[dict[Gram, list[int]]] = []
    for size in range(SHORTEST, LONGEST + 1):
        known = levels[-1] if levels else None
        places: dict[Gram, list[int]] = {}
        for number, reply in said:
            for run in reply:
                for at in range(len(run) - size + 1):
                    gram = tuple(run[at : at + size])
                    if known is None or (gram[1:] in known and gram[:-1] in known):
                        places.setdefault(gram, []).append(number)
        level = {gram: where for gram, where in places.items() if where[0] != where[-1]}
        if not level:
            break
        levels.append(level)
    return levels


def _cover(covered: dict[str, int], gram: Gram, times: int) -> None:
    """Note that the parts of a phrase come as often because of it."""
    for size in range(SHORTEST, len(gram)):
        for at in range(len(gram) - size + 1):
            part = " ".join(gram[at : at + size])
            covered[part] = max(covered.get(part, 0), times)


def _openings(said: Sequence[Reply]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    found: dict[str, list[int]] = {}
    for number, reply in said:
        words = [word for run in reply[:OPENING] for word in run][:OPENING]
        if len(words) == OPENING:
            found.setdefault(" ".join(words), []).append(number)
    many = [(text, tuple(places)) for text, places in found.items() if len(places) > 1]
    return tuple(sorted(many, key=lambda one: (-len(one[1]), one[0])))


def _overused(
    said: Sequence[Reply], own: Counter[str], words: int, names: Collection[str]
) -> tuple[Overused, ...]:
    times = Counter(word for _, reply in said for run in reply for word in run)
    replies = Counter(word for _, reply in said for word in {word for run in reply for word in run})
    left_out = {word for name in names for word in re.findall(r"\w+", plain(name))}
    written = sum(own.values())
    found = []
    for word, count in times.items():
        if is_small(word) or word in left_out or word.removesuffix("'s") in left_out or word.isdecimal():
            continue
        # One word more for the user, so that what they have not said yet does not count for infinitely much.
        ratio = (count / words) / ((own[word] + 1) / (written + 1)) if written else 0.0
        often = count >= WORD_TIMES and replies[word] >= WORD_REPLIES
        if often and (not written or ratio >= WORD_RATIO or not own[word]):
            found.append(Overused(word, count, ratio if own[word] else 0.0))
    return tuple(sorted(found, key=lambda one: (-one.times, one.word)))
