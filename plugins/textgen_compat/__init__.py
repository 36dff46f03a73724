"""Runs extensions of text-generation-webui: the ``script.py`` of a folder, as it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from airochat.hooks import (
    Act,
    BlocksDraft,
    ChatContext,
    Command,
    HistoryDraft,
    Outcome,
    Panel,
    ReplyDraft,
    SamplingDraft,
    UserMessageDraft,
    View,
    hookimpl,
)

if TYPE_CHECKING:
    from .desk import Desk

USAGE = "/textgen [list | enable NAME | disable NAME | add PATH | remove NAME | set NAME [KEY=VALUE]]"


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/textgen``."""
    register(Command("textgen", "Extensions of text-generation-webui.", USAGE, textgen))


@hookimpl
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer the extensions with forms for their parameters."""
    register(
        Panel(
            "textgen_compat",
            "Extensions",
            "Extensions of text-generation-webui and their parameters.",
            show_panel,
            act_on_panel,
        )
    )


@hookimpl
def transform_user_message(context: ChatContext, draft: UserMessageDraft) -> None:
    """Let ``chat_input_modifier`` and ``input_modifier`` change what the user says."""
    if _asked_for(context):
        from .turns import user_message

        draft.text = user_message(_desk(), context, draft.text)


@hookimpl
def transform_history(context: ChatContext, draft: HistoryDraft) -> None:
    """Let ``history_modifier`` change messages of the prompt, or take them away."""
    if _asked_for(context):
        from .turns import messages

        draft.messages = messages(_desk(), context, draft.messages)


@hookimpl
def transform_blocks(context: ChatContext, draft: BlocksDraft) -> None:
    """Let the hooks that change history, state and prompt add to the prompt."""
    if _asked_for(context):
        from .turns import blocks

        draft.blocks = blocks(_desk(), context, draft.blocks)


@hookimpl
def transform_sampling(context: ChatContext, draft: SamplingDraft) -> None:
    """Let ``state_modifier`` change the sampling parameters, and ``logits_processor_modifier`` add processors."""
    if _asked_for(context):
        from .turns import processors, sampling

        draft.sampling = sampling(_desk(), context, draft.sampling)
        draft.processors += processors(_desk(), context)


@hookimpl
def transform_reply(context: ChatContext, draft: ReplyDraft) -> None:
    """Let ``output_modifier`` change a reply."""
    if _asked_for(context):
        from .turns import reply

        draft.text = reply(_desk(), context, draft.text)


def textgen(context: ChatContext, words: str) -> str:
    """Run ``/textgen``."""
    from .commands import run

    return run(_desk(), context, words)


def show_panel(context: ChatContext, place: str) -> View:
    """Show the extensions, or the form of one."""
    from .panel import show

    return show(_desk(), context, place)


def act_on_panel(context: ChatContext, done: Act) -> Outcome:
    """Do what the user did in the panel."""
    from .panel import act

    return act(_desk(), context, done)


def _asked_for(context: ChatContext) -> bool:
    """Return whether an extension is enabled; without one nothing is loaded and no file is looked at."""
    return bool(context.storage("global").get("enabled"))


@cache
def _desk() -> Desk:
    from .desk import Desk

    return Desk()
