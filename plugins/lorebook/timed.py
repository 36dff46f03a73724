"""Sticky, cooldown and delay: what an entry that fired earlier on this branch means for it now.

What fired is kept with the message that was the newest then. So branches inherit it, another alternative of a reply
takes the place of what the first one kept, and nothing needs to be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .entry import Entry

NOTHING: Final = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Record:
    """An entry fired when so many messages were there; ``digest`` is that of the entry then."""

    count: int
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Timed:
    """The entries, by key, that are held on, held off, or have fired before, and how many messages more."""

    sticky: Mapping[str, int]
    cooling: Mapping[str, int]
    matched: frozenset[str] = NOTHING


NO_EFFECTS: Final = Timed({}, {})


def lasting(entry: Entry) -> bool:
    """Return whether it matters later that an entry fired."""
    marks = entry.decorators
    return bool(entry.sticky or entry.cooldown or marks.keep_after_match or marks.never_after_match)


def effects(records: Iterable[Record], entries: Mapping[str, Entry], count: int) -> Timed:
    """Return what holds when there are ``count`` messages.

    An entry that fired at n with sticky s stays on while there are fewer than n + s messages; its cooldown begins
    where that ends, or at n without sticky, and holds it off for as many messages. What fired while either lasted
    begins nothing new. Records of changed entries, and those made with as many messages as now, say nothing.
    """
    begun: dict[str, int] = {}
    matched: set[str] = set()
    for record in sorted(records, key=lambda record: record.count):
        entry = entries.get(record.key)
        if entry is None or entry.digest != record.digest or record.count >= count:
            continue
        matched.add(record.key)
        if record.key not in begun or record.count >= begun[record.key] + entry.sticky + entry.cooldown:
            begun[record.key] = record.count
    sticky: dict[str, int] = {}
    cooling: dict[str, int] = {}
    for key, start in begun.items():
        entry = entries[key]
        middle, end = start + entry.sticky, start + entry.sticky + entry.cooldown
        if count < middle:
            sticky[key] = middle - count
        elif count < end:
            cooling[key] = end - count
    return Timed(sticky, cooling, frozenset(matched))
