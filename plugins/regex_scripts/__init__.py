"""Regex scripts: find and replace in what is said, in the format of SillyTavern."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from airochat.hooks import (
    BlocksDraft,
    ChatContext,
    Command,
    HistoryDraft,
    ReplyDraft,
    UserMessageDraft,
    hookimpl,
)

if TYPE_CHECKING:
    from .prompts import Memory

USAGE = "/regex [add FILE [global] | remove|on|off NAME | test NAME TEXT | allow | deny]"
LORE_SOURCE = "plugin:lorebook"
"""Where the blocks come from that count as world info."""


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/regex``."""
    register(Command("regex", "Regex scripts: find and replace in what is said.", USAGE, command))


@hookimpl
def transform_user_message(context: ChatContext, draft: UserMessageDraft) -> None:
    """Run the scripts for user input."""
    from . import script, shelf

    (draft.text,) = shelf.run(context, script.USER, [(draft.text, None)])


@hookimpl
def transform_reply(context: ChatContext, draft: ReplyDraft) -> None:
    """Run the scripts for AI output."""
    from . import script, shelf

    (draft.text,) = shelf.run(context, script.REPLY, [(draft.text, None)])


@hookimpl
def transform_history(context: ChatContext, draft: HistoryDraft) -> None:
    """Run the scripts for messages in the prompt only."""
    from . import prompts, shelf

    if any(one.script.prompt_only and not one.off for one in shelf.scripts(context)):
        draft.messages = prompts.changed(context, draft.messages, _memory())


@hookimpl
def transform_blocks(context: ChatContext, draft: BlocksDraft) -> None:
    """Run the scripts for world info; an entry of which nothing is left goes."""
    from . import script, shelf

    lore = [block for block in draft.blocks if block.source.startswith(LORE_SOURCE)]
    texts = shelf.run(context, script.LORE, [(block.text, block.depth) for block in lore]) if lore else []
    for block, text in zip(lore, texts, strict=True):
        if text != block.text:
            at = draft.blocks.index(block)
            draft.blocks[at : at + 1] = [dataclasses.replace(block, text=text)] if text.strip() else []


def command(context: ChatContext, words: str) -> str:
    """Run ``/regex``."""
    from .commands import run

    return run(context, words)


@cache
def _memory() -> Memory:
    from .prompts import Memory

    return Memory()
