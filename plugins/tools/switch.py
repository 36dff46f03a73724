"""Which tools a chat has: whether they are on at all, which of them, in which form, and what is asked for next."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from airochat.conversation import Message
from airochat.errors import AirochatError
from airochat.hooks import ChatContext
from airochat.hooks.tools import Tool

from . import servers
from .builtin import builtin
from .forms import ChoiceForm, Form, JsonForm
from .plans import PlanForm

if TYPE_CHECKING:
    from .hub import Hub

ON, OFF_TOOLS, NEXT = "on", "tools", "next"
_FORMS: dict[str, Form] = {form.name: form for form in (ChoiceForm(), PlanForm(), JsonForm())}
_TRAINED = ("airoboros-2", "airoboros-3")
"""What the names of templates begin with whose models know the function choice."""


# Two hooks that both come first must not make two, which would start each server twice.
_making = threading.Lock()


def hub() -> Hub:
    """Return the connections to servers; nothing of MCP is loaded before there is a server."""
    with _making:
        return _only_hub()


@cache
def _only_hub() -> Hub:
    from .hub import Hub

    return Hub()


def is_on(context: ChatContext) -> bool:
    """Return whether a chat has tools."""
    chosen = context.data.get(ON)
    return chosen if isinstance(chosen, bool) else bool(context.settings["always"])


def is_tool_on(context: ChatContext, name: str) -> bool:
    """Return whether one tool is on; what was said in this chat counts before what was said for all."""
    for scope in ("chat", "global"):
        chosen = _switches(context, scope).get(name)
        if isinstance(chosen, bool):
            return chosen
    return True


def switch_tool(context: ChatContext, name: str, on: bool, scope: Literal["chat", "global"] = "chat") -> None:
    """Switch a tool on or off, in this chat or in all."""
    context.storage(scope)[OFF_TOOLS] = {**_switches(context, scope), name: on}
    if scope == "global" and name in (kept := _switches(context, "chat")):
        del kept[name]
        context.data[OFF_TOOLS] = kept


def own_tools(context: ChatContext) -> list[Tool]:
    """Return the tools of this plugin that are on in a chat."""
    return [tool for tool in all_tools(context) if is_tool_on(context, tool.name)] if is_on(context) else []


def all_tools(context: ChatContext) -> list[Tool]:
    """Return the tools of this plugin that a chat may have, off ones among them; starts its servers."""
    found = list(builtin(context)) if context.settings["builtin"] else []
    if is_on(context) and has_servers(context):
        try:
            found += hub().tools(context)
        except AirochatError as error:
            context.log.warning("%s", error)
    return found


def has_servers(context: ChatContext) -> bool:
    """Return whether the user has added servers."""
    try:
        return (context.folder / servers.FILE).exists()
    except AirochatError:
        return False  # there is no folder, as in a test


def offered(context: ChatContext) -> tuple[Tool, ...]:
    """Return the tools of all plugins that the coming prompt offers."""
    return context.tools if is_on(context) else ()


def form_of(context: ChatContext) -> Form:
    """Return the form in which the model of a chat calls tools."""
    name = context.settings["form"]
    if name == "auto":
        name = "choice" if context.template.startswith(_TRAINED) else "json"
    return _FORMS[name]


def rounds(history: Sequence[Message]) -> int:
    """Return how many rounds of calls there were since the user last spoke."""
    count = 0
    for message in reversed(history):
        if message.role == "user":
            break
        count += message.is_results
    return count


def made(history: Sequence[Message]) -> list[list[tuple[Any, Any]]]:
    """Return the tools and arguments of each round of calls since the user last spoke, the newest first."""
    found: list[list[tuple[Any, Any]]] = []
    for message in reversed(history):
        if message.role == "user":
            break
        if message.is_results:
            found.append([(call.get("tool"), call.get("arguments")) for call in message.provenance.calls])
    return found


def repeats_itself(history: Sequence[Message]) -> bool:
    """Return whether the newest calls were made before since the user last spoke; small models may do so for ever."""
    rounds_made = made(history)
    return len(rounds_made) > 1 and rounds_made[0] in rounds_made[1:]


def wanted(context: ChatContext, history: Sequence[Message]) -> dict[str, str] | None:
    """Return what the coming reply has to call: the name of a tool, empty for any, and a hint; None for nothing."""
    if rounds(history):
        return None
    asked: Any = context.data.get(NEXT)
    if isinstance(asked, dict):
        return {"tool": str(asked.get("tool", "")), "hint": str(asked.get("hint", ""))}
    return {"tool": "", "hint": ""} if context.settings["force"] else None


def _switches(context: ChatContext, scope: Literal["chat", "global"]) -> dict[str, Any]:
    kept = context.storage(scope).get(OFF_TOOLS)
    return dict(kept) if isinstance(kept, dict) else {}
