"""``airochat chats``: the stored conversations."""

from __future__ import annotations

import dataclasses
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, open_manager, print_json, print_table, put
from airochat.cli.lazy import report
from airochat.cli.reading import user_path
from airochat.errors import StoreError, UsageError
from airochat.text import one_line

if TYPE_CHECKING:
    from airochat.conversation import Message

SHOWN_WARNINGS = 20
"""How many warnings of an import are printed."""

SHORT_ID = 8
"""How many digits of an id's end are shown in the list; enough to tell chats apart, and to name one."""


@click.group()
def chats() -> None:
    """List, show, export, import, delete and restore chats.

    A chat S is named by its id, at least four digits of the id's beginning or end, or its exact title.
    """


@chats.command("list")
@click.option("--deleted", is_flag=True, help="List those in the bin instead.")
@json_option
@click.pass_context
def list_chats(ctx: click.Context, deleted: bool, as_json: bool) -> None:
    """List the chats, newest first."""
    with open_manager(ctx) as manager:
        found = [row for row in manager.store.sessions(deleted) if row.deleted == deleted]
    if as_json:
        print_json({"chats": [dataclasses.asdict(row) for row in found]})
        return
    rows = []
    for row in found:
        when = datetime.fromtimestamp(row.updated).strftime("%Y-%m-%d %H:%M")
        rows.append((row.id[-SHORT_ID:], when, f"{row.messages:4}", row.title or "(without a title)"))
    print_table(rows)


@chats.command()
@click.argument("session", metavar="S")
@json_option
@click.pass_context
def show(ctx: click.Context, session: str, as_json: bool) -> None:
    """Print the messages of a chat, on the branch that was shown last."""
    with open_manager(ctx) as manager:
        chat = manager.load(session)
    if as_json:
        print_json({"id": chat.id, "title": chat.title, "messages": [message_facts(m) for m in chat.history]})
    else:
        put("\n\n".join(f"{one_line(m.name)}: {m.text}" for m in chat.history))


@chats.command()
@click.argument("session", metavar="S")
@click.option(
    "--to",
    "form",
    metavar="FMT",
    default="markdown",
    show_default=True,
    help="markdown, text, jsonl, sillytavern, or what a plugin offers.",
)
@click.option("--output", "-o", metavar="FILE", help="Write to a new file instead of stdout.")
@click.pass_context
def export(ctx: click.Context, session: str, form: str, output: str | None) -> None:
    """Write out a chat: the branch that was shown last, with jsonl all branches.

    `airochat chats import` reads jsonl and sillytavern again.
    """
    from airochat.session.exchange import export_chat

    with open_manager(ctx) as manager:
        content = export_chat(manager.load(session), form)
    if output is None:
        _show_file(content)
        return
    try:
        with user_path(output).open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise StoreError(f"{output} is there already.", "Name another file, or remove that one.") from None
    except OSError as error:
        raise StoreError(f"{output} cannot be written: {error.strerror}.") from None


@chats.command("import")
@click.argument("file", metavar="FILE")
@click.option("--from", "kind", metavar="FMT", default="", help="What wrote the file; else it is found out.")
@json_option
@click.pass_context
def import_file(ctx: click.Context, file: str, kind: str, as_json: bool) -> None:
    """Read the chats in a file of airochat or another program.

    FMT is jsonl (airochat's own), sillytavern, textgen (text-generation-webui), kobold, openai (a list of role and
    content), or what a plugin offers. The file stays as it is, and is read whole or not at all.
    """
    with open_manager(ctx) as manager:
        done = manager.import_chats(user_path(file), kind)
        found = [row for row in manager.sessions() if row.id in done.sessions]
    if as_json:
        rows = [{"id": row.id, "title": row.title, "messages": row.messages} for row in found]
        print_json({"chats": rows, "from": done.kind, "warnings": list(done.warnings)})
    else:
        for row in found:
            click.echo(f"Imported: {row.id[-SHORT_ID:]}  {one_line(row.title)} ({row.messages} messages)")
    for warning in done.warnings[:SHOWN_WARNINGS]:
        report(warning)
    if len(done.warnings) > SHOWN_WARNINGS:
        report(f"There are {len(done.warnings) - SHOWN_WARNINGS:,} more of these; --json has them all.")


@chats.command()
@click.argument("session", metavar="S")
@click.pass_context
def delete(ctx: click.Context, session: str) -> None:
    """Move a chat to the bin; `restore` brings it back."""
    _bin(ctx, session, True)


@chats.command()
@click.argument("session", metavar="S")
@click.pass_context
def restore(ctx: click.Context, session: str) -> None:
    """Take a chat out of the bin."""
    _bin(ctx, session, False)


def message_facts(message: Message) -> dict[str, Any]:
    """Return what is told of a message as JSON values."""
    facts: dict[str, Any] = {
        "id": message.id,
        "parent": message.parent,
        "role": message.role,
        "name": message.name,
        "text": message.text,
        "created": message.created,
        "state": message.state,
    }
    if message.provenance.model:
        facts["model"] = message.provenance.model
    if message.provenance.calls:
        facts["calls"] = [dict(call) for call in message.provenance.calls]
    return facts


def _show_file(content: bytes) -> None:
    """Write a file's content to stdout; what is no text never reaches a terminal."""
    try:
        put(content.decode(), end="")
    except UnicodeDecodeError:
        if sys.stdout.isatty():
            raise UsageError("This is no text for a terminal.", "Give a file with --output.") from None
        sys.stdout.buffer.write(content)
        sys.stdout.flush()


def _bin(ctx: click.Context, key: str, deleted: bool) -> None:
    with open_manager(ctx) as manager:
        record = manager.store.find_session(key)
        if record.deleted == deleted:
            state = "is in the bin already" if deleted else "is not in the bin"
            click.echo(f"{record.id[-SHORT_ID:]} {state}.", err=True)
            return
        (manager.delete if deleted else manager.restore)(record.id)
    done = "Moved to the bin" if deleted else "Restored"
    click.echo(f"{done}: {record.id[-SHORT_ID:]}  {one_line(record.title)}")
