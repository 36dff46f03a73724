"""The panel of the extensions: which there are, and a form for the parameters of each."""

from __future__ import annotations

import json
from typing import Any, Final

from airochat.errors import UsageError
from airochat.hooks import Act, Button, ChatContext, Field, Outcome, Row, Rows, Setting, Text, View
from airochat.text import one_line

from . import commands
from .desk import FOLDER, Desk
from .extension import Extension, parsed
from .state import state_of

_FORM: Final = "extension:"
"""Begins the places of the forms; the extension's name follows."""
_PATH: Final = Setting(
    "path", "text", "", "A folder with a script.py; look at its code first.", label="folder"
)
_KINDS: Final = {bool: "bool", int: "int", float: "float"}


def show(desk: Desk, context: ChatContext, place: str) -> View:
    """Return the list of the extensions, or the form of one."""
    if place.startswith(_FORM):
        return _form(desk, context, place[len(_FORM) :])
    folders, names = desk.folders(context), commands.enabled_names(context)
    loaded = {one.name: one for one in desk.enabled(desk.call(context, state_of(context)))} if names else {}
    rows = [Row(name, (name, *_words(commands.told(name, loaded.get(name)))), marked=True) for name in names]
    rows += [Row(name, (name, "not enabled", "")) for name in folders if name not in names]
    return View(
        "Extensions of text-generation-webui",
        (
            Text("An extension runs with all your rights: look at its code before you enable it.", "soft"),
            Rows(
                "extensions",
                ("name", "state", "more"),
                tuple(rows),
                (Button("open", "Parameters"), Button("switch", "Enable or disable")),
                f"There are none. Put their folders into {context.folder / FOLDER}, or add one here.",
            ),
            Field(_PATH, ""),
            Button("add", "Add"),
        ),
    )


def act(desk: Desk, context: ChatContext, done: Act) -> Outcome:
    """Do what the user did."""
    if done.place.startswith(_FORM):
        return _save(desk, context, done)
    if done.button == "add":
        return Outcome(commands.add(desk, context, done.values["path"].strip()))
    if done.button == "open":
        _loaded(desk, context, done.row)
        return Outcome(place=f"{_FORM}{done.row}")
    change = commands.disable if done.row in commands.enabled_names(context) else commands.enable
    return Outcome(change(desk, context, done.row))


def _form(desk: Desk, context: ChatContext, name: str) -> View:
    extension = _loaded(desk, context, name)
    parts = [_field(number, key, value) for number, (key, value) in enumerate(extension.params.items())]
    if not parts:
        return View(name, (Text(f"{name} has no parameters."),))
    return View(f"Parameters of {name}", (*parts, Button("save", "Save")))


def _field(number: int, key: Any, value: Any) -> Field:
    """Return the field of a parameter, of the type that the script gave it; what is no number or text is JSON."""
    name, label = f"value_{number}", one_line(str(key), 60)
    kind = _KINDS.get(type(value))
    if kind is not None:
        return Field(Setting(name, kind, value, label=label), value)
    if isinstance(value, str):
        return Field(Setting(name, "lines" if "\n" in value else "text", value, label=label), value)
    written = json.dumps(value, ensure_ascii=False, default=str)
    return Field(Setting(name, "lines", written, "Written as JSON.", label=label), written)


def _save(desk: Desk, context: ChatContext, done: Act) -> Outcome:
    extension = _loaded(desk, context, done.place[len(_FORM) :])
    new: dict[Any, Any] = {}
    for number, (key, before) in enumerate(extension.params.items()):
        shown, value = _field(number, key, before).value, done.values.get(f"value_{number}")
        if value is not None and value != shown:
            plain = isinstance(before, (str, *_KINDS))
            new[key] = value if plain else parsed(str(key), before, value)
    commands.change(context, extension, new)
    count = len(new)
    return Outcome(f"{count} of the parameters {'has' if count == 1 else 'have'} changed.", "")


def _loaded(desk: Desk, context: ChatContext, name: str) -> Extension:
    """Return an extension that is loaded; `UsageError` if it is not."""
    if name in commands.enabled_names(context):
        call = desk.call(context, state_of(context))
        found = next((one for one in desk.enabled(call) if one.name == name), None)
        if found is not None and found.module is not None and not found.loading:
            return found
        raise UsageError(
            f"{one_line(name, 60)} is not loaded.", found.error if found else "Is its folder there?"
        )
    raise UsageError(f"{one_line(name, 60)} is not enabled.", "Only what is enabled has parameters.")


def _words(lines: list[str]) -> tuple[str, str]:
    """Return what is told of an extension as two cells: its state, and the rest."""
    first, _, honoured = lines[0].partition(": ")[2].partition("; ")
    return first, "; ".join(filter(None, (honoured, *(line.strip() for line in lines[1:]))))
