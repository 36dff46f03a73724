"""``airochat plugins``: what extends airochat, and what of it may run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from airochat.checks import did_you_mean
from airochat.cli.common import json_option, load_settings, open_home, print_json, print_table
from airochat.cli.lazy import report
from airochat.errors import UsageError
from airochat.settings import remember

if TYPE_CHECKING:
    from airochat.hooks import PluginReport


@click.group()
def plugins() -> None:
    """List, enable and disable plugins."""


@plugins.command("list")
@json_option
@click.pass_context
def list_plugins(ctx: click.Context, as_json: bool) -> None:
    """List the plugins that were found; none of them is run for that."""
    found = find_plugins(ctx)
    if as_json:
        print_json({"plugins": [dataclasses.asdict(plugin) for plugin in found]})
    else:
        print_table([(one.state, one.name, one.version, one.source, one.summary) for one in found])
    for plugin in found:
        if plugin.error:
            report(f"{plugin.name}: {plugin.error}")


@plugins.command()
@click.argument("name")
@click.pass_context
def enable(ctx: click.Context, name: str) -> None:
    """Let a plugin run. One that is not part of airochat runs with all your rights, so look at it first."""
    plugin = _find(ctx, name)
    if plugin.error:
        raise UsageError(f"The plugin {name} cannot run: {plugin.error}")
    _allow(ctx, plugin, True)
    click.echo(f"{plugin.name} is enabled.")


@plugins.command()
@click.argument("name")
@click.pass_context
def disable(ctx: click.Context, name: str) -> None:
    """Keep a plugin from running."""
    plugin = _find(ctx, name, missing_too=True)
    _allow(ctx, plugin, False)
    click.echo(f"{plugin.name} is disabled.")


def find_plugins(ctx: click.Context) -> list[PluginReport]:
    """Return what is known of every plugin, without running any."""
    from airochat.hooks import PluginHost

    settings = load_settings(ctx)
    folder = open_home(ctx).folder("plugins")
    host = PluginHost(
        folder, lambda plugin, scope: {}, settings.plugins_enabled, disabled=settings.plugins_disabled
    )
    return host.reports()


def _find(ctx: click.Context, name: str, missing_too: bool = False) -> PluginReport:
    known = {plugin.name: plugin for plugin in find_plugins(ctx) if missing_too or plugin.source != "missing"}
    if name not in known:
        raise UsageError(f"There is no plugin {name!r}.", did_you_mean(name, known))
    return known[name]


def _allow(ctx: click.Context, plugin: PluginReport, allowed: bool) -> None:
    """Write into the settings whether a plugin may run; bundled ones run unless disabled."""
    settings, home = load_settings(ctx), open_home(ctx)
    enabled = [name for name in settings.plugins_enabled if name != plugin.name]
    disabled = [name for name in settings.plugins_disabled if name != plugin.name]
    if not allowed:
        disabled.append(plugin.name)
    elif plugin.source != "bundled":
        enabled.append(plugin.name)
    remember(home.settings, {"plugins_enabled": enabled, "plugins_disabled": disabled})
