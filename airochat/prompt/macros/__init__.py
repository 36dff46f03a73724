"""Macros in texts that authors wrote: cards, personas, notes, system texts. Chat text is never expanded."""

from __future__ import annotations

from airochat.prompt.macros.call import Macro, MacroCall, MacroFunction
from airochat.prompt.macros.evaluate import Macros
from airochat.prompt.macros.registry import FAMILIES
from airochat.prompt.macros.scope import Scope
from airochat.prompt.macros.variables import Variables

__all__ = ["FAMILIES", "Macro", "MacroCall", "MacroFunction", "Macros", "Scope", "Variables"]
