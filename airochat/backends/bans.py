"""Phrase bans: what a reply must not contain is noticed while it is written, and written anew from there."""

from __future__ import annotations

import bisect
import codecs
import functools
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from airochat.backends.automaton import Automaton, folded
from airochat.sampling import ban_regex

MARGIN = 4
"""How many tokens behind a possible phrase are kept back as well, so that a dead end can be left backwards."""
MAX_BANS = 20
"""With more tokens than that banned at one position, it counts as a dead end."""
_REWINDS, _LEAST = 4, 16
"""Rewinds per token of a reply, which counts as at least so long; beyond that, phrases are let through."""
_WINDOW = 400
"""How many characters a regex may match, and how many before them it may look back on."""
_PURSE_S, _FREE_S = 0.5, 0.001
"""What one regex may take of a reply's time altogether, in searches that take longer than is free."""
_NEXT = ("a", " ", "\n", ".")
"""A match at the end of the text counts if it would also match before these: in "shiver", no word ends yet."""
_FOUND, _FOUND_LENGTH = 8, 80


@dataclass(frozen=True, slots=True)
class BanCount:
    """What was done about one entry of ``banned``: how often it was kept out and let through, and what stood there."""

    phrase: str
    removed: int
    passed: int
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BanReport:
    """What the bans did to a reply. ``too_slow`` are regexes that were given up; `counts` has only what occurred."""

    counts: tuple[BanCount, ...] = ()
    rewinds: int = 0
    dead_ends: int = 0
    too_slow: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether all bans were kept."""
        return not self.too_slow and not any(count.passed for count in self.counts)

    def sentences(self) -> tuple[str, ...]:
        """Return what is to be told: what was let through or given up; nothing if all bans were kept."""
        passed = [f"{count.phrase!r} ({count.passed}×)" for count in self.counts if count.passed]
        told = [f"Let through, as every way on led to it: {', '.join(passed)}."] if passed else []
        told += [f"The banned regex {entry!r} takes too long: given up." for entry in self.too_slow]
        return tuple(told)


NO_BANS = BanReport()
"""What there is to tell where nothing is banned, or nothing banned has come up."""


class BanPlan:
    """Decides how far to go back: knows the tokens that are banned at each position, and when to give up."""

    def __init__(self) -> None:
        self._banned: dict[int, set[int]] = {}
        self._open = self._longest = -1
        self.rewinds = self.dead_ends = 0

    def at(self, position: int) -> Collection[int]:
        """Return the ids that must not be chosen at a position."""
        return self._banned.get(position, ())

    def back(self, tokens: Sequence[int], at: int, floor: int) -> int | None:
        """Ban the token at ``at`` there and return the position to go back to, or None if it has to stay.

        Where too much is banned already, the token before is banned instead; positions before ``floor`` are final.
        """
        if at < floor or at == self._open or not self._may_go_back(len(tokens)):
            return None
        while True:
            bans = self._banned.setdefault(at, set())
            bans.add(tokens[at])
            if len(bans) <= MAX_BANS:
                return self._gone_back(at)
            self.dead_ends += 1
            if at == floor:
                return None
            at -= 1

    def stuck(self, tokens: Sequence[int], floor: int) -> int:
        """Return where to go on if no token is left to choose behind ``tokens``: further back, or with bans lifted."""
        at = len(tokens)
        self.dead_ends += 1
        back = self.back(tokens, at - 1, floor)
        if back is not None:
            return back
        self._open = at
        self._banned.pop(at, None)
        return at

    def _may_go_back(self, length: int) -> bool:
        self._longest = max(self._longest, length)
        return self.rewinds < _REWINDS * max(self._longest, _LEAST)

    def _gone_back(self, at: int) -> int:
        self.rewinds += 1
        self._banned = {position: bans for position, bans in self._banned.items() if position <= at}
        if self._open > at:
            self._open = -1
        return at


class Bans:
    """The banned texts and regexes, ready for any number of replies.

    >>> run = Bans.of(["spine"]).start()
    >>> run.offer(7, b"Her "), run.offer(8, b"spi"), run.offer(9, b"ne"), run.tokens, run.banned
    (None, None, 1, [7], {8})
    """

    def __init__(self, banned: Sequence[str]) -> None:
        patterns = {entry: ban_regex(entry) for entry in banned}
        self.phrases = tuple(entry for entry, pattern in patterns.items() if pattern is None)
        self.regexes = tuple((entry, made) for entry, made in patterns.items() if made is not None)
        self.automaton = Automaton([folded(phrase) for phrase in self.phrases])

    @classmethod
    def of(cls, banned: Sequence[str]) -> Bans | None:
        """Return the bans of a `Sampling`, or None if there are none."""
        return _compiled(tuple(banned)) if banned else None

    def start(self, stops: Sequence[str] = ()) -> BanRun:
        """Begin a reply that ends at one of the stop texts."""
        return BanRun(self, stops)


class _Mark(NamedTuple):
    """Where things stand before a position's token: counts of characters, states of automatons."""

    end: int = 0
    pending: bytes = b""
    since: int = 0
    stop: int = 0
    looked: int = 0
    state: int = 0
    starts: tuple[int, ...] = ()


class _Hit(NamedTuple):
    """A banned phrase in the text, from character to character, with all entries that end there."""

    start: int
    end: int
    entries: tuple[str, ...]


class BanRun:
    """Watches over one reply. The loop that writes it holds to this protocol, positions counting from 0:

    1. At position ``len(run.tokens)`` it chooses a token that is not in ``run.banned``. If none is left, it calls
       `stuck`; None then means that the bans are not to blame.
    2. Before it decodes the token it calls `offer`, or `end` if the token ends the reply or its length is reached.
       ``None``: it stands; after `offer` the loop ends if ``run.stopped`` (a stop text), else decodes and goes on.
       A number: the position to go back to. The loop drops what it decoded from there, takes up the logits and
       samplers as they were before that position's choice, and chooses again (1.). The number may be the position
       at which it stands.
    3. After each of these it may `take` the tokens that are final now, and show them; the others may yet change.
    4. If the user ends the reply, `cut` makes final what may stay. `report` tells what was done.
    """

    def __init__(self, bans: Bans, stops: Sequence[str]) -> None:
        self._bans = bans
        self._plan = BanPlan()
        self._stops = Automaton(stops)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text, self._base = "", 0
        self._marks = [_Mark(starts=(0,) * len(bans.regexes))]
        self._looked = self._state = 0
        self._starts = [0] * len(bans.regexes)
        self._purses = [_PURSE_S] * len(bans.regexes)
        self._clear = self._settled = self._taken = 0
        self._removed: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        self._found: dict[str, dict[str, None]] = {}
        self.tokens: list[int] = []
        """The tokens that stand so far, also those that may still be taken back."""
        self.stopped = False
        """Whether a stop text has come."""

    @property
    def banned(self) -> Collection[int]:
        """The ids that must not be chosen next."""
        return self._plan.at(len(self.tokens))

    def offer(self, token: int, piece: bytes) -> int | None:
        """Take a chosen token with its bytes; return None if it stands, or the position to go back to."""
        before = self._marks[-1]
        text, pending = self._decoded(before.pending, piece)
        since = before.since if before.pending and not text else len(self.tokens)
        self.tokens.append(token)
        self._text += text
        end, stop, limit = before.end + len(text), before.stop, before.end + len(text)
        if self._stops.depths[-1]:
            stop, at = self._stops.scan(stop, text)
            self.stopped = at > 0
            limit = before.end + at - self._stops.longest(stop) if at else end - self._stops.depths[stop]
        back = self._judged(limit)
        if back is None:
            self._marks.append(
                _Mark(end, pending, since, stop, self._looked, self._state, tuple(self._starts))
            )
            self._settle()
        return back

    def end(self) -> int | None:
        """Judge the text as a whole; return None if the reply may end here, or the position to go back to."""
        back = self._judged(self._marks[-1].end, final=True)
        if back is None:
            self._settled = len(self.tokens)
        return back

    def stuck(self) -> int | None:
        """Return the position to go back to where no token is left to choose, or None if nothing is banned here."""
        if not self.banned:
            return None
        back = self._plan.stuck(self.tokens, self._settled)
        self._go_back(back)
        return back

    def cut(self) -> None:
        """End the reply where it stands, or before a phrase that is a banned one now that nothing follows."""
        while (hit := self._next_hit(self._marks[-1].end, final=True)) is not None:
            keep = max(self._settled, self._token_of(hit.start))
            if keep == len(self.tokens):
                self._note(hit, self._passed)
                break
            self._note(hit, self._removed)
            self._go_back(keep)
        self._settled = len(self.tokens)

    def take(self) -> list[int]:
        """Return the tokens that have become final since the last time."""
        new = self.tokens[self._taken : self._settled]
        self._taken = self._settled
        return new

    def report(self) -> BanReport:
        """Return what was done so far."""
        occurred = {**self._removed, **self._passed}
        counts = (
            BanCount(
                entry, self._removed.get(entry, 0), self._passed.get(entry, 0), tuple(self._found[entry])
            )
            for entry in occurred
        )
        slow = (entry for (entry, _), left in zip(self._bans.regexes, self._purses, strict=True) if left <= 0)
        return BanReport(tuple(counts), self._plan.rewinds, self._plan.dead_ends, tuple(slow))

    def _decoded(self, pending: bytes, piece: bytes) -> tuple[str, bytes]:
        if not pending and piece.isascii():
            return piece.decode("ascii"), b""
        self._decoder.setstate((pending, 0))
        return self._decoder.decode(piece), self._decoder.getstate()[0]

    def _judged(self, limit: int, *, final: bool = False) -> int | None:
        """Look at the text up to ``limit``, behind which a stop text may begin."""
        final = final or self.stopped
        while (hit := self._next_hit(limit, final)) is not None:
            back = self._plan.back(self.tokens, self._token_of(hit.start), self._settled)
            self._note(hit, self._passed if back is None else self._removed)
            if back is not None:
                self._go_back(back)
                return back
        return None

    def _note(self, hit: _Hit, counts: dict[str, int]) -> None:
        there = self._text[hit.start - self._base : hit.end - self._base][:_FOUND_LENGTH]
        for entry in hit.entries:
            counts[entry] = counts.get(entry, 0) + 1
            found = self._found.setdefault(entry, {})
            if len(found) < _FOUND:
                found[there] = None

    def _go_back(self, position: int) -> None:
        mark = self._marks[position]
        del self._marks[position + 1 :], self.tokens[position:]
        self._text = self._text[: mark.end - self._base]
        self._looked, self._state, self._starts = mark.looked, mark.state, list(mark.starts)
        self._clear = min(self._clear, position)
        self.stopped = False

    def _settle(self) -> None:
        """Find the tokens that no phrase can begin in any more."""
        mark = self._marks[-1]
        if self.stopped:
            self._settled = len(self.tokens)
            return
        safe = min(mark.looked - self._bans.automaton.depths[mark.state], mark.looked, *mark.starts)
        last = mark.since if mark.pending else len(self.tokens)
        while self._clear < last and self._marks[self._clear + 1].end <= safe:
            self._clear += 1
        self._settled = max(self._settled, self._clear - MARGIN)
        if len(self._text) > 8 * _WINDOW:
            base = max(self._base, self._marks[self._settled].end - _WINDOW)
            self._text, self._base = self._text[base - self._base :], base

    def _token_of(self, character: int) -> int:
        """Return the token that holds the first byte of a character."""
        token = bisect.bisect_right(self._marks, character, key=lambda mark: mark.end) - 1
        mark = self._marks[token]
        return mark.since if mark.pending and mark.end == character else token

    def _next_hit(self, limit: int, final: bool) -> _Hit | None:
        hit = self._phrase(limit)
        for number in range(len(self._starts)) if hit is None else ():
            hit = self._regex(number, limit, final)
            if hit is not None:
                break
        return hit

    def _phrase(self, limit: int) -> _Hit | None:
        if not self._bans.phrases:
            self._looked = limit
            return None
        text = folded(self._text[self._looked - self._base : limit - self._base])
        self._state, at = self._bans.automaton.scan(self._state, text)
        self._looked = self._looked + at if at else limit
        if not at:
            return None
        phrases = [self._bans.phrases[number] for number in self._bans.automaton.ending(self._state)]
        return _Hit(self._looked - len(phrases[-1]), self._looked, tuple(reversed(phrases)))

    def _regex(self, number: int, limit: int, final: bool) -> _Hit | None:
        if self._purses[number] <= 0:
            self._starts[number] = limit
            return None
        entry, pattern = self._bans.regexes[number]
        start = max(self._starts[number], limit - _WINDOW)
        began = time.perf_counter()
        try:
            start, end = self._searched(pattern, start - self._base, limit - self._base, final, number)
        except TimeoutError:
            self._purses[number] = 0
            start, end = limit - self._base, 0
        spent = time.perf_counter() - began
        if spent > _FREE_S:
            self._purses[number] -= spent
        self._starts[number] = (end or start) + self._base
        return _Hit(start + self._base, end + self._base, (entry,)) if end else None

    def _searched(self, pattern: Any, start: int, limit: int, final: bool, number: int) -> tuple[int, int]:
        """Return a match's start and end; or where one may begin, and 0. All are indexes in the text that is kept."""
        purse, at = self._purses[number], start
        while True:
            match = pattern.search(self._text, at, limit, partial=not final, timeout=purse)
            if match is None:
                return limit, 0
            if match.partial:
                return max(start, match.start()), 0
            if match.end() > match.start() >= start:
                break
            at = max(at, match.end()) + 1
            if at > limit:
                return limit, 0
        began: int = match.start()
        ended: int = match.end()
        text = self._text[:limit]
        decided = final or ended < limit - 1
        if decided or all(pattern.match(text + after, began, timeout=purse) for after in _NEXT):
            return began, ended
        return start, 0


@functools.lru_cache(8)
def _compiled(banned: tuple[str, ...]) -> Bans:
    return Bans(banned)
