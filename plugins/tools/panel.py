"""The panel of tools: which are on, what was called, and which servers there are."""

from __future__ import annotations

from airochat.hooks import Act, Button, ChatContext, Outcome, Row, Rows, Text, View

from . import commands, switch, told


def show(context: ChatContext, place: str) -> View:
    """Return the panel, or one call in full at the place ``call MESSAGE.INDEX``."""
    if place.startswith("call "):
        return _call(context, place.removeprefix("call "))
    on = switch.is_on(context)
    tools = [
        Row(tool.name, (tool.name, "on" if here else "off", tool.approval, tool.description), here and on)
        for tool, here in told.listed(context)
    ]
    calls = [Row(row[0], row[1:]) for row in told.calls(context.history)]
    servers = [Row(row[0], row) for row in told.server_rows(context)]
    return View(
        "Tools",
        (
            Text(told.status(context), "plain" if on else "soft"),
            *(Text(problem, "warning") for problem in told.problems(context)),
            Button("switch", "Switch tools off" if on else "Switch tools on"),
            Rows(
                "tools",
                ("tool", "state", "approval", "what it does"),
                tuple(tools),
                (Button("toggle", "On or off"), Button("call", "Call it next")),
                told.NONE,
            ),
            Text("Calls", "heading"),
            Rows(
                "calls",
                ("call", "state", "result"),
                tuple(calls),
                (Button("open", "Show"),),
                "The model has called nothing yet.",
            ),
            Text("Servers", "heading"),
            Rows(
                "servers",
                ("server", "what", "state"),
                tuple(servers),
                (Button("remove", "Remove", "Remove this server?"),),
                "None. /tools server add NAME COMMAND…|URL adds one.",
            ),
        ),
    )


def act(context: ChatContext, done: Act) -> Outcome:
    """Do what a button says."""
    match done.button:
        case "switch":
            on = switch.is_on(context)
            return Outcome(commands.switch_off(context) if on else commands.switch_on(context))
        case "toggle":
            state = "off" if switch.is_tool_on(context, done.row) else "on"
            return Outcome(commands.tools(context, f"{state} {done.row}"))
        case "call":
            return Outcome(commands.call(context, done.row))
        case "open":
            return Outcome(place=f"call {done.row}")
        case "remove":
            return Outcome(commands.tools(context, f"server remove {done.row}"))
    return Outcome()


def _call(context: ChatContext, key: str) -> View:
    number, _, index = key.partition(".")
    try:
        message = context.history[int(number) - 1]
        call = message.provenance.calls[int(index)]
    except (ValueError, IndexError):
        return View("Call", (Text("This call is not on this branch any more.", "soft"),))
    return View(
        f"Call of {call.get('tool', '')}",
        (
            Text(f"{call.get('arguments', {})}", "soft"),
            Text(f"{call.get('state', '')}, approved: {call.get('approved', '')}", "soft"),
            Text(str(call.get("text", ""))),
        ),
    )
