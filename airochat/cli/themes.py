"""``airochat themes``: the colour themes that there are."""

from __future__ import annotations

import click

from airochat.cli.common import (
    json_option,
    load_settings,
    open_home,
    plugin_folders,
    print_json,
    print_table,
)
from airochat.cli.lazy import report


@click.group()
def themes() -> None:
    """List colour themes."""


@themes.command("list")
@json_option
@click.pass_context
def list_themes(ctx: click.Context, as_json: bool) -> None:
    """List the themes that are shipped, those of plugins, and your own; a star marks the one in use."""
    from airochat.themes import load_themes

    settings, home = load_settings(ctx), open_home(ctx)
    known = load_themes(home, plugin_folders(home, "themes"))
    found = [known.get(name) for name in known.names()]
    if as_json:
        rows = [
            {
                "name": theme.name,
                "summary": theme.summary,
                "dark": theme.dark,
                "used": theme.name == settings.theme,
            }
            for theme in found
        ]
        print_json({"themes": rows, "problems": list(known.problems)})
    else:
        print_table(
            [("*" if theme.name == settings.theme else " ", theme.name, theme.summary) for theme in found]
        )
    for problem in known.problems:
        report(problem)
