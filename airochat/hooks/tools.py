"""Tools: functions that the model may call, and what becomes of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airochat.conversation import Message

if TYPE_CHECKING:
    from airochat.hooks.context import ChatContext

LONGEST_RESULT = 16_000
"""Characters of a result that are kept; the rest is cut, and the result says so."""

Approval = Literal["ask", "free"]
"""Whether the user is asked before a tool runs; ``free`` only for those that reach nothing outside the chat."""

CallState = Literal["done", "denied", "failed"]
"""What became of a call."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    ``parameters`` is a JSON schema of an object. ``run`` gets the chat and the call, whose arguments fit the schema,
    and returns what the model will read. An exception that it raises is told to the model as the result, and switches
    nothing off; it is given up after ``seconds``.
    """

    name: str
    """Letters, digits, ``_``, ``-`` and ``.``, at most 64."""
    description: str
    """When to use it and what it returns; the model reads this."""
    parameters: Mapping[str, Any]
    run: Callable[[ChatContext, ToolCall], str]
    approval: Approval = "ask"
    seconds: float = 60.0
    title: str = ""
    """How people see it, with where it comes from, such as the server; by default its name."""
    identity: str = ""
    """What it is besides its name, such as the program behind it; what the user allows holds only for the same one."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model wants to be made."""

    tool: str
    arguments: Mapping[str, Any]
    seed: int = 0
    """For tools that draw by chance: the same for the same call at the same place in the chat."""
    id: str = ""
    """Tells the calls of one reply apart; filled in before it runs."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """A call with what came of it; ``text`` is what the model will read."""

    call: ToolCall
    state: CallState
    text: str
    seconds: float = 0.0


@dataclass(slots=True)
class CallsDraft:
    """A reply that has just been stored, and the calls found in it: put them into ``calls``."""

    reply: Message
    tools: tuple[Tool, ...]
    """All tools that are offered in this chat."""
    round: int
    """How many rounds of calls this turn has had before."""
    calls: list[ToolCall] = field(default_factory=list)


@dataclass(slots=True)
class ResultsDraft:
    """The results of all calls of a reply, before they are stored as a message for the model.

    ``text`` is what that message will say. Further calls put into ``calls`` are made first, and the draft comes again
    with all results; so a plan whose steps need each other's results can be carried out. With ``again`` the model
    writes on; else the turn ends with the results.
    """

    reply: Message
    tools: tuple[Tool, ...]
    results: tuple[CallResult, ...]
    text: str
    calls: list[ToolCall] = field(default_factory=list)
    again: bool = True
