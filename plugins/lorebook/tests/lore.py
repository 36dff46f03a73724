"""Short ways to write lore in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from plugins.lorebook.book import read_book
from plugins.lorebook.entry import Book
from plugins.lorebook.keyring import Keyring
from plugins.lorebook.options import Options, made
from plugins.lorebook.order import Place, sorted_entries
from plugins.lorebook.scan import Scan
from plugins.lorebook.scene import Found, Said, Scene
from plugins.lorebook.timed import Record, effects


def world(*entries: Mapping[str, Any], name: str = "World", **book: Any) -> Book:
    """A book from entries as world files have them; titles are in ``comment``."""
    listed = {
        str(number): {"uid": number, "comment": entry.get("content", ""), **entry}
        for number, entry in enumerate(entries)
    }
    return read_book({"name": name, "entries": listed, **book}, "The test's book")[0]


def v3(*entries: Mapping[str, Any], name: str = "Card", **book: Any) -> Book:
    """A book from entries as cards have them."""
    listed = [
        {"extensions": {}, "enabled": True, "insertion_order": 100, "use_regex": False, **entry}
        for entry in entries
    ]
    return read_book({"name": name, "extensions": {}, "entries": listed, **book}, "The test's book")[0]


def words(texts: Sequence[str]) -> list[int]:
    """Tokens, if a word is one."""
    return [len(text.split()) for text in texts]


def options(mode: str, **changed: Any) -> Options:
    """The settings of a mode, and what is changed."""
    return made({"compat": mode, **changed})


def scan(
    books: Book | Mapping[Place, Sequence[Book]],
    said: Iterable[str],
    how: Options,
    *,
    records: Iterable[tuple[int, str]] = (),
    expand: Callable[[str], str] = str,
    **scene: Any,
) -> Found:
    """Scan messages of User and Aria in turn, or those with a name before a colon."""
    listed: Mapping[Place, Sequence[Book]] = {"global": [books]} if isinstance(books, Book) else books
    placed = {place: [_read_again(book, how) for book in found] for place, found in listed.items()}
    entries = sorted_entries(placed, how)
    messages = tuple(message(number, text) for number, text in enumerate(said))
    by_key = {entry.key: entry for entry in entries}
    past = [Record(count, key, by_key[key].digest) for count, key in records if key in by_key]
    scene.setdefault("timed", effects(past, by_key, len(messages)))
    named = {book.name: book for found in placed.values() for book in found}
    return Scan(Keyring(entries, how, expand), named, Scene(said=messages, **scene), words, expand).run()


def _read_again(book: Book, how: Options) -> Book:
    """The book with the decorators that count."""
    if how.decorators == "all":
        return book
    raw = {**book.raw, "recursive_scanning": book.recursive}
    return read_book(raw, "The test's book", every_decorator=False)[0]


def message(number: int, text: str) -> Said:
    """Message number ``number``, counted from 0."""
    name, colon, rest = text.partition(": ")
    if colon and name.isalpha():
        return Said(f"m{number}", name, rest)
    return Said(f"m{number}", "Aria" if number % 2 else "User", text)


def titles(found: Found) -> list[str]:
    """What is in the prompt, in order."""
    return [fired.entry.name for fired in found.fired]
