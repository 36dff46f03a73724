"""Why an entry is in the prompt, why it is not, and how close it came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from airochat.text import one_line

from .desk import Look
from .entry import Entry
from .gates import barred
from .keyring import Lock
from .match import fold, shaped
from .place import Spot, read_again, spot
from .scene import Cause, Fired

_AROUND: Final = 24
"""Characters shown on either side of a key."""
_FURTHER: Final = 40
"""How many older messages are looked through for near misses."""
_SHOWN: Final = 30
"""How many entries one answer lists."""


def overview(look: Look) -> str:
    """Return what is in the prompt and what nearly was, each with its reason."""
    lines = [f"Lore in {_of_budget(look)}:" if look.found.fired else "No lore is in the prompt."]
    lines += [f"  {name(fired.entry)}: {fired.cause.words}" for fired in look.found.fired[:_SHOWN]]
    lines += _rest(len(look.found.fired))
    lines += [f"  {one.name}: frozen, stays where it fired" for one in look.frozen]
    skipped = [one for one in look.found.skipped.values() if one.entry.enabled]
    if skipped:
        lines.append("Found, but not in the prompt:")
        for one in skipped[:_SHOWN]:
            cause = f" ({one.cause.words})" if one.cause else ""
            lines.append(f"  {name(one.entry)}: {one.reason}{cause}")
        lines += _rest(len(skipped))
    near = dict(deeper(look))
    if near:
        lines.append("Near misses, which a larger scan depth would find:")
        lines += [f"  {name(entry)}: {words}" for entry, words in list(near.items())[:_SHOWN]]
        lines += _rest(len(near))
    lines += [f"The regex {one_line(key, 60)} takes too long." for key in look.found.slow]
    return "\n".join(lines)


def explain(look: Look, entry: Entry) -> str:
    """Return all that is known of one entry."""
    fired = next((one for one in look.found.fired if one.entry.key == entry.key), None)
    lines = list(_about(look, fired)) if fired else list(_why_not(look, entry))
    return "\n".join([f"{name(entry)}: {'in the prompt' if fired else 'not in the prompt'}", *lines])


def reason(look: Look, entry: Entry) -> str:
    """Return in a few words why an entry is not in the prompt."""
    skipped = look.found.skipped.get(entry.key)
    if entry.book in look.shelf.off:
        return "its lorebook is off in this chat"
    if why := barred(entry, look.scene) or (skipped.reason if skipped else ""):
        return why
    return "none of its keys is there" if entry.keys else "has no keys"


def name(entry: Entry) -> str:
    """Return what an entry is called in answers: book and name."""
    return f"{one_line(entry.book, 60)}/{one_line(entry.name, 60)}"


def place_words(look: Look, entry: Entry) -> str:
    """Return where an entry stands, in words."""
    if entry.position == "outlet":
        return f"where {{{{outlet::{entry.outlet}}}}} stands"
    return spot(entry, look.options, look.count).words


def _about(look: Look, fired: Fired) -> Iterator[str]:
    entry, found = fired.entry, look.found
    yield f"  because: {fired.cause.words}"
    yield from _excerpt(fired.cause)
    if fired.cause.piece is not None and fired.cause.piece.kind == "recursion":
        yield f"  found by recursion, in pass {fired.loop}, through {fired.cause.piece.label}"
    if fired.dice is not None:
        yield f"  dice: {fired.dice:.1f}, it needed less than {entry.probability:g}"
    if entry.groups:
        yield f"  chosen in its group: {', '.join(entry.groups)}"
    total = "a budget without a limit" if found.total is None else f"a budget of {found.total:,}"
    free = ", which do not count" if entry.ignore_budget else ""
    yield f"  tokens: {fired.tokens:,}{free}, number {fired.rank} to be paid from {total}"
    yield f"  stands: {place_words(look, entry)}"
    if not entry.constant and entry.position != "outlet":
        yield from _cost(look, spot(entry, look.options, look.count))


def _cost(look: Look, where: Spot) -> Iterator[str]:
    sizes = look.context.count_tokens([message.text for message in look.scene.said])
    again = read_again(where, sizes)
    if again:
        yield f"  cost: about {again:,} tokens behind it are read again whenever it comes or goes"
    if where.depth is None and again and look.options.place == "book":
        yield "  `/lore set place late` puts it before the last message, `/lore freeze` keeps it where it fired"


def _why_not(look: Look, entry: Entry) -> Iterator[str]:
    if entry.book in look.shelf.off:
        yield f"  the lorebook is switched off in this chat; /lore on {entry.book}"
        return
    skipped = look.found.skipped.get(entry.key)
    reason = barred(entry, look.scene) or (skipped.reason if skipped else "")
    if reason:
        yield f"  it {reason}" if not skipped or barred(entry, look.scene) else f"  {reason}"
        if skipped and skipped.cause:
            yield f"  it was found by: {skipped.cause.words}"
            yield from _excerpt(skipped.cause)
        return
    if not entry.keys:
        yield "  it has no keys, and is not constant"
        return
    yield f"  none of its keys stands in the {_depth(look, entry)} newest messages, or in lore that was found"
    yield from (f"  near miss: {words}" for words in _near(look, entry))


def _excerpt(cause: Cause) -> Iterator[str]:
    if cause.piece is None:
        return
    text, at = cause.piece.text, cause.offset
    start, end = max(at - _AROUND, 0), at + len(cause.key) + _AROUND
    shown = one_line(text[start:end], 120)
    dots = "…" if start else "", "…" if end < len(text) else ""
    yield f"  there: {dots[0]}{shown}{dots[1]} (character {at})"


def _depth(look: Look, entry: Entry) -> int:
    book = next((book for _, book in look.shelf.every() if book.name == entry.book), None)
    own = book.scan_depth if book is not None and look.options.book_limits else None
    return entry.scan_depth if entry.scan_depth is not None else look.found.depth if own is None else own


def _near(look: Look, entry: Entry) -> Iterator[str]:
    """Yield for each key how close it came: in an older message, inside a word, or in another case."""
    ring, depth = look.ring, _depth(look, entry)
    number = next(n for n, other in enumerate(ring.entries) if other.key == entry.key)
    messages = [_text(look, age) for age in range(min(look.count, depth + _FURTHER))]
    for lock in ring.locks[number].primary:
        if lock.pattern is not None:
            if lock.pattern.error:
                yield f"{lock.text} is never found: {lock.pattern.error}"
            continue
        yield from _near_key(look, lock, messages, depth)


def _near_key(look: Look, lock: Lock, messages: list[str], depth: int) -> Iterator[str]:
    unicode = look.ring.unicode
    wanted = fold(shaped(lock.text, unicode=unicode), unicode=unicode)
    for age, text in enumerate(messages):
        where = f'"{lock.text}" in message {look.count - age}'
        if lock.number in look.ring.index.hits(text):
            if age >= depth:
                yield f"{where}, which a scan depth of {age + 1} would reach"
                return
        elif wanted and wanted in fold(text, unicode=unicode):
            found = look.ring.index.key(lock.number)
            yield f"{where}, but {'in another case or ' if found.case_sensitive else ''}inside a word"
            return


def deeper(look: Look) -> Iterator[tuple[Entry, str]]:
    """Yield the entries of which a key stands in a message that is too old."""
    there = {fired.entry.key for fired in look.found.fired} | look.found.skipped.keys()
    ring = look.ring
    for age in range(look.found.depth, min(look.count, look.found.depth + _FURTHER)):
        for number in ring.index.hits(_text(look, age)):
            for one in ring.opened.get(number, ()):
                entry = ring.entries[one]
                if entry.key not in there and not barred(entry, look.scene):
                    there.add(entry.key)
                    key = ring.index.key(number).text
                    yield entry, f'keyword "{key}" in message {look.count - age}, at depth {age + 1}'


def _text(look: Look, age: int) -> str:
    """Return a message as the scan reads it."""
    said = look.scene.said[-1 - age]
    text = f"{said.name}: {said.text}" if look.options.include_names else said.text
    return shaped(text, unicode=look.ring.unicode)


def _of_budget(look: Look) -> str:
    found = look.found
    limit = "" if found.total is None else f" of {found.total:,}"
    return f"the prompt, {found.used:,}{limit} tokens"


def _rest(count: int) -> list[str]:
    return [f"  … and {count - _SHOWN} more"] if count > _SHOWN else []
