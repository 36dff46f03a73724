"""In which order entries are looked at: who comes first gets its tokens first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from .entry import Book, Entry
from .options import Options

Place = Literal["chat", "persona", "card", "global"]
"""What a book belongs to."""
PLACES: Final[tuple[Place, ...]] = ("chat", "persona", "card", "global")


def sorted_entries(books: Mapping[Place, Sequence[Book]], options: Options) -> list[Entry]:
    """Return the entries of all books, those of the highest order first.

    The chat's come before all others, then the persona's; then the character's, those of all chats, or both as one,
    by ``strategy``. A book that is in two places counts once, in the first of them. Of two entries of one order the
    one that stands first in its book comes first.
    """
    taken: set[str] = set()
    lists: dict[Place, list[Entry]] = {}
    for place in PLACES:
        fresh = [book for book in books.get(place, ()) if book.name not in taken]
        taken.update(book.name for book in fresh)
        lists[place] = [entry for book in fresh for entry in book.entries]
    card, everywhere = lists["card"], lists["global"]
    rest: Iterable[Entry]
    if options.strategy == "even":
        rest = _by_order([*card, *everywhere])
    elif options.strategy == "character":
        rest = [*_by_order(card), *_by_order(everywhere)]
    else:
        rest = [*_by_order(everywhere), *_by_order(card)]
    return [*_by_order(lists["chat"]), *_by_order(lists["persona"]), *rest]


def _by_order(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: -entry.order)
