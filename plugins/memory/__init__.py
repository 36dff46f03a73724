"""Memory: a summary of what has left the context, facts, recalled messages, and documents."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from airochat.hooks import (
    Act,
    Block,
    ChatContext,
    Command,
    HistoryDraft,
    ModelFacts,
    Outcome,
    Panel,
    View,
    hookimpl,
)

if TYPE_CHECKING:
    from .desk import Desk

REMEMBER = "/remember [here|chat|character|always] TEXT"
FORGET = "/forget N|TEXT"
MEMORY = (
    "/memory [summary [edit TEXT | redo | forget] | facts | pin|unpin N | conflicts | recall | documents | "
    "add FILE [chat|character|always] | drop NAME]"
)


# Two hooks that both come first must not make two, of which each would know half.
_making = Lock()


def memory_of_all() -> Desk:
    """Return what remembers for all chats, made when it is first needed."""
    with _making:
        return _only_desk()


@cache
def _only_desk() -> Desk:
    from .desk import Desk

    return Desk()


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/remember``, ``/forget`` and ``/memory``."""
    register(Command("remember", "Remember a fact, and tell it to the model.", REMEMBER, _remember))
    register(Command("forget", "Forget a fact.", FORGET, _forget))
    register(Command("memory", "What the model is told of what it does not see any more.", MEMORY, _memory))


@hookimpl
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer the panel ``memory``."""
    register(Panel("memory", "Memory", "Summary, facts, recall and documents of this chat.", _show, _act))


@hookimpl
def contribute_blocks(context: ChatContext) -> list[Block]:
    """Return what is remembered."""
    return memory_of_all().blocks(context)


@hookimpl
def transform_history(context: ChatContext, draft: HistoryDraft) -> None:
    """Write the user's question as the instruction on documents, where a model was trained to be asked so."""
    asked = memory_of_all().question(context)
    if asked is not None:
        draft.messages = [asked if one.id == asked.id else one for one in draft.messages]


@hookimpl
def on_session_opened(context: ChatContext) -> None:
    """Begin to index a long chat."""
    memory_of_all().opened(context)


@hookimpl
def on_session_closed(context: ChatContext) -> None:
    """Give up what is done for a chat."""
    memory_of_all().closed(context.session_id)


@hookimpl
def on_turn_finished(context: ChatContext) -> None:
    """Do in the background what is due."""
    memory_of_all().after_turn(context)


@hookimpl
def on_idle(context: ChatContext) -> None:
    """Do in the background what is due, or failed after the turn."""
    memory_of_all().after_turn(context)


@hookimpl
def on_model_loaded(event: ModelFacts) -> None:
    """Learn who writes summaries from now on."""
    memory_of_all().model = event.name


def _remember(context: ChatContext, words: str) -> str:
    from . import commands

    return commands.remember(context, words)


def _forget(context: ChatContext, words: str) -> str:
    from . import commands

    return commands.forget(context, words)


def _memory(context: ChatContext, words: str) -> str:
    from . import commands

    return commands.run(memory_of_all(), context, words)


def _show(context: ChatContext, place: str) -> View:
    from . import panel

    return panel.show(memory_of_all(), context, place)


def _act(context: ChatContext, act: Act) -> Outcome:
    from . import panel

    return panel.act(memory_of_all(), context, act)
