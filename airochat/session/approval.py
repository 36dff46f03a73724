"""Who may decide that a tool runs: the user, once, for a chat or for good; and what was decided."""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.hooks import Tool, ToolCall
from airochat.session.arguments import pretty
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.session.session import Session
    from airochat.store import Store

Decision = Literal["once", "chat", "always", "no", "never"]
"""What the user says to a call; ``chat``, ``always`` and ``never`` also hold for later calls of the tool."""
Standing = Literal["chat", "always", "never"]
"""A decision that was kept."""

_OWNER = "airochat"


class Approvals:
    """What the user has decided about tools; kept in the database, by plugin and tool.

    What was allowed holds only for a tool of the same ``identity``; a decision without one holds for all of the name.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._everywhere = store.mapping(_OWNER, "tools")

    def standing(self, session_id: str, plugin: str, tool: str, identity: str = "") -> Standing | None:
        """Return what was decided about a tool, or None; what holds for good comes first."""
        key = f"{plugin}/{tool}"
        for kept in (self._everywhere.get(key), self._in_chat(session_id).get(key)):
            decision, known = _read(kept)
            if decision is not None and known in ("", identity):
                return decision
        return None

    def keep(self, session_id: str, plugin: str, tool: str, decision: Standing, identity: str = "") -> None:
        """Keep a decision, durably. What is allowed in one chat is no longer forbidden, but asked for, in others."""
        key = f"{plugin}/{tool}"
        value = [decision, identity] if identity and decision != "never" else decision
        if decision != "chat":
            self._everywhere[key] = value
            return
        if self._everywhere.get(key) == "never":
            self._everywhere.pop(key, None)
        self._in_chat(session_id)[key] = value

    def forget(self, plugin: str, tool: str, session_id: str = "") -> None:
        """Ask again from now on, everywhere and in this chat."""
        key = f"{plugin}/{tool}"
        self._everywhere.pop(key, None)
        if session_id:
            self._in_chat(session_id).pop(key, None)

    def listed(self) -> dict[tuple[str, str], str]:
        """Return what holds for good, by plugin and tool."""
        parts = {key: key.partition("/") for key in self._everywhere}
        found = {(plugin, tool): _read(self._everywhere[key])[0] for key, (plugin, _, tool) in parts.items()}
        return {place: decision for place, decision in found.items() if decision is not None}

    def _in_chat(self, session_id: str) -> MutableMapping[str, Any]:
        return self._store.mapping(_OWNER, f"tools:{session_id}")


def _read(kept: Any) -> tuple[Standing | None, str]:
    """Return a kept decision and the identity of the tool that it holds for, empty for any."""
    decision, identity = kept if isinstance(kept, list) and len(kept) == 2 else (kept, "")
    return (decision if decision in get_args(Standing) else None), str(identity)


@dataclass(frozen=True, slots=True)
class Question:
    """What the user is asked about a call; all texts are clean."""

    call_id: str
    tool: str
    title: str
    """How people see the tool, with where it comes from."""
    plugin: str
    """The plugin that offers it."""
    description: str
    arguments: str
    """JSON on several lines, complete."""


class PendingCall:
    """A call that waits for the user; a front end shows `question` and calls `answer`, from any thread."""

    def __init__(self, session: Session, plugin: str, tool: Tool, call: ToolCall) -> None:
        self.session = session
        self.question = Question(
            call.id,
            tool.name,
            one_line(tool.title or tool.name, 100),
            plugin,
            clean(tool.description),
            pretty(call.arguments),
        )
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._decision: Decision | None = None

    @property
    def decision(self) -> Decision | None:
        """What was decided; None while nobody has, or if it was withdrawn before."""
        return self._decision

    @property
    def over(self) -> bool:
        """Whether nobody needs to be asked any more."""
        return self._answered.is_set()

    def answer(self, decision: Decision) -> bool:
        """Decide; False if that was done before. Raises `UsageError` for a word that is no decision."""
        if decision not in get_args(Decision):
            raise UsageError(f"{decision!r} is no answer.", f"Answer {', '.join(get_args(Decision))}.")
        with self._lock:
            if self._answered.is_set():
                return False
            self._decision = decision
            self._answered.set()
        return True

    def withdraw(self) -> None:
        """Ask no longer, since the turn was stopped or there is nobody to answer."""
        with self._lock:
            self._answered.set()

    def wait(self, seconds: float) -> bool:
        """Block until it is answered or the time is over; return whether it is."""
        return self._answered.wait(seconds)

    def __repr__(self) -> str:
        return f"<PendingCall {self.question.tool} {self._decision or 'waiting'}>"


def named(tools: Mapping[str, tuple[str, Tool]], name: str) -> tuple[str, Tool]:
    """Return the tool of a name with its plugin; `UsageError` if there is none."""
    if name not in tools:
        raise UsageError(f"There is no tool {one_line(name, 64)!r} here.", did_you_mean(name, tools))
    return tools[name]
