"""Choosing between texts. Only the chosen one is expanded."""

from __future__ import annotations

from airochat.prompt.macros.call import Macro, Site, trimmed
from airochat.prompt.macros.parse import Call, Nodes, call_of

FALSE = frozenset(("", "0", "false", "off", "no"))
"""What counts as false, in any case and with white space around it; all else is true."""


def is_true(text: str) -> bool:
    """Tell whether a text counts as true."""
    return text.strip().lower() not in FALSE


def _if(site: Site) -> str:
    then, otherwise = _branches(site)
    return site.expand(then if _holds(site, site.parts[0]) else otherwise)


def _branches(site: Site) -> tuple[Nodes, Nodes]:
    if len(site.parts) == 3:
        return site.parts[1], site.parts[2]
    body = site.parts[1]
    for number, node in enumerate(body):
        if isinstance(node, Call) and node.name == "else" and not node.rest:
            both = body[:number], body[number + 1 :]
            return both if site.call.keep else (trimmed(both[0]), trimmed(both[1]))
    return body, ()


def _holds(site: Site, condition: Nodes) -> bool:
    first = condition[0] if condition and isinstance(condition[0], str) else ""
    turned = first.lstrip().startswith("!")
    if turned:
        condition = (first.lstrip()[1:], *condition[1:])
    # A bare word is a macro's name if there is such a macro: {{if description}}, {{if .count > 3}}.
    named = site.value(call_of(condition, site.call.start, site.call.end))
    return is_true(site.expand(condition) if named is None else named) is not turned


MACROS = (
    Macro(
        names=("if",),
        usage="{{if x}}…{{else}}…{{/if}}, {{if::x::yes::no}}",
        summary="the first text if x is true, else the other; !x turns it round",
        run=_if,
        low=2,
        high=3,
    ),
    Macro(
        names=("banned",),
        usage='{{banned "text"}}',
        summary="nothing; airochat does not ban the text",
        run=lambda site: "",
        high=1,
    ),
    Macro(
        names=("bias",),
        usage='{{bias "text"}}',
        summary="nothing; airochat does not begin replies with the text",
        run=lambda site: "",
        high=1,
    ),
)
"""Macros about control."""
