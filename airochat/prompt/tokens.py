"""What prompt assembly needs of a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from airochat.templates.segment import Vocabulary


class Tokenizer(Protocol):
    """Turns text into token ids; control tokens in the text stay text."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's control tokens."""
        ...

    def encode(self, texts: Sequence[str], continued: Sequence[bool]) -> list[list[int]]:
        """Return the ids of each text, tokenised as plain text, all in one round trip.

        ``continued`` says for each text that it follows other text: then no space is put before it, as SentencePiece
        vocabularies do at a start.
        """
        ...

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """Return the bytes of each token; control tokens give their spelling."""
        ...
