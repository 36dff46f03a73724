"""A plugin whose panel has every kind of part and field; what it was asked and told is kept here."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tests.hooks import signals
from tests.hooks.helpers import write_plugin

MANIFEST = """
name = "{name}"
version = "1.0"
summary = "Knows [the facts]."
api = 1

[settings.depth]
type = "int"
default = 4
least = 0
most = 99
help = "How deep."

[settings.watch]
type = "bool"
default = true
"""

CODE = """
from tests.tui import panel_plugin as desk

KINDS = (
    Setting("fact", "text", "", "One [sentence]."),
    Setting("notes", "lines", ""),
    Setting("depth", "int", 4, "How deep.", 0, 9),
    Setting("weight", "float", 0.5, least=0),
    Setting("watch", "bool", True),
    Setting("tone", "choice", "warm", choices=("warm", "cool", "dry")),
)

def show(context, place):
    desk.shown.append((place, len(context.history)))
    return desk.view(place, KINDS, context)

def act(context, act):
    desk.done.append(act)
    return desk.outcome(act)

@hookimpl
def register_panels(register):
    register(Panel("desk", "Facts", "What the model knows.", show, act))
"""

shown: list[tuple[str, int]] = []
"""The places that were shown, each with how many messages there were."""
done: list[Any] = []
values: dict[str, Any] = {}
"""What the fields have."""
facts: list[str] = []
gate = threading.Event()
"""Lets a place go on that waits."""
extra: list[Any] = []
"""Parts that are shown before all others."""
hangs = False
"""Whether what is done never ends."""


def enable(home: Path, *names: str) -> None:
    """Write the plugin, and let it and others run."""
    global hangs
    hangs = False
    write_plugin(home / "plugins", "desk", CODE, MANIFEST)
    listed = ", ".join(f'"{name}"' for name in ("desk", *names))
    (home / "settings.toml").write_text(f"plugins_enabled = [{listed}]\n", encoding="utf-8")
    shown.clear()
    done.clear()
    extra.clear()
    gate.clear()
    facts[:] = ["The pass closes at dusk.", "Rook is [/alive]."]
    values.clear()
    values.update(fact="", notes="", depth=4, weight=0.5, watch=True, tone="warm")


def view(place: str, kinds: Any, context: Any) -> Any:
    """Return what the panel shows."""
    from airochat.errors import UsageError
    from airochat.hooks import Button, Field, Meter, Row, Rows, Setting, Text, View

    if place == "raises":
        raise ValueError("no good")
    if place == "refuses":
        raise UsageError("The book is closed.", "Open it.")
    if place == "rubbish":
        return "rubbish"
    if place == "waits":
        gate.wait(60)
        return View("At last", (Text("It has come."),))
    if place.startswith("fact:"):
        number = int(place.removeprefix("fact:"))
        text = Field(Setting("text", "lines", ""), facts[number])
        return View(f"Fact {number}", (text, Button("keep", "Keep"), Button("further", "Further")))
    if place:
        return View(place.title(), (Text("A dead end."),))
    rows = tuple(Row(str(number), (str(number), fact), not number) for number, fact in enumerate(facts))
    row_buttons = (Button("open", "Open"), Button("drop", "Forget", "Forget [this] fact?"))
    return View(
        "Facts [b]",
        (
            *extra,
            Text("Known so far", "heading"),
            Text("plain [/words]"),
            Text("soft words", "soft"),
            Text("mind this", "warning"),
            Meter("words today", 350, 1000, "words"),
            Rows("facts", ("no", "fact"), rows, row_buttons, "Nothing is known."),
            *(Field(kind, values[kind.name]) for kind in kinds),
            Button("save", "Save"),
            Button("wait", "Wait"),
            *(Button(f"go:{where}", where) for where in ("raises", "refuses", "rubbish", "waits")),
        ),
    )


def outcome(act: Any) -> Any:
    """Do what was done in the panel."""
    from airochat.errors import UsageError
    from airochat.hooks import Outcome

    if hangs:
        signals.hang()
    if act.button.startswith("go:"):
        return Outcome(place=act.button.removeprefix("go:"))
    if act.button == "open":
        return Outcome(place=f"fact:{act.row}")
    if act.button == "drop":
        facts.pop(int(act.row))
        return Outcome("It is [forgotten].")
    if act.button == "wait":
        gate.wait(60)
        return Outcome("It took a while.")
    if act.button == "keep":
        number = int(act.place.removeprefix("fact:"))
        facts[number] = act.values["text"]
        return Outcome("Kept.", place="")
    if act.button == "further":
        return Outcome(place="end")
    if act.values["fact"] == "no":
        raise UsageError("This fact is not one.", "Say another.")
    values.update(act.values)
    return Outcome("Saved.")
