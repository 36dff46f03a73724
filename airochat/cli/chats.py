"""``airochat chats``: the stored conversations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, open_manager, print_json, print_table, put
from airochat.cli.reading import user_path
from airochat.errors import StoreError
from airochat.text import one_line

if TYPE_CHECKING:
    from airochat.conversation import Message
    from airochat.session import Session

SHORT_ID = 8
"""How many digits of an id's end are shown in the list; enough to tell chats apart, and to name one."""


@click.group()
def chats() -> None:
    """List, show, export, delete and restore chats.

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
@click.option("--to", "form", type=click.Choice(["markdown", "jsonl"]), default="markdown", show_default=True)
@click.option("--output", "-o", metavar="FILE", help="Write to a new file instead of stdout.")
@click.pass_context
def export(ctx: click.Context, session: str, form: str, output: str | None) -> None:
    """Write out the branch of a chat that was shown last."""
    with open_manager(ctx) as manager:
        chat = manager.load(session)
    text = as_markdown(chat) if form == "markdown" else as_jsonl(chat.history)
    if output is None:
        put(text, end="")
        return
    try:
        with user_path(output).open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise StoreError(f"{output} is there already.", "Name another file, or remove that one.") from None
    except OSError as error:
        raise StoreError(f"{output} cannot be written: {error.strerror}.") from None


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
    facts = {
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
    return facts


def as_markdown(chat: Session) -> str:
    """Return a chat as Markdown: its title, and each message under its author's name."""
    parts = [f"# {one_line(chat.title) or 'Chat'}"]
    parts += [f"**{one_line(m.name)}:**\n\n{m.text.strip()}" for m in chat.history]
    return "\n\n".join(parts) + "\n"


def as_jsonl(messages: Iterable[Message]) -> str:
    """Return messages as JSON objects, one a line."""
    import json

    return "".join(json.dumps(message_facts(message), ensure_ascii=False) + "\n" for message in messages)


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
