"""All macros of airochat."""

from __future__ import annotations

from functools import cache

from airochat.prompt.macros import card, chance, chat, control, layout, names, plugins, time, variables
from airochat.prompt.macros.call import Macro

FAMILIES: dict[str, tuple[Macro, ...]] = {
    "Names": names.MACROS,
    "The card": card.MACROS,
    "The chat": chat.MACROS,
    "Layout": layout.MACROS,
    "Chance": chance.MACROS,
    "Time": time.MACROS,
    "Variables": variables.MACROS,
    "Control": control.MACROS,
    "For plugins": plugins.MACROS,
}
"""The macros by what they are about, in the order of the manual."""


@cache
def built_in() -> dict[str, Macro]:
    """Return the macros by each of their names in small letters."""
    return {name.lower(): macro for family in FAMILIES.values() for macro in family for name in macro.names}
