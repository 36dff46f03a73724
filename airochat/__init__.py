"""airochat: talk to local language models, from the terminal, a notebook or a script.

The names below are loaded when first used, so that ``import airochat`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from airochat.characters import Card, Persona
    from airochat.conversation import Message
    from airochat.hooks import hookimpl
    from airochat.session import Session, SessionManager, Turn, open

_HOMES = {
    "Card": "airochat.characters",
    "Message": "airochat.conversation",
    "Persona": "airochat.characters",
    "Session": "airochat.session",
    "SessionManager": "airochat.session",
    "Turn": "airochat.session",
    "hookimpl": "airochat.hooks",
    "open": "airochat.session",
}

__all__ = [
    "Card",
    "Message",
    "Persona",
    "Session",
    "SessionManager",
    "Turn",
    "__version__",
    "hookimpl",
    "open",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "load_ipython_extension":
        return importlib.import_module("airochat.notebook").load_ipython_extension
    raise AttributeError(f"module 'airochat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
