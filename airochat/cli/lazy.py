"""A group of commands that are imported only when called, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from airochat.errors import AirochatError, UsageError

INTERRUPTED = 130
"""The exit code after Ctrl-C, which is what shells report for a process ended by SIGINT."""


class Reported(click.ClickException):
    """An error as the command line shows it: two sentences on stderr, and exit code 1."""

    def __init__(self, error: AirochatError) -> None:
        super().__init__(error.message)
        self.hint = error.hint

    def show(self, file: Any = None) -> None:
        """Write the error to stderr."""
        report(self.message, self.hint)


class Misused(Reported):
    """An error of whoever called the command: exit code 2."""

    exit_code = 2


def report(message: str, hint: str = "") -> None:
    """Write a diagnostic to stderr: what happened, and on a line of its own what to do."""
    from airochat.text import clean

    click.echo(f"airochat: {clean(message)}", err=True)
    if hint:
        click.echo(f"  {clean(hint)}", err=True)


class LazyGroup(click.Group):
    """The root of the command line.

    ``table`` maps a command's name to its line in the help; the command itself is ``airochat.cli.NAME.NAME``.
    """

    def __init__(self, *args: Any, table: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command, or return None if there is none of that name."""
        if cmd_name not in self.table:
            return None
        import importlib

        module = importlib.import_module(f"airochat.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, which imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to run; an unknown one is a usage error with a suggestion."""
        if args[0] not in self.table and not args[0].startswith("-"):
            from airochat.checks import did_you_mean

            hint = (
                'To send a message: airochat say "…"' if " " in args[0] else did_you_mean(args[0], self.table)
            )
            ctx.fail(f"No such command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line and exit with its code."""
        _prepare_streams()
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and turn what it raises into what users see."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo(err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except Exception as error:
            if _is_broken_pipe(error):
                raise
            if ctx.params.get("debug"):
                import traceback

                traceback.print_exception(error)
            kind = Misused if isinstance(error, UsageError) else Reported
            raise kind(_explained(error)) from None


def _prepare_streams() -> None:
    """Make the standard streams usable whatever the caller did with them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # Python gives None for a stream that was closed before the start.
        stream: Any = getattr(sys, name) or open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
        if mode == "w" and hasattr(stream, "reconfigure"):
            # A terminal that is not UTF-8 gets question marks instead of a UnicodeEncodeError.
            stream.reconfigure(errors="replace")
        setattr(sys, name, stream)


def _is_broken_pipe(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _explained(error: Exception) -> AirochatError:
    if isinstance(error, AirochatError):
        return error
    if isinstance(error, OSError):
        return AirochatError(f"The system refuses: {error}.")
    sentence = " ".join(str(error).split()) or "no further words"
    return AirochatError(
        f"Something went wrong inside airochat: {type(error).__name__}: {sentence}",
        "Run it again as `airochat --debug …` to see where.",
    )
