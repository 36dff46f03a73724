"""Checks of what plugins hand back, so that the rest of airochat can rely on it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, get_args

from airochat.conversation import Message, Role
from airochat.errors import SettingsError, UsageError
from airochat.hooks.context import SamplingDraft
from airochat.hooks.offers import BackendOffer, Command, Exporter, Importer
from airochat.hooks.panels import (
    Act,
    Button,
    Field,
    Meter,
    Outcome,
    Panel,
    Part,
    Row,
    Rows,
    Text,
    Tone,
    View,
)
from airochat.hooks.settings import Setting
from airochat.hooks.tools import Approval, ResultsDraft, Tool, ToolCall
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroFunction
from airochat.sampling import LogitsProcessor, Sampling
from airochat.text import clean, one_line

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_TOOL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MACRO = re.compile(r"[A-Za-z]\w{0,39}")
_BLOCK_FIELDS = (
    *((name, str) for name in ("source", "text", "reason", "before", "after")),
    *((name, int) for name in ("priority", "order")),
    ("pinned", bool),
    ("margins", tuple),
)
_Value = TypeVar("_Value")


def checked_blocks(plugin: str, result: Any) -> list[Block]:
    """Return a plugin's blocks with their source under its name; `TypeError` or `ValueError` for anything else."""
    if result is None:
        return []
    if isinstance(result, (str, bytes)) or not isinstance(result, Iterable):
        raise TypeError(f"contribute_blocks must return a list of Block, not {type(result).__name__}")
    return [_checked_block(f"plugin:{plugin}", block) for block in result]


def checked_change(plugin: str, before: _Value, after: Any) -> _Value:
    """Return what a plugin has left in a draft; `TypeError` or `ValueError` if it cannot be used."""
    if not isinstance(after, type(before)):
        raise TypeError(f"it left a {type(after).__name__} in the draft, where a {type(before).__name__} was")
    if isinstance(before, str) and isinstance(after, str) and before.strip() and not after.strip():
        raise ValueError("it left no text in the draft")
    if isinstance(before, list) and isinstance(after, list):
        return _changed_list(plugin, before, after)  # type: ignore[return-value]
    return after


def _changed_list(plugin: str, before: list[Block], after: list[Any]) -> list[Block]:
    """Return blocks that a plugin has changed, with its name in the reasons of those that are not as before."""
    known = {block.source for block in before}
    result = []
    for block in after:
        if not any(block is one for one in before):
            own = block.source if isinstance(block, Block) and block.source in known else f"plugin:{plugin}"
            block = _checked_block(own, block)
            reason = f"changed by {plugin}" if block.source in known else f"added by {plugin}"
            block = replace(block, reason="; ".join(filter(None, (block.reason, reason))))
        result.append(block)
    return result


def checked_history(before: list[Message], after: Any) -> list[Message]:
    """Return the messages that a plugin has left of a prompt's history; those it has changed have no token ids.

    Raises `TypeError` or `ValueError` if there are others, or in another order.
    """
    places = {message.id: number for number, message in enumerate(before)}
    result: list[Message] = []
    last = -1
    if not isinstance(after, list):
        raise TypeError(f"it left a {type(after).__name__} in the draft, where a list was")
    for message in after:
        if not isinstance(message, Message) or not isinstance(message.text, str):
            raise TypeError("it left something in the draft that is not a message")
        place = places.get(message.id, -1)
        if place <= last:
            raise ValueError("it added messages to the history, or changed their order")
        last, old = place, before[place]
        if message != old:
            message = replace(old, text=message.text, tokens=())
        result.append(old if message == old else message)
    return result


def checked_sampling(draft: SamplingDraft) -> SamplingDraft:
    """Return the sampling parameters that a plugin has left; `TypeError` if they are none."""
    if not isinstance(draft.sampling, Sampling):
        raise TypeError(f"it left a {type(draft.sampling).__name__} in the draft, where a Sampling was")
    processors = draft.processors
    if not isinstance(processors, list) or not all(isinstance(one, LogitsProcessor) for one in processors):
        raise TypeError("it left something among the processors that is not a LogitsProcessor")
    return SamplingDraft(draft.sampling, list(processors))


def checked_tools(result: Any) -> list[Tool]:
    """Return a plugin's tools; `TypeError` or `ValueError` if one of them cannot be used."""
    if result is None:
        return []
    if isinstance(result, (str, bytes)) or not isinstance(result, Iterable):
        raise TypeError(f"contribute_tools must return a list of Tool, not {type(result).__name__}")
    return [_checked_tool(tool) for tool in result]


def _checked_tool(tool: Any) -> Tool:
    if not isinstance(tool, Tool):
        raise TypeError(f"contribute_tools must return tools, not {type(tool).__name__}")
    if not isinstance(tool.name, str) or not _TOOL.fullmatch(tool.name):
        raise ValueError(f"{tool.name!r} is not a tool's name: letters, digits, _ - and .")
    if not isinstance(tool.parameters, Mapping) or tool.parameters.get("type", "object") != "object":
        raise TypeError(f"the parameters of the tool {tool.name} are not the schema of an object")
    if not callable(tool.run):
        raise TypeError(f"the tool {tool.name} has nothing to run")
    if not isinstance(tool.identity, str):
        raise TypeError(f"the identity of the tool {tool.name} is {tool.identity!r}")
    if tool.approval not in get_args(Approval) or not isinstance(tool.seconds, (int, float)):
        raise ValueError(f"the tool {tool.name} has approval={tool.approval!r}, seconds={tool.seconds!r}")
    title = one_line(tool.title or tool.name, 100)
    return replace(tool, description=clean(str(tool.description)), title=title)


def checked_calls(calls: Any, tools: Sequence[Tool]) -> list[ToolCall]:
    """Return the calls that a plugin has found; `TypeError` or `ValueError` if one of them cannot be made."""
    known = {tool.name for tool in tools}
    if not isinstance(calls, list):
        raise TypeError(f"it left a {type(calls).__name__} in the draft, where a list of calls was")
    for call in calls:
        if not isinstance(call, ToolCall) or not isinstance(call.arguments, Mapping):
            raise TypeError("it left something in the draft that is not a call")
        if call.tool not in known:
            raise ValueError(f"there is no tool {call.tool!r}")
    return list(calls)


def checked_results(draft: ResultsDraft, tools: Sequence[Tool]) -> ResultsDraft:
    """Return what a plugin has made of the results of calls; `TypeError` or `ValueError` if it cannot be used."""
    if not isinstance(draft.text, str):
        raise TypeError(f"it left a {type(draft.text).__name__} in the draft, where a text was")
    return replace(
        draft, text=clean(draft.text), calls=checked_calls(draft.calls, tools), again=bool(draft.again)
    )


def checked_view(view: Any) -> View:
    """Return what a panel shows, its texts cleaned; `TypeError` or `ValueError` if it cannot be drawn."""
    if not isinstance(view, View) or not isinstance(view.parts, (tuple, list)):
        raise TypeError(f"a panel must show a View, not {type(view).__name__}")
    names: set[str] = set()
    parts = tuple(_checked_part(part, names) for part in view.parts)
    return View(one_line(view.title, 200), parts)


def _checked_part(part: Any, names: set[str]) -> Part:
    match part:
        case Text(text, tone) if isinstance(text, str) and tone in get_args(Tone):
            return replace(part, text=clean(text))
        case Meter(label_, value, of) if _is_finite(value) and _is_finite(of):
            return replace(part, label=one_line(label_, 100), unit=one_line(part.unit, 40))
        case Field(Setting()):
            return _checked_field(part, names)
        case Rows():
            return _checked_rows(part, names)
        case Button():
            return _checked_button(part, names)
    raise TypeError(f"a panel shows {type(part).__name__}, or something wrong in it")


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:
        return False


def _checked_field(field: Field, names: set[str]) -> Field:
    setting = field.setting
    _only_once(setting.name, names)
    try:
        value = setting.checked(field.value)
    except SettingsError as error:
        raise ValueError(f"a panel shows a field that does not take its value: {error}") from None
    help_, label_ = one_line(setting.help, 300), one_line(setting.title, 100)
    return Field(replace(setting, help=help_, label=label_), value)


def _checked_rows(table: Rows, names: set[str]) -> Rows:
    _only_once(table.name, names)
    keys: set[str] = set()
    for row in table.rows:
        if not isinstance(row, Row) or len(row.cells) != len(table.columns):
            raise ValueError(f"the rows of {table.name} do not have as many cells as there are columns")
        _only_once(row.key, keys)
    return replace(
        table,
        columns=tuple(one_line(one, 100) for one in table.columns),
        rows=tuple(
            replace(row, cells=tuple(one_line(cell, 1000) for cell in row.cells)) for row in table.rows
        ),
        buttons=tuple(_checked_button(one, names) for one in table.buttons),
        empty=clean(table.empty),
    )


def _checked_button(button: Any, names: set[str]) -> Button:
    if not isinstance(button, Button) or not isinstance(button.name, str) or not button.name:
        raise TypeError("a panel has something among its buttons that is none")
    _only_once(button.name, names)
    return replace(button, label=one_line(button.label, 100), confirm=one_line(button.confirm, 300))


def _only_once(name: Any, names: set[str]) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a panel calls something {name!r}, which is no text")
    if name in names:
        raise ValueError(f"a panel has {name!r} twice")
    names.add(name)


def checked_act(view: View, act: Act) -> Act:
    """Return what the user did, its values checked and completed by those shown.

    Raises `UsageError` if the panel has no such button or row any more, and `SettingsError` for a value.
    """
    tables = [part for part in view.parts if isinstance(part, Rows)]
    loose = [part.name for part in view.parts if isinstance(part, Button)]
    owner = next((table for table in tables if act.button in [one.name for one in table.buttons]), None)
    if owner is None and act.button not in loose:
        raise UsageError(f"There is no button {one_line(act.button, 60)!r} here any more.")
    if owner is not None and act.row not in [row.key for row in owner.rows]:
        raise UsageError("Nothing is chosen, or it is not there any more.", "Choose a row first.")
    values: dict[str, Any] = {}
    for part in view.parts:
        if isinstance(part, Field):
            name = part.setting.name
            values[name] = part.setting.checked(act.values[name]) if name in act.values else part.value
    return Act(act.place, act.button, act.row if owner is not None else "", values)


def checked_outcome(outcome: Any) -> Outcome:
    """Return what a panel does next; `TypeError` if it is nothing of the kind."""
    if not isinstance(outcome, Outcome) or not isinstance(outcome.message, str):
        raise TypeError(f"a panel must return an Outcome, not {type(outcome).__name__}")
    if outcome.place is not None and not isinstance(outcome.place, str):
        raise TypeError(f"a panel goes to the place {outcome.place!r}")
    return replace(outcome, message=clean(outcome.message))


def _command(command: Any) -> tuple[str, Command]:
    found = _named(command, Command, "a command")
    _runs(found, "command", found.run)
    return found.name, replace(found, summary=one_line(found.summary, 200), usage=one_line(found.usage, 200))


def _macro(name: Any, function: Any) -> tuple[str, MacroFunction]:
    if not isinstance(name, str) or not _MACRO.fullmatch(name):
        raise ValueError(f"{name!r} is not a macro's name: letters, digits and _")
    if not callable(function):
        raise TypeError(f"the macro {name} has nothing to run")
    return name.lower(), function


def _panel(panel: Any) -> tuple[str, Panel]:
    found = _named(panel, Panel, "a panel")
    _runs(found, "panel", found.show, found.act)
    return found.name, replace(found, title=one_line(found.title, 100), summary=one_line(found.summary, 200))


def _importer(importer: Any) -> tuple[str, Importer]:
    found = _named(importer, Importer, "an importer")
    _runs(found, "importer", found.read)
    return found.name, replace(found, summary=one_line(found.summary, 200))


def _exporter(exporter: Any) -> tuple[str, Exporter]:
    found = _named(exporter, Exporter, "an exporter")
    _runs(found, "exporter", found.write)
    return found.name, replace(found, summary=one_line(found.summary, 200))


def _backend(offer: Any) -> tuple[str, BackendOffer]:
    found = _named(offer, BackendOffer, "a backend")
    _runs(found, "backend", found.open)
    return found.name, replace(found, summary=one_line(found.summary, 200))


OFFERS: dict[str, Callable[..., tuple[str, Any]]] = {
    "register_commands": _command,
    "register_macros": _macro,
    "register_panels": _panel,
    "register_importers": _importer,
    "register_exporters": _exporter,
    "register_backends": _backend,
}
"""For each hook by which plugins offer something: checks what was registered, and returns its name and it."""


def label(hook: str, name: str) -> str:
    """Return how people call something that plugins offer.

    >>> label("register_commands", "note"), label("register_panels", "memory")
    ('/note', 'panel memory')
    """
    kind = hook.removeprefix("register_").removesuffix("s")
    return f"/{name}" if kind == "command" else f"{kind} {name}"


def _named(value: Any, kind: type[_Value], label: str) -> _Value:
    if not isinstance(value, kind):
        raise TypeError(f"register takes a {kind.__name__}, not {type(value).__name__}")
    name: Any = getattr(value, "name", None)
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is not {label}'s name, but a {type(name).__name__}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not {label}'s name: lower-case letters, digits, - and _")
    return value


def _runs(value: Any, kind: str, *functions: Any) -> None:
    if not all(map(callable, functions)):
        raise TypeError(f"the {kind} {value.name} has nothing to run")


def _checked_block(source: str, block: Any) -> Block:
    if not isinstance(block, Block):
        raise TypeError(f"contribute_blocks must return blocks, not {type(block).__name__}")
    for name, kind in _BLOCK_FIELDS:
        if not isinstance(getattr(block, name), kind):
            raise TypeError(f"the {name} of a block is {getattr(block, name)!r}")
    if len(block.margins) != 2 or not all(type(margin) is int and margin >= 0 for margin in block.margins):
        raise ValueError(f"the margins of a block are {block.margins!r}")
    if block.role not in get_args(Role):
        raise ValueError(f"the role of a block is {block.role!r}")
    if block.depth is not None and (type(block.depth) is not int or block.depth < 0):
        raise ValueError(f"the depth of a block is {block.depth!r}")
    own = block.source == source or block.source.startswith(f"{source}/")
    return block if own else replace(block, source=source)
