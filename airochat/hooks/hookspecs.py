"""Every point where plugins are called, in three families.

``register_*`` offers something, ``transform_*`` changes one draft, ``on_*`` observes; `contribute_blocks` returns
pieces of the prompt. A plugin asks only for the arguments it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pluggy

from airochat.hooks.context import (
    BlocksDraft,
    ChatContext,
    EditFacts,
    HeadFacts,
    HistoryDraft,
    MessageFacts,
    ModelFacts,
    PluginContext,
    ReplyDraft,
    SamplingDraft,
    TextFacts,
    TurnFacts,
    UserMessageDraft,
)
from airochat.hooks.offers import BackendOffer, Command, Exporter, Importer
from airochat.hooks.panels import Panel
from airochat.hooks.tools import CallsDraft, ResultsDraft, Tool
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
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer panels by calling ``register`` once for each; called once, after loading."""


@hookspec
def register_importers(register: Callable[[Importer], None]) -> None:
    """Offer to read chats from other programs' files; called once, after loading."""


@hookspec
def register_exporters(register: Callable[[Exporter], None]) -> None:
    """Offer to write chats into files; called once, after loading."""


@hookspec
def register_backends(register: Callable[[BackendOffer], None]) -> None:
    """Offer another way to run a model; called once, after loading."""


@hookspec
def contribute_tools(context: ChatContext) -> Iterable[Tool] | None:
    """Return the functions that the model may call in this chat; called once for each prompt and each call."""


@hookspec
def contribute_blocks(context: ChatContext) -> Iterable[Block] | None:
    """Return blocks for the prompt that is being assembled; their source begins with ``plugin:NAME``.

    Prompts are also assembled to be shown, and to be read by the model while the user types: keep nothing here that
    depends on a reply being written.
    """


@hookspec
def transform_user_message(context: ChatContext, draft: UserMessageDraft) -> None:
    """Change what the user is about to say, before it is stored."""


@hookspec
def transform_history(context: ChatContext, draft: HistoryDraft) -> None:
    """Change or leave out messages of a prompt; what is stored and shown stays as it is.

    The prompt report names the plugin at every message that it has changed. A message that is changed in one turn and
    not in the next must be read again by the model, with all that follows it.
    """


@hookspec
def transform_blocks(context: ChatContext, draft: BlocksDraft) -> None:
    """Change, drop, add or reorder the blocks of a prompt, after all plugins have contributed theirs.

    The prompt report names the plugin at every block that it has changed. As with `contribute_blocks`, the prompt may
    be for looking at only; it may be assembled twice for one turn.
    """


@hookspec
def transform_sampling(context: ChatContext, draft: SamplingDraft) -> None:
    """Change the sampling parameters of the coming reply, or add logits processors.

    A processor runs in the engine's process once for each token; the samplers that airochat has cost much less.
    """


@hookspec
def transform_reply(context: ChatContext, draft: ReplyDraft) -> None:
    """Change a reply that has ended, before it is stored. What the model wrote is kept beside it."""


@hookspec
def transform_calls(context: ChatContext, draft: CallsDraft) -> None:
    """Find the calls in a reply that has been stored; the user is asked, they run, and `transform_results` follows."""


@hookspec
def transform_results(context: ChatContext, draft: ResultsDraft) -> None:
    """Change how the results of calls are told to the model, make further calls first, or end the turn with them."""


@hookspec
def on_session_opened(context: ChatContext) -> None:
    """Learn that a chat was made or opened; a new one has no messages yet."""


@hookspec
def on_session_closed(context: ChatContext) -> None:
    """Learn that a chat is about to be closed, for instance since the program ends."""


@hookspec
def on_message_added(context: ChatContext, event: MessageFacts) -> None:
    """Learn that a message was stored, whoever wrote it; the history in ``context`` ends with it."""


@hookspec
def on_message_edited(context: ChatContext, event: EditFacts) -> None:
    """Learn that a changed copy of a message was stored beside it; the history in ``context`` ends with the copy."""


@hookspec
def on_head_moved(context: ChatContext, event: HeadFacts) -> None:
    """Learn that another message is shown last: by a swipe, another branch, undo or redo. Nothing was written."""


@hookspec
def on_turn_started(context: ChatContext, event: TurnFacts) -> None:
    """Learn that a reply is about to be written."""


@hookspec
def on_text_added(context: ChatContext, event: TextFacts) -> None:
    """Learn about four times a second what was written of a reply; never for each token.

    The text is that of the model, before `transform_reply`.
    """


@hookspec
def on_turn_stopped(context: ChatContext, event: TurnFacts) -> None:
    """Learn that the user has ended a turn; `on_turn_finished` follows."""


@hookspec
def on_turn_failed(context: ChatContext, event: TurnFacts) -> None:
    """Learn that a turn has failed, and why; `on_turn_finished` follows."""


@hookspec
def on_turn_finished(context: ChatContext, event: TurnFacts) -> None:
    """Learn that a turn is over, however it ended."""


@hookspec
def on_model_loaded(context: PluginContext, event: ModelFacts) -> None:
    """Learn that a model is ready. Turns wait meanwhile, so a hook must not wait for an answer of the model."""


@hookspec
def on_model_unloaded(context: PluginContext, event: ModelFacts) -> None:
    """Learn that a model is given up, for another one or since the program ends."""


@hookspec
def on_idle(context: ChatContext) -> None:
    """Learn that no turn has run in a chat for half a minute; called once after each turn.

    The place to ask the model something by ``context.ask``, such as a summary.
    """
