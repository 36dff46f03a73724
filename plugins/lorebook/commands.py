"""``/lore``: the one command of the lorebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

from airochat.checks import did_you_mean
from airochat.errors import AirochatError, UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from . import why
from .desk import Desk, Look, frozen_in
from .entry import Entry
from .export import WRITERS, written
from .options import NAMES, Options, checked
from .order import Place

USAGE: Final = (
    "/lore [why|last [ENTRY] | add FILE [global|card|persona] | remove|on|off NAME | freeze|thaw ENTRY | "
    "export NAME FILE [FORM] | set NAME VALUE]"
)
PLACES: Final[Mapping[str, Place]] = {
    "global": "global",
    "chat": "chat",
    "card": "card",
    "persona": "persona",
}
"""Where a book can be used, by the words for it."""
BELONGS: Final[Mapping[Place, str]] = {
    "global": "in all chats",
    "chat": "in this chat",
    "card": "with this character",
    "persona": "with this persona",
}
"""The same, as people say it."""
_SHOWN: Final = 40


def run(desk: Desk, context: ChatContext, words: str) -> str:
    """Run ``/lore`` with what stands after it; raises `AirochatError`."""
    verb, _, rest = words.strip().partition(" ")
    if not verb:
        return show(desk.look(context))
    if verb not in _VERBS:
        raise UsageError(f"/lore has no {one_line(verb, 40)!r}.", did_you_mean(verb, _VERBS) or USAGE)
    return _VERBS[verb](desk, context, rest.strip())


def show(look: Look) -> str:
    """Return the books of a chat, and what of them is in the prompt now."""
    books = look.shelf.every()
    if not books:
        return "\n".join(["There are no lorebooks. /lore add FILE adds one.", *look.shelf.problems])
    lines = ["Lorebooks:"]
    own = {id(book) for place, book in books if place == "card"}
    for place, book in books:
        off = ", off in this chat" if book.name in look.shelf.off else ""
        count = len(book.entries)
        embedded = id(book) in own and book.name not in _added(look)
        where = "in the card" if embedded else BELONGS[place]
        lines.append(f"  {one_line(book.name, 60)}: {count:,} {_noun(count, 'entry')}, {where}{off}")
    found = look.found
    limit = "" if found.total is None else f" of {found.total:,}"
    count = len(found.fired)
    lines.append(f"In the prompt now: {count:,} {_noun(count, 'entry')}, {found.used:,}{limit} tokens.")
    for fired in found.fired[:_SHOWN]:
        where = why.place_words(look, fired.entry)
        lines.append(f"  {why.name(fired.entry)}, {fired.tokens:,} tokens, {where}: {fired.cause.words}")
    if len(found.fired) > _SHOWN:
        lines.append(f"  … and {len(found.fired) - _SHOWN} more")
    lines += [f"  {one.name}, frozen" for one in look.frozen]
    return "\n".join([*lines, *look.shelf.problems])


def _added(look: Look) -> list[str]:
    kept = look.context.storage("card").get("books")
    return kept if isinstance(kept, list) else []


def _noun(count: int, word: str) -> str:
    return word if count == 1 else f"{word[:-1]}ies"


def _why(desk: Desk, context: ChatContext, rest: str) -> str:
    return _told(desk.look(context), rest)


def _last(desk: Desk, context: ChatContext, rest: str) -> str:
    """Tell why lore was in the prompt of the last reply."""
    return _told(_at_last_reply(desk, context), rest)


def _told(look: Look, rest: str) -> str:
    return why.explain(look, find_entry(look, rest)) if rest else why.overview(look)


def _at_last_reply(desk: Desk, context: ChatContext) -> Look:
    for number in range(len(context.history) - 1, 0, -1):
        if context.history[number].role == "assistant":
            return desk.look(context, context.history[:number], context.history[number])
    raise UsageError("There is no reply yet.", "/lore why tells what the next prompt will have.")


def find_entry(look: Look, name: str) -> Entry:
    """Return an entry by ``BOOK/TITLE``, its title, its number or a key; `UsageError` if there is none."""
    wanted = name.strip().casefold()
    entries = [entry for _, book in look.shelf.every() for entry in book.entries]
    ways: tuple[Callable[[Entry], list[str]], ...] = (
        lambda entry: [f"{entry.book}/{entry.name}", entry.key],
        lambda entry: [entry.name],
        lambda entry: [entry.uid],
        lambda entry: list(entry.keys),
    )
    for way in ways:
        for entry in entries:
            if wanted in (one.casefold() for one in way(entry)):
                return entry
    hint = did_you_mean(name, [entry.name for entry in entries[:5_000]])
    raise UsageError(f"There is no entry {one_line(name, 60)!r}.", hint or "/lore lists the lorebooks.")


def _add(desk: Desk, context: ChatContext, rest: str) -> str:
    file, _, last = rest.rpartition(" ")
    place = PLACES.get(last)
    if place is None or not file:
        file, place = rest, "chat"
    if not file:
        raise UsageError(
            "Which file?", "/lore add FILE [global|card|persona]; by itself, it is for this chat."
        )
    path = Path(file.strip().strip("\"'")).expanduser()
    book, odd = desk.library.add(context, path, place)
    count = len(book.entries)
    lines = [f"{book.name} is used {BELONGS[place]}: {count:,} {_noun(count, 'entry')}."]
    return "\n".join([*lines, *odd[:10]])


def _remove(desk: Desk, context: ChatContext, rest: str) -> str:
    if not rest:
        raise UsageError("Which lorebook?", "/lore remove NAME")
    return f"{desk.library.remove(context, rest)} is gone."


def _switch(on: bool) -> Callable[[Desk, ChatContext, str], str]:
    def switch(desk: Desk, context: ChatContext, rest: str) -> str:
        look = desk.look(context)
        if not rest:
            raise UsageError("Which lorebook, or which entry?", f"/lore {'on' if on else 'off'} NAME")
        try:
            key = name = look.shelf.find(rest).name
        except UsageError:
            entry = find_entry(look, rest)
            key, name = entry.key, why.name(entry)
        switch_off(context, key, not on)
        return f"{name} is {'on' if on else 'off'} in this chat."

    return switch


def switch_off(context: ChatContext, key: str, off: bool) -> None:
    """Switch a book, by its name, or an entry, by its key, off in this chat or on."""
    kept = context.data.get("off")
    others = [one for one in kept if one != key] if isinstance(kept, list) else []
    context.data["off"] = [*others, key] if off else others


def _freeze(desk: Desk, context: ChatContext, rest: str) -> str:
    if not rest:
        raise UsageError("Which entry?", "/lore freeze ENTRY")
    now = desk.look(context)
    entry = find_entry(now, rest)
    if any(one.key == entry.key for one in now.frozen):
        raise UsageError(f"{why.name(entry)} is frozen already.", f"/lore thaw {entry.name}")
    looks = [now]
    if any(message.role == "assistant" for message in context.history[1:]):
        looks.insert(0, _at_last_reply(desk, context))
    for look in looks:
        fired = next((one for one in look.found.fired if one.entry.key == entry.key and one.text), None)
        if fired is not None:
            message = look.scene.said[-1].id if look.scene.said else ""
            kept = context.data.get("frozen")
            context.data["frozen"] = [
                *(kept if isinstance(kept, list) else ()),
                {"key": entry.key, "name": why.name(entry), "message": message, "text": fired.text},
            ]
            return f"{why.name(entry)} stays below message {look.count}, where it fired."
    raise UsageError(f"{why.name(entry)} is not in the prompt.", f"/lore why {entry.name}")


def _thaw(desk: Desk, context: ChatContext, rest: str) -> str:
    frozen = frozen_in(context, context.history)
    wanted = rest.casefold()
    found = next(
        (one for one in frozen if wanted in (one.name.casefold(), one.name.partition("/")[2].casefold())),
        None,
    )
    if found is None:
        names = [one.name for one in frozen]
        raise UsageError(
            f"{one_line(rest, 60)!r} is not frozen.", did_you_mean(rest, names) or ", ".join(names)
        )
    kept = context.data["frozen"]
    context.data["frozen"] = [
        one for one in kept if (one["key"], one["message"]) != (found.key, found.message)
    ]
    return f"{found.name} comes and goes again."


def _export(desk: Desk, context: ChatContext, rest: str) -> str:
    words = rest.split()
    form = words.pop() if len(words) > 2 and words[-1] in WRITERS else "lorebook_v3"
    if len(words) < 2:
        raise UsageError("Which lorebook, into which file?", f"/lore export NAME FILE [{'|'.join(WRITERS)}]")
    look = desk.look(context)
    *name, file = words
    book = look.shelf.find(" ".join(name))
    path = Path(file).expanduser()
    text = written(book, form)
    try:
        with path.open("x", encoding="utf-8", errors="replace") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"There is a file {one_line(file, 200)} already.", "Choose another name.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise AirochatError(f"{one_line(file, 200)} cannot be written: {reason}.") from None
    return f"{book.name} is in {path} as {form}."


def _set(desk: Desk, context: ChatContext, rest: str) -> str:
    options = desk.options(context)
    words = rest.split()
    if not words:
        return "\n".join(f"{name} {_value(options, name)}" for name in NAMES)
    here = len(words) > 2 and words[-1] == "chat"
    name = words[0]
    if len(words) == 1:
        checked(name, _value(options, name) if name in NAMES else "")
        return f"{name} is {_value(options, name)}."
    if len(words) > 2 + here:
        raise UsageError("That is too much.", "/lore set NAME VALUE, or /lore set NAME VALUE chat")
    kept = context.data if here else context.storage("global")
    if words[1] == "default":
        checked(name, _value(options, name) if name in NAMES else "")
    store(kept, {name: None if words[1] == "default" else checked(name, words[1])})
    return f"{name} is {_value(desk.options(context), name)}{' in this chat' if here else ''}."


def store(kept: MutableMapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Keep settings of all chats or of one; None takes the default back."""
    stored = kept.get("settings")
    both = {**(stored if isinstance(stored, dict) else {}), **changes}
    kept["settings"] = {name: value for name, value in both.items() if value is not None}


def _value(options: Options, name: str) -> str:
    value = getattr(options, name)
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


_VERBS: Final[Mapping[str, Callable[[Desk, ChatContext, str], str]]] = {
    "why": _why,
    "last": _last,
    "add": _add,
    "remove": _remove,
    "on": _switch(True),
    "off": _switch(False),
    "freeze": _freeze,
    "thaw": _thaw,
    "export": _export,
    "set": _set,
}
