"""Slash commands about the characters, for every front end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.session.cast import NARRATOR
from airochat.session.session import Session
from airochat.session.turn import Turn
from airochat.text import one_line

Sampling = Mapping[str, Any]
Answer = Turn | str
"""What a command gives: a turn that has begun, or a sentence to show."""


@dataclass(frozen=True, slots=True)
class ChatCommand:
    """A command; ``run`` gets the session, what stands after the name, and sampling fields for a turn that it begins.

    It raises `AirochatError`.
    """

    usage: str
    summary: str
    run: Callable[[Session, str, Sampling], Answer]


def _speak(session: Session, rest: str, sampling: Sampling) -> Answer:
    return session.speak(rest, **sampling)


def _narrate(session: Session, rest: str, sampling: Sampling) -> Answer:
    if not rest:
        return session.speak(NARRATOR, **sampling)
    session.narrate(rest)
    return ""


def _whisper(session: Session, rest: str, sampling: Sampling) -> Answer:
    name, text = _split_name(session, rest)
    if not text:
        raise UsageError("There is nothing to whisper.", "/whisper NAME TEXT")
    return session.send(text, to=[name], **sampling)


def _cast(session: Session, rest: str, sampling: Sampling) -> Answer:
    if rest:
        raise UsageError("/cast takes nothing.", "/join CARD and /leave NAME change who is here.")
    if not session.group.names:
        return "There are no characters in this chat."
    muted = session.profile.muted
    lines = [f"{name} (silent)" if name in muted else name for name in session.group.names]
    order = session.profile.effective_roleplay.group_order
    return "\n".join([*lines, f"{session.user_name} (you)", f"Next: {session.group.next()}, by {order}"])


def _join(session: Session, rest: str, sampling: Sampling) -> Answer:
    if not rest:
        raise UsageError("Who joins?", "/join CARD, a file or a name from the library.")
    return f"{session.group.add(rest).called} is here."


def _leave(session: Session, rest: str, sampling: Sampling) -> Answer:
    name = session.profile.cast.member(rest).called
    session.group.remove(name)
    return f"{name} is gone."


def _mute(session: Session, rest: str, sampling: Sampling) -> Answer:
    name = session.profile.cast.member(rest).called
    silent = name not in session.profile.muted
    session.group.mute(name, silent)
    return f"{name} speaks only when told to." if silent else f"{name} speaks freely."


def _order(session: Session, rest: str, sampling: Sampling) -> Answer:
    if rest:
        session.set(roleplay={**session.profile.roleplay, "group_order": rest})
    return f"Who speaks next is decided by {session.profile.effective_roleplay.group_order}."


def _scenario(session: Session, rest: str, sampling: Sampling) -> Answer:
    if rest:
        session.set(scenario="" if rest == "off" else rest)
    now = session.profile.scenario or "The scenario is that of the card."
    return now


def _persona(session: Session, rest: str, sampling: Sampling) -> Answer:
    if rest:
        session.set(persona=None if rest == "off" else rest)
    return f"You are {session.user_name}."


def _split_name(session: Session, rest: str) -> tuple[str, str]:
    """Split off the name of a character, which may have several words."""
    for name in sorted(session.group.names, key=len, reverse=True):
        if rest.casefold().startswith(f"{name.casefold()} ") or rest.casefold() == name.casefold():
            return name, rest[len(name) :].strip()
    name, _, text = rest.partition(" ")
    return session.profile.cast.member(name).called, text.strip()


CHAT_COMMANDS: dict[str, ChatCommand] = {
    "cast": ChatCommand("/cast", "tell who is here and who speaks next", _cast),
    "speak": ChatCommand("/speak [NAME]", "let a character speak, or whoever is next", _speak),
    "narrate": ChatCommand("/narrate [TEXT]", "tell what happens, or let the narrator do so", _narrate),
    "whisper": ChatCommand("/whisper NAME TEXT", "say something that only one character hears", _whisper),
    "join": ChatCommand("/join CARD", "let a character join: a file, or a name from the library", _join),
    "leave": ChatCommand("/leave NAME", "let a character leave", _leave),
    "mute": ChatCommand("/mute NAME", "let a character speak only when told to, or freely again", _mute),
    "order": ChatCommand("/order [HOW]", "who speaks next: mention, talkative, round or hand", _order),
    "persona": ChatCommand("/persona [NAME|off]", "who you are in this chat", _persona),
    "scenario": ChatCommand(
        "/scenario [TEXT|off]", "where this chat takes place, instead of the card's", _scenario
    ),
}
"""The commands by name."""


def run_command(session: Session, line: str, **sampling: Any) -> Answer:
    """Run a line such as ``/speak Maya`` or a plugin's command; ``sampling`` is for a turn that this begins."""
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    if name in CHAT_COMMANDS:
        return CHAT_COMMANDS[name].run(session, rest.strip(), sampling)
    offered = session.plugins.commands()
    if name not in offered:
        hint = did_you_mean(name, (*CHAT_COMMANDS, *offered))
        raise UsageError(f"There is no command /{one_line(name, 40)}.", hint)
    return session.command(line)
