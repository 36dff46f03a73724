"""Tokenizers for tests: a small one in SentencePiece's manner, and the real one of the demo model."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp

from airochat.backends.llama.vocab import Vocab
from airochat.templates import Vocabulary

_WORDS = (
    *(
        " USER",
        "USER",
        " ASSIST",
        "ASSIST",
        "ANT",
        ":",
        " A",
        " chat",
        ".",
        "\n",
        "\n\n",
        "  ",
        " hi",
        "hi",
        "<|im",
        "</",
    ),
    *(
        " Once",
        "Once",
        " upon",
        " a",
        " the",
        "e",
        "t",
        " t",
        "th",
        "s",
        "st",
        "user",
        "system",
        "assistant",
        "s\n",
        "./",
    ),
)


class LittleSpm:
    """Puts a space before a text, takes the longest known piece, and knows every byte.

    Pieces reach over the borders of words and lines, as those of real vocabularies do. `calls` counts round trips.
    """

    def __init__(self, *, add_bos: bool = True) -> None:
        specials = {"<s>": 1, "</s>": 2, "<|im_start|>": 3, "<|im_end|>": 4}
        self.vocabulary = Vocabulary(bos=1, eos=2, add_bos=add_bos, specials=specials)
        texts = [bytes([byte]) for byte in range(256)] + [word.encode() for word in _WORDS]
        spelt = {token: spelling.encode() for spelling, token in specials.items()}
        self._pieces = {**spelt, **{10 + number: piece for number, piece in enumerate(texts)}}
        self._ids = {piece: token for token, piece in self._pieces.items() if token >= 10}
        self.calls = 0

    def encode(self, texts: Sequence[str], continued: Sequence[bool]) -> list[list[int]]:
        self.calls += 1
        pairs = zip(texts, continued, strict=True)
        return [self._encode((text if after or not text else " " + text).encode()) for text, after in pairs]

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        return [self._pieces[token] for token in tokens]

    def _encode(self, text: bytes) -> list[int]:
        found: list[int] = []
        while text:
            size = next(size for size in range(10, 0, -1) if text[:size] in self._ids)
            found.append(self._ids[text[:size]])
            text = text[size:]
        return found


class RealTokenizer:
    """A GGUF file's own tokenizer, by llama.cpp; only its vocabulary is loaded."""

    def __init__(self, path: Path) -> None:
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self._model: Any = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        self._vocab = Vocab(llama_cpp.llama_model_get_vocab(self._model))
        self.vocabulary = self._vocab.vocabulary

    @property
    def chat_template(self) -> str:
        room = ctypes.create_string_buffer(100_000)
        llama_cpp.llama_model_meta_val_str(self._model, b"tokenizer.chat_template", room, len(room))
        return room.value.decode()

    def encode(self, texts: Sequence[str], continued: Sequence[bool]) -> list[list[int]]:
        return [self._vocab.encode(text, after) for text, after in zip(texts, continued, strict=True)]

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        return self._vocab.pieces(tokens)

    def close(self) -> None:
        llama_cpp.llama_model_free(self._model)
