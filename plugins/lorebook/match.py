"""Finding thousands of keys in a text at once.

Keys are filed by one word or one run of four letters that any text with the key must have. A text is cut into its
words and runs once, and only keys are tried whose word or run it has: the time depends on the text and on what is
found, not on how many keys there are, and filing 15,000 keys takes milliseconds.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_STRAIGHT = str.maketrans("‘’“”", "''\"\"")
_RUN: Final = 4
_LOOKED_AT: Final = 64
"""How many characters of a key are looked at to file it."""
_KEPT: Final = 4_000
"""How many texts' findings are remembered."""
_SPACELESS_LETTERS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Letters of scripts that set no space between words, or glue endings to them."""
_SPACELESS = re.compile(f"[{_SPACELESS_LETTERS}]")


@dataclass(frozen=True, slots=True)
class Key:
    """A plain key: ``text`` as it is written; ``whole`` if it must not be part of a longer word."""

    text: str
    case_sensitive: bool = False
    whole: bool = True


def shaped(text: str, *, unicode: bool) -> str:
    """Return a text as its findings' offsets refer to it: composed, if words are Unicode's."""
    return unicodedata.normalize("NFC", text) if unicode and not text.isascii() else text


def fold(text: str, *, unicode: bool) -> str:
    """Return a text of the same length without differences of case, and of quotes if words are Unicode's."""
    if text.isascii():
        return text.lower()
    plain = text.translate(_STRAIGHT) if unicode else text
    made = plain.casefold() if unicode else plain.lower()
    if len(made) == len(plain):
        return made
    return "".join(one if len(one) == 1 else old for old in plain for one in (_folded(old, unicode),))


def _folded(character: str, unicode: bool) -> str:
    return character.casefold() if unicode else character.lower()


class KeyIndex:
    """Finds keys in texts; a key's number is its place in the order given. May be used from one thread at a time."""

    def __init__(self, keys: Iterable[Key], *, unicode: bool = True) -> None:
        self._unicode = unicode
        self._run = re.compile(rf"[^\W{_SPACELESS_LETTERS}]+" if unicode else r"[A-Za-z0-9_]+")
        self._keys = [Key(shaped(key.text, unicode=unicode), key.case_sensitive, key.whole) for key in keys]
        self._folded = [fold(key.text, unicode=unicode) for key in self._keys]
        self._words: dict[str, list[int]] = {}
        self._runs: dict[int, dict[str, list[int]]] = {}
        self._file()
        self._kept: OrderedDict[str, Mapping[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, number: int) -> Key:
        """Return a key by its number."""
        return self._keys[number]

    def hits(self, text: str) -> Mapping[int, int]:
        """Return the numbers of the keys in a text that is `shaped`, and where each first stands in it."""
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            return known
        folded = fold(text, unicode=self._unicode)
        found: dict[int, int] = {}
        for number in self._possible(folded):
            offset = self.locate(number, text, folded)
            if offset >= 0:
                found[number] = offset
        self._kept[text] = found
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    def locate(self, number: int, text: str, folded: str = "") -> int:
        """Return where a key first stands in a text, or -1."""
        key, wanted = self._keys[number], self._folded[number]
        folded = folded or fold(text, unicode=self._unicode)
        at = folded.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            same = not key.case_sensitive or text[at:end] == key.text
            if same and (not key.whole or self._alone(folded, at, end)):
                return at
            at = folded.find(wanted, at + 1)
        return -1

    def _possible(self, folded: str) -> Iterable[int]:
        for word in self._words.keys() & set(self._run.findall(folded)):
            yield from self._words[word]
        for size, runs in self._runs.items():
            present = {folded[at : at + size] for at in range(len(folded) - size + 1)}
            for run in runs.keys() & present:
                yield from runs[run]

    def _file(self) -> None:
        loose: list[int] = []
        for number, (key, folded) in enumerate(zip(self._keys, self._folded, strict=True)):
            run = self._run.match(folded)
            if key.whole and run is not None and not (self._unicode and _SPACELESS.search(folded)):
                self._words.setdefault(run[0], []).append(number)
            elif folded:
                loose.append(number)
        pieces = {number: _pieces(self._folded[number]) for number in loose}
        common = Counter(piece for found in pieces.values() for piece in found)
        for number, found in pieces.items():
            rarest = min(found, key=lambda piece: (common[piece], piece))
            self._runs.setdefault(len(rarest), {}).setdefault(rarest, []).append(number)

    def _alone(self, text: str, start: int, end: int) -> bool:
        """Return whether no word goes on at either end of a part of a text."""
        before, after = text[start - 1 : start] if start else "", text[end : end + 1]
        if not self._unicode:
            return not (_ascii_word(before) or _ascii_word(after))
        left = not _in_word(before) or bool(_SPACELESS.match(text[start]))
        right = not _in_word(after) or bool(_SPACELESS.match(text[end - 1]))
        return left and right


def _pieces(folded: str) -> set[str]:
    size = min(_RUN, len(folded))
    return {folded[at : at + size] for at in range(min(len(folded), _LOOKED_AT) - size + 1)}


def _ascii_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _in_word(character: str) -> bool:
    if not character or _SPACELESS.match(character):
        return False
    return character.isalnum() or character == "_" or unicodedata.combining(character) > 0
