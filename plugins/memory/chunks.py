"""Texts cut into parts at paragraphs and sentences, and shortened to a number of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

PART: Final = 800
"""Characters of a part of a document: about 200 tokens."""
OVERLAP: Final = 160
"""Characters of a part that the next one begins with, so that no sentence is torn from what it speaks of."""
EXCERPT: Final = 600
"""Characters of a part of a message."""
_LONGEST: Final = 1200
"""Characters of a paragraph or sentence that is not cut."""
_SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"'”’»)*]*\s+|\n+")
_END = re.compile(r"[.!?…。！？][\"'”’»)*]*(?=\s|$)")

Count = Callable[[Sequence[str]], list[int]]
"""Counts the tokens of each text."""


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of a text that comes in lines; a long one, or a long line in pieces, is taken apart."""
    held: list[str] = []
    size = 0
    for line in lines:
        if not line.strip() or size > 64_000:
            if text := "".join(held).strip():
                yield text
            held, size = [], 0
        if line.strip():
            held.append(line)
            size += len(line)
    if text := "".join(held).strip():
        yield text


def parts(texts: Iterable[str], size: int = PART, overlap: int = OVERLAP) -> Iterator[str]:
    """Yield parts of about ``size`` characters, each but the first beginning with the end of the one before.

    Nothing is lost; paragraphs stay whole where they can.
    """
    held = ""
    fresh = False
    for text in texts:
        for piece in _pieces(text, size):
            if fresh and len(held) + len(piece) + 2 > size:
                yield held
                held, fresh = _tail(held, overlap), False
            held = f"{held}\n\n{piece}" if held else piece
            fresh = True
    if fresh:
        yield held


def _pieces(text: str, size: int) -> Iterator[str]:
    """Yield a paragraph, or if it is too long its sentences put together; a sentence without end is cut."""
    text = text.strip()
    if len(text) <= size:
        if text:
            yield text
        return
    held = ""
    for sentence in _sentences(text, min(size, _LONGEST)):
        if held and len(held) + len(sentence) + 1 > size:
            yield held
            held = ""
        held = f"{held} {sentence}" if held else sentence
    if held:
        yield held


def _sentences(text: str, most: int) -> Iterator[str]:
    at = 0
    for match in _SENTENCE.finditer(text):
        yield from _cut(text[at : match.end()].strip(), most)
        at = match.end()
    yield from _cut(text[at:].strip(), most)


def _cut(text: str, most: int) -> Iterator[str]:
    at = 0
    while len(text) - at > most:
        space = text.rfind(" ", at + most // 2, at + most)
        end = space if space > 0 else at + most
        yield text[at:end].strip()
        at = end
    if text[at:].strip():
        yield text[at:].strip()


def _tail(text: str, most: int) -> str:
    """Return the last sentences of a text, as far as they fit."""
    if most <= 0:
        return ""
    if len(text) <= most:
        return text
    cut = text[-most:]
    match = _SENTENCE.search(cut)
    if match and match.end() < len(cut):
        return cut[match.end() :]
    space = cut.find(" ")
    return cut[space + 1 :] if space >= 0 else ""


def whole_sentences(text: str) -> str:
    """Return a text up to the end of its last sentence; all of it if no sentence ends in its later half.

    >>> whole_sentences("The ferry left. Maya stayed. Then the")
    'The ferry left. Maya stayed.'
    """
    ends = [match.end() for match in _END.finditer(text)]
    return text[: ends[-1]] if ends and ends[-1] * 2 >= len(text) else text


def shortened(text: str, tokens: int, count: Count) -> str:
    """Return the beginning of a text that takes at most so many tokens, ``…`` included; "" if nothing would fit."""
    text = text.strip()
    if tokens <= 0 or not text:
        return ""
    total = count([text])[0]
    if total <= tokens:
        return text
    room = len(text) * tokens // max(total, 1)
    while room > 0:
        cut = text[:room].rstrip()
        space = cut.rfind(" ")
        made = (cut[:space] if space > room // 2 else cut).rstrip(" ,;:-") + " …"
        if count([made])[0] <= tokens:
            return made
        room = room * 4 // 5
    return ""
