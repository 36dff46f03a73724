"""``airochat plugins``: what extends airochat, what of it may run, and what it does."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from airochat.checks import did_you_mean
from airochat.cli.common import (
    json_option,
    load_settings,
    open_home,
    open_manager,
    print_json,
    print_table,
    put,
)
from airochat.cli.lazy import report
from airochat.cli.plugins_panel import panel
from airochat.errors import UsageError
from airochat.settings import remember

if TYPE_CHECKING:
    from airochat.hooks import PluginHost, PluginReport
    from airochat.session import SessionManager


@click.group()
def plugins() -> None:
    """List, enable, disable, set, trace and write plugins."""


plugins.add_command(panel)


@plugins.command("list")
@json_option
@click.pass_context
def list_plugins(ctx: click.Context, as_json: bool) -> None:
    """List the plugins that were found, in the order in which they are called; none of them is run for that.

    Hooks, time and failures are those of earlier runs of airochat.
    """
    found = find_plugins(ctx)
    if as_json:
        print_json({"plugins": [dataclasses.asdict(plugin) for plugin in found]})
    else:
        print_table([_row(one) for one in found])
    for plugin in found:
        for trouble in filter(None, (plugin.error, *plugin.failures)):
            report(f"{plugin.name}: {trouble}")


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


@plugins.command("settings")
@click.argument("name")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--reset", metavar="KEY", multiple=True, help="Take the default of a setting back.")
@json_option
@click.pass_context
def show_settings(
    ctx: click.Context, name: str, changes: tuple[str, ...], reset: tuple[str, ...], as_json: bool
) -> None:
    """Show the settings of a plugin, after changing those given."""
    with _host(ctx) as host:
        known = {setting.name: setting for setting, _ in host.settings(name)}
        wanted: dict[str, Any] = dict.fromkeys(reset)
        for change in changes:
            key, equals, text = change.partition("=")
            if not equals:
                raise UsageError(f"{change} is not of the form KEY=VALUE.", "For example: depth=4")
            if key not in known:
                raise UsageError(f"The plugin {name} has no setting {key!r}.", did_you_mean(key, known))
            wanted[key] = known[key].parsed(text)
        if wanted:
            host.set(name, wanted)
        found = host.settings(name)
    if as_json:
        values = {setting.name: value for setting, value in found}
        print_json({"plugin": name, "settings": values})
    else:
        print_table([(one.name, _shown(value), f"({one.kind})", one.help) for one, value in found])


@plugins.command()
@click.argument("name")
@click.pass_context
def new(ctx: click.Context, name: str) -> None:
    """Write a plugin that works, with a README and a test, into your plugins folder."""
    from airochat.hooks.scaffold import new_plugin

    folder = new_plugin(open_home(ctx).folder("plugins"), name)
    put(f"{folder} is written. `airochat plugins enable {name}` lets it run.")


@plugins.command()
@click.argument("text")
@click.option(
    "--session", metavar="S", help="The chat in which it would be said, by id, its beginning, or title."
)
@click.option("--reply", metavar="TEXT", help="What the model would answer.")
@json_option
@click.pass_context
def trace(ctx: click.Context, text: str, session: str | None, reply: str | None, as_json: bool) -> None:
    """Tell which plugin would change what, if TEXT were said: nothing is sent, and nothing is kept.

    The blocks are those that plugins add; `airochat prompt` shows them in the whole prompt.
    """
    from airochat.session.rehearsal import rehearse

    with open_manager(ctx) as manager:
        found = rehearse(manager, text, session or "", reply or "")
    for notice in found.notices:
        report(notice.message, notice.hint)
    steps = found.steps
    if as_json:
        print_json({"steps": [dataclasses.asdict(step) for step in steps]})
        return
    if not steps:
        click.echo("No plugin has anything to do with this.")
    for step in steps:
        click.echo(f"{step.hook}  {step.plugin}  {step.seconds * 1000:.1f} ms")
        for line in step.changes or (step.error or "no change",):
            put(f"  {line}")


@plugins.group("tools")
def plugin_tools() -> None:
    """Tell what the model may call without asking, and change it.

    Besides these decisions, which hold for all chats, tools can be allowed within one chat when it asks.
    """


@plugin_tools.command("list")
@json_option
@click.pass_context
def list_tools(ctx: click.Context, as_json: bool) -> None:
    """List the tools that plugins offer in a new chat, and those that something was decided about."""
    with open_manager(ctx) as manager:
        found = _tools(manager)
    if as_json:
        print_json({"tools": found})
    elif not found:
        click.echo("No plugin offers tools.")
    else:
        print_table([tuple(one[key] for key in ("decision", "tool", "plugin", "title")) for one in found])


@plugin_tools.command("allow")
@click.argument("name")
@click.pass_context
def allow_tool(ctx: click.Context, name: str) -> None:
    """Let the model call a tool whenever it likes, in all chats."""
    _decide(ctx, name, "always")


@plugin_tools.command("forbid")
@click.argument("name")
@click.pass_context
def forbid_tool(ctx: click.Context, name: str) -> None:
    """Never let the model call a tool."""
    _decide(ctx, name, "never")


@plugin_tools.command("forget")
@click.argument("name")
@click.pass_context
def forget_tool(ctx: click.Context, name: str) -> None:
    """Ask again about a tool, as if nothing had been decided for all chats."""
    _decide(ctx, name, None)


def find_plugins(ctx: click.Context) -> list[PluginReport]:
    """Return what is known of every plugin, without running any."""
    with _host(ctx) as host:
        return host.reports()


@contextmanager
def _host(ctx: click.Context) -> Iterator[PluginHost]:
    """Open the plugins with what was kept of them, if there is a database; a listing makes none."""
    from airochat.hooks import PluginHost

    settings, home = load_settings(ctx), open_home(ctx)
    make = functools.partial(
        PluginHost,
        home.folder("plugins"),
        enabled=settings.plugins_enabled,
        disabled=settings.plugins_disabled,
    )
    if not home.database.exists():
        yield make(data=lambda plugin, scope: {})
        return
    from airochat.store import Store

    store = Store(home.database)
    try:
        yield make(data=store.mapping)
    finally:
        store.close()


def _tools(manager: SessionManager) -> list[dict[str, str]]:
    """Return all tools that are offered in a new chat or decided about, each with what holds for all chats."""
    from airochat.session.tooling import offered

    decided = manager.approvals.listed()
    found = []
    for name, (plugin, tool) in sorted(offered(manager).items()):
        standing = decided.pop((plugin, name), tool.approval)
        found.append({"decision": standing, "tool": name, "plugin": plugin, "title": tool.title or name})
    gone = sorted(decided.items())
    return found + [
        {"decision": decision, "tool": name, "plugin": plugin, "title": "not offered now"}
        for (plugin, name), decision in gone
    ]


def _decide(ctx: click.Context, name: str, decision: Literal["always", "never"] | None) -> None:
    with open_manager(ctx) as manager:
        known = {one["tool"]: one["plugin"] for one in reversed(_tools(manager))}
        if name not in known:
            raise UsageError(f"There is no tool {name!r}.", did_you_mean(name, known))
        if decision is None:
            manager.approvals.forget(known[name], name)
        else:
            manager.approvals.keep("", known[name], name, decision)
    put(f"{name}: {decision or 'as before'}")


def _row(plugin: PluginReport) -> tuple[str, ...]:
    hooks = ", ".join(plugin.hooks) or "-"
    spent = f"{plugin.seconds * 1000:.0f} ms in {plugin.calls} calls" if plugin.calls else "-"
    failures = f"{len(plugin.failures)} failures" if plugin.failures else "-"
    return plugin.state, plugin.name, plugin.version, plugin.source, plugin.summary, spent, failures, hooks


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find(ctx: click.Context, name: str, missing_too: bool = False) -> PluginReport:
    known = {plugin.name: plugin for plugin in find_plugins(ctx) if missing_too or plugin.source != "missing"}
    if name not in known:
        raise UsageError(f"There is no plugin {name!r}.", did_you_mean(name, known))
    return known[name]


def _allow(ctx: click.Context, plugin: PluginReport, allowed: bool) -> None:
    """Write into the settings whether a plugin may run."""
    from airochat.session.panels import allowance

    remember(open_home(ctx).settings, allowance(load_settings(ctx), plugin, allowed))
