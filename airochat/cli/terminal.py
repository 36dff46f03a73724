"""``airochat`` without a command: the chat that fills the terminal."""

from __future__ import annotations

import sys

import click

from airochat.cli.common import find_persona, open_manager
from airochat.errors import UsageError


def open_terminal(
    ctx: click.Context,
    model: str | None,
    card: tuple[str, ...],
    persona: str | None,
    session: str | None,
    theme: str | None,
    template: str | None,
    preset: str | None,
    new: bool,
) -> None:
    """Open a chat in the terminal: the one asked for, a new one if that is wanted, else the latest."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The chat needs a terminal for its input and output.",
            "In scripts and pipes, use `airochat say` or `airochat repl`.",
        )
    if session and (new or card or persona):
        raise UsageError(
            "--session opens a chat that there is; --new, --card and --persona begin one.",
            "Leave out one of them.",
        )
    with open_manager(ctx, model=model, template=template, preset=preset) as manager:
        chat = None
        if session:
            chat = manager.load(session)
        elif new or card or persona:
            chat = manager.new(card=card, persona=find_persona(manager, persona))
        from airochat.tui import run

        run(manager, chat, theme)
