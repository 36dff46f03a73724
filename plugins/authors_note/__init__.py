"""The author's note: a text that is kept a few messages above the end of the prompt."""

from __future__ import annotations

from collections.abc import Callable

from airochat.errors import UsageError
from airochat.hooks import Block, ChatContext, Command, hookimpl

USAGE = "/note [TEXT | depth NUMBER | off]"
DEFAULT_DEPTH = 4
"""How many messages stand below the note; the usual place in other programs, too."""
DEEPEST = 1000
PRIORITY = 50
"""Above the blocks that plugins and lorebooks add unasked: the writer wrote this one for this scene."""


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/note``."""
    register(Command("note", "Set, show, move or remove the author's note of this chat.", USAGE, note))


@hookimpl
def contribute_blocks(context: ChatContext) -> list[Block]:
    """Return the note of this chat as one block, or nothing."""
    text = context.data.get("text")
    if not text:
        return []
    text = context.expand(text)
    return [Block("plugin:authors_note", text, depth_of(context), priority=PRIORITY, reason="author's note")]


def note(context: ChatContext, words: str) -> str:
    """Run ``/note``."""
    match words.split():
        case []:
            return show(context)
        case ["off"]:
            context.data.pop("text", None)
            return "The author's note is off."
        case ["depth"]:
            return f"The author's note is at depth {depth_of(context)}."
        case ["depth", number]:
            return set_depth(context, number)
        case _:
            context.data["text"] = words
            return show(context)


def show(context: ChatContext) -> str:
    """Return the note with its depth, in words."""
    text = context.data.get("text")
    if not text:
        return f"This chat has no author's note. Usage: {USAGE}"
    return f"Author's note, at depth {depth_of(context)}: {text}"


def set_depth(context: ChatContext, number: str) -> str:
    """Move the note; `UsageError` for what is not a depth."""
    if not (number.isdecimal() and int(number[:5]) <= DEEPEST):
        raise UsageError(
            f"{number!r} is not a depth.", f"It takes a whole number from 0 to {DEEPEST}: {USAGE}"
        )
    context.data["depth"] = int(number)
    return show(context) if context.data.get("text") else f"The author's note will be at depth {int(number)}."


def depth_of(context: ChatContext) -> int:
    """Return how many messages stand below the note."""
    return int(context.data.get("depth", DEFAULT_DEPTH))
