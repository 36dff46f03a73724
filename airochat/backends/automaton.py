"""Finding many texts at once in a text that grows, whatever their case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_STRAIGHT = str.maketrans("‘’“”", "''\"\"")


class Automaton:
    """Finds many texts at once, character by character, in a time that does not depend on their number.

    A state's depth is how much of the text so far may be the beginning of one that is looked for (Aho and Corasick).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._goto: list[dict[str, int]] = [{}]
        self.depths = [0]
        self._own: dict[int, int] = {}
        for number, text in enumerate(texts):
            self._add(number, text)
        self._fail = [0] * len(self._goto)
        self._out = [0] * len(self._goto)
        self._link()
        self._lengths = [len(text) for text in texts]

    def _add(self, number: int, text: str) -> None:
        state = 0
        for character in text:
            if character not in self._goto[state]:
                self._goto[state][character] = len(self._goto)
                self._goto.append({})
                self.depths.append(self.depths[state] + 1)
            state = self._goto[state][character]
        self._own.setdefault(state, number)

    def _link(self) -> None:
        queue = [0]
        for state in queue:
            for character, child in self._goto[state].items():
                self._fail[child] = self._step(self._fail[state], character) if state else 0
                self._out[child] = child if child in self._own else self._out[self._fail[child]]
                queue.append(child)

    def _step(self, state: int, character: str) -> int:
        while state and character not in self._goto[state]:
            state = self._fail[state]
        return self._goto[state].get(character, 0)

    def scan(self, state: int, text: str) -> tuple[int, int]:
        """Read on from a state until a text is complete; return the state, and how much was read till then or 0."""
        goto, fail, out = self._goto, self._fail, self._out
        for at, character in enumerate(text, 1):
            while state and character not in goto[state]:
                state = fail[state]
            state = goto[state].get(character, 0)
            if out[state]:
                return state, at
        return state, 0

    def ending(self, state: int) -> Iterator[int]:
        """Yield the numbers of the texts that are complete in a state, the longest first."""
        state = self._out[state]
        while state:
            yield self._own[state]
            state = self._out[self._fail[state]]

    def longest(self, state: int) -> int:
        """Return the length of the longest text that is complete in a state."""
        return self._lengths[next(self.ending(state))]


def folded(text: str) -> str:
    """Return a text of the same length in which case and the form of quotes make no difference."""
    if text.isascii():
        return text.lower()
    straight = text.translate(_STRAIGHT)
    made = straight.casefold()
    return made if len(made) == len(text) else "".join(map(_folded_character, straight))


def _folded_character(character: str) -> str:
    made = character.casefold()
    return made if len(made) == 1 else character
