"""Backends: what turns a prompt into text, and how one is chosen by a model's name."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from airochat.backends.base import Backend
from airochat.backends.states import states_folder
from airochat.errors import ModelError
from airochat.paths import Home
from airochat.settings import Settings

__all__ = ["Backend", "OpenBackend", "create_backend", "offered_name"]

OpenBackend: TypeAlias = Callable[[str, Mapping[str, Any]], object]
"""Opens a backend that airochat does not have: gets what stands after its name, and the engine settings."""

# Two letters at least, so that a drive of Windows is none.
_OFFERED = re.compile(r"([a-z][a-z0-9_-]{1,39}):(.*)", re.DOTALL)


def create_backend(
    ref: str, settings: Settings, home: Home, offers: Mapping[str, OpenBackend] | None = None
) -> Backend:
    """Return the backend for a model: ``scripted``, ``remote:ADDRESS``, ``demo``, a path or a known name.

    ``NAME:REST`` is also a model if NAME is in ``offers``. Nothing is loaded yet. `ModelError` if the name is empty or
    unknown, the address malformed, or what was offered is no backend.
    """
    if not ref:
        hint = "Choose one with --model: a .gguf file, `demo`, or `remote:ADDRESS` of a server."
        raise ModelError("No model is configured.", hint)
    if ref == "scripted":
        from airochat.backends.scripted import ScriptedBackend

        return ScriptedBackend()
    if ref.startswith("remote:"):
        from airochat.backends.remote.client import RemoteBackend

        n_ctx = settings.engine.n_ctx
        return RemoteBackend(ref.removeprefix("remote:"), n_ctx if isinstance(n_ctx, int) else 0)
    if offers and (name := offered_name(ref)) in offers:
        options = MappingProxyType(dataclasses.asdict(settings.engine))
        return _checked(name, offers[name](ref.removeprefix(f"{name}:"), options))
    from airochat.backends.llama import library
    from airochat.backends.llama.client import LlamaBackend

    folders = library.model_folders(settings, home)
    path, engine = library.resolve(ref, folders), settings.engine
    if engine.draft_model:
        engine = engine.replace(draft_model=str(library.resolve(engine.draft_model, folders)))
    return LlamaBackend(
        path, engine, home.folder("logs") / "engine.log", states=states_folder(home.folder("cache"))
    )


def offered_name(ref: str) -> str:
    """Return the name of the backend that a model's name may ask a plugin for; empty if it cannot.

    >>> offered_name("echo:loud"), offered_name("remote:localhost"), offered_name("C:/models/a.gguf")
    ('echo', '', '')
    """
    match = _OFFERED.fullmatch(ref)
    return match[1] if match and match[1] != "remote" else ""


def _checked(name: str, made: object) -> Backend:
    """Return what somebody else made, if it has all that a backend has."""
    wanted = {key: value for key, value in vars(Backend).items() if not key.startswith("_")}
    lacking = [key for key, value in wanted.items() if not _has(made, key, inspect.isfunction(value))]
    if lacking:
        raise ModelError(
            f"The backend {name} lacks {', '.join(lacking)}.",
            "Its plugin must return what airochat.backends.base.Backend describes.",
        )
    return cast("Backend", made)


def _has(made: object, key: str, called: bool) -> bool:
    """Return whether an object has something; a property is not asked for its value."""
    if hasattr(type(made), key):
        return not called or callable(getattr(type(made), key))
    try:
        return callable(getattr(made, key)) if called else hasattr(made, key)
    except Exception:
        return False
