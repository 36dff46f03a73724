"""``airochat repl``: a chat line by line, for screen readers, pipes and plain terminals."""

from __future__ import annotations

from typing import Any

import click

from airochat.cli.approve import allow_option
from airochat.cli.common import Opening, open_manager, pick_session
from airochat.cli.options import chat_options, sampling_options
from airochat.errors import UsageError


@click.command()
@chat_options
@allow_option
@sampling_options
@click.pass_context
def repl(
    ctx: click.Context,
    /,
    model: str | None,
    session: str | None,
    latest: bool,
    allow_tools: tuple[str, ...],
    sampling: dict[str, Any],
    **chat: Any,
) -> None:
    """Chat line by line, without taking over the screen.

    A line is a message; a backslash at its end carries it on to the next line. /help lists the commands. Ctrl-C stops
    a reply, Ctrl-D or /quit ends the chat. Where standard input is not a terminal, its lines are answered one by one,
    and nobody is asked about tools that the model calls; see --allow-tools.
    """
    if session and latest:
        raise UsageError("--session and --continue name two chats.", "Leave out one of them.")
    with open_manager(ctx, model=model) as manager:
        from airochat.cli.dialogue import Dialogue

        manager.settings.sampling.replace(**sampling)
        opening = Opening(manager, pick_session(manager, session, latest), **chat)
        ctx.exit(Dialogue(manager, opening, sampling, allow_tools).run())
