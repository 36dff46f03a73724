"""Macros in text that authors wrote: cards, notes, system texts. Chat text is never expanded."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MACRO = re.compile(r"\{\{\s*(\w+)\s*\}\}|<(BOT|CHAR|USER)>", re.IGNORECASE)
_OLD_NAMES = {"bot": "char", "char": "char", "user": "user"}


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``{{name}}`` in any case, and ``<BOT>``, ``<CHAR>`` and ``<USER>``; names without a value stay.

    One pass: what a value contains is not looked at again.

    >>> expand("{{Char}} greets <USER>, {{time}}.", {"char": "Aria", "user": "{{char}}"})
    'Aria greets {{char}}, {{time}}.'
    """

    def value(match: re.Match[str]) -> str:
        name = match[1].lower() if match[1] else _OLD_NAMES[match[2].lower()]
        return values.get(name, match[0])

    return _MACRO.sub(value, text)
