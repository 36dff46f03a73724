"""``airochat personas``: who you are in chats."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, open_home, print_json, print_table, put
from airochat.cli.lazy import report
from airochat.cli.reading import read_text, user_path
from airochat.errors import StoreError, UsageError
from airochat.text import clean

if TYPE_CHECKING:
    from airochat.characters import Persona
    from airochat.store import Personas


@click.group()
def personas() -> None:
    """List, add and choose personas: who you are in chats."""


@personas.command("list")
@json_option
@click.pass_context
def list_personas(ctx: click.Context, as_json: bool) -> None:
    """List your personas; a star marks the default one."""
    with open_personas(ctx) as known:
        found, default = known.all(), known.default
    if as_json:
        print_json({"personas": [_facts(one, default) for one in found]})
    elif found:
        print_table([("*" if one == default else "", one.name, one.description) for one in found])
    else:
        report("There is no persona.", "Make one with `airochat personas add NAME DESCRIPTION`.")


@personas.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Print a persona."""
    with open_personas(ctx) as known:
        persona, default = known.get(name), known.default
    if as_json:
        print_json(_facts(persona, default))
    else:
        click.echo(clean(f"{persona.name}\n\n{persona.description}".rstrip()))


@personas.command()
@click.argument("name")
@click.argument("description", default="")
@click.option("--replace", is_flag=True, help="Replace a persona of this name.")
@click.option("--default", "as_default", is_flag=True, help="Make it the default.")
@json_option
@click.pass_context
def add(
    ctx: click.Context, name: str, description: str, replace: bool, as_default: bool, as_json: bool
) -> None:
    """Make a persona; DESCRIPTION may be - to read it from standard input."""
    from airochat.characters import Persona

    persona = Persona(name, read_text(description) if description else "")
    with open_personas(ctx) as known:
        known.add(persona, replace)
        if as_default:
            known.set_default(name)
        _done(known, persona, "is a persona of yours now", as_json)


@personas.command()
@click.argument("name")
@json_option
@click.pass_context
def delete(ctx: click.Context, name: str, as_json: bool) -> None:
    """Delete a persona for good; chats that have it keep it."""
    with open_personas(ctx) as known:
        _done(known, known.delete(name), "is deleted", as_json)


@personas.command()
@click.argument("name", required=False)
@click.option("--none", "nobody", is_flag=True, help="Have no default persona.")
@json_option
@click.pass_context
def default(ctx: click.Context, name: str | None, nobody: bool, as_json: bool) -> None:
    """Say, or ask, who you are where nothing else is said."""
    if name and nobody:
        raise UsageError("Give a NAME or --none, not both.")
    with open_personas(ctx) as known:
        if name or nobody:
            known.set_default(name)
        chosen = known.default
    if as_json:
        print_json({"default": chosen.name if chosen else None})
    else:
        click.echo(clean(chosen.name) if chosen else "There is no default persona.")


@personas.command("import")
@click.argument("file", metavar="FILE")
@click.option("--replace", is_flag=True, help="Replace a persona of the same name.")
@json_option
@click.pass_context
def import_file(ctx: click.Context, file: str, replace: bool, as_json: bool) -> None:
    """Read a persona from a TOML file with name and description."""
    with open_personas(ctx) as known:
        _done(known, known.import_(user_path(file), replace), "is a persona of yours now", as_json)


@personas.command()
@click.argument("name")
@click.option("--out", "-o", metavar="FILE", help="Write to a new file instead of stdout.")
@click.pass_context
def export(ctx: click.Context, name: str, out: str | None) -> None:
    """Write a persona as TOML."""
    with open_personas(ctx) as known:
        text = known.export(name)
    if out is None or out == "-":
        put(text, end="")
        return
    try:
        with user_path(out).open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise StoreError(f"{out} is there already.", "Name another file, or remove that one.") from None
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}.") from None


@contextmanager
def open_personas(ctx: click.Context) -> Iterator[Personas]:
    """Open the personas of the data folder for a ``with`` block; no model and no plugin is needed for that."""
    from airochat.store import Store

    store = Store(open_home(ctx).database)
    try:
        yield store.personas()
    finally:
        store.close()


def _facts(persona: Persona, default: Persona | None) -> dict[str, Any]:
    return {**dataclasses.asdict(persona), "default": persona == default}


def _done(known: Personas, persona: Persona, what: str, as_json: bool) -> None:
    if as_json:
        print_json(_facts(persona, known.default))
    else:
        click.echo(f"{clean(persona.name)} {what}.")
