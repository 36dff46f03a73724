"""The panel ``memory``: how much of the prompt each layer takes, and a place for each to be read and changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from airochat.errors import UsageError
from airochat.hooks import Act, Button, ChatContext, Field, Meter, Outcome, Row, Rows, Setting, Text, View
from airochat.text import one_line

from . import commands, facts, horizon, summary
from .adding import add
from .desk import Desk

_PLACES: Final = {
    "summary": "The summary, and a place to change it",
    "facts": "What is remembered, and where facts contradict each other",
    "recall": "Older messages that are in the prompt now, and why",
    "documents": "Documents, and the parts of them that are in the prompt now",
}


def show(desk: Desk, context: ChatContext, place: str) -> View:
    """Return what the panel shows at a place; an unknown one shows the overview."""
    return _VIEWS.get(place, _overview)(desk, context)


def act(desk: Desk, context: ChatContext, done: Act) -> Outcome:
    """Do what the user did."""
    if done.button == "open":
        return Outcome(place=done.row)
    if done.button not in _ACTS:
        raise UsageError("There is no such button.")
    return Outcome(_ACTS[done.button](desk, context, done))


def _overview(desk: Desk, context: ChatContext) -> View:
    look = desk.look(context)
    sizes = commands.tokens_of(context, look)
    known = horizon.spoken(context.history)
    seen = len(known) - look.left
    told = (
        f"The model sees the newest {seen:,} messages; {look.left:,} have left its context."
        if look.left
        else "The model sees the whole chat."
    )
    meters = [
        Meter(name.capitalize(), sizes[name], max(look.limits.get(name, 0), 1), "tokens") for name in _PLACES
    ]
    rows = tuple(
        Row(name, (name.capitalize(), told), marked=bool(sizes[name])) for name, told in _PLACES.items()
    )
    table = Rows("places", ("Layer", "What is there"), rows, (Button("open", "Open"),))
    return View("Memory", (Text(told), *meters, table))


def _summary(desk: Desk, context: ChatContext) -> View:
    history = horizon.spoken(context.history)
    one = summary.adopted(context, history)
    working = desk.lane.busy(context.session_id)
    told = commands.summary_line(one) if one else "There is no summary in the prompt."
    field = Setting(
        "text", "lines", "", "What happened before the messages that the model sees.", label="Summary"
    )
    parts: list[Any] = [Text(told, "soft")]
    if working:
        parts.append(Text("The model is at work on memory.", "soft"))
    parts += [Field(field, one.text if one else ""), Button("keep", "Keep"), Button("redo", "Write it anew")]
    if one:
        parts.append(Button("forget_summary", "Forget it", "The summary is deleted."))
    limit = desk.limits(context, history)["summary"] if history else 0
    parts.insert(1, Meter("Tokens", context.count_tokens([one.text])[0] if one else 0, max(limit, 1)))
    return View("Summary", tuple(parts))


def _facts(desk: Desk, context: ChatContext) -> View:
    known = facts.every(context)
    conflicts = facts.conflicts(known)
    struck = {one.id for each in conflicts for one in each.struck}
    now = {one.fact.id for one in desk.look(context).facts}
    rows = tuple(
        Row(
            one.id,
            (
                one.text,
                f"{'pinned' if one.pinned else ''}{', ' if one.pinned and one.id in struck else ''}"
                f"{'struck' if one.id in struck else ''}",
                commands.fact_line(replace(one, pinned=False)),
            ),
            marked=one.id in now,
        )
        for one in known
    )
    buttons = (
        Button("pin", "Pin or not"),
        Button("edit_fact", "Replace by the text below"),
        Button("forget_fact", "Forget", "The fact is forgotten."),
    )
    table = Rows("facts", ("Fact", "State", "From"), rows, buttons, "Nothing is remembered yet.")
    reach = Setting("reach", "choice", "chat", "How far a new fact reaches.", choices=tuple(facts.REACHES))
    text = Setting("fact", "text", "", "Such as: Maya's eyes are green.", label="Fact")
    warnings = [Text(commands.conflict_line(one), "warning") for one in conflicts]
    new = Button("remember", "Remember")
    return View("Facts", (table, *warnings, Field(text, ""), Field(reach, "chat"), new))


def _recall(desk: Desk, context: ChatContext) -> View:
    look = desk.look(context)
    rows = tuple(
        Row(one.source, (str(one.number), one_line(f"{one.name}: {one.text}", 300), one.reason), marked=True)
        for one in look.excerpts
    )
    nothing = (
        "No older message is about what was said last." if look.left else "Nothing has left the context yet."
    )
    return View("Recall", (Rows("recall", ("Message", "Text", "Why"), rows, (), nothing),))


def _documents(desk: Desk, context: ChatContext) -> View:
    look = desk.look(context)
    used = {one.document for one in look.parts}
    known = desk.library.every(context)
    rows = tuple(
        Row(
            str(one.id),
            (one.name, f"{one.parts:,}", commands.REACH_WORDS[one.reach]),
            marked=one.name in used,
        )
        for one in known
    )
    drop = Button("drop", "Drop", "The document is taken out; the file stays.")
    table = Rows("documents", ("Document", "Parts", "Where"), rows, (drop,), "There are no documents.")
    now = [Text(f"{one.title}: {one.reason}", "soft") for one in look.parts]
    path = Setting("path", "text", "", "Text, Markdown, HTML, JSON or PDF.", label="File")
    reach = Setting("where", "choice", "chat", "Where it counts.", choices=commands.DOCUMENT_REACHES)
    return View("Documents", (table, *now, Field(path, ""), Field(reach, "chat"), Button("add", "Add")))


def _keep(desk: Desk, context: ChatContext, done: Act) -> str:
    history = horizon.spoken(context.history)
    limit = desk.limits(context, history)["summary"]
    return commands.summary_line(summary.edited(context, history, str(done.values.get("text", "")), limit))


def _redo(desk: Desk, context: ChatContext, done: Act) -> str:
    return commands.run(desk, context, "summary redo")


def _forget_summary(desk: Desk, context: ChatContext, done: Act) -> str:
    return commands.run(desk, context, "summary forget")


def _fact(context: ChatContext, done: Act) -> facts.Fact:
    found = next((one for one in facts.every(context) if one.id == done.row), None)
    if found is None:
        raise UsageError("This fact is not there any more.")
    return found


def _pin(desk: Desk, context: ChatContext, done: Act) -> str:
    fact = _fact(context, done)
    facts.change(context, replace(fact, pinned=not fact.pinned))
    return "Not pinned any more." if fact.pinned else "Pinned, so that it is always in the prompt."


def _edit_fact(desk: Desk, context: ChatContext, done: Act) -> str:
    fact = _fact(context, done)
    made = facts.parsed(str(done.values.get("fact", "")))
    same = replace(fact, text=made.text, who=made.who, what=made.what, value=made.value, origin="user")
    facts.change(context, same)
    return f"Changed: {made.text}"


def _forget_fact(desk: Desk, context: ChatContext, done: Act) -> str:
    fact = _fact(context, done)
    facts.forget(context, fact)
    return f"Forgotten: {fact.text}"


def _remember(desk: Desk, context: ChatContext, done: Act) -> str:
    reach = next(one for one in facts.REACHES if one == done.values.get("reach", "chat"))
    return commands.keep(context, str(done.values.get("fact", "")), reach)


def _add(desk: Desk, context: ChatContext, done: Act) -> str:
    reach = next(one for one in commands.DOCUMENT_REACHES if one == done.values.get("where", "chat"))
    return add(desk, context, str(done.values.get("path", "")), reach)


def _drop(desk: Desk, context: ChatContext, done: Act) -> str:
    return f"{desk.library.drop_id(context, int(done.row)).name} is dropped."


_VIEWS: Final[dict[str, Callable[[Desk, ChatContext], View]]] = {
    "": _overview,
    "summary": _summary,
    "facts": _facts,
    "recall": _recall,
    "documents": _documents,
}
_ACTS: Final[dict[str, Callable[[Desk, ChatContext, Act], str]]] = {
    "keep": _keep,
    "redo": _redo,
    "forget_summary": _forget_summary,
    "pin": _pin,
    "edit_fact": _edit_fact,
    "forget_fact": _forget_fact,
    "remember": _remember,
    "add": _add,
    "drop": _drop,
}
