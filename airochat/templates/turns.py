"""What every renderer does with turns and segments before and after its own format."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal

from airochat.templates.segment import ChatTurn, Part, Segment
from airochat.templates.voices import NOBODY, Voices

Goal = Literal["reply", "continue", "user", "nothing"]
"""What the model is to write after a prompt: a reply, more of the last turn, what the user says next, or nothing."""

TEMPLATE = "template"
"""The source of whatever a template adds by itself."""

PREFILL = "prefill"
"""The source of the words that what the model writes shall start with."""

OPENING = "Start the conversation."
"""The user's first words where a format knows no conversation that the assistant opens; one of the phrases that open
the roleplay chats of Airoboros' training data."""

GOING_ON = "Continue."
"""The user's words where a format knows no two replies in a row."""


def split_system(turns: Sequence[ChatTurn]) -> tuple[tuple[Part, ...], tuple[ChatTurn, ...]]:
    """Split off the first turn if it is a system turn; no parts if there is none, or it is empty."""
    if not turns or turns[0].role != "system":
        return (), tuple(turns)
    return turns[0].parts if turns[0].text else (), tuple(turns[1:])


def merge_notes(
    system: tuple[Part, ...], turns: Iterable[ChatTurn], voices: Voices = NOBODY
) -> tuple[tuple[Part, ...], tuple[ChatTurn, ...]]:
    """Move system turns amid a conversation into user turns, for formats that know none there.

    Each stands where it was, so that it changes nothing before it: before the text and label of a user turn that
    follows, or else after the text of one before, parted by a newline; between replies, and after the last one, it is
    a user turn of its own. Before all others it ends the system text.
    """
    merged: list[ChatTurn] = []
    notes: tuple[Part, ...] = ()
    for turn in turns:
        if turn.role == "system":
            notes = _lines(notes, turn.parts)
        elif turn.role == "user" and notes:
            merged.append(dataclasses.replace(turn, parts=_lines(notes, voices.labelled(turn)), name=""))
            notes = ()
        else:
            system, merged = _placed(system, merged, notes)
            merged.append(turn)
            notes = ()
    system, merged = _placed(system, merged, notes)
    return system, tuple(merged)


def _placed(
    system: tuple[Part, ...], merged: list[ChatTurn], notes: tuple[Part, ...]
) -> tuple[tuple[Part, ...], list[ChatTurn]]:
    """Put notes after what is there already."""
    if not notes:
        return system, merged
    if not merged:
        return _lines(system, notes), merged
    last = merged[-1]
    if last.role != "user":
        return system, [*merged, ChatTurn("user", notes)]
    return system, [*merged[:-1], dataclasses.replace(last, parts=_lines(last.parts, notes))]


def _lines(above: tuple[Part, ...], below: tuple[Part, ...]) -> tuple[Part, ...]:
    return (*above, Part("\n", TEMPLATE), *below) if above else below


def alternate(
    turns: Iterable[ChatTurn], goal: Goal, voices: Voices = NOBODY, *, apart: bool = False
) -> tuple[ChatTurn, ...]:
    """Make user and assistant take turns, for formats that know nothing else.

    Neighbours of one role are joined by an empty line, each with its label, and lose their kept tokens. A user turn of
    a few words is put before an assistant turn that would come first, and at the end if a reply is the goal and none
    stands there. With ``apart``, assistant turns that follow each other stay as they are.
    """
    result: list[ChatTurn] = []
    for turn in turns:
        if not result and turn.role == "assistant":
            result.append(_said(voices.opening or OPENING))
        if result and result[-1].role == turn.role and not (apart and turn.role == "assistant"):
            parts = (*result[-1].parts, Part("\n\n", TEMPLATE), *voices.labelled(turn))
            result[-1] = ChatTurn(turn.role, parts, result[-1].name)
        else:
            result.append(turn)
    if goal == "reply" and (not result or (result[-1].role == "assistant" and not apart)):
        result.append(_said(GOING_ON if result else voices.opening or OPENING))
    return tuple(result)


def opened(turns: tuple[ChatTurn, ...], goal: Goal, opening: str) -> tuple[ChatTurn, ...]:
    """Put the user's first words before a character that would speak first."""
    first = turns[0].role if turns else "assistant" if goal == "reply" else ""
    return (_said(opening), *turns) if opening and first == "assistant" else turns


def _said(text: str) -> ChatTurn:
    return ChatTurn("user", (Part(text, TEMPLATE),))


def strip_parts(parts: Sequence[Part], *, left: bool, right: bool) -> tuple[Part, ...]:
    """Return parts whose joined text has no whitespace at the sides that are to be stripped."""
    texts = [part.text for part in parts]
    for index in range(len(texts)) if left else ():
        texts[index] = texts[index].lstrip()
        if texts[index]:
            break
    for index in reversed(range(len(texts))) if right else ():
        texts[index] = texts[index].rstrip()
        if texts[index]:
            break
    return tuple(Part(text, part.source) for text, part in zip(texts, parts, strict=True) if text)


def kept_reply(turn: ChatTurn) -> Segment:
    """Return the segment of a reply whose token ids were kept."""
    return Segment(turn.text, source=next((part.source for part in turn.parts), TEMPLATE), tokens=turn.tokens)


def unwritten(closing: str, written: str) -> str:
    r"""Return what of a turn's closing is still to be written after a reply that may have written its whitespace.

    >>> unwritten("\nUSER:", "Hello.\n")
    'USER:'
    """
    blank = len(closing) - len(closing.lstrip())
    done = next((size for size in range(blank, 0, -1) if written.endswith(closing[:size])), 0)
    return closing[done:]


def without_last_spaces(segments: Sequence[Segment]) -> tuple[list[Segment], str]:
    """Return segments without the spaces that a template's text ends with, and these spaces.

    Every tokenizer takes a space for the beginning of the next word, so a prompt is never cut after one.
    """
    last = segments[-1] if segments else None
    if last is None or last.special is not None or last.tokens or last.source != TEMPLATE:
        return list(segments), ""
    text = last.text.rstrip(" ")
    return [*segments[:-1], dataclasses.replace(last, text=text)], last.text[len(text) :]


def join(closed: Iterable[Sequence[Segment]], following: Sequence[Segment]) -> list[Segment]:
    """Return turns one after the other, then what follows them, tokenised apart at the end of each turn.

    Spaces at the end of a turn are written when something follows.
    """
    result: list[Segment] = []
    spaces = ""
    for turn in closed:
        shortened, held = without_last_spaces(turn)
        result += [Segment(spaces, cuts=(0,)), *shortened]
        spaces = held
    if following:
        result += [Segment(spaces, cuts=(0,)), *following]
    return tidy(result)


def tidy(segments: Iterable[Segment]) -> list[Segment]:
    """Drop empty segments and join neighbours of plain text that have the same source; cuts stay where they are."""
    result: list[Segment] = []
    for segment in segments:
        last = result[-1] if result else None
        joins = last is not None and _plain(last) and _plain(segment)
        if last is not None and joins and (not segment.text or last.source == segment.source):
            cuts = (*last.cuts, *(len(last.text) + cut for cut in segment.cuts))
            result[-1] = dataclasses.replace(last, text=last.text + segment.text, cuts=cuts)
        elif segment.text or not _plain(segment):
            result.append(segment)
    return result


def _plain(segment: Segment) -> bool:
    return segment.special is None and not segment.tokens
