"""What a plugin offers once, when it is loaded: commands, macros, panels, importers, exporters, backends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airochat.conversation import ImportedChat as ImportedChat
from airochat.conversation import Importer as Importer

if TYPE_CHECKING:
    from airochat.hooks.context import ChatContext


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command: ``run`` gets the chat and what stands after the name, and returns the answer to show.

    An `AirochatError` that it raises is shown to the user; any other exception switches the plugin off.
    """

    name: str
    """Lower-case letters, digits, ``-`` and ``_``, without the slash."""
    summary: str
    usage: str
    """How to write it, for instance ``/note [TEXT | depth N | off]``."""
    run: Callable[[ChatContext, str], str]


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes a chat into a file; ``write`` gets the chat and returns the file's text or bytes."""

    name: str
    """How ``airochat chats export --to NAME`` calls it."""
    summary: str
    write: Callable[[ChatContext], str | bytes]


@dataclass(frozen=True, slots=True)
class BackendOffer:
    """Another way to run a model: ``open`` gets what stands after ``NAME:`` in a model's name, and the engine settings.

    It returns an object like `airochat.backends.base.Backend`; nothing is loaded yet.
    """

    name: str
    summary: str
    open: Callable[[str, Mapping[str, Any]], Any]
