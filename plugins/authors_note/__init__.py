"""The author's note: a text that is kept a few messages above the end of the prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from airochat.errors import UsageError
from airochat.hooks import (
    Act,
    Block,
    Button,
    ChatContext,
    Command,
    Field,
    Outcome,
    Panel,
    Text,
    View,
    hookimpl,
)

from .note import DEEPEST, MOST_EVERY, SETTINGS, Note, note_of

USAGE = "/note [TEXT | depth NUMBER | head | every NUMBER | role ROLE | off | on | card [TEXT | off]]"
PRIORITY = 50
"""Above the blocks that plugins and lorebooks add unasked: the writer wrote this one for this scene."""
_MARGINS: Final = (1, 1)


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/note``."""
    register(Command("note", "Set, show, move or remove the author's note of this chat.", USAGE, note))


@hookimpl
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer a form for the note."""
    register(Panel("authors_note", "Author's note", "A text for the model, near the end.", show_panel, act))


@hookimpl
def contribute_blocks(context: ChatContext) -> list[Block]:
    """Return the note of this chat as one block, or nothing."""
    found = of(context)
    if not found.text or found.wait(context.history):
        return []
    text = context.expand(found.text)
    source, reason = "plugin:authors_note", "author's note"
    if found.position == "head":
        return [Block(source, text, None, found.role, PRIORITY, reason=reason, margins=_MARGINS)]
    return [Block(source, text, found.depth, found.role, PRIORITY, reason=reason)]


def note(context: ChatContext, words: str) -> str:
    """Run ``/note``."""
    match words.split():
        case []:
            return show(context)
        case ["off"]:
            return off(context)
        case ["on"]:
            context.data.pop("off", None)
            return show(context)
        case ["depth"]:
            return f"The author's note is at depth {of(context).depth}."
        case ["depth", number]:
            context.data["depth"] = whole(number, "depth", DEEPEST)
            context.data["position"] = "depth"
        case ["head"]:
            context.data["position"] = "head"
        case ["every", number] if number[:1].isdigit() or number[:1] == "-":
            context.data["every"] = whole(number, "number of messages", MOST_EVERY)
        case ["role", ("system" | "user" | "assistant") as role]:
            context.data["role"] = role
        case ["card", *rest]:
            return card_note(context, words.split(None, 1)[1] if rest else "")
        case _:
            set_text(context, words)
            return show(context)
    found = of(context)
    return show(context) if found.text else f"The author's note will be {found.words}."


def show(context: ChatContext) -> str:
    """Return the note with its place, in words."""
    found = of(context)
    if not found.text:
        return f"This chat has no author's note. Usage: {USAGE}"
    whose = f", as in all chats with {name_of(context)}" if found.of_card else ""
    return f"Author's note, {found.words}{whose}: {found.text}"


def off(context: ChatContext) -> str:
    """Remove the note of the chat; that of the character is not there in this chat, either."""
    context.data.pop("text", None)
    if of(context).text:
        context.data["off"] = True
    return "The author's note is off."


def card_note(context: ChatContext, text: str) -> str:
    """Show or set the note of all chats with the character that have none of their own."""
    kept = card_data(context)
    if text == "off":
        kept.pop("text", None)
        return f"There is no author's note for all chats with {name_of(context)} any more."
    if text:
        kept["text"] = text
    if not kept.get("text"):
        return f"There is no author's note for all chats with {name_of(context)}. Usage: {USAGE}"
    own = " This chat has its own." if context.data.get("text") else ""
    return f"Author's note of all chats with {name_of(context)}: {kept['text']}{own}"


def show_panel(context: ChatContext, place: str) -> View:
    """Return the form."""
    found = of(context)
    values = {name: getattr(found, name) for name in SETTINGS}
    fields = [Field(setting, values[name]) for name, setting in SETTINGS.items()]
    buttons = [Button("save", "Save for this chat"), Button("off", "Off in this chat")]
    if context.cards:
        who = name_of(context)
        buttons.insert(1, Button("card", f"Save for all chats with {who}"))
        buttons.append(
            Button("card_off", f"Forget that of {who}", f"Forget the note of all chats with {who}?")
        )
    return View("Author's note", (Text(_state(context, found), "soft"), *fields, *buttons))


def act(context: ChatContext, done: Act) -> Outcome:
    """Do what the user did in the form."""
    if done.button == "off":
        return Outcome(off(context))
    if done.button == "card_off":
        return Outcome(card_note(context, "off"))
    if done.button == "card":
        keep(card_data(context), done.values)
        return Outcome(card_note(context, ""))
    # What only repeats the character's note stays the character's, and changes with it.
    if not of(context).of_card or done.values["text"] != of(context).text:
        set_text(context, done.values["text"])
    keep(context.data, {name: value for name, value in done.values.items() if name != "text"})
    return Outcome(show(context))


def of(context: ChatContext) -> Note:
    """Return the note as it counts in a chat."""
    return note_of(context.data, context.storage("card") if context.cards else {})


def set_text(context: ChatContext, text: str) -> None:
    """Set the text of this chat's note, or remove it."""
    if text.strip():
        context.data["text"] = text
        context.data.pop("off", None)
    else:
        off(context)


def keep(kept: MutableMapping[str, Any], values: Mapping[str, Any]) -> None:
    """Keep values that have been checked."""
    for name, value in values.items():
        kept[name] = value


def card_data(context: ChatContext) -> MutableMapping[str, Any]:
    """Return what is kept for the character; `UsageError` if there is none."""
    if not context.cards:
        raise UsageError("This chat has no character.", "/note TEXT sets the note of this chat.")
    return context.storage("card")


def name_of(context: ChatContext) -> str:
    """Return what the chat's character is called."""
    return context.cards[0].called if context.cards else ""


def whole(number: str, what: str, most: int) -> int:
    """Return a number from 0 to ``most``; `UsageError` for anything else."""
    if not (number.isdecimal() and number.isascii() and int(number[:5]) <= most and len(number) < 5):
        raise UsageError(
            f"{number[:40]!r} is not a {what}.", f"It takes a whole number from 0 to {most}: {USAGE}"
        )
    return int(number)


def _state(context: ChatContext, found: Note) -> str:
    if not found.text:
        return "This chat has no author's note."
    whose = f"That of all chats with {name_of(context)}" if found.of_card else "This chat's own"
    wait = found.wait(context.history)
    if wait < 0:
        return f"{whose}; it is never in the prompt."
    return (
        f"{whose}; it {f'comes with message {wait} of yours from here' if wait else 'is in the prompt now'}."
    )
