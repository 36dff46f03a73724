"""``airochat doctor``: what is installed, found and missing, and what to do about it."""

from __future__ import annotations

import dataclasses

import click

from airochat.cli.common import json_option, open_home, print_json
from airochat.text import clean

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check what is installed, found and missing, and say what to do.

    Exits with 1 if something keeps airochat from working.
    """
    from airochat.cli.checkup import all_checks

    results = []
    for check in all_checks(open_home(ctx)):
        results.append(check)
        if not as_json:
            mark = click.style(f"{check.status:4}", fg=_COLORS[check.status])
            click.echo(f"{mark}  {check.name}: {clean(check.text)}")
            if check.hint:
                click.echo(f"      {clean(check.hint)}")
    failed = any(check.status == "fail" for check in results)
    if as_json:
        print_json({"ok": not failed, "checks": [dataclasses.asdict(check) for check in results]})
    ctx.exit(int(failed))
