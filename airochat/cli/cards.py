"""``airochat cards``: the library of characters, and what a card file says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, open_home, print_json
from airochat.cli.lazy import report
from airochat.cli.reading import user_path
from airochat.errors import CardError, UsageError

if TYPE_CHECKING:
    from airochat.characters import CardFile, CardWarning
    from airochat.store import CardEntry, CardLibrary

FORMS = ("png", "json", "charx", "yaml")
"""The forms that cards are written in."""
_LINE = 4_000
"""The longest line that is printed; paths may have as many characters."""


@click.group()
def cards() -> None:
    """List, show, check, import, export and edit characters.

    A card NAME is the name of its file in the library, with or without suffix, or the character's name.
    """


@cards.command("list")
@click.argument("words", nargs=-1)
@click.option("--tag", metavar="T", default="", help="Only cards with this tag.")
@click.option("--favourites", is_flag=True, help="Only favourites.")
@json_option
@click.pass_context
def list_cards(ctx: click.Context, words: tuple[str, ...], tag: str, favourites: bool, as_json: bool) -> None:
    """List the cards in which all WORDS occur: in name, creator, tags, notes or description.

    A star marks a favourite, a plus a card that you have changed.
    """
    from airochat.cli.card_views import entry_facts, print_entries

    with open_library(ctx) as library:
        found = library.entries(" ".join(words), tag, favourites)
    if as_json:
        print_json({"cards": [entry_facts(entry) for entry in found], "folder": str(library.folder)})
        return
    print_entries(found)
    for entry in found:
        if entry.error:
            report(entry.error)
    if not found:
        asked = words or tag or favourites
        report(
            "No card fits." if asked else f"There is no card in {library.folder}.",
            "" if asked else "Bring one in with `airochat cards import FILE`.",
        )


@cards.command()
@click.argument("card", metavar="FILE|NAME")
@json_option
@click.pass_context
def show(ctx: click.Context, card: str, as_json: bool) -> None:
    """Show a card: what its creator notes, then its fields."""
    from airochat.cli.card_views import card_facts, card_text

    with open_library(ctx) as library:
        file, entry = open_card(library, card)
    if as_json:
        print_json(card_facts(file, entry))
    else:
        click.echo(card_text(file, entry))
        tell(file.warnings)


@cards.command()
@click.argument("card", metavar="FILE|NAME")
@click.option("--model", metavar="M", help="Count the tokens with this model: a path, a known name, or demo.")
@json_option
@click.pass_context
def lint(ctx: click.Context, card: str, model: str | None, as_json: bool) -> None:
    """Check a card: what is wrong with the file, and the tokens that its fields take.

    Without --model the tokens are estimated.
    """
    from airochat.characters.lint import lint as check
    from airochat.cli.card_views import print_report, report_facts
    from airochat.cli.counting import counter

    with open_library(ctx) as library:
        file, _ = open_card(library, card)
    with counter(ctx, model) as count:
        found = check(file, count)
    if as_json:
        print_json({"file": file.name, "model": model, **report_facts(found)})
    else:
        print_report(file.card.name, found, model)


@cards.command("import")
@click.argument("paths", metavar="FILE…", nargs=-1, required=True)
@json_option
@click.pass_context
def import_cards(ctx: click.Context, paths: tuple[str, ...], as_json: bool) -> None:
    """Copy card files into the library, byte for byte; of a folder, every card in it.

    Ends with 1 if a file could not be imported; the others are.
    """
    rows: list[dict[str, Any]] = []
    with open_library(ctx) as library:
        for path in card_files(paths):
            rows.append(_import(library, path, as_json))
    if as_json:
        print_json({"cards": rows})
    if not rows:
        report("There is no card in that folder.")
    if not rows or any(row["error"] for row in rows):
        ctx.exit(1)


@cards.command()
@click.argument("name")
@click.option("--to", "form", type=click.Choice(FORMS), help="The form; else the one that the card came in.")
@click.option(
    "--out", "-o", metavar="PATH", help="A new file, a folder, or - for stdout; else NAME.FORM here."
)
@click.option(
    "--spec", type=click.IntRange(1, 3), default=3, show_default=True, help="The card format's version."
)
@click.option("--picture", metavar="FILE", help="A PNG to take instead of the card's own picture.")
@json_option
@click.pass_context
def export(
    ctx: click.Context,
    name: str,
    form: str | None,
    out: str | None,
    spec: int,
    picture: str | None,
    as_json: bool,
) -> None:
    """Write a card with your changes to a file of its own."""
    from airochat.cli.card_files import read_picture, write_out

    pixels = read_picture(picture) if picture else None
    with open_library(ctx) as library:
        entry = library.find(name)
        form = form or (entry.form if entry.form in FORMS else "json")
        content = library.export(entry.id, form, spec, pixels)
    place = write_out(content, form, entry.name, out)
    if place and as_json:
        facts = {"id": entry.id, "name": entry.name, "form": form, "path": str(place), "size": len(content)}
        print_json(facts)
    elif place:
        say(f"Written: {place}")


@cards.command()
@click.argument("name")
@click.option(
    "--set", "changes", metavar="FIELD=VALUE", multiple=True, help="Change a field; may be repeated."
)
@click.option("--from", "source", metavar="FILE", help="Take the text form from a file instead of an editor.")
@json_option
@click.pass_context
def edit(ctx: click.Context, name: str, changes: tuple[str, ...], source: str | None, as_json: bool) -> None:
    """Change a card, in your editor or with --set; the file that you imported stays as it came.

    Lists such as tags are given as --set 'tags=["sea", "calm"]'. The editor is $VISUAL or $EDITOR.
    """
    from airochat.cli.card_files import draft_changes, field_change, text_changes

    if changes and source:
        raise UsageError("Give only one of --set and --from.")
    with open_library(ctx) as library:
        entry = library.find(name)
        if changes:
            wanted = dict(map(field_change, changes))
        else:
            card = library.open(entry.id).card
            wanted = text_changes(source, card) if source else draft_changes(card, entry.id)
        if wanted:
            entry = library.edit(entry.id, wanted)
    told = "Changed" if entry.edited else "As it came"
    _done(entry, told if wanted else "Nothing was changed", as_json)


@cards.command()
@click.argument("name")
@json_option
@click.pass_context
def revert(ctx: click.Context, name: str, as_json: bool) -> None:
    """Go back to a card as it was imported; your changes go to the bin."""
    with open_library(ctx) as library:
        entry = library.find(name)
        place = library.revert(entry.id)
        entry = library.find(entry.id)
    _done(
        entry, f"As it came; your changes are in {place}" if place else "Was not changed", as_json, bin=place
    )


@cards.command()
@click.argument("name")
@click.option("--off", is_flag=True, help="Make it an ordinary one again.")
@json_option
@click.pass_context
def favourite(ctx: click.Context, name: str, off: bool, as_json: bool) -> None:
    """Mark a card as a favourite."""
    with open_library(ctx) as library:
        entry = library.set_favourite(name, not off)
    _done(entry, "Favourite" if entry.favourite else "No favourite", as_json)


@cards.command()
@click.argument("name")
@click.argument("persona", metavar="[PERSONA]", required=False)
@click.option("--none", "nobody", is_flag=True, help="Leave it to the default persona.")
@json_option
@click.pass_context
def persona(ctx: click.Context, name: str, persona: str | None, nobody: bool, as_json: bool) -> None:
    """Say, or ask, who you are with a card."""
    if persona and nobody:
        raise UsageError("Give a PERSONA or --none, not both.")
    with open_library(ctx) as library:
        entry = library.find(name)
        if persona or nobody:
            entry = library.set_persona(entry.id, persona)
    _done(entry, f"You are {entry.persona}" if entry.persona else "You are the default persona", as_json)


@cards.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Move a card, and your changes to it, to the bin in the library's folder."""
    with open_library(ctx) as library:
        entry = library.find(name)
        place = library.remove(entry.id)
    _done(entry, f"Moved to {place}", as_json, bin=place)


@contextmanager
def open_library(ctx: click.Context) -> Iterator[CardLibrary]:
    """Open the library of the data folder for a ``with`` block; no model and no plugin is needed for that."""
    from airochat.store import Store

    home = open_home(ctx)
    store = Store(home.database)
    try:
        yield store.cards(home.folder("cards"))
    finally:
        store.close()


def open_card(library: CardLibrary, ref: str) -> tuple[CardFile, CardEntry | None]:
    """Read the card that a file or the library has under this name; the entry is None for a file elsewhere."""
    from airochat.characters.read import read_card_file

    path = user_path(ref)
    inside = path.resolve().parent == library.folder.resolve()
    if not inside and (path.is_file() or len(path.parts) > 1):
        return read_card_file(path), None
    entry = library.find(ref)
    return library.open(entry.id), entry


def card_files(paths: tuple[str, ...]) -> Iterator[Path]:
    """Return the files that were named, and for a folder the files in and below it that can be cards."""
    from airochat.store.card_folder import can_be_card

    for path in map(user_path, paths):
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if can_be_card(file.name) and file.is_file())
        else:
            yield path


def say(text: str) -> None:
    """Print a line that may hold untrusted text."""
    from airochat.text import one_line

    click.echo(one_line(text, _LINE))


def tell(warnings: Iterable[CardWarning]) -> None:
    """Report what is odd about a card file."""
    for warning in warnings:
        report(warning.message)


def _import(library: CardLibrary, path: Path, quiet: bool) -> dict[str, Any]:
    from airochat.cli.card_views import entry_facts, warning_facts

    row: dict[str, Any] = {"path": str(path), "card": None, "known": False, "warnings": [], "error": ""}
    try:
        done = library.import_(path)
    except CardError as error:
        report(error.message, error.hint)
        return {**row, "error": str(error)}
    if not quiet:
        say(f"{'Known already' if done.known else 'Imported'}: {done.entry.id} ({done.entry.name})")
        tell(done.warnings)
    facts = {"card": entry_facts(done.entry), "warnings": warning_facts(done.warnings)}
    return {**row, **facts, "known": done.known}


def _done(entry: CardEntry, what: str, as_json: bool, **more: object) -> None:
    """Say what a command did to a card."""
    from airochat.cli.card_views import entry_facts

    if as_json:
        told = {name: str(value) if value else None for name, value in more.items()}
        print_json({"card": entry_facts(entry), **told})
    else:
        say(f"{entry.id}: {what}.")
