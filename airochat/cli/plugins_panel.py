"""``airochat plugins panel``: what a plugin's panel shows, and what its buttons do, without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from airochat.checks import did_you_mean
from airochat.cli.common import json_option, open_manager, pick_session, print_json, put
from airochat.errors import UsageError

if TYPE_CHECKING:
    from airochat.hooks import View
    from airochat.session import Session, SessionManager


@click.command()
@click.argument("name", required=False)
@click.option("--session", metavar="S", help="The chat that it is about, by id, its beginning, or title.")
@click.option("--continue", "latest", is_flag=True, help="The latest chat.")
@click.option("--place", metavar="P", default="", help="A place of the panel; by default where it begins.")
@click.option(
    "--do", "button", metavar="BUTTON", help="Press the button of this name, without being asked again."
)
@click.option("--row", metavar="KEY", default="", help="The row that the button acts on.")
@click.option(
    "--set", "changes", metavar="FIELD=VALUE", multiple=True, help="Type something into a field before."
)
@json_option
@click.pass_context
def panel(
    ctx: click.Context,
    /,
    name: str | None,
    session: str | None,
    latest: bool,
    place: str,
    button: str | None,
    row: str,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print a plugin's panel, or press one of its buttons; without a NAME, list the panels.

    The form for a plugin's settings is called settings:PLUGIN and needs no chat.
    """
    if (changes or row) and not button:
        raise UsageError("--set and --row go with a button.", "Name it with --do BUTTON.")
    with open_manager(ctx) as manager:
        chat = pick_session(manager, session, latest)
        if name is None:
            _list(manager, as_json)
            return
        where: Session | SessionManager = chat or manager
        found = _name(where, name, chat is not None)
        said: dict[str, Any] = {}
        if button is not None:
            place, said = _press(where, found, place, button, row, changes)
        _print(where, found, place, said, as_json)


def _list(manager: SessionManager, as_json: bool) -> None:
    from airochat.session import panels

    found = panels.panels(manager)
    if as_json:
        keys = ("name", "title", "summary", "plugin")
        print_json({"panels": [{key: getattr(entry, key) for key in keys} for entry in found]})
    else:
        from airochat.cli.panel_text import listing

        put(listing(found))


def _name(where: Session | SessionManager, name: str, chat: bool) -> str:
    from airochat.session import panels

    entry = panels.find(where, name)
    if entry.needs_chat and not chat:
        raise UsageError(f"The panel {name} is about a chat.", "Name one with --session or --continue.")
    return entry.name


def _press(
    where: Session | SessionManager, name: str, place: str, button: str, row: str, changes: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Press a button; return the place to show then, and what was said."""
    from airochat.hooks import Act
    from airochat.session import panels

    values = _values(panels.show(where, name, place), changes)
    outcome = panels.act(where, name, Act(place, button, row, values))
    place = place if outcome.place is None else outcome.place
    return place, {"message": outcome.message, "place": place}


def _values(view: View, changes: Sequence[str]) -> dict[str, Any]:
    from airochat.hooks import Field

    known = {part.setting.name: part.setting for part in view.parts if isinstance(part, Field)}
    values = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise UsageError(f"{change} is not of the form FIELD=VALUE.", "For example: depth=4")
        if key not in known:
            raise UsageError(f"There is no field {key!r} here.", did_you_mean(key, known))
        values[key] = known[key].parsed(text)
    return values


def _print(
    where: Session | SessionManager, name: str, place: str, said: dict[str, Any], as_json: bool
) -> None:
    from airochat.cli.panel_text import as_json as json_of
    from airochat.cli.panel_text import as_text
    from airochat.session import panels

    if said.get("message") and not as_json:
        put(f"{said['message']}\n")
    view = panels.show(where, name, place)
    if as_json:
        print_json({"panel": name, **said, **json_of(view)})
    else:
        put(as_text(view))
