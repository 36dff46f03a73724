"""Chats of other programs before they are stored: checks of what plugins read, and who takes part in them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, get_args

from airochat.characters import Card, Persona
from airochat.conversation import ImportedChat, Message, Provenance, Role, State
from airochat.errors import AirochatError, UsageError
from airochat.formats.parsing import check_count
from airochat.session.cast import NARRATOR
from airochat.session.profile import Profile
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager

_MAX_CHARACTERS = 16
"""Characters of an imported chat that get a card."""
_LOOKED_AT = 50
"""Cards of the library that are opened to find the one of a nickname, the likeliest first."""
_MAX_WARNINGS = 200
_FUTURE = 1e11
"""Seconds since 1970 that no chat has seen."""


def checked_chats(result: Any) -> list[ImportedChat] | None:
    """Return the chats that a plugin has read, token ids left out; `TypeError` or `ValueError` if they are none."""
    if result is None:
        return None
    if isinstance(result, (str, bytes)) or not isinstance(result, Iterable):
        raise TypeError(f"it read a {type(result).__name__}, not a list of ImportedChat")
    chats = [_checked_chat(chat) for chat in result]
    check_count(sum(len(chat.messages) for chat in chats), "The file")
    return chats


def casting(
    manager: SessionManager, chat: ImportedChat, history: Sequence[Message]
) -> tuple[Profile, list[str]]:
    """Return the settings of an imported chat: characters and persona by the names on the branch that is shown.

    A character that is not in the library gets a card with nothing but its name, so that it goes on under it.
    """
    profile = Profile(manager.settings, system=chat.system, scenario=chat.scenario)
    notes = []
    for name in _characters(history, profile)[:_MAX_CHARACTERS]:
        card, card_id = _card(manager, name)
        if card.called.casefold() in (other.casefold() for other in profile.cast.names):
            continue
        profile = profile.with_card(card, card_id)
        if not card_id:
            notes.append(
                f"{name} has no card in the library, and goes on with the name alone; /leave and /join exchange it."
            )
    said = [message.name for message in history if message.role == "user" and message.name]
    return profile.changed(persona=_persona(manager, said[-1] if said else "", profile)), notes


def named(messages: Iterable[Message], profile: Profile) -> list[Message]:
    """Return messages with a name for each: where the file has none, that of its role."""
    names = {"user": profile.user_name, "assistant": profile.reply_name, "system": NARRATOR}
    return [one if one.name else dataclasses.replace(one, name=names[one.role]) for one in messages]


def _characters(history: Sequence[Message], profile: Profile) -> list[str]:
    """Return the names under which the model spoke, but for those that are no character's."""
    others = {name.casefold() for name in ("", NARRATOR, profile.reply_name)}
    found: dict[str, str] = {}
    for message in history:
        if message.role == "assistant" and message.name == one_line(message.name, 120):
            found.setdefault(message.name.casefold(), message.name)
    return [name for folded, name in found.items() if folded not in others]


def _card(manager: SessionManager, name: str) -> tuple[Card, str]:
    """Return the one card of the library that has a name or nickname, and its id; else one of that name alone."""
    wanted = name.casefold()
    # A nickname is not listed, but stands in the description of nearly every card that has one.
    likely = {one.id: one for one in (*manager.cards.entries(name), *manager.cards.entries())}
    exact = [one for one in likely.values() if one.name.casefold() == wanted]
    found = []
    for entry in exact or list(likely.values())[:_LOOKED_AT]:
        try:
            card = manager.cards.open(entry.id).card
        except AirochatError:
            continue
        if wanted in (card.called.casefold(), card.name.casefold()):
            found.append((card, entry.id))
    return found[0] if len(found) == 1 else (Card(name), "")


def _persona(manager: SessionManager, name: str, profile: Profile) -> Persona | None:
    if not name:
        ids = [card_id for card_id in profile.card_ids if card_id]
        return manager.personas.for_card(ids[0]) if ids else manager.personas.default
    if name == manager.settings.user_name:
        return None
    try:
        return manager.personas.get(name)
    except UsageError:
        return Persona(one_line(name, 100))


def _checked_chat(chat: Any) -> ImportedChat:
    if not isinstance(chat, ImportedChat):
        raise TypeError(f"it read a {type(chat).__name__}, not an ImportedChat")
    for field in ("title", "head", "system", "scenario"):
        if not isinstance(getattr(chat, field), str):
            raise TypeError(f"the {field} of a chat is {getattr(chat, field)!r}")
    if isinstance(chat.warnings, str) or not all(isinstance(one, str) for one in chat.warnings):
        raise TypeError("the warnings of a chat are no list of texts")
    known: set[str] = set()
    messages = []
    for message in chat.messages:
        messages.append(_checked_message(message, known))
        known.add(message.id)
    if chat.head and chat.head not in known:
        raise ValueError(f"the chat has no message {chat.head!r}, which is to be shown")
    for message_id, names in chat.audiences.items():
        if (
            message_id not in known
            or isinstance(names, str)
            or not all(isinstance(one, str) for one in names)
        ):
            raise TypeError(f"{message_id!r} was heard by {names!r}")
    warnings = tuple(clean(one)[:500] for one in tuple(chat.warnings)[:_MAX_WARNINGS])
    return dataclasses.replace(chat, messages=messages, warnings=warnings)


def _checked_message(message: Any, known: set[str]) -> Message:
    if not isinstance(message, Message):
        raise TypeError(f"a chat holds a {type(message).__name__}, not a Message")
    for field in ("id", "name", "text"):
        if not isinstance(getattr(message, field), str):
            raise TypeError(f"the {field} of a message is {getattr(message, field)!r}")
    if not 0 < len(message.id) <= 100 or not message.id.isprintable() or message.id in known:
        raise ValueError(f"{message.id!r} cannot be the id of a message, or is there twice")
    if message.parent is not None and message.parent not in known:
        raise ValueError(f"the message {message.id} follows {message.parent!r}, which is not before it")
    if message.role not in get_args(Role) or message.state not in get_args(State):
        raise ValueError(f"the message {message.id} is {message.role!r} and {message.state!r}")
    if type(message.created) not in (int, float) or not 0 <= message.created < _FUTURE:
        raise ValueError(f"the message {message.id} is of {message.created!r}")
    return dataclasses.replace(message, tokens=(), provenance=_checked_provenance(message.provenance))


def _checked_provenance(provenance: Any) -> Provenance:
    if provenance == Provenance():
        return Provenance()
    if not isinstance(provenance, Provenance):
        raise TypeError(f"the provenance of a message is a {type(provenance).__name__}")
    for field in dataclasses.fields(Provenance):
        kind = type(field.default) if field.default is not dataclasses.MISSING else dict
        if not isinstance(getattr(provenance, field.name), kind):
            raise TypeError(f"the {field.name} of a message is {getattr(provenance, field.name)!r}")
    json.dumps(dataclasses.asdict(provenance))
    return provenance
