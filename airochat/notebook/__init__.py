"""The notebook front end: a chat widget, and magics for cells. Nothing of Jupyter is loaded before it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from airochat.notebook.panel import PanelWidget, show_panel
    from airochat.notebook.widget import ChatWidget, show

__all__ = ["ChatWidget", "PanelWidget", "load_ipython_extension", "show", "show_panel"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%chat``, ``%%chat`` and ``%airochat``; IPython calls this on ``%load_ext airochat``."""
    from airochat.notebook.magics import register

    register(shell)


def __getattr__(name: str) -> Any:
    homes = {"ChatWidget": "widget", "show": "widget", "PanelWidget": "panel", "show_panel": "panel"}
    if name not in homes:
        raise AttributeError(f"module 'airochat.notebook' has no attribute {name!r}")
    return getattr(import_module(f"airochat.notebook.{homes[name]}"), name)
