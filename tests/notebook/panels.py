"""A plugin with a panel that has every part and every kind of field, and panels that misbehave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airochat.backends.scripted import ScriptedBackend
from airochat.session import SessionManager, open
from tests.hooks.helpers import BUNDLED, write_plugin
from tests.notebook.canaries import CANARIES

ALL = r"""
import threading
import airochat.errors

kept = {"word": "", "story": "one\ntwo", "depth": 4, "weight": 0.5, "on": False, "mood": "calm"}
lines = [f"line {number}" for number in range(3000)]
done, gate, complained = [], threading.Event(), threading.Event()
FIELDS = (
    Setting("word", "text", "", "One word."),
    Setting("story", "lines", ""),
    Setting("depth", "int", 4, "How deep.", 0, 9),
    Setting("weight", "float", 0.5, least=0),
    Setting("on", "bool", False),
    Setting("mood", "choice", "calm", choices=("calm", "wild")),
)

def show(context, place):
    if place.startswith("line:"):
        return View(place, (Text(f"All about {place[5:]}."), Field(FIELDS[0], kept["word"]), Button("keep", "Keep")))
    said = len(context.history)
    rows = tuple(Row(name, (name, name.upper()), name == "line 1") for name in lines)
    buttons = (Button("open", "Open"), Button("drop", "Drop", "Drop it for good?"))
    return View("All there is", (
        Text("About this chat", "heading"),
        Text(f"{said} messages.\nAnd a second line."),
        Text("Nothing to worry about.", "soft"),
        Text("Beware.", "warning"),
        Meter("Words today", 350, 1000, "words"),
        *(Field(one, kept[one.name]) for one in FIELDS),
        Button("save", "Save"), Button("wipe", "Wipe", "Wipe all of it?"), Button("complain", "Complain"),
        Rows("lines", ("Name", "Loud"), rows, buttons),
        Rows("none", ("Name",), (), (), "There is nothing here."),
    ))

def act(context, act):
    done.append(act)
    if act.button == "open":
        return Outcome(place=f"line:{act.row}")
    if act.button == "drop":
        lines.remove(act.row)
        return Outcome(f"{act.row} is gone.")
    if act.button == "complain":
        complained.set()
        raise airochat.errors.UsageError("That is too much.", "Do less.")
    if act.button == "wipe":
        gate.wait()
    kept.update(act.values)
    return Outcome("It is saved.", "" if act.button == "keep" else None)

@hookimpl
def register_panels(register):
    register(Panel("all", "All there is", "Has every part.", show, act))
    register(Panel("quiet", "Quiet", "Fails if asked.", lambda c, p: View("Quiet", (Button("go", "Go"),)),
                   lambda c, a: 1 / 0))
"""


def hostile_code() -> str:
    """Return a plugin whose panel has canaries in every text that it can have."""
    return f"""
C = {CANARIES!r}

def show(context, place):
    cells = tuple(C[:3])
    return View(C[0], (
        *(Text(one, tone) for one in C for tone in ("plain", "soft", "heading", "warning")),
        *(Meter(one, 1, 2, one) for one in C),
        *(Field(Setting(f"t{{i}}" + one, "text", "", one, label=one), one) for i, one in enumerate(C)),
        *(Field(Setting(f"l{{i}}", "lines", "", one, label=one), one) for i, one in enumerate(C)),
        *(Field(Setting(f"c{{i}}", "choice", one, one, choices=(one, "x")), one) for i, one in enumerate(C)),
        *(Button(f"b{{i}}" + one, one, one) for i, one in enumerate(C)),
        Rows(C[1], tuple(C), tuple(Row(one, tuple(C)) for one in C), (Button("r" + C[0], C[0], C[0]),
             Button("q" + C[0], C[1])), C[2]),
        Rows("empty", (C[0],), (), (), C[2]),
    ))

@hookimpl
def register_panels(register):
    register(Panel("hostile", C[1], C[2], show, lambda context, act: Outcome(C[0] + act.button + act.row)))
"""


def manager_with(home: Path, backend: ScriptedBackend | None = None, **plugins: str) -> SessionManager:
    """Open a manager on plugins of the given code, and no others."""
    for name, code in plugins.items():
        write_plugin(home / "plugins", name, code)
    settings: dict[str, Any] = {"plugins_enabled": tuple(plugins), "plugins_disabled": BUNDLED}
    return open(home, model=backend or ScriptedBackend(["The bell rings."]), settings=settings)


def names_in(manager: SessionManager, panel: str) -> dict[str, Any]:
    """Return the names in the running code of the plugin that has a panel."""
    return manager.plugins.panels()[panel][1].show.__globals__
