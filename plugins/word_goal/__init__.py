"""The word goal: how many words the writer has written today, and how many are left."""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from datetime import date, datetime
from typing import Any

from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.hooks import (
    Act,
    Button,
    ChatContext,
    Command,
    EditFacts,
    Field,
    MessageFacts,
    Meter,
    Outcome,
    Panel,
    Row,
    Rows,
    Setting,
    Text,
    View,
    hookimpl,
)
from airochat.prompt import NARRATOR

from . import count

USAGE = "/goal [NUMBER [replies] | off | replies on | replies off]"
MOST = 1_000_000
SHOWN = 14
"""Days that the panel shows."""
_GOAL = Setting("goal", "int", 0, "Words a day; 0 is no goal.", 0, MOST, label="words a day")
_REPLIES = Setting("replies", "bool", False, "Whether replies count, too.", label="replies count")

# Two chats may be written in at once, and each adds to the same day.
_lock = threading.Lock()


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/goal``."""
    register(Command("goal", "Show or set how many words you want to write a day.", USAGE, goal))


@hookimpl
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer the panel."""
    register(Panel("word_goal", "Word goal", "What you have written today and before.", show, act))


@hookimpl
def on_message_added(context: ChatContext, event: MessageFacts) -> None:
    """Count the words of a message."""
    note(context, words_of(context, event.message))


@hookimpl
def on_message_edited(context: ChatContext, event: EditFacts) -> None:
    """Count what an edit has added, or take away what it has removed."""
    if event.message.role == "user" or replies_count(context):
        note(context, count.words(event.message.text) - count.words(event.before.text))


def words_of(context: ChatContext, message: Message) -> int:
    """Return the words of a message that count: those of the writer, and of the model if they are to."""
    by_model = bool(message.provenance.model)
    # A greeting is by nobody who sits here: the card's author wrote it. Results of tools are by nobody at all.
    if not by_model and message.role != "user" and message.name != NARRATOR:
        return 0
    if by_model and not replies_count(context):
        return 0
    return count.words(message.text) - _before(context, message)


def _before(context: ChatContext, message: Message) -> int:
    """Return the words that a message goes on with: a continued reply begins with those of another one."""
    if message.id not in context.tree:
        return 0
    others = [context.tree[one].text for one in context.tree.siblings(message.id) if one < message.id]
    return max((count.words(text) for text in others if text and message.text.startswith(text)), default=0)


def note(context: ChatContext, number: int) -> None:
    """Add words to this day and this chat, and tell once when the goal is reached."""
    if not number:
        return
    with _lock:
        book, wanted = context.storage("global"), goal_of(context)
        before = count.read(book.get("days"))
        after = count.added(before, today(), number, wanted)
        book["days"] = count.written(after)
        for kept in (context.data, book):
            kept["words"] = max(_whole(kept.get("words")) + number, 0)
    key = today().isoformat()
    if after[key].reached and not before.get(key, count.Day()).reached:
        context.notify(f"{after[key].words:,} words today: the goal of {wanted:,} is reached.", "")


def goal(context: ChatContext, words: str) -> str:
    """Run ``/goal``."""
    match words.split():
        case []:
            return summary(context)
        case ["off"]:
            return wish(context, 0)
        case ["replies", ("on" | "off") as word]:
            context.storage("global")["replies"] = word == "on"
            return f"Replies {'count, too' if word == 'on' else 'do not count'}, from now on."
        case [number, *rest] if _is_goal(number) and rest in ([], ["replies"]):
            if rest:
                context.storage("global")["replies"] = True
            return wish(context, int(number))
        case _:
            raise UsageError(f"/goal has no {words[:40]!r}.", USAGE)


def wish(context: ChatContext, wanted: int) -> str:
    """Set the goal, which counts for today, too."""
    with _lock:
        book = context.storage("global")
        book["goal"] = wanted
        book["days"] = count.written(count.added(count.read(book.get("days")), today(), 0, wanted))
    return summary(context)


def summary(context: ChatContext) -> str:
    """Return how far it is, in words."""
    wanted, days = goal_of(context), count.read(context.storage("global").get("days"))
    written = days.get(today().isoformat(), count.Day()).words
    here = _whole(context.data.get("words"))
    if not wanted:
        return f"{written:,} words today, {here:,} in this chat. There is no goal; /goal 500 sets one."
    left = max(wanted - written, 0)
    end = f"{left:,} to go" if left else "reached"
    row = count.streak(days, today())
    more = f" {row} days in a row." if row > 1 else ""
    return f"{written:,} of {wanted:,} words today, {end}; {here:,} in this chat.{more}"


def show(context: ChatContext, place: str) -> View:
    """Return the panel."""
    days, wanted = count.read(context.storage("global").get("days")), goal_of(context)
    written = days.get(today().isoformat(), count.Day()).words
    first = Meter("today", written, wanted, "words") if wanted else Text(f"{written:,} words today.")
    rows = tuple(
        Row(
            one.isoformat(),
            (f"{one:%a %d %b}", f"{day.words:,}", f"{day.goal:,}" if day.goal else ""),
            day.reached,
        )
        for one, day in count.last(days, today(), SHOWN)
    )
    here, there = (_whole(kept.get("words")) for kept in (context.data, _kept(context)))
    running = f"{count.streak(days, today())} days in a row."
    return View(
        "Word goal",
        (
            first,
            Text(f"{running} {here:,} words in this chat, {there:,} in all.", "soft"),
            Field(_GOAL, wanted),
            Field(_REPLIES, replies_count(context)),
            Button("save", "Save"),
            Rows("days", ("day", "words", "goal"), rows),
        ),
    )


def act(context: ChatContext, done: Act) -> Outcome:
    """Keep what was set in the panel."""
    context.storage("global")["replies"] = done.values["replies"]
    return Outcome(wish(context, done.values["goal"]))


def goal_of(context: ChatContext) -> int:
    """Return how many words are wanted a day; 0 if there is no goal."""
    kept = _kept(context).get("goal", 0)
    return kept if isinstance(kept, int) and 0 <= kept <= MOST else 0


def replies_count(context: ChatContext) -> bool:
    """Return whether the words of replies count, too."""
    return bool(_kept(context).get("replies", False))


def today() -> date:
    """Return the day that it is here."""
    return datetime.now().astimezone().date()


def _is_goal(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 8 and int(text) <= MOST


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _kept(context: ChatContext) -> MutableMapping[str, Any]:
    return context.storage("global")
