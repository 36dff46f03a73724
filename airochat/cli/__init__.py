"""The command line: one file a command or group of commands, each imported only when called."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from airochat import __version__
from airochat.cli.lazy import LazyGroup

COMMANDS = {
    "say": "Send one message and print the reply.",
    "repl": "Chat line by line, without taking over the screen.",
    "prompt": "Print the exact prompt that a model would get.",
    "chats": "List, show, export, import, delete and restore chats.",
    "cards": "List, show, check, import, export and edit characters.",
    "personas": "List, add and choose personas: who you are in chats.",
    "models": "List and download models, tell what a file is and what fits, and convert old ones.",
    "templates": "List and show prompt templates, and find the one for a model.",
    "presets": "List, show and import sampling presets, and tell which values count.",
    "forms": "Use the request forms that the Airoboros models were trained on.",
    "plugins": "List, enable, set, trace and write plugins.",
    "themes": "List colour themes.",
    "doctor": "Check what is installed, found and missing, and say what to do.",
}
"""Every command and its line in ``airochat --help``."""

CHAT_OPTIONS = ("model", "card", "persona", "session", "theme", "template", "preset", "new")


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="[COMMAND [ARGS]…]",
)
@click.option("--model", metavar="M", help="A path, a known name, demo, or remote:ADDRESS.")
@click.option(
    "--lora", metavar="FILE[:SCALE]", multiple=True, help="A LoRA adapter for the model, and its strength."
)
@click.option(
    "--card",
    metavar="C",
    multiple=True,
    help="A character card for a new chat: a file, or a name from the library; several make a group.",
)
@click.option("--persona", metavar="NAME", help="Who you are in a new chat.")
@click.option("--session", metavar="S", help="The chat to open, by id, its beginning, or title.")
@click.option("--theme", metavar="T", help="Colours for the terminal.")
@click.option("--template", metavar="T", help="The prompt template, instead of the model's.")
@click.option("--preset", metavar="NAME", help="A sampling preset; see `airochat presets`.")
@click.option("--new", is_flag=True, help="Begin a new chat instead of opening the latest.")
@click.option("--home", metavar="FOLDER", help="The data folder, instead of AIROCHAT_HOME.")
@click.option(
    "--set",
    "changes",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting for this run, as in settings.toml.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.version_option(__version__, message="airochat %(version)s")
@click.pass_context
def root(ctx: click.Context, /, **options: Any) -> None:
    """Talk to local language models.

    Without a command this opens the chat in the terminal.
    """
    import os

    if os.environ.get("NO_COLOR"):
        ctx.color = False
    given = {name: options[name] for name in CHAT_OPTIONS if options[name]}
    if ctx.invoked_subcommand:
        _hand_down(ctx, ctx.invoked_subcommand, given)
        return
    from airochat.cli.terminal import open_terminal

    open_terminal(ctx, **{name: options[name] for name in CHAT_OPTIONS})


def _hand_down(ctx: click.Context, name: str, given: dict[str, Any]) -> None:
    """Let options before a command count as if they stood behind it."""
    command = root.get_command(ctx, name)
    known = {parameter.name for parameter in command.params} if command else set()
    for option in given:
        if option not in known:
            raise click.UsageError(f"--{option} does not go with {name!r}.", ctx)
    ctx.default_map = {name: given}


def main() -> NoReturn:
    """Run the command line: the console script ``airochat``. Exits 0, 1 if it failed, 2 on misuse, 130 on Ctrl-C."""
    import sys

    try:
        root(prog_name="airochat")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
