"""A model's vocabulary: text to token ids and back, control tokens, end tokens."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from llama_cpp import llama_cpp as _llama

from airochat.templates.segment import Vocabulary

L: Any = _llama
_SENTINELS = ("\n", "\x02")
"""Characters that SentencePiece never joins with what follows; one of them is put before continued text."""
_MARKUP = re.compile(r"<.*>|\[.*\]", re.DOTALL)


class PieceTable(dict[int, bytes]):
    """The bytes of each token, asked from llama.cpp at first use.

    With ``spelled``, control tokens give their spelling, else nothing. Ids must be in range.
    """

    def __init__(self, vocab: int, *, spelled: bool) -> None:
        super().__init__()
        self._vocab = vocab
        self._spelled = spelled

    def __missing__(self, token: int) -> bytes:
        piece = self[token] = self._read(token)
        return piece

    def _read(self, token: int) -> bytes:
        size = -int(L.llama_token_to_piece(self._vocab, token, None, 0, 0, self._spelled))
        if size <= 0:
            return b""
        buffer = ctypes.create_string_buffer(size)
        L.llama_token_to_piece(self._vocab, token, buffer, size, 0, self._spelled)
        return buffer.raw


class Vocab:
    """The vocabulary of a loaded model; may be read by several threads at once."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        """What llama.cpp calls it."""
        self.size = int(L.llama_vocab_n_tokens(handle))
        self.shown = PieceTable(handle, spelled=False)
        self.spelled = PieceTable(handle, spelled=True)
        attributes = [L.llama_vocab_get_attr(handle, token) for token in range(self.size)]
        control = self._control_ids(attributes)
        ends = (token for token in range(self.size) if L.llama_vocab_is_eog(handle, token))
        self.ends = frozenset(token for token in ends if token in control)
        """The tokens with which this model ends a reply."""
        self.vocabulary = self._vocabulary(attributes)
        self._sentinels = self._choose_sentinels()
        self._control = self._control_tokens(attributes)

    def encode(self, text: str, continued: bool) -> list[int]:
        """Return the ids of plain text; spellings of control tokens in it stay text."""
        tokens = self._encode_part(text, continued)
        if self._control.isdisjoint(tokens):
            return tokens
        tokens = []
        for part in self._broken_up(text):
            tokens += self._encode_part(part, continued or bool(tokens))
        return tokens

    def pieces(self, tokens: Iterable[int]) -> list[bytes]:
        """Return the bytes of each token, empty for ids that do not exist."""
        return [self.spelled[token] if 0 <= token < self.size else b"" for token in tokens]

    def _tokenize(self, text: str) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        buffer = (ctypes.c_int32 * room)()
        count = L.llama_tokenize(self.handle, data, len(data), buffer, room, False, False)
        return buffer[:count] if count >= 0 else self._tokenize_long(data, -count)

    def _tokenize_long(self, data: bytes, room: int) -> list[int]:
        buffer = (ctypes.c_int32 * room)()
        return buffer[: L.llama_tokenize(self.handle, data, len(data), buffer, room, False, False)]

    def _encode_part(self, text: str, continued: bool) -> list[int]:
        return self._continued(text) if continued else self._tokenize(text)

    def _continued(self, text: str) -> list[int]:
        for sentinel, prefix in self._sentinels:
            tokens = self._tokenize(sentinel + text)
            if tokens[: len(prefix)] == prefix:
                return tokens[len(prefix) :]
        return self._tokenize(text)

    def _choose_sentinels(self) -> list[tuple[str, list[int]]]:
        """Return sentinels with their ids, or none if this vocabulary puts no space before a text."""
        plain = self._tokenize("a")
        if L.llama_vocab_type(self.handle) != L.LLAMA_VOCAB_TYPE_SPM or b"".join(self.pieces(plain)) == b"a":
            return []
        return [(sentinel, self._tokenize(sentinel)) for sentinel in _SENTINELS]

    def _broken_up(self, text: str) -> Iterator[str]:
        """Split text inside every spelling of a control token."""
        spelling = re.compile("|".join(re.escape(self._text(token)) for token in self._control))
        start = at = 0
        while match := spelling.search(text, at):
            at = match.start() + 1
            yield text[start:at]
            start = at
        if text[start:]:
            yield text[start:]

    def _control_tokens(self, attributes: list[int]) -> frozenset[int]:
        """Return the tokens that plain text must never become.

        llama.cpp takes user-defined tokens out of any text, even when told to leave special tokens alone, and some
        files declare their control tokens so: those that look like markup count. All count if a space is put before
        texts, since one would come after such a token too. SentencePiece can also merge its way to a control token.
        """
        harmless = 0 if self._sentinels else L.LLAMA_TOKEN_ATTR_USER_DEFINED
        return frozenset(
            token
            for text, token in self.vocabulary.specials.items()
            if text and (not attributes[token] & harmless or _MARKUP.fullmatch(text.strip()))
        )

    def _text(self, token: int) -> str:
        return self.spelled[token].decode("utf-8", "replace")

    def _control_ids(self, attributes: list[int]) -> Collection[int]:
        """Return the ids that may be BOS or end a reply.

        For a BPE file that names none, llama.cpp takes a fixed id, whatever ordinary token that is; for SentencePiece
        that id is right, also in old files without token types.
        """
        if L.llama_vocab_type(self.handle) == L.LLAMA_VOCAB_TYPE_SPM:
            return range(self.size)
        wanted = L.LLAMA_TOKEN_ATTR_CONTROL | L.LLAMA_TOKEN_ATTR_USER_DEFINED
        return frozenset(token for token, attribute in enumerate(attributes) if attribute & wanted)

    def _vocabulary(self, attributes: list[int]) -> Vocabulary:
        wanted = L.LLAMA_TOKEN_ATTR_CONTROL | L.LLAMA_TOKEN_ATTR_USER_DEFINED
        specials: dict[str, int] = {}
        for token, attribute in enumerate(attributes):
            if attribute & wanted:
                specials.setdefault(self._text(token), token)
        control = self._control_ids(attributes)
        return Vocabulary(
            bos=_known(L.llama_vocab_bos(self.handle), control),
            eos=_known(L.llama_vocab_eos(self.handle), control),
            eot=_known(L.llama_vocab_eot(self.handle), control),
            add_bos=bool(L.llama_vocab_get_add_bos(self.handle)),
            specials=specials,
        )


def _known(token: int, control: Collection[int]) -> int | None:
    return int(token) if token in control else None
