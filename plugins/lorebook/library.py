"""Which lorebooks there are, where they lie, and which of them a chat uses.

Imported books are files in the plugin's folder. What is kept: everywhere, the files by the books' names, the books
that all chats use, and those of each persona; for a card and for a chat, the names of their books; and for a chat,
what is switched off there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airochat.checks import did_you_mean
from airochat.errors import AirochatError, CardError, StoreError, UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from .book import read_book
from .entry import Book
from .export import written
from .formats import read_content
from .options import Options
from .order import PLACES, Place

FOLDER: Final = "books"
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Shelf:
    """The books of a chat by where they belong, in the order in which they come, and what is wrong with others."""

    books: Mapping[Place, tuple[Book, ...]]
    off: frozenset[str]
    problems: tuple[str, ...] = ()
    embedded: tuple[Book, ...] = ()
    """Those that are part of a card."""

    @property
    def used(self) -> dict[Place, tuple[Book, ...]]:
        """The books that are not switched off."""
        return {
            place: tuple(book for book in found if book.name not in self.off)
            for place, found in self.books.items()
        }

    def every(self) -> list[tuple[Place, Book]]:
        """Return all books with where they belong."""
        return [(place, book) for place in PLACES for book in self.books.get(place, ())]

    def find(self, name: str) -> Book:
        """Return a book by its name, whatever its case; `UsageError` if there is none."""
        for _, book in self.every():
            if book.name.casefold() == name.strip().casefold():
                return book
        names = [book.name for _, book in self.every()]
        raise UsageError(f"There is no lorebook {one_line(name, 60)!r} here.", did_you_mean(name, names))


class Library:
    """Reads the books of chats; remembers files that have not changed, and the books of cards."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[tuple[int, int, bool], Book]] = {}
        self._embedded: dict[tuple[int, bool], tuple[Any, Book]] = {}

    def shelf(self, context: ChatContext, options: Options) -> Shelf:
        """Return the books of a chat."""
        problems: list[str] = []
        everywhere, chat = context.storage("global"), context.data
        files = _table(everywhere.get("files"))
        card = _texts(context.storage("card").get("books")) if context.cards else []
        persona = _table(everywhere.get("personas"))
        mine = _texts(persona.get(context.persona.name)) if context.persona else []
        listed: dict[Place, list[str]] = {
            "chat": _texts(chat.get("books")),
            "persona": mine,
            "card": card,
            "global": _texts(everywhere.get("books")),
        }
        books = {
            place: tuple(self._read(context, files, names, options, problems))
            for place, names in listed.items()
        }
        embedded = tuple(self.of_cards(context, options, problems))
        books["card"] = (*embedded, *books["card"])
        return Shelf(books, frozenset(_texts(chat.get("off"))), tuple(problems), embedded)

    def add(self, context: ChatContext, path: Path, place: Place) -> tuple[Book, list[str]]:
        """Copy a book into the plugin's folder for a place; return it, and what is odd about it."""
        try:
            content = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no path"
            raise CardError(f"The lorebook {one_line(str(path), 200)} cannot be read: {reason}.") from None
        book, odd = read_content(content, path.name, f"The lorebook {one_line(str(path), 200)}")
        self.keep(context, book, place)
        return book, [str(warning) for warning in odd]

    def keep(self, context: ChatContext, book: Book, place: Place) -> None:
        """Write a book into the plugin's folder for a place; one of its name that was added before is replaced."""
        everywhere = context.storage("global")
        files = dict(_table(everywhere.get("files")))
        if place == "persona" and context.persona is None:
            raise UsageError("This chat has no persona.", "/persona NAME sets one.")
        if place == "card" and not context.cards:
            raise UsageError("This chat has no character.")
        file = str(files.get(book.name) or _file_name(book.name, files.values()))
        path = context.folder / FOLDER / file
        _write(path, written(book))
        self._files.pop(str(path), None)
        everywhere["files"] = {**files, book.name: file}
        self._list(context, place, book.name, there=True)

    def added(self, context: ChatContext, name: str, options: Options) -> Book | None:
        """Return a book that was added, wherever it is used; None if there is none of the name."""
        file = _table(context.storage("global").get("files")).get(name)
        if not isinstance(file, str):
            return None
        return self._file(context.folder / FOLDER / Path(file).name, name, options.decorators == "all")

    def rewrite(self, context: ChatContext, name: str, document: Mapping[str, Any]) -> None:
        """Write the file of a book that was added anew; ``document`` is what it will hold."""
        path = context.folder / FOLDER / Path(str(_table(context.storage("global").get("files"))[name])).name
        _write(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        # Its size and time may be the same as before.
        self._files.pop(str(path), None)

    def remove(self, context: ChatContext, name: str) -> str:
        """Take a book that was added out of every place, and delete its file; return its name."""
        everywhere = context.storage("global")
        files = dict(_table(everywhere.get("files")))
        found = next((one for one in files if one.casefold() == name.strip().casefold()), None)
        if found is None:
            raise UsageError(
                f"There is no lorebook {one_line(name, 60)!r} to remove.",
                did_you_mean(name, files) or "A card's own one is switched off by /lore off NAME.",
            )
        for place in PLACES:
            with contextlib.suppress(ValueError):
                self._list(context, place, found, there=False)
        path = context.folder / FOLDER / Path(str(files.pop(found))).name
        everywhere["files"] = files
        with contextlib.suppress(OSError):
            path.unlink()
        return found

    def _list(self, context: ChatContext, place: Place, name: str, *, there: bool) -> None:
        everywhere = context.storage("global")
        if place == "persona":
            if context.persona is not None:
                personas = dict(_table(everywhere.get("personas")))
                who = context.persona.name
                everywhere["personas"] = {**personas, who: _changed(personas.get(who), name, there)}
            return
        if place == "card" and not context.cards:
            return
        kept = {"global": everywhere, "chat": context.data}.get(place)
        kept = context.storage("card") if kept is None else kept
        kept["books"] = _changed(kept.get("books"), name, there)

    def _read(
        self,
        context: ChatContext,
        files: Mapping[str, Any],
        names: Iterable[str],
        options: Options,
        problems: list[str],
    ) -> list[Book]:
        found = []
        for name in names:
            file = files.get(name)
            if not isinstance(file, str):
                continue
            path = context.folder / FOLDER / Path(file).name
            try:
                found.append(self._file(path, name, options.decorators == "all"))
            except AirochatError as error:
                problems.append(str(error))
        return found

    def _file(self, path: Path, name: str, every: bool) -> Book:
        try:
            state = path.stat()
        except OSError as error:
            raise CardError(f"The lorebook {name} in {path} cannot be read: {error.strerror}.") from None
        stamp = state.st_mtime_ns, state.st_size, every
        known = self._files.get(str(path))
        if known is None or known[0] != stamp:
            book, _ = read_content(
                path.read_bytes(), path.name, f"The lorebook {path}",
                name=name, every_decorator=every, empty=True,
            )  # fmt: skip
            known = self._files[str(path)] = stamp, book
        return known[1]

    def of_cards(self, context: ChatContext, options: Options, problems: list[str]) -> list[Book]:
        """Return the books in the cards, under names of which no two are the same."""
        found: list[Book] = []
        every = options.decorators == "all"
        for card in context.cards:
            if card.character_book is None:
                continue
            key = id(card.character_book), every
            if key not in self._embedded or self._embedded[key][0] is not card.character_book:
                name = str(card.character_book.get("name") or "").strip() or f"{card.called}'s lore"
                book, _ = read_book(
                    {**card.character_book, "name": name}, f"The lorebook of {card.called}", name,
                    every_decorator=every,
                )  # fmt: skip
                if len(self._embedded) > 64:
                    self._embedded.clear()
                self._embedded[key] = card.character_book, book
            book = self._embedded[key][1]
            if any(other.name == book.name for other in found):
                problems.append(f"Two characters have a lorebook {book.name!r}; only the first is used.")
            else:
                found.append(book)
        return found


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_text(text, encoding="utf-8", errors="replace")
        os.replace(new, path)
    except OSError as error:
        raise StoreError(f"The lorebook {path} cannot be written: {error.strerror}.") from None


def _file_name(name: str, taken: Iterable[Any]) -> str:
    stem = _UNSAFE.sub("-", name).strip(".-_")[:60] or "lore"
    used = {str(one).casefold() for one in taken}
    number, file = 1, f"{stem}.json"
    while file.casefold() in used:
        number += 1
        file = f"{stem}-{number}.json"
    return file


def _changed(names: Any, name: str, there: bool) -> list[str]:
    others = [one for one in _texts(names) if one != name]
    return [*others, name] if there else others


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
