"""What people are told of tools, calls and servers, by commands and by the panel alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airochat.conversation import Message
from airochat.errors import PluginError, UsageError
from airochat.hooks import ChatContext, Tool
from airochat.text import one_line

from . import oracle, servers, switch

NONE = "No tools: the plugin's setting builtin is false, and there are no servers."


def status(context: ChatContext) -> str:
    """Return whether the chat has tools, in a sentence."""
    if not switch.is_on(context):
        return "Tools are off in this chat."
    if context.settings["form"] == "auto" and not context.template:
        return (
            "Tools are on in this chat."  # how they are called depends on the model, which is not loaded yet
        )
    return f"Tools are on in this chat; the model calls them in the form {switch.form_of(context).name}."


def listed(context: ChatContext) -> list[tuple[Tool, bool]]:
    """Return the tools of the plugin, then those of others, each with whether it is on."""
    own = switch.all_tools(context)
    names = {tool.name for tool in own}
    others = [tool for tool in switch.offered(context) if tool.name not in names]
    return [(tool, switch.is_tool_on(context, tool.name)) for tool in own] + [(tool, True) for tool in others]


def tool_line(tool: Tool, on: bool) -> str:
    """Return a tool in one line."""
    marks = [word for word, holds in (("off", not on), ("asks first", tool.approval == "ask")) if holds]
    marked = f" ({', '.join(marks)})" if marks else ""
    return f"{tool.name}{marked}: {one_line(tool.description, 120)}"


def calls(history: Sequence[Message], most: int = 20) -> list[tuple[str, str, str, str]]:
    """Return the newest calls of a chat, newest first: message and place, call, what became of it, result."""
    found: list[tuple[str, str, str, str]] = []
    for number, message in reversed(list(enumerate(history, 1))):
        if message.is_results:
            for index, call in reversed(list(enumerate(message.provenance.calls))):
                found.append((f"{number}.{index}", _called(call), str(call.get("state", "")), _result(call)))
        if len(found) >= most:
            break
    return found[:most]


def server_rows(context: ChatContext) -> list[tuple[str, str, str]]:
    """Return each server's name, what it is, and how it stands with it."""
    if not switch.has_servers(context):
        return []
    try:
        known = servers.load(context.folder)
    except UsageError:
        return []  # `problems` tells
    return [(server.name, server.told, switch.hub().state(server)) for server in known.values()]


def problems(context: ChatContext) -> list[str]:
    """Return what is wrong with the user's own files, in a sentence each."""
    found: list[str] = []
    try:
        found += oracle.tables(context.folder / "tables")[1]
        servers.load(context.folder)
    except PluginError:
        return []
    except UsageError as error:
        return [*found, str(error)]
    return found


def _called(call: Mapping[str, Any]) -> str:
    arguments = call.get("arguments") or {}
    given = json.dumps(arguments, ensure_ascii=False) if arguments else ""
    return one_line(f"{call.get('tool', '')} {given}", 120)


def _result(call: Mapping[str, Any]) -> str:
    return one_line(str(call.get("text", "")), 160)
