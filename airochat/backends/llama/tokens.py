"""The engine's tokenizer as the rest of the program sees it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from airochat.backends.llama.wire import Encode, Pieces
from airochat.templates.segment import Vocabulary

Ask = Callable[[Callable[[int], Encode | Pieces]], Any]
"""Sends the call made for a number and returns its answer."""
_MAX_TOKENS = 200_000
"""What the memory of a tokenizer holds at most: several whole chats."""


class EngineTokenizer:
    """Asks the engine, and remembers: every turn of a chat tokenises the same texts again."""

    def __init__(self, vocabulary: Vocabulary, ask: Ask) -> None:
        self._vocabulary = vocabulary
        self._ask = ask
        self._known: OrderedDict[tuple[str, bool], tuple[int, ...]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's control tokens."""
        return self._vocabulary

    def encode(self, texts: Sequence[str], continued: Sequence[bool]) -> list[list[int]]:
        """Return the ids of each text, tokenised as plain text, in one round trip for those not yet known."""
        keys = list(zip(texts, continued, strict=True))
        found = {key: self._recall(key) for key in keys}
        missing = [key for key, tokens in found.items() if tokens is None]
        if missing:
            texts_missing, continued_missing = zip(*missing, strict=True)
            answers = self._ask(lambda call: Encode(call, texts_missing, continued_missing))
            for key, tokens in zip(missing, answers, strict=True):
                found[key] = tuple(tokens)
                self._remember(key, tuple(tokens))
        return [list(found[key] or ()) for key in keys]

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """Return the bytes of each token; control tokens give their spelling."""
        wanted = tuple(tokens)
        answer: list[bytes] = self._ask(lambda call: Pieces(call, wanted))
        return answer

    def _recall(self, key: tuple[str, bool]) -> tuple[int, ...] | None:
        with self._lock:
            tokens = self._known.get(key)
            if tokens is not None:
                self._known.move_to_end(key)
            return tokens

    def _remember(self, key: tuple[str, bool], tokens: tuple[int, ...]) -> None:
        with self._lock:
            if key in self._known:
                return
            self._known[key] = tokens
            self._size += len(tokens) + 1
            while self._size > _MAX_TOKENS:
                _, oldest = self._known.popitem(last=False)
                self._size -= len(oldest) + 1
