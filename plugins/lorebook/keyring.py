"""The keys of all entries, ready to be found, and finding them in the texts of one scan."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .entry import AND_ALL, AND_ANY, NOT_ALL, NOT_ANY, Entry
from .match import Key, KeyIndex, shaped
from .options import Options
from .patterns import Clock, Pattern, pattern_of
from .scene import Cause, Piece

JOINER = "\x01"
"""Stands before each message, so that a regex can tell where one begins."""
DEEPEST = 1000
"""The most messages that are read."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One key of an entry: as it is shown, and its number in the index or its pattern; neither if it cannot match."""

    text: str
    number: int = -1
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Locks:
    """All keys of an entry."""

    primary: tuple[Lock, ...]
    secondary: tuple[Lock, ...]
    additional: tuple[tuple[Lock, ...], ...]
    exclude: tuple[Lock, ...]


class Keyring:
    """The keys of a list of entries; ``expand`` is applied to keys with macros in them."""

    def __init__(
        self, entries: Sequence[Entry], options: Options, expand: Callable[[str], str] = str
    ) -> None:
        self.entries = entries
        self.options = options
        self.unicode = options.words == "unicode"
        self._numbers: dict[Key, int] = {}
        self._patterns: dict[str, Pattern | None] = {}
        self._expand = expand
        self.locks = [self._locks(entry) for entry in entries]
        self.index = KeyIndex(self._numbers, unicode=self.unicode)
        self.opened: dict[int, list[int]] = {}
        """The entries, by number, that have a key as a primary one."""
        self.by_pattern: list[int] = []
        """The entries with a regex among their primary keys."""
        self.deepest = min(max((entry.scan_depth or 0 for entry in entries), default=0), DEEPEST)
        for number, locks in enumerate(self.locks):
            for lock in locks.primary:
                if lock.number >= 0:
                    self.opened.setdefault(lock.number, []).append(number)
            if any(lock.pattern for lock in locks.primary):
                self.by_pattern.append(number)

    def _locks(self, entry: Entry) -> Locks:
        def made(keys: Iterable[str]) -> tuple[Lock, ...]:
            return tuple(self._lock(entry, key) for key in keys if key)

        marks = entry.decorators
        return Locks(
            made(entry.keys),
            made(entry.secondary) if entry.selective else (),
            tuple(map(made, marks.additional)),
            made(marks.exclude),
        )

    def _lock(self, entry: Entry, key: str) -> Lock:
        if "{{" in key or "<" in key:
            key = self._expand(key).strip()
        if key.startswith("/"):
            if key not in self._patterns:
                self._patterns[key] = pattern_of(key)
            pattern = self._patterns[key]
            if pattern is not None and (not pattern.error or (entry.use_regex and self.options.book_limits)):
                return Lock(key, pattern=pattern)
        options = self.options
        case = options.case_sensitive if entry.case_sensitive is None else entry.case_sensitive
        whole = options.whole_words if entry.whole_words is None else entry.whole_words
        plain = Key(key, case, whole and len(key.split()) < 2)
        return Lock(key, number=self._numbers.setdefault(plain, len(self._numbers))) if key else Lock(key)


class Finder:
    """Looks for the keys of a keyring in the pieces of one scan, newest message first."""

    def __init__(self, keyring: Keyring) -> None:
        self.ring = keyring
        self.pieces: list[Piece] = []
        self.clock = Clock()
        self.touched: set[int] = set()
        """The entries of which a plain primary key stands in some piece."""
        self._at: dict[int, list[tuple[int, int]]] = {}
        self._visible: dict[tuple[int, bool, frozenset[str]], tuple[int, ...]] = {}
        self._windows: dict[tuple[int, ...], tuple[str, list[int]]] = {}
        self._searched: dict[tuple[str, tuple[int, ...]], int] = {}

    def add(self, piece: Piece) -> None:
        """Look through one more piece."""
        text = shaped(piece.text, unicode=self.ring.unicode)
        place = len(self.pieces)
        self._visible.clear()
        self.pieces.append(
            piece if text is piece.text else Piece(piece.kind, text, piece.label, piece.age, piece.id)
        )
        for number, offset in self.ring.index.hits(text).items():
            self._at.setdefault(number, []).append((place, offset))
            self.touched.update(self.ring.opened.get(number, ()))

    def visible(self, entry: Entry, depth: int, *, recursion: bool) -> tuple[int, ...]:
        """Return which pieces an entry looks at; ``recursion`` tells whether lore that was found is among them."""
        if depth <= 0 and self.ring.options.depth_zero == "nothing":
            return ()
        known = depth, recursion, entry.sees
        if known not in self._visible:
            self._visible[known] = tuple(self._seen(entry, depth, recursion))
        return self._visible[known]

    def _seen(self, entry: Entry, depth: int, recursion: bool) -> Iterator[int]:
        for place, piece in enumerate(self.pieces):
            if piece.kind == "message":
                if piece.age < depth:
                    yield place
            elif piece.kind == "recursion":
                if recursion:
                    yield place
            elif piece.kind == "inject" or piece.kind in entry.sees:
                yield place

    def cause(self, number: int, seen: tuple[int, ...]) -> tuple[Cause | None, str]:
        """Return why an entry is on by its keys, or None and what is missing; a near miss if that begins so."""
        locks = self.ring.locks[number]
        entry = self.ring.entries[number]
        found = self._first(locks.primary, seen)
        if found is None:
            return None, ""
        lock, place, offset = found
        barred = self._first(locks.exclude, seen)
        cause = Cause("key", lock.text, self.pieces[place], offset)
        if barred is not None:
            return None, f'{cause.words}, but "{barred[0].text}" stands in {self.pieces[barred[1]].label}'
        for others in locks.additional:
            if self._first(others, seen) is None:
                return None, f"{cause.words}, but none of {_listed(others)}"
        if not locks.secondary:
            return cause, ""
        return self._with_secondary(entry, locks, cause, seen)

    def _with_secondary(
        self, entry: Entry, locks: Locks, cause: Cause, seen: tuple[int, ...]
    ) -> tuple[Cause | None, str]:
        there = [lock.text for lock in locks.secondary if self._first((lock,), seen) is not None]
        missing = [lock.text for lock in locks.secondary if lock.text not in there]
        on = {
            AND_ANY: bool(there),
            NOT_ALL: bool(missing),
            NOT_ANY: not there,
            AND_ALL: not missing,
        }[entry.logic]
        if on:
            also = there[0] if there and entry.logic in (AND_ANY, AND_ALL) else ""
            return Cause("key", cause.key, cause.piece, cause.offset, also), ""
        why = {
            AND_ANY: f"but none of {_listed(locks.secondary)}",
            NOT_ALL: f"but all of {_listed(locks.secondary)}",
            NOT_ANY: f'but "{there[0] if there else ""}" is there, too',
            AND_ALL: f'but "{missing[0] if missing else ""}" is missing',
        }[entry.logic]
        return None, f"{cause.words}, {why}"

    def score(self, number: int, seen: tuple[int, ...]) -> int:
        """Return how many keys of an entry match, as its logic counts them."""
        locks, entry = self.ring.locks[number], self.ring.entries[number]
        primary = sum(self._first((lock,), seen) is not None for lock in locks.primary)
        secondary = sum(self._first((lock,), seen) is not None for lock in locks.secondary)
        if not primary or not locks.secondary:
            return primary
        if entry.logic == AND_ANY:
            return primary + secondary
        return primary + (secondary if entry.logic == AND_ALL and secondary == len(locks.secondary) else 0)

    def _first(self, locks: Iterable[Lock], seen: tuple[int, ...]) -> tuple[Lock, int, int] | None:
        for lock in locks:
            if lock.pattern is not None:
                at = self._search(lock.pattern, seen)
                if at is not None:
                    return lock, *at
            elif lock.number >= 0:
                for place, offset in self._at.get(lock.number, ()):
                    if place in seen:
                        return lock, place, offset
        return None

    def _search(self, pattern: Pattern, seen: tuple[int, ...]) -> tuple[int, int] | None:
        """Return the piece and the offset in it at which a pattern matches."""
        if not seen or not pattern.usable:
            return None
        if seen not in self._windows:
            starts, parts, length = [], [], 0
            for place in seen:
                starts.append(length + 1)
                parts.append(f"{JOINER}{self.pieces[place].text}")
                length += len(parts[-1]) + 1
            self._windows[seen] = "\n".join(parts), starts
        text, starts = self._windows[seen]
        known = pattern.source, seen
        if known not in self._searched:
            self._searched[known] = pattern.search(text, self.clock)
        at = self._searched[known]
        if at < 0:
            return None
        which = max(bisect_right(starts, at) - 1, 0)
        return seen[which], max(at - starts[which], 0)


def _listed(locks: Sequence[Lock]) -> str:
    shown = ", ".join(f'"{lock.text}"' for lock in locks[:4])
    return shown if len(locks) <= 4 else f"{shown} …"
