"""The tools that come with the plugin: what each does, what it takes, and what runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airochat.errors import PluginError, UsageError
from airochat.hooks import ChatContext
from airochat.hooks.tools import Tool, ToolCall

from . import calculate, clock, dice, files, names, notes, oracle, search


def builtin(context: ChatContext) -> tuple[Tool, ...]:
    """Return all built-in tools; what they say of tables and names depends on the files there are."""
    return (*_chance(context), *_CHAT, *_TIME, *_NOTES, _FILE)


def _object(required: tuple[str, ...] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _text(description: str, *choices: str, longest: int = 0) -> dict[str, Any]:
    limits: dict[str, Any] = {"enum": list(choices)} if choices else {}
    return {
        "type": "string",
        "description": description,
        **limits,
        **({"maxLength": longest} if longest else {}),
    }


def _count(description: str, most: int) -> dict[str, Any]:
    return {"type": "integer", "description": description, "minimum": 1, "maximum": most}


def _roll(context: ChatContext, call: ToolCall) -> str:
    return dice.throw(call.arguments["notation"], call.seed).told


def _ask(context: ChatContext, call: ToolCall) -> str:
    return oracle.ask(call.arguments.get("odds", "even"), call.seed)


def _draw(context: ChatContext, call: ToolCall) -> str:
    known = _tables(context)
    table = known.get(str(call.arguments["table"]).lower())
    if table is None:
        raise UsageError("There is no such table.", f"There are: {', '.join(known) or 'none'}.")
    return "\n".join(oracle.draw(table, call.arguments.get("count", 1), call.seed))


def _tables(context: ChatContext) -> dict[str, oracle.Table]:
    try:
        return oracle.tables(context.folder / "tables")[0]
    except PluginError:
        return {}  # there is no folder, as in a program without a data folder


def _names(context: ChatContext, call: ToolCall) -> str:
    given = call.arguments
    style, kind = given.get("style", "everyday"), given.get("kind", "full")
    return ", ".join(names.make_names(style, given.get("count", 5), kind, call.seed))


def _calculate(context: ChatContext, call: ToolCall) -> str:
    return calculate.calculate(call.arguments["expression"])


def _words(context: ChatContext, call: ToolCall) -> str:
    return search.count(context.history, call.arguments.get("of", "chat"))


def _search(context: ChatContext, call: ToolCall) -> str:
    # The last message is the one with the call, which would find itself.
    return search.find(context.history[:-1], call.arguments["text"])


def _today(context: ChatContext, call: ToolCall) -> str:
    return f"{datetime.now():%A, %Y-%m-%d, %H:%M}"


def _story(context: ChatContext, call: ToolCall) -> str:
    moment = clock.now(context)
    if text := call.arguments.get("set"):
        moment = clock.read_moment(text, moment)
    if text := call.arguments.get("advance"):
        if moment is None:
            raise UsageError("The clock of the story is not set.", "Set it first, as in 1347-06-24 18:30.")
        moment = clock.later(moment, clock.read_span(text))
    if moment is None:
        return "The clock of the story is not set."
    changed = call.arguments.get("set") or call.arguments.get("advance")
    return clock.put(context, moment) if changed else clock.told(moment)


def _write(context: ChatContext, call: ToolCall) -> str:
    return notes.write(context, call.arguments["name"], call.arguments["text"])


def _listed(context: ChatContext, call: ToolCall) -> str:
    return notes.listed(context)


def _delete(context: ChatContext, call: ToolCall) -> str:
    return notes.delete(context, call.arguments["name"])


def _read(context: ChatContext, call: ToolCall) -> str:
    return files.read(context.settings["folder"], call.arguments.get("path", ""))


def _chance(context: ChatContext) -> tuple[Tool, ...]:
    known = _tables(context)
    table = Tool(
        "draw",
        "Draws from a table: " + ", ".join(list(known)[:50]) + ".",
        _object(("table",), table=_text("The table.", *list(known)[:50]), count=_count("How many.", 20)),
        _draw,
        "free",
    )
    styles = tuple(names.styles())
    kinds = ("person", "family", "full", "place")
    return (
        Tool(
            "roll",
            "Throws dice, whenever chance decides.",
            _object(("notation",), notation=_text("Such as 2d6+3, 4d6kh3, d% or 3d6!", longest=60)),
            _roll,
            "free",
        ),
        Tool(
            "oracle",
            "Answers a yes-or-no question about what happens, by chance.",
            _object(
                ("question",),
                question=_text("The question.", longest=300),
                odds=_text("How likely a yes is.", *oracle.ODDS),
            ),
            _ask,
            "free",
        ),
        *((table,) if known else ()),
        Tool(
            "names",
            "Makes up names.",
            _object(
                (),
                style=_text("Their style.", *styles),
                kind=_text("Whose names.", *kinds),
                count=_count("How many.", names.MOST),
            ),
            _names,
            "free",
        ),
    )


_CHAT = (
    Tool(
        "calculate",
        "Works out arithmetic exactly.",
        _object(("expression",), expression=_text("Such as (17 * 23) / 4 or sqrt(2)", longest=300)),
        _calculate,
        "free",
    ),
    Tool(
        "word_count",
        "Counts the words of the chat or of the last reply.",
        _object((), of=_text("What is counted.", "chat", "last")),
        _words,
        "free",
    ),
    Tool(
        "search_chat",
        "Finds where something was said earlier in this chat.",
        _object(("text",), text=_text("A word or a few.", longest=200)),
        _search,
        "free",
    ),
)
_TIME = (
    Tool("date_time", "Tells the real date and time.", _object(), _today, "free"),
    Tool(
        "story_time",
        "Tells the date and time in the story; sets or advances it if asked to.",
        _object(
            (),
            set=_text("The new date and time, such as 1347-06-24 18:30", longest=40),
            advance=_text("By how much it goes on, such as 2 hours 15 minutes", longest=60),
        ),
        _story,
        "free",
    ),
)
_NOTES = (
    Tool(
        "write_note",
        "Keeps a note for later; one of the same name is replaced.",
        _object(
            ("name", "text"),
            name=_text("A short name.", longest=60),
            text=_text("What to remember.", longest=notes.LONGEST),
        ),
        _write,
        "free",
    ),
    Tool("read_notes", "Tells all notes.", _object(), _listed, "free"),
    Tool(
        "delete_note",
        "Deletes a note.",
        _object(("name",), name=_text("Its name.", longest=60)),
        _delete,
        "free",
    ),
)
_FILE = Tool(
    "read_file",
    "Reads a text file that the user has allowed, or lists a folder.",
    _object((), path=_text("The file's path; empty for a list.", longest=300)),
    _read,
    "ask",
)
