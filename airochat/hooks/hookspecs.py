"""Every point where plugins are called, in three families.

``register_*`` offers something, ``transform_*`` changes one draft, ``on_*`` observes; `contribute_blocks` returns
pieces of the prompt. Plugins run one after the other: bundled ones, then installed packages, then those of the
user's folder, each sorted by name, so a draft is changed in that order. A plugin asks only for the arguments it
needs. One that raises, or returns what it should not, is named to the user, logged, and left out until airochat
starts again; what it was doing goes on without it. Hooks run on the thread of the turn and hold it up: be quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pluggy

from airochat.hooks.context import (
    ChatContext,
    Command,
    MessageFacts,
    ReplyDraft,
    SamplingDraft,
    TurnFacts,
    UserMessageDraft,
)
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroFunction

API = 1
"""The version of this interface, which ``plugin.toml`` names as ``api``."""

PROJECT = "airochat"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's function as the implementation of the hook of the same name."""


@hookspec
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer slash commands by calling ``register`` once for each; called once, after loading."""


@hookspec
def register_macros(register: Callable[[str, MacroFunction], None]) -> None:
    """Offer macros by calling ``register`` with a name and a function for each; called once, after loading.

    The function gets a `MacroCall` and returns the text that takes the macro's place.
    """


@hookspec
def contribute_blocks(context: ChatContext) -> Iterable[Block] | None:
    """Return blocks for the prompt that is being assembled; their source begins with ``plugin:NAME``."""


@hookspec
def transform_user_message(context: ChatContext, draft: UserMessageDraft) -> None:
    """Change what the user is about to say, before it is stored."""


@hookspec
def transform_sampling(context: ChatContext, draft: SamplingDraft) -> None:
    """Change the sampling parameters of the coming reply."""


@hookspec
def transform_reply(context: ChatContext, draft: ReplyDraft) -> None:
    """Change a reply that has ended, before it is stored."""


@hookspec
def on_session_opened(context: ChatContext) -> None:
    """Learn that a chat was made or opened."""


@hookspec
def on_message_added(context: ChatContext, event: MessageFacts) -> None:
    """Learn that a message was stored, whoever wrote it."""


@hookspec
def on_turn_started(context: ChatContext, event: TurnFacts) -> None:
    """Learn that a reply is about to be written."""


@hookspec
def on_turn_finished(context: ChatContext, event: TurnFacts) -> None:
    """Learn that a turn is over, however it ended."""
