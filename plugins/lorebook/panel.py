"""The lorebook editor: the books of a chat, their entries, a form for each, and why entries are in the prompt.

Places are ``book:KIND:NAME``, with what is looked for behind it, ``entry:KIND:NAME:NUMBER``, ``why`` and ``settings``;
names are written as in addresses of pages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from airochat.errors import UsageError
from airochat.hooks import Act, Button, ChatContext, Field, Outcome, Row, Rows, Setting, Text, View
from airochat.hooks.panels import Part
from airochat.text import one_line

from . import commands, editing, why
from .desk import PATIENCE, Desk, Look, in_time
from .editing import Open, opened
from .entry import Entry
from .form import doubts, parts_of
from .options import CHOICES, LARGEST, NAMES, PERCENT, Options, checked

MOST_ROWS: Final = 300
"""How many entries are listed at once."""
_WHERE: Final = Setting("where", "choice", "chat", choices=tuple(commands.PLACES), label="use it for")
_EDIT_NOTE: Final = (
    "This book is part of a card, whose editor changes it. A copy for this chat can be changed here."
)


def show(desk: Desk, context: ChatContext, place: str, seconds: float = PATIENCE) -> View:
    """Return what is at a place; `UsageError` if the books are still being read."""
    found = in_time(lambda: _shown(desk, context, place), seconds)
    if found is None:
        raise UsageError(
            "The lorebooks are still being read.", "Large ones take a while; try again in a moment."
        )
    return found


def _shown(desk: Desk, context: ChatContext, place: str) -> View:
    kind, *words = _words(place)
    if kind == "book" and len(words) in (2, 3):
        return _book(desk.look(context), opened(desk, context, *words[:2]), "".join(words[2:]))
    if kind == "entry" and len(words) == 3:
        return _entry(desk.look(context), opened(desk, context, *words[:2]), words[2])
    if kind == "why":
        return _why(desk.look(context))
    if kind == "settings":
        return _settings(desk.options(context))
    return _books(desk, context)


def act(desk: Desk, context: ChatContext, done: Act) -> Outcome:
    """Do what the user did at a place."""
    kind, *words = _words(done.place)
    if kind == "book":
        return _act_on_book(desk, context, done, opened(desk, context, *words[:2]))
    if kind == "entry":
        return _act_on_entry(desk, context, done, opened(desk, context, *words[:2]), words[2])
    if kind == "why":
        return Outcome(place=done.row)
    if kind == "settings":
        return _save_settings(desk, context, done)
    return _act_on_books(desk, context, done)


# -- the books --------------------------------------------------------------------------------------------------


def _books(desk: Desk, context: ChatContext) -> View:
    look = desk.look(context)
    embedded = {id(book) for book in look.shelf.embedded}
    rows = []
    for place, book in look.shelf.every():
        inside = id(book) in embedded
        off = book.name in look.shelf.off
        there = sum(fired.entry.book == book.name for fired in look.found.fired)
        rows.append(
            Row(
                _place("book", "card" if inside else "file", book.name),
                (
                    book.name,
                    f"{len(book.entries):,}",
                    "in the card" if inside else commands.BELONGS[place],
                    "off" if off else f"{there} in the prompt",
                ),
                marked=not off,
            )
        )
    limit = "" if look.found.total is None else f" of {look.found.total:,}"
    table = Rows(
        "books",
        ("name", "entries", "where", "now"),
        tuple({row.key: row for row in rows}.values()),
        (
            Button("open", "Open"),
            Button("switch", "On or off"),
            Button("copy", "Copy to this chat"),
            Button("remove", "Remove", "Delete this lorebook, for all chats?"),
        ),
        "This chat has no lorebooks. Add a file, or make a new one.",
    )
    parts: list[Part] = [
        Text(f"Lore takes {look.found.used:,}{limit} tokens of the prompt.", "soft"),
        *(Text(problem, "warning") for problem in look.shelf.problems),
        table,
        Button("why", "Why is what in the prompt?"),
        Button("settings", "Settings"),
        Text("Add a lorebook", "heading"),
        Field(Setting("file", "text", "", "A lorebook of any kind, or a card that has one."), ""),
        Field(Setting("called", "text", "", "For a new one.", label="new name"), ""),
        Field(_WHERE, "chat"),
        Button("add", "Add the file"),
        Button("new", "Make a new one"),
    ]
    return View("Lorebooks", tuple(parts))


def _act_on_books(desk: Desk, context: ChatContext, done: Act) -> Outcome:
    if done.button in ("why", "settings"):
        return Outcome(place=done.button)
    if done.button in ("add", "new"):
        return _add(desk, context, done.values)
    found = opened(desk, context, *_words(done.row)[1:])
    name = found.book.name
    if done.button == "open":
        return Outcome(place=done.row)
    if done.button == "switch":
        off = name not in desk.library.shelf(context, desk.options(context)).off
        commands.switch_off(context, name, off)
        return Outcome(f"{name} is {'off' if off else 'on'} in this chat.")
    if done.button == "copy":
        copy = editing.copied(desk, context, found)
        return Outcome(f"{copy} is in this chat, and {name} is off in it.", _place("book", "file", copy))
    if found.kind == "card":
        raise UsageError(f"{name} is part of a card.", "Switch it off instead.")
    return Outcome(f"{desk.library.remove(context, name)} is gone.")


def _add(desk: Desk, context: ChatContext, values: Mapping[str, Any]) -> Outcome:
    place = commands.PLACES[values["where"]]
    file = values["file"].strip().strip("\"'")
    if values["called"].strip():
        name = editing.create(desk, context, values["called"], place)
        return Outcome(f"{name} is used {commands.BELONGS[place]}.", _place("book", "file", name))
    if not file:
        raise UsageError("Which one?", "Type the path of a file to add, or the name of a new lorebook.")
    book, odd = desk.library.add(context, Path(file).expanduser(), place)
    told = [f"{book.name} is used {commands.BELONGS[place]}.", *odd[:5]]
    return Outcome("\n".join(told), _place("book", "file", book.name))


# -- one book ---------------------------------------------------------------------------------------------------


def _book(look: Look, found: Open, wanted: str) -> View:
    entries = [entry for entry in found.book.entries if _fits(entry, wanted)]
    fired = {one.entry.key: one for one in look.found.fired}
    rows = []
    for entry in entries[:MOST_ROWS]:
        now = fired[entry.key].cause.words if entry.key in fired else why.reason(look, entry)
        cells = (entry.name, ", ".join(entry.keys)[:80], why.place_words(look, entry), now)
        rows.append(Row(entry.uid, cells, marked=entry.key in fired))
    file = found.kind == "file"
    change = (
        Button("switch", "On or off, in the book"),
        Button("duplicate", "Duplicate"),
        Button("delete", "Delete", "Delete this entry?"),
    )
    left = len(entries) - len(rows)
    top: list[Part] = [] if file else [Text(_EDIT_NOTE, "soft"), Button("copy", "Copy to this chat")]
    parts: list[Part] = [
        *top,
        Rows(
            "entries",
            ("name", "keys", "where", "now"),
            tuple(rows),
            (
                Button("edit", "Edit" if file else "Show"),
                Button("here", "On or off, here"),
                *(change if file else ()),
            ),
            "Nothing like that is in it." if wanted else "It has no entries yet.",
        ),
        *(
            [Text(f"… and {left:,} more; look for a word in their names, keys or texts.", "soft")]
            if left
            else []
        ),
        Field(Setting("wanted", "text", "", label="look for"), wanted),
        Button("find", "Find"),
        *([Button("new", "New entry")] if file else []),
    ]
    return View(found.book.name, tuple(parts))


def _act_on_book(desk: Desk, context: ChatContext, done: Act, found: Open) -> Outcome:
    kind, name = found.kind, found.book.name
    if done.button == "find":
        return Outcome(place=_place("book", kind, name, done.values["wanted"].strip()))
    if done.button == "copy":
        copy = editing.copied(desk, context, found)
        return Outcome(f"{copy} is in this chat, and {name} is off in it.", _place("book", "file", copy))
    if done.button == "new":
        return Outcome(place=_place("entry", kind, name, editing.add(desk, context, found)))
    if done.button == "edit":
        return Outcome(place=_place("entry", kind, name, done.row))
    entry, _ = found.entry(done.row)
    if done.button == "here":
        kept = context.data.get("off")
        off = entry.key not in (kept if isinstance(kept, list) else ())
        commands.switch_off(context, entry.key, off)
        return Outcome(f"{entry.name} is {'off' if off else 'on'} in this chat.")
    if done.button == "switch":
        on = editing.switch(desk, context, found, done.row)
        return Outcome(f"{entry.name} is {'on' if on else 'off'}, in all chats with this book.")
    if done.button == "duplicate":
        return Outcome(place=_place("entry", kind, name, editing.add(desk, context, found, done.row)))
    return Outcome(f"{editing.delete(desk, context, found, done.row)} is gone.")


def _fits(entry: Entry, wanted: str) -> bool:
    folded = wanted.casefold()
    return not folded or any(folded in text.casefold() for text in (entry.name, entry.content, *entry.keys))


# -- one entry --------------------------------------------------------------------------------------------------


def _entry(look: Look, found: Open, uid: str) -> View:
    entry, raw = found.entry(uid)
    there = any(other.key == entry.key for other in look.ring.entries)
    told = why.explain(look, entry) if there else f"{why.name(entry)}: {why.reason(look, entry)}"
    if found.kind == "card":
        keys = ", ".join(entry.keys)
        parts: list[Part] = [Text(_EDIT_NOTE, "soft"), Text(f"Keys: {keys}"), Text(raw["content"])]
        return View(entry.name, (*parts, Text(told, "soft")))
    state, _, more = told.partition("\n")
    marks = [line for line in raw["content"].split("\n") if line.strip().startswith("@@")]
    warning = (
        [Text(f"What its text begins with counts before the fields: {', '.join(marks)}.", "soft")]
        if marks
        else []
    )
    save = Button("save", "Save")
    top, bottom = Text(state, "soft"), [Text(more, "soft")] if more else []
    return View(entry.name, (top, *warning, *parts_of(entry, raw), save, *bottom))


def _act_on_entry(desk: Desk, context: ChatContext, done: Act, found: Open, uid: str) -> Outcome:
    editing.save(desk, context, found, uid, done.values)
    return Outcome("\n".join(["The entry is saved.", *doubts(done.values)]))


# -- why, and the settings --------------------------------------------------------------------------------------


def _why(look: Look) -> View:
    rows: dict[str, Row] = {}
    embedded = {book.name for book in look.shelf.embedded}
    for entry, state, words, there in _told(look):
        kind = "card" if entry.book in embedded else "file"
        key = _place("entry", kind, entry.book, entry.uid)
        rows.setdefault(key, Row(key, (why.name(entry), state, words), marked=there))
    limit = "" if look.found.total is None else f" of {look.found.total:,}"
    return View(
        "Why lore is in the prompt",
        (
            Text(
                f"{look.found.used:,}{limit} tokens. /lore last tells of the prompt of the last reply.",
                "soft",
            ),
            Rows(
                "entries",
                ("entry", "now", "why"),
                tuple(rows.values())[:MOST_ROWS],
                (Button("open", "Open"),),
                "No lore was found.",
            ),
            *(Text(f"The regex {one_line(key, 60)} takes too long.", "warning") for key in look.found.slow),
        ),
    )


def _told(look: Look) -> Iterator[tuple[Entry, str, str, bool]]:
    for fired in look.found.fired:
        yield fired.entry, f"in the prompt, {fired.tokens:,} tokens", fired.cause.words, True
    for one in look.found.skipped.values():
        if one.entry.enabled:
            found = f" ({one.cause.words})" if one.cause else ""
            yield one.entry, "left out", f"{one.reason}{found}", False
    for entry, words in why.deeper(look):
        yield entry, "near miss", words, False


def _settings(options: Options) -> View:
    fields = [Field(_setting(name), getattr(options, name)) for name in NAMES]
    return View(
        "Settings of the lorebooks",
        (
            Text("compat sillytavern sets all of the last ones to what SillyTavern does.", "soft"),
            *fields,
            Button("everywhere", "Save for all chats"),
            Button("here", "Save for this chat"),
        ),
    )


def _setting(name: str) -> Setting:
    default = getattr(Options(), name)
    if name in CHOICES:
        return Setting(name, "choice", default, choices=CHOICES[name])
    kind = "bool" if isinstance(default, bool) else "int"
    return Setting(name, kind, default, least=0, most=100 if name in PERCENT else LARGEST)


def _save_settings(desk: Desk, context: ChatContext, done: Act) -> Outcome:
    now = dataclasses.asdict(desk.options(context))
    new = {name: checked(name, value) for name, value in done.values.items() if value != now[name]}
    commands.store(context.data if done.button == "here" else context.storage("global"), new)
    return Outcome("The settings are saved.", "")


# -- places -----------------------------------------------------------------------------------------------------


def _place(*words: str) -> str:
    return ":".join(quote(word, safe=" ") for word in words)


def _words(place: str) -> list[str]:
    return [unquote(word) for word in place.split(":")]
