"""Lorebooks: what is told to the model of a world while the talk is about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from airochat.hooks import (
    Act,
    Block,
    BlocksDraft,
    ChatContext,
    Command,
    MacroCall,
    MacroFunction,
    Outcome,
    Panel,
    TurnFacts,
    View,
    hookimpl,
)

if TYPE_CHECKING:
    from .desk import Desk

USAGE = (
    "/lore [why|last [ENTRY] | add FILE | remove|on|off NAME | freeze|thaw ENTRY | export NAME FILE | set …]"
)


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/lore``."""
    register(Command("lore", "Lorebooks: what they add to the prompt, and why.", USAGE, lore))


@hookimpl
def register_macros(register: Callable[[str, MacroFunction], None]) -> None:
    """Offer ``{{outlet::NAME}}``, where entries stand that ask for it."""
    register("outlet", outlet)


@hookimpl
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer the lorebook editor."""
    register(
        Panel(
            "lorebook",
            "Lorebooks",
            "The lorebooks of this chat: what they add to the prompt, and their entries.",
            show_panel,
            act_on_panel,
        )
    )


@hookimpl
def contribute_blocks(context: ChatContext) -> list[Block]:
    """Return the lore of the moment."""
    return _desk().blocks_in_time(context) if _wanted(context) else []


@hookimpl
def transform_blocks(context: ChatContext, draft: BlocksDraft) -> None:
    """Move the lore that belongs to the author's note to where that stands."""
    if _wanted(context):
        draft.blocks = _desk().around_note(context, draft.blocks)


@hookimpl
def on_turn_finished(context: ChatContext, event: TurnFacts) -> None:
    """Keep what was in the prompt of a reply if that matters later."""
    if event.message is not None and event.message.role == "assistant" and _wanted(context):
        _desk().remember(context, event.message)


def lore(context: ChatContext, words: str) -> str:
    """Run ``/lore``."""
    from .commands import run

    return run(_desk(), context, words)


def show_panel(context: ChatContext, place: str) -> View:
    """Show what is at a place of the editor."""
    from .panel import show

    return show(_desk(), context, place)


def act_on_panel(context: ChatContext, done: Act) -> Outcome:
    """Do what the user did in the editor."""
    from .panel import act

    return act(_desk(), context, done)


def outlet(call: MacroCall) -> str:
    """Return what stands at an outlet."""
    return _desk().outlet(call.macros.scope.seed, call.arguments[0] if call.arguments else "")


def _wanted(context: ChatContext) -> bool:
    """Return whether a chat has or had lore; the engine's modules are not loaded for others."""
    return bool(
        _desk.cache_info().currsize
        or any(card.character_book is not None for card in context.cards)
        or context.storage("global").get("files")
        or context.data.get("frozen")
    )


@cache
def _desk() -> Desk:
    """Return what remembers books and keys; it is made, and its modules loaded, when lore is first asked for."""
    from .desk import Desk

    return Desk()
