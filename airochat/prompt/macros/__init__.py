"""Macros in texts that authors wrote: cards, personas, notes, system texts. Chat text is never expanded."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airochat.prompt.macros.call import Macro, MacroCall, MacroFunction
from airochat.prompt.macros.evaluate import Macros
from airochat.prompt.macros.registry import FAMILIES
from airochat.prompt.macros.scope import Scope
from airochat.prompt.macros.variables import Variables

__all__ = ["FAMILIES", "Macro", "MacroCall", "MacroFunction", "Macros", "Scope", "Variables", "expand"]

_MACRO = re.compile(r"\{\{\s*(\w+)\s*\}\}|<(BOT|CHAR|USER)>", re.IGNORECASE)
_OLD_NAMES = {"bot": "char", "char": "char", "user": "user"}


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``{{name}}`` in any case, and ``<BOT>``, ``<CHAR>`` and ``<USER>``; names without a value stay."""

    def value(match: re.Match[str]) -> str:
        name = match[1].lower() if match[1] else _OLD_NAMES[match[2].lower()]
        return values.get(name, match[0])

    return _MACRO.sub(value, text)
