"""Scripts for the prompt only: what they make of the messages of a prompt, and a memory for it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Final

from airochat.conversation import Message
from airochat.hooks import ChatContext

from .pattern import Ready
from .script import REPLY, USER
from .shelf import Runner

MOST: Final = 20_000
"""How many messages are remembered for each set of scripts."""
MOST_SETS: Final = 16
"""How many sets of scripts are remembered; what macros stand for makes another set."""
_PLACES: Final = {"user": USER, "assistant": REPLY}
Known = dict[str, tuple[Message, Message]]
"""By the ids of messages these and what a set of scripts has made of them."""


class Memory:
    """What scripts have made of messages, so that one that stays the same costs nothing in the next turn."""

    def __init__(self) -> None:
        self._sets: dict[Hashable, Known] = {}
        self.lock = threading.Lock()
        """Held while it is read or written."""

    def of(self, scripts: Sequence[Ready]) -> Known:
        """Return what is known of a set of scripts; what was used longest ago is forgotten."""
        key = tuple(one.key for one in scripts)
        found = self._sets.pop(key, {})
        self._sets[key] = found
        while len(self._sets) > MOST_SETS:
            del self._sets[next(iter(self._sets))]
        return found


def changed(context: ChatContext, messages: Sequence[Message], memory: Memory) -> list[Message]:
    """Return the messages of a prompt as the scripts for the prompt change them.

    One of which nothing is left goes, but for the newest, which the reply follows on. The newest come first, so that
    they have been changed if the time runs out.
    """
    runner = Runner(context)

    @lru_cache(None)
    def wanted(place: int, depth: int, running: int) -> tuple[bool, Known]:
        fitting = runner.fitting(place, depth, prompt=True)
        return bool(fitting), memory.of(fitting)

    made: list[Message] = []
    deepest = runner.deepest
    with memory.lock:
        for depth, message in enumerate(reversed(messages)):
            place = _PLACES.get(message.role)
            # Scripts that have taken too long run no more, so that the others are another set from there on.
            some, known = (
                wanted(place, min(depth, deepest), runner.count) if place is not None else (False, {})
            )
            new = _new(runner, message, depth, known) if some else message
            if new.text.strip():
                made.append(new)
            elif not depth or not message.text.strip():
                made.append(message)
    return made[::-1]


def _new(runner: Runner, message: Message, depth: int, known: Known) -> Message:
    found = known.get(message.id)
    if found is not None and (found[0] is message or found[0] == message):
        return found[1]
    text, whole = runner.changed(message.text, _PLACES[message.role], depth, prompt=True)
    new = message if text == message.text else dataclasses.replace(message, text=text, tokens=())
    if whole:
        if len(known) >= MOST:
            del known[next(iter(known))]
        known[message.id] = message, new
    return new
