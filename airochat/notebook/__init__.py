"""The notebook front end: a chat widget, and magics for cells. Nothing of Jupyter is loaded before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from airochat.notebook.widget import ChatWidget, show

__all__ = ["ChatWidget", "load_ipython_extension", "show"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%chat`` and ``%%chat``; IPython calls this on ``%load_ext airochat``."""
    from airochat.notebook.magics import register

    register(shell)


def __getattr__(name: str) -> Any:
    if name not in ("ChatWidget", "show"):
        raise AttributeError(f"module 'airochat.notebook' has no attribute {name!r}")
    from airochat.notebook import widget

    return getattr(widget, name)
