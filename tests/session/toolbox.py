"""A plugin with tools for tests: a reply calls a tool by a line such as ``CALL dice {"sides": 6}``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.session import Session, SessionManager, Turn
from airochat.session.approval import Decision, PendingCall
from airochat.session.events import SessionEvent
from tests.hooks.helpers import BUNDLED

CODE = '''
"""Tools for tests."""

import json
import threading

from airochat.hooks import CallsDraft, ResultsDraft, Tool, ToolCall, hookimpl

GATE = threading.Event()
RAN = []


def dice(context, call):
    RAN.append(call)
    return f"rolled {call.seed % call.arguments.get('sides', 6) + 1}"


def slow(context, call):
    RAN.append(call)
    GATE.wait(30)
    return "at last"


def broken(context, call):
    raise RuntimeError("no luck")


SIDES = {"type": "object", "properties": {"sides": {"type": "integer"}}}


@hookimpl
def contribute_tools(context):
    return [
        Tool("dice", "Rolls a die.", SIDES, dice, approval="free"),
        Tool("lamp", "Lights the lamp.", SIDES, dice, title="lamp of the harbour"),
        Tool("slow", "Takes its time.", {"type": "object"}, slow, approval="free"),
        Tool("broken", "Fails.", {"type": "object"}, broken, approval="free"),
    ]


@hookimpl
def transform_calls(context, draft):
    for line in draft.reply.text.splitlines():
        if line.startswith("CALL "):
            name, _, arguments = line[5:].partition(" ")
            draft.calls.append(ToolCall(name, json.loads(arguments or "{}")))


@hookimpl
def transform_results(context, draft):
    if "THEN dice" in draft.reply.text and len(draft.results) == 1:
        draft.calls.append(ToolCall("dice", {"sides": 2}))
    if "FLOOD" in draft.reply.text:
        draft.calls += [ToolCall("dice", {})] * 5
    if "QUIET" in draft.reply.text:
        draft.again = False
'''
MANIFEST = 'name = "toolbox"\nversion = "1.0"\nsummary = "Tools for tests."\napi = 1\n'

Script = Sequence[str] | Callable[[str], str]


Open = Callable[..., "Workbench"]
"""Makes a workbench of replies and options; the fixture ``opened``."""


def write_toolbox(home: Path, code: str = CODE) -> None:
    """Write the plugin into a data folder."""
    folder = home / "plugins" / "toolbox"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plugin.toml").write_text(MANIFEST, encoding="utf-8")
    (folder / "__init__.py").write_text(code, encoding="utf-8")


class Workbench:
    """A session on the scripted backend with the toolbox, and everything that the session told."""

    def __init__(self, home: Path, replies: Script, code: str = CODE, **settings: Any) -> None:
        if not (home / "plugins").exists():
            write_toolbox(home, code)
        self.backend = ScriptedBackend(replies)
        settings = {"plugins_enabled": ["toolbox"], "plugins_disabled": BUNDLED, **settings}
        self.manager: SessionManager = airochat.open(home, self.backend, settings)
        self.session: Session = self.manager.latest() or self.manager.new()
        self.events: list[SessionEvent] = []
        self.session.subscribe(self.events.append)

    def texts(self) -> list[str]:
        """What the branch now shown says."""
        return [message.text for message in self.session.history]

    def answer(self, decision: Decision) -> list[PendingCall]:
        """Let every question be answered like this from now on; return the list that the questions come into."""
        asked: list[PendingCall] = []

        def approve(pending: PendingCall) -> None:
            asked.append(pending)
            pending.answer(decision)

        self.manager.approver = approve
        return asked

    @property
    def ran(self) -> list[Any]:
        """The calls that the tools of this plugin were given."""
        found: list[Any] = self._globals["RAN"]
        return found

    def open_gate(self) -> None:
        """Let the slow tool end."""
        self._globals["GATE"].set()

    @property
    def _globals(self) -> dict[str, Any]:
        run: Any = self.session.tools()["dice"][1].run
        found: dict[str, Any] = run.__globals__
        return found


def done(turn: Turn) -> Turn:
    """Wait for the end of a turn."""
    assert turn.wait(30)
    return turn
