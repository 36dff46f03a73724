"""What a session tells its front ends: frozen values, delivered on the thread where they happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airochat.backends.bans import NO_BANS, BanReport
from airochat.backends.base import ModelInfo, Timings, Usage
from airochat.conversation import Message, Tree
from airochat.prompt.blocks import PromptPlan


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """The model is being loaded: a fraction from 0 to 1, and what is being done."""

    fraction: float
    stage: str


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model can be used; ``template`` is the chosen template's name and ``why`` the reasons for it.

    ``doubts`` are sentences that the user must be shown, since the template may be the wrong one.
    """

    info: ModelInfo
    template: str
    why: tuple[str, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """The model could not be loaded, or its engine ended; turns start it anew."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that stops nothing, such as a plugin that failed."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TreeChanged:
    """Messages were added or the head moved."""

    session: str
    tree: Tree


@dataclass(frozen=True, slots=True)
class HorizonMoved:
    """The prompt has become too long for all messages: the model no longer sees those before ``message``.

    None means that it sees all of them.
    """

    session: str
    message: str | None


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """A turn has begun; its reply will have the id ``message`` and stand under ``parent``.

    ``alternatives`` are the ids of the further replies that are written beside it.
    """

    session: str
    turn: str
    message: str
    parent: str | None
    name: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundStarted(TurnStarted):
    """The model writes on in the same turn, knowing the results of its calls: another message, under ``parent``."""


@dataclass(frozen=True, slots=True)
class PromptReady:
    """The prompt of a turn is assembled."""

    session: str
    turn: str
    plan: PromptPlan


@dataclass(frozen=True, slots=True)
class PromptRead:
    """The model is reading the prompt: ``done`` of ``total`` tokens, ``reused`` of them from the cache."""

    session: str
    turn: str
    done: int
    total: int
    reused: int


@dataclass(frozen=True, slots=True)
class TextAdded:
    """New text of the reply, and how many tokens it took.

    ``index`` is 0 for the reply itself, and from 1 on for the alternatives written beside it.
    """

    session: str
    turn: str
    text: str
    tokens: int
    index: int = 0


@dataclass(frozen=True, slots=True)
class AlternativeEnded:
    """One of several replies is complete; ``message`` is what was stored, None if nothing was written.

    The first one, number 0, is stored when the turn ends, and told here without its message.
    """

    session: str
    turn: str
    index: int
    message: Message | None


ToolState = Literal["asked", "running", "done", "denied", "failed"]
"""How far a call is: the user is asked, or it runs, or it is over."""


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A call that the model made is in another state; ``text`` is the result once it is over.

    ``title`` is how people see the tool, and ``arguments`` is JSON on one line; all texts are clean.
    """

    session: str
    turn: str
    call_id: str
    tool: str
    title: str
    arguments: str
    state: ToolState
    text: str = ""


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """All calls in the reply ``message`` are over, and ``results`` is stored under it. A `RoundStarted` may follow."""

    session: str
    turn: str
    message: Message
    results: Message


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is over. ``message`` is the stored reply, the last one if tools were called; None if nothing was written.

    ``reason`` is ``eos``, ``stop``, ``length``, ``user`` or ``failed``; on the last, ``error`` and ``hint`` are two
    sentences for the user. ``bans`` tells what was done about banned phrases. ``usage`` counts the tokens of all rounds
    together; each message knows its own.
    """

    session: str
    turn: str
    message: Message | None
    reason: str
    usage: Usage
    timings: Timings
    error: str = ""
    hint: str = ""
    bans: BanReport = NO_BANS


TurnEvent = (
    TurnStarted
    | PromptReady
    | PromptRead
    | TextAdded
    | AlternativeEnded
    | ToolCalled
    | RoundEnded
    | TurnEnded
)
ModelEvent = ModelLoading | ModelReady | ModelFailed
SessionEvent = TurnEvent | ModelEvent | TreeChanged | HorizonMoved | Notice
