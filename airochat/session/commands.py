"""Slash commands about the characters and the replies, for every front end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.session import token_text
from airochat.session.cast import NARRATOR
from airochat.session.session import MAX_REPLIES, Session
from airochat.session.turn import Turn
from airochat.text import one_line

USUAL_SWIPES = 4
"""How many alternatives are written if nobody says how many."""

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


def _title(session: Session, rest: str, sampling: Sampling) -> Answer:
    if not rest:
        session.retitle()
        return "The model is looking for a title."
    session.set(title=one_line(rest, 80))
    return f"This chat is called {session.title}."


def _scenario(session: Session, rest: str, sampling: Sampling) -> Answer:
    if rest:
        session.set(scenario="" if rest == "off" else rest)
    now = session.profile.scenario or "The scenario is that of the card."
    return now


def _persona(session: Session, rest: str, sampling: Sampling) -> Answer:
    if rest:
        session.set(persona=None if rest == "off" else rest)
    return f"You are {session.user_name}."


def _swipes(session: Session, rest: str, sampling: Sampling) -> Answer:
    count = _number(rest or str(USUAL_SWIPES), f"/swipes N, from 1 to {MAX_REPLIES}.")
    return session.swipe(n=count, **sampling)


def _tokens(session: Session, rest: str, sampling: Sampling) -> Answer:
    number = None if rest in ("", "all") else _number(rest, "/tokens, /tokens all, or /tokens NUMBER.")
    scored = session.alternatives()
    if number is not None:
        return token_text.place(scored, number)
    return token_text.listing(scored, everything=rest == "all")


def _steer(session: Session, rest: str, sampling: Sampling) -> Answer:
    usage = "/steer NUMBER RANK, or /steer NUMBER TEXT; /tokens NUMBER lists the ranks."
    place, _, wanted = rest.partition(" ")
    number = _number(place, usage)
    if not wanted.strip():
        raise UsageError("What shall stand there?", usage)
    scored, tokenizer = session.alternatives(), session.backend.tokenizer
    one = token_text.chosen(scored, number)
    if session.head is None or tokenizer is None:
        raise UsageError("There is no reply to steer.")
    token = token_text.wanted_token(one, wanted.strip(), tokenizer)
    return session.steer(session.head, number - 1, token, **sampling)


def _number(text: str, usage: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UsageError(f"{one_line(text, 40)!r} is no number.", usage)
    return int(text)


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
    "title": ChatCommand("/title [TEXT]", "give this chat a title, or let the model find one", _title),
    "persona": ChatCommand("/persona [NAME|off]", "who you are in this chat", _persona),
    "scenario": ChatCommand(
        "/scenario [TEXT|off]", "where this chat takes place, instead of the card's", _scenario
    ),
    "swipes": ChatCommand("/swipes [N]", "write N more alternatives of the last reply at once", _swipes),
    "tokens": ChatCommand(
        "/tokens [all|N]", "how likely the last reply's tokens were, or what else fits", _tokens
    ),
    "steer": ChatCommand(
        "/steer N RANK|TEXT", "write the last reply anew from token N on, with another one", _steer
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
