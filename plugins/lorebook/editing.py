"""Changes of books that lie in the plugin's folder: entries that are added, changed and taken away."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from airochat.characters import safe_name
from airochat.errors import UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from .book import read_book
from .commands import switch_off
from .desk import Desk
from .entry import Book, Entry
from .export import written
from .form import changed
from .order import Place

Kind = Literal["file", "card"]
"""Where a book lies: in the plugin's folder, where it can be changed, or in a card."""


@dataclass(frozen=True, slots=True)
class Open:
    """A book that is looked at."""

    kind: Kind
    book: Book

    def entry(self, uid: str) -> tuple[Entry, Mapping[str, Any]]:
        """Return an entry by its number, and its fields in the file; `UsageError` if there is none."""
        for entry, raw in zip(self.book.entries, self.book.raw["entries"], strict=False):
            if entry.uid == uid:
                return entry, raw
        raise UsageError("This entry is not there any more.")


def opened(desk: Desk, context: ChatContext, kind: str, name: str) -> Open:
    """Return a book by where it lies and its name; `UsageError` if there is none."""
    options = desk.options(context)
    if kind == "file":
        found = desk.library.added(context, name, options)
        if found is not None:
            return Open("file", found)
    else:
        for book in desk.library.of_cards(context, options, []):
            if book.name == name:
                return Open("card", book)
    raise UsageError(f"There is no lorebook {one_line(name, 60)!r} any more.")


def create(desk: Desk, context: ChatContext, name: str, place: Place) -> str:
    """Make an empty book; return its name."""
    called = safe_name(name.strip())
    if not called:
        raise UsageError("A lorebook takes a name.")
    _free(desk, context, called)
    book, _ = read_book({"name": called, "extensions": {}, "entries": []}, "The new lorebook")
    desk.library.keep(context, book, place)
    return called


def copied(desk: Desk, context: ChatContext, found: Open) -> str:
    """Copy a book to this chat, and switch the original off in it; return the copy's name."""
    number, name = 1, f"{found.book.name} (copy)"
    while _taken(desk, context, name):
        number += 1
        name = f"{found.book.name} (copy {number})"
    desk.library.keep(context, replace(found.book, name=name), "chat")
    switch_off(context, found.book.name, True)
    return name


def save(desk: Desk, context: ChatContext, found: Open, uid: str, values: Mapping[str, Any]) -> None:
    """Write what has changed in the form of an entry."""
    entry, raw = found.entry(uid)
    _write(desk, context, found, lambda entries: _put(entries, found, uid, changed(entry, raw, values)))


def switch(desk: Desk, context: ChatContext, found: Open, uid: str) -> bool:
    """Switch an entry on or off in its book; return whether it is on now."""
    entry, raw = found.entry(uid)
    new = {**raw, "enabled": not entry.enabled}
    if not entry.placed:
        del new["position"]
    _write(desk, context, found, lambda entries: _put(entries, found, uid, new))
    return not entry.enabled


def add(desk: Desk, context: ChatContext, found: Open, like: str = "") -> str:
    """Add an entry, empty or ``like`` another one; return its number."""
    ids = [raw.get("id") for raw in found.book.raw["entries"]]
    fresh = max([one for one in ids if type(one) is int], default=-1) + 1
    taken = {entry.uid for entry in found.book.entries}
    while str(fresh) in taken:
        fresh += 1
    new: dict[str, Any] = {
        "keys": [],
        "content": "",
        "extensions": {},
        "enabled": True,
        "insertion_order": 100,
    }
    if like:
        entry, raw = found.entry(like)
        new = copy.deepcopy(dict(raw))
        if not entry.placed:
            del new["position"]
    _write(desk, context, found, lambda entries: entries.append({**new, "id": fresh}))
    return str(fresh)


def delete(desk: Desk, context: ChatContext, found: Open, uid: str) -> str:
    """Take an entry out of its book; return what it was called."""
    entry, _ = found.entry(uid)

    def take(entries: list[dict[str, Any]]) -> None:
        del entries[_number(found, uid)]

    _write(desk, context, found, take)
    return entry.name


def _write(
    desk: Desk, context: ChatContext, found: Open, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    if found.kind != "file":
        raise UsageError(
            f"{found.book.name} is part of a card.",
            "Change it in the card's editor, or copy it to this chat and change the copy.",
        )
    document = json.loads(written(found.book))
    change(document["data"]["entries"])
    desk.library.rewrite(context, found.book.name, document)


def _put(entries: list[dict[str, Any]], found: Open, uid: str, new: dict[str, Any]) -> None:
    entries[_number(found, uid)] = new


def _number(found: Open, uid: str) -> int:
    return next(number for number, entry in enumerate(found.book.entries) if entry.uid == uid)


def _taken(desk: Desk, context: ChatContext, name: str) -> bool:
    options = desk.options(context)
    names = [book.name for _, book in desk.library.shelf(context, options).every()]
    files = context.storage("global").get("files")
    return name.casefold() in {
        one.casefold() for one in (*names, *(files if isinstance(files, dict) else ()))
    }


def _free(desk: Desk, context: ChatContext, name: str) -> None:
    if _taken(desk, context, name):
        raise UsageError(f"There is a lorebook {one_line(name, 60)!r} already.", "Choose another name.")
