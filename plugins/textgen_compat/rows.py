"""The history as scripts know it, in rows, and what a script has made of it as messages of the prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from airochat.conversation import Message

from .standing import standing
from .transcript import UNASKED, alike

_Said = tuple[str, str]
"""Who says something, and what."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The history of a chat after the scripts that change it, and the messages of the prompt that follow from it."""

    chat: tuple[str, ...]
    """The ids of the messages of the chat."""
    messages: tuple[Message, ...]
    """Those of the prompt; what scripts have added is not among them."""
    rows: Mapping[str, Any]
    """The history as the scripts have left it."""
    authors: tuple[Any, ...]
    """The extensions that have changed it."""


def followed(messages: Sequence[Message], history: Mapping[str, Any], kept: bool) -> list[Message]:
    """Return the messages as a changed history has them: with other texts, or without those that it lacks.

    What is new in the history is left to be put between them. ``kept`` says that the newest message stays as it is,
    since a reply is going on in it. So do words of the user that nobody has answered, which are not in the history.
    """
    spoken = [message for message in messages if message.role != "system" and message.text]
    if spoken and (kept or spoken[-1].role == "user"):
        del spoken[-1]
    old = [(message.role, message.text) for message in spoken]
    texts = dict(_texts(old, list(_said(history))))
    known = {message.id: texts.get(number, "") for number, message in enumerate(spoken)}
    made = []
    for message in messages:
        text = known.get(message.id, message.text)
        if text == message.text:
            made.append(message)
        elif text:
            made.append(dataclasses.replace(message, text=text, tokens=()))
    return made


def _said(history: Mapping[str, Any]) -> Iterator[_Said]:
    for asked, answered in history["internal"]:
        if asked and asked != UNASKED:
            yield "user", asked
        if answered:
            yield "assistant", answered


def _texts(old: Sequence[_Said], new: Sequence[_Said]) -> Iterator[tuple[int, str]]:
    """Yield for each of the old ones that is still there its number and its text now."""
    if standing([(said,) for said in old], new, 0, 0) is not None:
        yield from ((number, text) for number, (_, text) in enumerate(old))
        return
    shared = alike(old, new)
    yield from ((number, old[number][1]) for number in range(shared))
    matcher = SequenceMatcher(None, old[shared:], new[shared:], autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        places = range(i1 + shared, i2 + shared)
        if kind == "equal":
            yield from ((number, old[number][1]) for number in places)
        elif kind == "replace":
            yield from _paired(old, places, new[j1 + shared : j2 + shared])


def _paired(old: Sequence[_Said], places: range, new: Sequence[_Said]) -> Iterator[tuple[int, str]]:
    """Yield the old ones that are said by the same people in the same order as new ones, with the new texts."""
    left = iter(places)
    for role, text in new:
        found = next((number for number in left if old[number][0] == role), None)
        if found is None:
            return
        yield found, text
