"""Older messages of a chat that the talk is about again: an index of each chat in memory, and what is taken from it."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airochat.conversation import Message
from airochat.hooks import Block
from airochat.text import clean, one_line

from . import ranking
from .chunks import EXCERPT, Count, parts
from .ranking import Hit
from .words import stems, telling

PRIORITY: Final = 10
CHATS: Final = 4
"""Chats whose index is kept in memory."""
_AT_ONCE: Final = 500
"""Messages that are indexed between two looks at the time."""
_TELLING: Final = 2
"""Telling words that a message has if it says by itself what it is about."""
_BOTH: Final = 1.3
"""How much more a text must have of the message before that, since it is less what is asked for."""
FUSION: Final = 60
"""How little a place among the first counts more than one further down when two orders are made one."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a message that is brought back, and why."""

    number: int
    """The message's number from 1 on."""
    part: int
    name: str
    text: str
    reason: str

    @property
    def source(self) -> str:
        """How the prompt report calls it."""
        return f"plugin:memory/recall/{self.number}" + (f".{self.part + 1}" if self.part else "")

    @property
    def written(self) -> str:
        """The excerpt as the model reads it."""
        return f"[From earlier, message {self.number}] {self.name}: {self.text}"

    def block(self, depth: int) -> Block:
        """The excerpt as a block."""
        return Block(self.source, self.written, depth, priority=PRIORITY, reason=self.reason)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message in the index."""

    message: str
    part: int
    text: str


class ChatIndex:
    """The index of one chat. Each message is indexed once, on whatever branch it is. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        # Not when the program ends: a thread may still be at work, and SQLite dies if it is closed below one.
        weakref.finalize(self, self._connection.close).atexit = False
        ranking.create(self._connection)
        self._lengths: dict[str, int] = {}
        self._keys: dict[str, list[int]] = {}
        self.pieces: list[Piece] = []
        """All parts of messages; the key of one is its place, from 1. Old texts of a message stay, unused."""
        self._worker: threading.Thread | None = None

    def update(self, messages: Sequence[Message], seconds: float) -> bool:
        """Index the messages that are new, for at most so many seconds; the rest is done in the background.

        Returns whether all are indexed.
        """
        fresh = [one for one in messages if self._lengths.get(one.id) != len(one.text)]
        if not fresh:
            return True
        with self._lock:
            worker = self._worker
            if worker is None or not worker.is_alive():
                worker = threading.Thread(
                    target=self._work, args=(fresh,), name="airochat-memory", daemon=True
                )
                self._worker = worker
                worker.start()
        worker.join(seconds)
        return not worker.is_alive() and all(self._lengths.get(one.id) == len(one.text) for one in fresh)

    def search(self, question: str, places: dict[str, int], threshold: float) -> list[Hit]:
        """Return the parts of the messages in ``places`` that are about a question, the best first."""

        def text_of(key: int) -> str | None:
            piece = self.pieces[key - 1]
            return piece.text if piece.message in places and key in self._keys[piece.message] else None

        with self._lock:
            return ranking.search(
                self._connection, question, len(self.pieces), text_of, threshold, ranking.COMMON
            )

    def keys_of(self, places: dict[str, int]) -> list[int]:
        """Return the keys of the parts of messages that are indexed."""
        return [key for message in places for key in self._keys.get(message, ())]

    def _work(self, messages: Sequence[Message]) -> None:
        for at in range(0, len(messages), _AT_ONCE):
            with self._lock:
                self._add(messages[at : at + _AT_ONCE])

    def _add(self, messages: Sequence[Message]) -> None:
        self._connection.execute("BEGIN")
        for message in messages:
            keys = []
            for number, text in enumerate(parts(clean(message.text).split("\n"), EXCERPT, 0)):
                self.pieces.append(Piece(message.id, number, text.replace("\n\n", "\n")))
                keys.append(len(self.pieces))
                ranking.add(self._connection, keys[-1], f"{message.name} {text}")
            ranking.remove(self._connection, self._keys.get(message.id, ()))
            self._keys[message.id] = keys
            self._lengths[message.id] = len(message.text)
        self._connection.execute("COMMIT")


class Recall:
    """The indexes of the chats used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chats: OrderedDict[str, ChatIndex] = OrderedDict()

    def index(self, session_id: str) -> ChatIndex:
        """Return the index of a chat."""
        with self._lock:
            if session_id not in self._chats:
                self._chats[session_id] = ChatIndex()
                if len(self._chats) > CHATS:
                    # Whoever still searches it keeps it; what nobody has any more goes by itself.
                    self._chats.popitem(last=False)
            self._chats.move_to_end(session_id)
            return self._chats[session_id]

    def forget(self, session_id: str) -> None:
        """Drop the index of a chat that is closed."""
        with self._lock:
            self._chats.pop(session_id, None)


def search(
    index: ChatIndex,
    asked: str,
    before: str,
    places: dict[str, int],
    threshold: float,
    vectors: Sequence[int],
) -> list[tuple[int, str]]:
    """Return the keys of the parts to be brought back, the best first, each with its reason.

    ``asked`` is what the talk is about, ``before`` what was said just before that; ``vectors`` are the parts of a like
    meaning, the best first.
    """
    found = index.search(asked, places, threshold)
    if not found and not vectors and len(telling(asked)) < _TELLING:
        # "And then?" is about what was said just before.
        found = index.search(before, places, min(threshold * _BOTH, 1.0))
    scores: dict[int, float] = {}
    reasons: dict[int, str] = {}
    for place, hit in enumerate(found, 1):
        scores[hit.key] = 1 / (FUSION + place)
        reasons[hit.key] = f"words {', '.join(hit.words[:6])}, rank {place}"
    for place, key in enumerate(vectors, 1):
        scores[key] = scores.get(key, 0.0) + 1 / (FUSION + place)
        alike = f"like in meaning, rank {place}"
        reasons[key] = f"{reasons[key]}; {alike}" if key in reasons else alike
    order = sorted(scores, key=lambda key: (-scores[key], key))
    return [(key, reasons[key]) for key in order]


def excerpts(
    index: ChatIndex,
    found: Sequence[tuple[int, str]],
    history: Sequence[Message],
    places: dict[str, int],
    most: int,
    tokens: int,
    count: Count,
) -> list[Excerpt]:
    """Return what is brought back, in the order of the story: at most so many excerpts and tokens."""
    made: list[Excerpt] = []
    texts: set[tuple[str, ...]] = set()
    for key, reason in found:
        piece = index.pieces[key - 1]
        same = tuple(stems(piece.text))
        if same in texts or len(made) >= most * 2:
            continue
        texts.add(same)
        number = places[piece.message]
        told = f"recalled: {reason}, message {number + 1}"
        made.append(Excerpt(number + 1, piece.part, one_line(history[number].name, 60), piece.text, told))
    chosen: list[Excerpt] = []
    for one, size in zip(made, count([one.written for one in made]), strict=True):
        if size <= tokens and len(chosen) < most:
            chosen.append(one)
            tokens -= size
    return sorted(chosen, key=lambda one: (one.number, one.part))
