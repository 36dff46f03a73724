"""What all forms share: tools by the names that a model sees, arguments from text, calls found in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airochat.conversation import Message
from airochat.hooks.tools import LONGEST_RESULT, CallResult, Tool, ToolCall
from airochat.prompt.forms import FormError
from airochat.prompt.forms.values import Value, read_json

MOST_CALLS = 8
"""How many calls of one reply are made."""
MAX_CHARS = 20_000
"""How much of a reply is looked at, in characters."""
_TRIES = 64
"""At how many places of a reply JSON is looked for."""
_SHORTEST = 500
"""How much of each result is told at least, in characters."""
_NAMES = ("tool", "function", "name")
_ARGUMENTS = ("arguments", "params", "parameters", "args")


@dataclass(slots=True)
class Found:
    """The calls in a reply, and the names of tools in it that there are not."""

    calls: list[ToolCall] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def aliases(tools: Sequence[Tool], letters: str = "A-Za-z0-9_.-") -> dict[str, Tool]:
    """Return the tools by names of those letters alone, each beginning with one or ``_``.

    >>> tool = Tool("time.now", "", {}, lambda context, call: "")
    >>> list(aliases([tool, tool], "a-z_"))
    ['time_now', 'time_now_2']
    """
    named: dict[str, Tool] = {}
    for tool in tools:
        stem = re.sub(rf"[^{letters}]", "_", tool.name)
        stem = stem if re.match(r"[A-Za-z_]", stem) else f"_{stem}"[:64]
        name, number = stem, 1
        while name in named:
            number += 1
            name = f"{stem[:60]}_{number}"
        named[name] = tool
    return named


def fields(tool: Tool) -> dict[str, Mapping[str, Any]]:
    """Return the schemas of a tool's parameters by their names."""
    found = tool.parameters.get("properties")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): one if isinstance(one, Mapping) else {} for name, one in found.items()}


def required(tool: Tool) -> tuple[str, ...]:
    """Return the names of the parameters that a call must have."""
    found = tool.parameters.get("required")
    return tuple(name for name in fields(tool) if isinstance(found, (list, tuple)) and name in found)


def meaning(schema: Mapping[str, Any], needed: bool) -> str:
    """Return what a parameter means, in one line."""
    parts = [str(schema.get("description", "")).strip().rstrip(".")]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        parts.append("one of " + ", ".join(str(choice) for choice in choices[:40]))
    elif schema.get("type") in ("integer", "number", "boolean", "array", "object"):
        words = {
            "integer": "a whole number",
            "array": "a list",
            "boolean": "true or false",
            "number": "a number",
        }
        parts.append(words.get(str(schema["type"]), "an object"))
    if not needed:
        parts.append("may be left out")
    return "; ".join(" ".join(part.split()) for part in parts if part) or "a text"


def read_calls(text: str, tools: Mapping[str, Tool]) -> Found:
    """Return the calls that stand as JSON in a text, whatever is around them.

    The name may be under ``tool``, ``function`` or ``name``, the arguments under any usual word.
    """
    found = Found()
    for value in _objects(text[:MAX_CHARS]):
        name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
        given = next((value[key] for key in _ARGUMENTS if key in value), None)
        if not isinstance(name, str) or (given is None and len(value) > 1):
            continue
        if isinstance(given, str):
            given = next(iter(_objects(given[:MAX_CHARS])), None)
        if name not in tools:
            found.unknown += [name] if given is not None else []
        elif len(found.calls) < MOST_CALLS:
            found.calls.append(ToolCall(tools[name].name, given if isinstance(given, dict) else {}))
    return found


def wrote(reply: Message) -> str:
    """Return what the model wrote, before other plugins changed it."""
    return reply.provenance.raw or reply.text


def worded(results: Sequence[CallResult]) -> str:
    """Return results as the model reads them; long ones are cut, so that all of them find room."""
    share = max(_SHORTEST, LONGEST_RESULT // max(1, len(results)))
    return "\n".join(
        f"{'Result of ' if result.state == 'done' else ''}{result.call.tool}: {shortened(result.text, share)}"
        for result in results
    )


def shortened(text: str, most: int) -> str:
    """Return so much of a text as there is room for, and say so if that is not all."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def _objects(text: str) -> Iterator[dict[str, Value]]:
    """Yield the objects that stand in a text, outer ones only where they can be read."""
    at = -1
    for _ in range(_TRIES):
        at = text.find("{", at + 1)
        if at < 0:
            return
        try:
            value, rest = read_json(text[at:], "reply")
        except (FormError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
            if any(key in value for key in _NAMES):
                at = len(text) - len(rest) - 1
