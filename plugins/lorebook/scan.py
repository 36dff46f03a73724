"""The scan: which entries are in the prompt, and why.

Everything is looked through again as long as entries are found whose text may have keys of others, or fewer were
found than wanted. Whatever is left to chance depends on the scene's seed alone.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .budget import Purse, limit
from .entry import Book, Entry
from .gates import barred, held_on
from .groups import losers
from .keyring import DEEPEST, Finder, Keyring
from .scene import Cause, Count, Fired, Found, Piece, Scene, Skipped, extra_label

State = Literal["initial", "recursion", "wanted"]
"""What a pass is for: the messages, what was found before, or older messages since too little was found."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    number: int
    entry: Entry
    cause: Cause
    seen: tuple[int, ...]


@dataclass(slots=True)
class _Work:
    """What is known in the middle of a scan."""

    fired: dict[int, Fired] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    """Entries that are on, or will not be tried again."""
    skipped: dict[str, Skipped] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    """The name of the winner of each group."""
    loops: int = 0
    skew: int = 0
    level: int = 0
    fed: bool = False
    """Whether there is lore to look through."""


class Scan:
    """One scan of one scene. ``expand`` expands macros in contents; ``count`` counts tokens."""

    def __init__(
        self,
        ring: Keyring,
        books: Mapping[str, Book],
        scene: Scene,
        count: Count,
        expand: Callable[[str], str] = str,
    ) -> None:
        self._ring = ring
        self._books = books
        self._scene = scene
        self._count = count
        self._expand = expand
        self._options = ring.options
        self._finder = Finder(ring)
        self._work = _Work()
        entries = ring.entries
        self._sure = [n for n, entry in enumerate(entries) if held_on(entry, scene) is not None]
        levels = {entry.delay_until_recursion for entry in entries if entry.delay_until_recursion}
        self._levels = deque(sorted(levels))
        limits = {name: book.token_budget for name, book in books.items() if book.token_budget is not None}
        self._purse = Purse(
            ring.options,
            limit(ring.options, scene.room),
            limits if ring.options.book_limits else {},
            self._constants(),
        )
        self._read = 0

    def run(self) -> Found:
        """Scan, and return what was found."""
        work, options = self._work, self._options
        self._begin()
        work.level = self._levels.popleft() if self._levels else 0
        state: State | None = "initial"
        while state and not (options.max_recursion_steps and work.loops >= options.max_recursion_steps):
            work.loops += 1
            new = self._pay(self._after_groups(list(self._candidates(state))))
            fed = self._feed(new)
            state = self._next(state, fed)
        ranked = sorted(work.fired.values(), key=lambda fired: -fired.entry.order)
        return Found(
            tuple(reversed(ranked)),
            work.skipped,
            self._purse.used,
            self._purse.total,
            work.loops,
            options.scan_depth + work.skew,
            tuple(dict.fromkeys(self._finder.clock.slow)),
        )

    # -- what is read -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        depths = [book.scan_depth or 0 for book in self._books.values()] if self._options.book_limits else []
        self._read_messages(max(self._options.scan_depth, self._ring.deepest, *depths, 0))
        for text in self._scene.injects:
            self._finder.add(Piece("inject", text, "the author's note"))
        for kind, text in self._scene.extras.items():
            if text:
                self._finder.add(Piece(kind, text, extra_label(kind)))

    def _read_messages(self, depth: int) -> None:
        said = self._scene.said
        while self._read < min(depth, len(said), DEEPEST):
            message = said[-1 - self._read]
            text = f"{message.name}: {message.text}" if self._options.include_names else message.text
            label = f"message {len(said) - self._read}"
            self._finder.add(Piece("message", text, label, self._read, message.id))
            self._read += 1

    def _depth(self, entry: Entry) -> int:
        if entry.scan_depth is not None:
            return entry.scan_depth
        book = self._books.get(entry.book)
        if self._options.book_limits and book is not None and book.scan_depth is not None:
            return book.scan_depth + self._work.skew
        return self._options.scan_depth + self._work.skew

    def _recursive(self, entry: Entry) -> bool:
        book = self._books.get(entry.book)
        return not (self._options.book_limits and book is not None and book.recursive is False)

    # -- one pass -----------------------------------------------------------------------------------------------

    def _candidates(self, state: State) -> Iterator[_Candidate]:
        """Yield the entries that are on, before groups, chance and budget; in their order."""
        tried = {*self._sure, *self._finder.touched, *self._ring.by_pattern} - self._work.finished
        found = []
        for number in sorted(tried):
            entry = self._ring.entries[number]
            why = barred(entry, self._scene) or self._not_now(entry, state)
            if why:
                self._skip(entry, why)
                continue
            recursion = state != "wanted" and self._recursive(entry)
            seen = self._finder.visible(entry, self._depth(entry), recursion=recursion)
            cause = held_on(entry, self._scene)
            if cause is None:
                cause, why = self._finder.cause(number, seen)
                if cause is None:
                    if why:
                        self._skip(entry, why)
                    continue
            found.append(_Candidate(number, entry, cause, seen))
        sticky = self._scene.timed.sticky
        yield from sorted(found, key=lambda one: one.entry.key not in sticky)

    def _not_now(self, entry: Entry, state: State) -> str:
        """Return why an entry waits for another pass."""
        if entry.key in self._scene.timed.sticky:
            return ""
        if state != "recursion" and entry.delay_until_recursion:
            return "waits for recursion"
        if state == "recursion" and entry.delay_until_recursion > self._work.level:
            return f"waits for level {entry.delay_until_recursion} of the recursion"
        if state == "recursion" and self._options.recursive and entry.exclude_recursion:
            return "is not found by recursion"
        return ""

    def _after_groups(self, candidates: list[_Candidate]) -> list[_Candidate]:
        if not any(one.entry.groups for one in candidates):
            return candidates
        by_key = {one.entry.key: one for one in candidates}

        def score(entry: Entry) -> int | None:
            counts = self._options.group_scoring if entry.group_scoring is None else entry.group_scoring
            one = by_key[entry.key]
            return self._finder.score(one.number, one.seen) if counts else None

        out = losers(
            [one.entry for one in candidates if one.entry.groups],
            self._scene.timed.sticky,
            self._work.settled,
            score,
            lambda name: self._dice(f"group {name} {self._work.loops}"),
        )
        for key, why in out.items():
            self._skip(by_key[key].entry, why, by_key[key].cause)
        return [one for one in candidates if one.entry.key not in out]

    def _pay(self, candidates: Sequence[_Candidate]) -> list[Fired]:
        """Roll the dice and take the tokens of the candidates; return those that are on now."""
        lucky = [one for one in candidates if self._lucky(one)]
        if self._options.overflow == "skip":
            lucky = _by_priority(lucky)
            lucky.sort(key=lambda one: _urgency(one.entry, self._scene))
        texts = [self._text(one.entry) for one in lucky]
        counts = self._count(texts) if texts else []
        new: list[Fired] = []
        for one, text, tokens in zip(lucky, texts, counts, strict=True):
            tokens = tokens if text.strip() else 0
            why = self._purse.pay(one.entry, tokens)
            if why:
                self._skip(one.entry, why, one.cause)
                if self._options.overflow == "skip":
                    self._work.finished.add(one.number)
                continue
            dice = self._roll(one.entry) if one.entry.probability < 100 else None
            fired = Fired(one.entry, text, tokens, one.cause, self._work.loops, self._purse.rank, dice)
            self._work.fired[one.number] = fired
            self._work.finished.add(one.number)
            self._work.skipped.pop(one.entry.key, None)
            for name in one.entry.groups:
                self._work.settled.setdefault(name, one.entry.name)
            new.append(fired)
        return new

    def _lucky(self, one: _Candidate) -> bool:
        entry = one.entry
        if entry.probability >= 100 or entry.key in self._scene.timed.sticky:
            return True
        rolled = self._roll(entry)
        if rolled < entry.probability:
            return True
        self._skip(entry, f"the dice said {rolled:.1f}, it needs less than {entry.probability:g}", one.cause)
        self._work.finished.add(one.number)
        return False

    # -- what comes next ----------------------------------------------------------------------------------------

    def _feed(self, new: Sequence[Fired]) -> bool:
        """Add the texts of new entries to what is looked through; return whether there was one."""
        fed = False
        for fired in new:
            if fired.entry.prevent_recursion or not self._recursive(fired.entry):
                continue
            fed = True
            text = "\n".join([fired.text, *_hidden_keys(fired.entry.content)])
            self._finder.add(Piece("recursion", text, f'the entry "{fired.entry.name}"', id=fired.entry.key))
        self._work.fed = self._work.fed or fed
        return fed

    def _next(self, state: State, fed: bool) -> State | None:
        options, work = self._options, self._work
        stopped = self._purse.overflowed and options.overflow == "stop"
        if options.recursive and not stopped and (fed or (state == "wanted" and work.fed)):
            return "recursion"
        if not stopped and self._too_few():
            work.skew += 1
            self._read_messages(options.scan_depth + work.skew)
            return "wanted"
        if self._levels and (options.delay_levels == "always" or (work.fed and options.recursive)):
            work.level = self._levels.popleft()
            return "recursion"
        return None

    def _too_few(self) -> bool:
        options, depth = self._options, self._options.scan_depth + self._work.skew
        most = options.min_activations_depth or DEEPEST
        wanted = options.min_activations
        return len(self._work.fired) < wanted and depth < most and depth < len(self._scene.said)

    # -- small things -------------------------------------------------------------------------------------------

    def _constants(self) -> int:
        """Return the tokens of the constant entries that can be on, for which a share of the budget is kept."""
        if not self._options.constants_share:
            return 0
        texts = [
            self._text(entry)
            for entry in self._ring.entries
            if entry.constant and not entry.ignore_budget and not barred(entry, self._scene)
        ]
        return sum(self._count(texts)) if texts else 0

    def _text(self, entry: Entry) -> str:
        text = entry.content.replace("\r", "")
        return (self._expand(text) if "{{" in text or "<" in text else text).strip()

    def _roll(self, entry: Entry) -> float:
        return self._dice(f"entry {entry.key}").random() * 100

    def _dice(self, what: str) -> random.Random:
        return random.Random(f"{self._scene.seed}\n{what}".encode("utf-8", "surrogatepass"))

    def _skip(self, entry: Entry, reason: str, cause: Cause | None = None) -> None:
        self._work.skipped[entry.key] = Skipped(entry, reason, cause)


def _urgency(entry: Entry, scene: Scene) -> tuple[bool, bool, bool]:
    """Return what sorts entries by who gets tokens first: constant ones, then sticky ones, then the others."""
    return not entry.constant, entry.decorators.drop_first, entry.key not in scene.timed.sticky


def _by_priority(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Return the candidates with those of each book that has priorities in the order of these."""
    made = list(candidates)
    for book in {one.entry.book for one in made if one.entry.priority is not None}:
        places = [place for place, one in enumerate(made) if one.entry.book == book]
        ranked = sorted((made[place] for place in places), key=lambda one: -(one.entry.priority or 0))
        for place, one in zip(places, ranked, strict=True):
            made[place] = one
    return made


def _hidden_keys(content: str) -> Iterator[str]:
    """Yield the texts of ``{{hidden_key:…}}``, which nobody sees and recursion finds."""
    lower = content.lower()
    at = lower.find("{{hidden_key:")
    while at >= 0:
        end = content.find("}}", at)
        if end < 0:
            return
        yield content[at + len("{{hidden_key:") : end].lstrip(":")
        at = lower.find("{{hidden_key:", end)
