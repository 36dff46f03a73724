"""Reading messages line by line, from a terminal with line editing or from a pipe."""

from __future__ import annotations

import contextlib
import sys

import click

from airochat.cli.reading import decode

PROMPT = "> "
CONTINUED = ". "


class Lines:
    """Messages from standard input: one a line, or several lines that end in a backslash each."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty()
        if self.interactive:
            sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401  Its import gives `input` editing keys and a history.

    def read(self) -> str:
        """Return the next message; `EOFError` at the end, `UsageError` if it is not UTF-8."""
        lines = [self._line(PROMPT)]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            try:
                lines.append(self._line(CONTINUED))
            except EOFError:
                break
        return "\n".join(lines)

    def _line(self, prompt: str) -> str:
        if self.interactive and sys.stdout.isatty():
            return input(prompt)
        if self.interactive:
            click.echo(prompt, nl=False, err=True)
        data = sys.stdin.buffer.readline()
        if not data:
            raise EOFError
        return decode(data, "This line").rstrip("\r\n")
