"""Closing quotes, asterisks, parentheses and code fences that a reply left open.

The rule is to change nothing that could be meant: whatever has a reading in which it is complete stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<ticks>`{3,})(?P<info>[^`\n]*)$", re.MULTILINE)
_PARAGRAPH_END = re.compile(r"\n[ \t]*(?=\n)")
_WORD = re.compile(r"[^\W_]")
# First what is passed over: escaped marks, code within a line, and two names that Python writers use.
_MARK = re.compile(
    r"\\[^\w\s]|``(?:[^`\n]|`(?!`))+``(?!`)|`[^`\n]+`(?!`)|\*+(?:kw)?args\b|(?P<mark>\*+|[\"“”„()\[\]])"
)
# What begins nothing at the end of a line would begin something if a mark followed.
_DANGLING = re.compile(r"(?:^|[\s“„(\[])[\"*]+$|[“„(\[\\]$")
_TAIL = 16
_CLOSED_BY = {'"': '"', "“": "”", "„": "", "(": ")"}
_BEFORE_QUOTE = frozenset("([{*_~—–-:,;“‘'…>")
_BRACKETS = frozenset("([{“‘")
_AFTER_STAR = frozenset("\"“‘'([<—–…~_$#@&")
_SMILEYS_BEFORE = frozenset(":;=-'")
_SMILEYS_AFTER = frozenset(":;=")
_LONGEST_STARS = 3
_MOST_OPEN = 50
"""With more open marks than this a text is no prose, and they stay as they are."""


@dataclass(slots=True, eq=False)
class _Open:
    mark: str
    start: int
    end: int = -1
    """Where its paragraph ends; -1 while that is being read."""
    listed: bool = False
    """Whether it may be the bullet of a list."""

    @property
    def closing(self) -> str:
        return _CLOSED_BY.get(self.mark, self.mark)


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code; ``closing`` is the line that would end it, empty if it is ended."""

    start: int
    end: int
    closing: str


def fences(text: str) -> list[Fence]:
    """Return the blocks of code in a text."""
    found: list[Fence] = []
    opened: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        if opened is None:
            opened = line
        elif len(line["ticks"]) >= len(opened["ticks"]) and not line["info"].strip():
            found.append(Fence(opened.start(), line.end(), ""))
            opened = None
    if opened is not None:
        found.append(Fence(opened.start(), len(text), opened["indent"] + opened["ticks"]))
    return found


def balanced(text: str, *, end: bool = True) -> str:
    """Close each ``"``, ``“``, ``(``, ``*`` or ``**`` at the end of its paragraph, and a code block at the text's end.

    Without ``end`` nothing is added at the end of the text.
    """
    blocks = fences(text)
    reader = _Reader(text)
    for start, stop in _paragraphs(text, blocks):
        reader.read(start, stop)
    pieces: list[str] = []
    at = 0
    for place, closing in _insertions(text, reader.unclosed(), end):
        pieces += [text[at:place], closing]
        at = place
    whole = "".join([*pieces, text[at:]])
    return whole + _fence_end(text, blocks) if end else whole


def _fence_end(text: str, blocks: list[Fence]) -> str:
    last = blocks[-1] if blocks else None
    code = text.find("\n", last.start) if last else -1
    if last is None or code < 0 or not _WORD.search(text, code):
        return ""
    return ("" if text.endswith("\n") else "\n") + last.closing if last.closing else ""


def _paragraphs(text: str, blocks: list[Fence]) -> Iterator[tuple[int, int]]:
    at = 0
    for start, end in [*((fence.start, fence.end) for fence in blocks), (len(text), len(text))]:
        for gap in _PARAGRAPH_END.finditer(text, at, start):
            yield at, gap.start()
            at = gap.end()
        yield at, start
        at = end


def _insertions(text: str, opened: list[_Open], end: bool) -> Iterator[tuple[int, str]]:
    last = len(text) if end else len(text.rstrip()) - 1
    places: dict[int, list[_Open]] = {}
    for mark in sorted(opened, key=lambda mark: -mark.start):
        places.setdefault(mark.start + len(text[mark.start : mark.end].rstrip()), []).append(mark)
    for place in sorted(places):
        closing = "".join(mark.closing for mark in places[place])
        if (
            place <= last
            and all(_clear(text, mark, place) for mark in places[place])
            and "****" not in closing
        ):
            yield place, closing


def _clear(text: str, mark: _Open, place: int) -> bool:
    tail = text[max(mark.start, place - _TAIL) : place]
    starred = mark.closing[:1] == tail[-1] == "*"
    said = _WORD.search(text, mark.start, place)
    return bool(mark.closing and said and not starred and not _DANGLING.search(tail))


class _Reader:
    """Pairs the marks of a text, paragraph by paragraph."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[_Open] = []
        self._earlier: list[_Open] = []
        self._last: list[_Open] = []
        self._brackets = 0
        self._footnotes = 0

    def unclosed(self) -> list[_Open]:
        """Return the marks that nothing closes."""
        return self._earlier

    def read(self, start: int, end: int) -> None:
        """Read one paragraph."""
        if not self._text[start:end].strip():
            return
        self._continued(start, end)
        for found in _MARK.finditer(self._text, start, end):
            if found["mark"]:
                self._take(found["mark"], found.start(), found.end())
        for mark in self._open:
            mark.end = end
        self._last = [mark for mark in self._open if not mark.listed]
        self._earlier = [*self._earlier, *self._last][-_MOST_OPEN:]
        self._open = []
        self._brackets = 0

    def _continued(self, start: int, end: int) -> None:
        # Speech over several paragraphs has a mark at the beginning of each and one at the very end.
        first = self._text[start:end].lstrip()[:1]
        if first in ('"', "“"):
            done = [mark for mark in self._last if mark.mark == first]
            self._earlier = [mark for mark in self._earlier if mark not in done]

    def _take(self, mark: str, start: int, end: int) -> None:
        if len(self._open) >= _MOST_OPEN:
            self._open = []
        before, after = self._text[start - 1 : start] or "\n", self._text[end : end + 1] or "\n"
        if mark[0] == "*":
            self._star(mark, start, before, after)
        elif mark == '"':
            self._straight(start, before, after)
        elif mark in "“„":
            self._curly(mark, start, after)
        elif mark == "(":
            if not (before in _SMILEYS_BEFORE or after in _SMILEYS_AFTER or after.isspace()):
                self._open.append(_Open(mark, start))
        elif mark == "[":
            self._brackets += 1
        elif self._brackets and (mark == "]" or (mark == ")" and not self._has("("))):
            # Half-open intervals, [0, 1) and (0, 1], mix the two kinds.
            self._brackets -= 1
        else:
            self._close("“„" if mark == "”" else "(")

    def _close(self, marks: str) -> bool:
        """Close the latest of some marks, first in this paragraph, then in earlier ones."""
        for opened in (self._open, self._earlier):
            for number in reversed(range(len(opened))):
                if opened[number].mark in marks:
                    del opened[number]
                    return True
        return False

    def _has(self, mark: str) -> bool:
        return any(other.mark == mark for other in self._open)

    def _drop(self, mark: str) -> None:
        self._open = [other for other in self._open if other.mark != mark]

    def _straight(self, start: int, before: str, after: str) -> None:
        here = self._has('"')
        starts = (before.isspace() or before in _BEFORE_QUOTE) and not after.isspace()
        if starts and not (here and not before.isspace()):
            self._drop('"')
            self._open.append(_Open('"', start))
        elif here or not (before.isdigit() or before.isspace()):
            self._close('"')

    def _curly(self, mark: str, start: int, after: str) -> None:
        if mark == "“" and self._has("„"):
            self._close("„")
        elif not after.isspace():
            self._drop(mark)
            self._open.append(_Open(mark, start))

    def _star(self, mark: str, start: int, before: str, after: str) -> None:
        if len(mark) > _LONGEST_STARS:
            return
        stars = [other for other in self._open if other.mark[0] == "*"]
        if stars and (after == "\n" or not (before.isspace() or before in _BRACKETS)):
            self._close_stars(len(mark))
        elif not before.isalnum() and self._begins(start + len(mark), after):
            self._open_star(mark, start, stars)
        elif not (before.isspace() or after.isalnum()) and not self._close_earlier(mark):
            self._footnotes += mark == "*"

    def _begins(self, end: int, after: str) -> bool:
        return after.isalnum() or after in _AFTER_STAR or self._text.startswith("..", end)

    def _close_stars(self, count: int) -> None:
        while count > 0:
            number = max((n for n, mark in enumerate(self._open) if mark.mark[0] == "*"), default=-1)
            if number < 0:
                return
            count -= len(self._open.pop(number).mark)

    def _close_earlier(self, mark: str) -> bool:
        for number in reversed(range(len(self._earlier))):
            if self._earlier[number].mark == mark:
                del self._earlier[number]
                return True
        return False

    def _open_star(self, mark: str, start: int, stars: list[_Open]) -> None:
        leads = self._leads(start)
        if leads and self._footnotes:
            self._footnotes -= 1
            return
        new = _Open(mark, start)
        for other in stars:
            if other.mark == mark:
                self._supersede(other, new, leads)
        self._open.append(new)

    def _supersede(self, other: _Open, new: _Open, leads: bool) -> None:
        """Take the same mark again: a new action on a later line, the next item of a list, or nothing clear."""
        self._open.remove(other)
        between = self._text[other.start : new.start]
        if "\n" not in between:
            return
        if leads and self._leads(other.start) and between.count("\n") == 1:
            new.listed = True
            return
        other.end = self._text.find("\n", other.start)
        self._earlier.append(other)

    def _leads(self, start: int) -> bool:
        return not self._text[self._text.rfind("\n", 0, start) + 1 : start].strip()
