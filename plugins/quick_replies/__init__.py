"""Quick replies: texts that are said often, under short names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.hooks import (
    Act,
    Button,
    ChatContext,
    Command,
    Field,
    Outcome,
    Panel,
    Row,
    Rows,
    Setting,
    Text,
    UserMessageDraft,
    View,
    hookimpl,
)
from airochat.text import one_line

USAGE = "/qr [NAME [WORDS] | add [global] NAME TEXT | remove NAME | import FILE [global]]"
KEY = "replies"
EVERYWHERE = "global"
VERBS = ("add", "remove", "import")
_NAME = Setting("called", "text", "", label="name")
_TEXT = Setting("text", "lines", "", "Macros are expanded when it is said.")
_EVERYWHERE = Setting("everywhere", "bool", False, label="in all chats")
_ROW_BUTTONS = (Button("edit", "Edit"), Button("remove", "Remove", "Forget this quick reply?"))


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/qr``."""
    register(Command("qr", "Quick replies: texts that you say often.", USAGE, quick_reply))


@hookimpl
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer the quick replies as a table, with a form for one."""
    register(Panel("quick_replies", "Quick replies", "Texts that you say often.", show_panel, act))


@hookimpl
def transform_user_message(context: ChatContext, draft: UserMessageDraft) -> None:
    """Say a quick reply where a message is its name with the mark before it, such as ``!tired``."""
    mark = context.settings["mark"]
    said = draft.text.strip()
    if mark and said.startswith(mark):
        name, words = split(said[len(mark) :])
        if name in known(context):
            draft.text = filled(context, name, words) or draft.text


def quick_reply(context: ChatContext, words: str) -> str:
    """Run ``/qr``."""
    verb, _, rest = words.strip().partition(" ")
    if not verb:
        return show(context)
    if verb == "add":
        return add(context, rest)
    if verb == "remove":
        return remove(context, split(rest)[0])
    if verb == "import":
        return take_in(context, rest)
    name, more = split(words)
    if name not in known(context):
        hint = did_you_mean(name, (*VERBS, *known(context)))
        raise UsageError(f"There is no quick reply {one_line(name, 40)!r}.", hint)
    return filled(context, name, more)


def show(context: ChatContext) -> str:
    """Return all quick replies of this chat, and how to say one."""
    found = known(context)
    if not found:
        return f"There are no quick replies. Usage: {USAGE}"
    own = kept(context, "chat")
    lines = [
        f"  {name}: {one_line(text, 60)}{'' if name in own else ' (in all chats)'}"
        for name, text in sorted(found.items())
    ]
    if mark := context.settings["mark"]:
        lines.append(f"{mark}{min(found)} as a message says it; /qr {min(found)} only shows it.")
    return "\n".join(["Quick replies:", *lines])


def add(context: ChatContext, rest: str) -> str:
    """Keep a quick reply, in the place of another one of its name."""
    first, _, behind = rest.strip().partition(" ")
    place = EVERYWHERE if first == EVERYWHERE else "chat"
    name, text = split(behind if place == EVERYWHERE else rest)
    if not name or not text or name in VERBS:
        raise UsageError("A quick reply takes a name and a text.", USAGE)
    keep(context, place, {name: text})
    return f"{name} is kept {'in all chats' if place == EVERYWHERE else 'in this chat'}: {text}"


def remove(context: ChatContext, name: str) -> str:
    """Forget a quick reply; that of this chat, or else the one of all chats."""
    for place in ("chat", EVERYWHERE):
        if name in kept(context, place):
            drop(context, place, name)
            return f"{name} is gone."
    raise UsageError(f"There is no quick reply {one_line(name, 40)!r}.", did_you_mean(name, known(context)))


def take_in(context: ChatContext, rest: str) -> str:
    """Add the quick replies of a file, and tell what was left out."""
    from .sets import read_file

    file, _, last = rest.rpartition(" ")
    place = EVERYWHERE if last == EVERYWHERE and file else "chat"
    file = (file if place == EVERYWHERE else rest).strip().strip("\"'")
    if not file:
        raise UsageError("Which file?", "/qr import FILE [global]; by itself, it is for this chat.")
    found, odd = read_file(Path(file).expanduser())
    keep(context, place, found)
    return "\n".join([f"Added: {', '.join(found)}.", *odd])


def show_panel(context: ChatContext, place: str) -> View:
    """Return the table, and the form with the quick reply that ``place`` names, or an empty one."""
    own, found = kept(context, "chat"), known(context)
    rows = tuple(
        Row(name, (name, text, "in this chat" if name in own else "in all chats"))
        for name, text in sorted(found.items())
    )
    name = place if place in found else ""
    mark = context.settings["mark"]
    told = [Text(f"{mark}NAME as a message says it.", "soft")] if mark else []
    return View(
        "Quick replies",
        (
            *told,
            Rows("replies", ("name", "text", "where"), rows, _ROW_BUTTONS, "There are none yet."),
            Text("Change one" if name else "Add one", "heading"),
            Field(_NAME, name),
            Field(_TEXT, found.get(name, "")),
            Field(_EVERYWHERE, bool(name) and name not in own),
            Button("save", "Save"),
        ),
    )


def act(context: ChatContext, done: Act) -> Outcome:
    """Do what the user did in the panel."""
    if done.button == "edit":
        return Outcome(place=done.row)
    if done.button == "remove":
        return Outcome(remove(context, done.row), "")
    name = " ".join(done.values["called"].replace('"', "").lower().split())
    where = EVERYWHERE if done.values["everywhere"] else "chat"
    text = done.values["text"].strip()
    if not name or not text or name in VERBS:
        raise UsageError("A quick reply takes a name and a text.", f"The name is none of {', '.join(VERBS)}.")
    keep(context, where, {name: text})
    other = "chat" if where == EVERYWHERE else EVERYWHERE
    if done.place == name and name in kept(context, other):
        # It was moved.
        drop(context, other, name)
    return Outcome(f"{name} is kept.", "")


def drop(context: ChatContext, place: str, name: str) -> None:
    """Forget a quick reply of this chat, or of all."""
    found = {one: text for one, text in kept(context, place).items() if one != name}
    context.storage(place)[KEY] = found  # type: ignore[arg-type]


def filled(context: ChatContext, name: str, words: str) -> str:
    """Return the text of a quick reply with macros expanded, and more words behind it."""
    return f"{context.expand(known(context)[name])} {words}".strip()


def known(context: ChatContext) -> Mapping[str, str]:
    """Return the quick replies by name; those of this chat go before those of all chats."""
    return {**kept(context, EVERYWHERE), **kept(context, "chat")}


def kept(context: ChatContext, place: str) -> Mapping[str, str]:
    """Return the quick replies of this chat, or of all."""
    found: Mapping[str, str] = context.storage(place).get(KEY, {})  # type: ignore[arg-type]
    return found


def keep(context: ChatContext, place: str, new: Mapping[str, str]) -> None:
    """Keep quick replies beside those that are there."""
    context.storage(place)[KEY] = {**kept(context, place), **new}  # type: ignore[arg-type]


def split(words: str) -> tuple[str, str]:
    """Return a name, which may stand in quotes, in small letters, and what stands behind it."""
    words = words.strip()
    if words.startswith('"') and '"' in words[1:]:
        name, _, rest = words[1:].partition('"')
    else:
        name, rest = [*words.split(None, 1), "", ""][:2]
    return name.strip().lower(), rest.strip()
