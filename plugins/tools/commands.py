"""The commands ``/tools``, ``/call``, ``/clock`` and ``/notes``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from . import clock, notes, servers, switch, told


def tools(context: ChatContext, words: str) -> str:
    """Run ``/tools``."""
    match words.split(maxsplit=1):
        case []:
            return _overview(context)
        case ["on"]:
            return switch_on(context)
        case ["off"]:
            return switch_off(context)
        case ["on" | "off" as state, rest]:
            return _switch(context, rest.split(), state == "on")
        case ["calls"]:
            rows = told.calls(context.history, 50)
            return "\n".join(map(_call_line, rows)) if rows else "The model has called nothing yet."
        case ["server" | "servers", *rest]:
            return _server(context, rest[0] if rest else "list")
    raise UsageError(f"/tools has no {one_line(words, 40)!r}.", "/tools on, /tools off, /tools server list")


def switch_on(context: ChatContext) -> str:
    """Give a chat tools, start its servers, and tell what there is."""
    context.data[switch.ON] = True
    try:
        problems = start(context, *_servers(context).values())
    except UsageError as error:
        problems = [str(error)]
    return "\n".join([told.status(context), *problems, "/tools lists them."])


def switch_off(context: ChatContext) -> str:
    """Take the tools from a chat, and end the servers that no other chat uses."""
    context.data[switch.ON] = False
    context.data.pop(switch.NEXT, None)
    if switch.has_servers(context):
        switch.hub().leave(context.session_id)
    return told.status(context)


def start(context: ChatContext, *wanted: servers.Server) -> list[str]:
    """Start the servers that are on; return what went wrong in a sentence each."""
    enabled = [server for server in wanted if server.enabled]
    return switch.hub().start(context, enabled) if enabled else []


def call(context: ChatContext, words: str) -> str:
    """Run ``/call``: the next reply is a call of a tool."""
    name, _, hint = words.strip().partition(" ")
    if name == "off":
        context.data.pop(switch.NEXT, None)
        return "The next reply is up to the model again."
    if not switch.is_on(context):
        raise UsageError("Tools are off in this chat.", "/tools on switches them on.")
    known = [tool.name for tool, on in told.listed(context) if on]
    if not name:
        raise UsageError(
            "Name the tool that the next reply is to call.", f"/call {known[0]}" if known else told.NONE
        )
    if name not in known:
        raise UsageError(f"There is no tool {one_line(name, 40)!r} here.", did_you_mean(name, known))
    context.data[switch.NEXT] = {"tool": name, "hint": one_line(hint, 300)}
    return f"The next reply calls {name}."


def clock_command(context: ChatContext, words: str) -> str:
    """Run ``/clock``."""
    words = words.strip()
    moment = clock.now(context)
    if words == "off":
        context.storage("branch").pop(clock.KEY, None)
        return "The clock of the story is not set any more."
    if not words:
        return clock.told(moment) if moment else f"The clock of the story is not set. {clock.HINT}"
    if words[0] in "+-":
        if moment is None:
            raise UsageError("The clock of the story is not set.", clock.HINT)
        span = clock.read_span(words[1:])
        return clock.put(context, clock.later(moment, span if words[0] == "+" else -span))
    return clock.put(context, clock.read_moment(words, moment))


def notes_command(context: ChatContext, words: str) -> str:
    """Run ``/notes``."""
    match words.split(maxsplit=1):
        case []:
            return notes.listed(context)
        case ["add", rest] if ":" in rest:
            name, _, text = rest.partition(":")
            return notes.write(context, name, text)
        case ["delete", name]:
            return notes.delete(context, name)
        case ["clear"]:
            context.data.pop(notes.KEY, None)
            return "All notes of this chat are deleted."
    raise UsageError(
        f"/notes has no {one_line(words, 40)!r}.", "/notes add NAME: TEXT, /notes delete NAME, /notes clear"
    )


RUN: Mapping[str, Callable[[ChatContext, str], str]] = {
    "tools": tools,
    "call": call,
    "clock": clock_command,
    "notes": notes_command,
}
"""What runs for each command."""


def _overview(context: ChatContext) -> str:
    found = told.listed(context)
    lines = [told.status(context), *(f"  {told.tool_line(tool, on)}" for tool, on in found)]
    if not found:
        lines.append(told.NONE)
    lines += [f"  server {name}: {state} ({what})" for name, what, state in told.server_rows(context)]
    lines += told.problems(context)
    if rows := told.calls(context.history, 5):
        lines += ["Last calls:", *(f"  {_call_line(row)}" for row in rows)]
    if not switch.is_on(context):
        lines.append("/tools on switches them on.")
    return "\n".join(lines)


def _call_line(row: tuple[str, str, str, str]) -> str:
    place, called, state, result = row
    return f"{place} {called}: {'' if state == 'done' or state in result else f'{state}, '}{result}"


def _switch(context: ChatContext, words: list[str], on: bool) -> str:
    match words:
        case [name] | [name, "global"]:
            known = [tool.name for tool in switch.all_tools(context)]
            if name not in known:
                raise UsageError(f"There is no tool {one_line(name, 40)!r}.", did_you_mean(name, known))
            everywhere = len(words) == 2
            switch.switch_tool(context, name, on, "global" if everywhere else "chat")
            return f"{name} is {'on' if on else 'off'}{' in all chats' if everywhere else ' in this chat'}."
    raise UsageError("Name one tool.", "/tools off NAME, or /tools off NAME global for all chats")


def _servers(context: ChatContext) -> dict[str, servers.Server]:
    return servers.load(context.folder) if switch.has_servers(context) else {}


def _server(context: ChatContext, words: str) -> str:
    match words.split(maxsplit=2):
        case ["list"]:
            rows = told.server_rows(context)
            return (
                "\n".join(f"{name}: {state} ({what})" for name, what, state in rows)
                or "There are no servers."
            )
        case ["add", name, rest]:
            return _add(context, servers.parse(name, rest))
        case ["add", *_]:
            raise UsageError(
                "A server needs a name, and a command or an address.", "/tools server add NAME COMMAND…|URL"
            )
        case ["remove", name]:
            servers.find(_servers(context), name)
            servers.remove(context.folder, name)
            switch.hub().stop(name)
            return f"The server {name} is removed."
        case ["on" | "off" as state, name]:
            server = dataclasses.replace(servers.find(_servers(context), name), enabled=state == "on")
            servers.save(context.folder, server)
            if not server.enabled:
                switch.hub().stop(name)
            problems = start(context, server) if switch.is_on(context) else []
            return problems[0] if problems else f"The server {name} is {state}."
    raise UsageError(
        f"/tools server has no {one_line(words, 40)!r}.",
        "/tools server add NAME COMMAND…|URL, /tools server remove|on|off NAME, /tools server list",
    )


def _add(context: ChatContext, server: servers.Server) -> str:
    servers.save(context.folder, server)
    what = "connects to" if server.url else "starts this program for"
    lines = [f"airochat {what} the server {server.name}: {server.told}"]
    if not switch.is_on(context):
        return "\n".join([*lines, "It is used once tools are on: /tools on"])
    if problems := start(context, server):
        return "\n".join(
            [*lines, *problems, f"It is kept; /tools server remove {server.name} takes it away."]
        )
    found = switch.hub().link(context, server).tools or ()
    return "\n".join([*lines, *(f"  {tool.name}: {one_line(tool.description, 120)}" for tool in found)])
