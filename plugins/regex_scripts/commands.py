"""``/regex``: the one command of the regex scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from . import shelf
from .pattern import Stopped, replaced
from .script import read_file

_WHERE: Final[Mapping[str, str]] = {"global": "in all chats", "card": "of the card", "chat": "in this chat"}


def run(context: ChatContext, words: str) -> str:
    """Run ``/regex`` with what stands after it; raises `UsageError`."""
    verb, _, rest = words.strip().partition(" ")
    if not verb:
        return show(context)
    if verb not in _VERBS:
        raise UsageError(f"/regex has no {one_line(verb, 40)!r}.", did_you_mean(verb, _VERBS))
    return _VERBS[verb](context, rest.strip())


def show(context: ChatContext) -> str:
    """Return all scripts, each with what it changes, or why it does not."""
    every = shelf.scripts(context)
    if not every:
        return "There are no regex scripts. /regex add FILE adds those of a file."
    lines = ["Regex scripts, in the order in which they run:"]
    for number, one in enumerate(every, 1):
        does = (
            f"without effect: {one.script.idle}" if one.script.idle else "on " + ", ".join(one.script.places)
        )
        lines.append(f"  {number}. {one.script.name}: {_WHERE[one.place]}; {one.off or does}")
    if any(one.place == "card" and "not allowed" in one.off for one in every):
        lines.append("/regex allow lets those of the card run.")
    return "\n".join(lines)


def _add(context: ChatContext, rest: str) -> str:
    file, _, last = rest.rpartition(" ")
    place: Literal["global", "chat"] = "global" if last == "global" and file else "chat"
    if place == "chat":
        file = rest
    if not file:
        raise UsageError("Which file?", "/regex add FILE [global]; by itself, it is for this chat.")
    scripts, problems = read_file(Path(file.strip().strip("\"'")).expanduser())
    shelf.keep(context, place, scripts)
    names = ", ".join(script.name for script in scripts)
    lines = [f"Added {_WHERE[place]}: {names}."]
    lines += [f"{script.name} has no effect: {script.idle}." for script in scripts if script.idle]
    return "\n".join([*lines, *problems])


def _remove(context: ChatContext, rest: str) -> str:
    one = _only(context, rest)
    shelf.remove(context, one)
    return f"{one.script.name} is gone."


def _switch(on: bool) -> Callable[[ChatContext, str], str]:
    def switch(context: ChatContext, rest: str) -> str:
        one = _only(context, rest)
        shelf.switch(context, one, on)
        now = next(
            found
            for found in shelf.scripts(context)
            if (found.place, found.script.name) == (one.place, one.script.name)
        )
        return f"{one.script.name} is {'on' if not now.off else now.off}."

    return switch


def _test(context: ChatContext, rest: str) -> str:
    one, text = shelf.find(context, rest)
    if not text:
        raise UsageError("Which text?", "/regex test NAME TEXT")
    try:
        changed = replaced(one.script, text, context.expand, context.settings["milliseconds"] / 1000)
    except Stopped as reason:
        raise UsageError(f"{one.script.name} would be switched off, since {reason}.") from None
    if changed == text:
        return f"{one.script.name} changes nothing in it."
    return (
        changed
        if changed.strip()
        else f"{one.script.name} leaves nothing of it; a message would stay as it is."
    )


def _allow(yes: bool) -> Callable[[ChatContext, str], str]:
    def allow(context: ChatContext, rest: str) -> str:
        names = shelf.allow(context, yes)
        if not names:
            return "The card has no regex scripts."
        return f"{'They run now' if yes else 'They do not run any more'}: {', '.join(names)}."

    return allow


def _only(context: ChatContext, rest: str) -> shelf.Shelved:
    """Return the script of a name, behind which nothing may stand."""
    if not rest:
        raise UsageError("Which script?", "/regex lists them; its name or number will do.")
    one, more = shelf.find(context, rest)
    if more:
        raise UsageError(f"There is no regex script {one_line(rest, 60)!r}.", f"Is it {one.script.name!r}?")
    return one


_VERBS: Final[Mapping[str, Callable[[ChatContext, str], str]]] = {
    "add": _add,
    "remove": _remove,
    "on": _switch(True),
    "off": _switch(False),
    "test": _test,
    "allow": _allow(True),
    "deny": _allow(False),
}
