from __future__ import annotations

from collections.abc import Callable

import pytest

from airochat.backends.llama import tokens
from airochat.backends.llama.tokens import EngineTokenizer
from airochat.backends.llama.wire import Encode, Pieces
from airochat.templates.segment import Vocabulary


class Engine:
    """Answers with one token per character, and counts the calls."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, make: Callable[[int], Encode | Pieces]) -> list[list[int]]:
        command = make(1)
        assert isinstance(command, Encode)
        self.asked.append(command.texts)
        pairs = zip(command.texts, command.continued, strict=True)
        return [[ord(letter) + continued for letter in text] for text, continued in pairs]


def test_known_texts_are_not_asked_again_and_all_unknown_ones_at_once() -> None:
    engine = Engine()
    tokenizer = EngineTokenizer(Vocabulary(), engine)
    assert tokenizer.encode(["a", "b"], [False, False]) == [[97], [98]]
    assert tokenizer.encode(["c", "a", "d", "a"], [False, False, False, True]) == [[99], [97], [100], [98]]
    assert engine.asked == [("a", "b"), ("c", "d", "a")]


def test_a_caller_cannot_change_what_is_remembered() -> None:
    tokenizer = EngineTokenizer(Vocabulary(), Engine())
    tokenizer.encode(["a"], [False])[0].append(0)
    assert tokenizer.encode(["a"], [False]) == [[97]]


def test_the_memory_is_bounded_and_forgets_what_was_not_used_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_MAX_TOKENS", 6)
    engine = Engine()
    tokenizer = EngineTokenizer(Vocabulary(), engine)
    for text in ("aa", "bb", "aa", "cc", "aa", "bb"):
        tokenizer.encode([text], [False])
    assert engine.asked == [("aa",), ("bb",), ("cc",), ("bb",)]
