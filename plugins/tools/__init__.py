"""Tools: what the model may call, how it is told of them, and how its calls are read."""

from __future__ import annotations

from collections.abc import Callable

from airochat.hooks import (
    Block,
    CallsDraft,
    ChatContext,
    Command,
    HistoryDraft,
    Panel,
    ResultsDraft,
    SamplingDraft,
    Tool,
    TurnFacts,
    hookimpl,
)

ORDER = 20
"""The place of the list of tools in the head of a prompt: behind cards and persona, which have 0."""


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/tools``, ``/call``, ``/clock`` and ``/notes``."""
    register(
        Command(
            "tools",
            "What the model may call: list it, switch it on or off, add servers.",
            "/tools [on|off [NAME [global]] | calls | server add NAME COMMAND…|URL | server list|remove|on|off NAME]",
            _command("tools"),
        )
    )
    register(
        Command("call", "Make the next reply a call.", "/call NAME [HINT] | /call off", _command("call"))
    )
    register(
        Command(
            "clock",
            "The date and time of the story.",
            "/clock [1347-06-24 18:30 | 18:30 | + 2 hours | off]",
            _command("clock"),
        )
    )
    register(
        Command(
            "notes",
            "The notes that the model keeps in this chat.",
            "/notes [add NAME: TEXT | delete NAME | clear]",
            _command("notes"),
        )
    )


@hookimpl
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer the panel of tools."""
    from . import panel

    register(
        Panel("tools", "Tools", "What the model may call, and what it has called.", panel.show, panel.act)
    )


@hookimpl
def contribute_tools(context: ChatContext) -> list[Tool]:
    """Return the tools that are on in this chat."""
    if not _may_be_on(context):
        return []
    from . import switch

    return switch.own_tools(context)


@hookimpl
def contribute_blocks(context: ChatContext) -> list[Block]:
    """Return the list of tools, and what the coming reply has to call."""
    if not _may_be_on(context):
        return []
    from . import prompts

    return prompts.blocks(context, ORDER)


@hookimpl
def transform_history(context: ChatContext, draft: HistoryDraft) -> None:
    """Write what the user said as the request that models were trained on, where a call is wanted."""
    if _may_be_on(context):
        from . import prompts

        prompts.change_history(context, draft)


@hookimpl
def transform_sampling(context: ChatContext, draft: SamplingDraft) -> None:
    """Bind the reply to a grammar, so that a call in it is well-formed."""
    if _may_be_on(context):
        from . import prompts

        prompts.change_sampling(context, draft)


@hookimpl
def transform_calls(context: ChatContext, draft: CallsDraft) -> None:
    """Find the calls in a reply."""
    if _may_be_on(context):
        from . import prompts

        prompts.find_calls(context, draft)


@hookimpl
def transform_results(context: ChatContext, draft: ResultsDraft) -> None:
    """Tell the results in the words of the form, or go on with a plan."""
    if _may_be_on(context):
        from . import switch

        switch.form_of(context).answer(draft)


@hookimpl
def on_turn_finished(context: ChatContext, event: TurnFacts) -> None:
    """Forget what ``/call`` has asked for, since the reply is there."""
    if event.message is not None:
        context.data.pop("next", None)


@hookimpl
def on_session_closed(context: ChatContext) -> None:
    """End the servers that no other chat uses."""
    if _may_be_on(context):
        from . import switch

        if switch.has_servers(context):
            switch.hub().leave(context.session_id)


def _command(name: str) -> Callable[[ChatContext, str], str]:
    def run(context: ChatContext, words: str) -> str:
        from . import commands

        return commands.RUN[name](context, words)

    return run


def _may_be_on(context: ChatContext) -> bool:
    """Return whether a chat may have tools; nothing else of the plugin is loaded for others."""
    return bool(context.data.get("on", context.settings["always"]))
