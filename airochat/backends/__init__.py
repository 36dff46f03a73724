"""Backends: what turns a prompt into text, and how one is chosen by a model's name."""

from __future__ import annotations

from airochat.backends.base import Backend
from airochat.backends.states import states_folder
from airochat.errors import ModelError
from airochat.paths import Home
from airochat.settings import Settings

__all__ = ["Backend", "create_backend"]


def create_backend(ref: str, settings: Settings, home: Home) -> Backend:
    """Return the backend for a model: ``scripted``, ``remote:ADDRESS``, ``demo``, a path or a known name.

    Nothing is loaded yet. `ModelError` if the name is empty or unknown, or the address malformed.
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
    from airochat.backends.llama import library
    from airochat.backends.llama.client import LlamaBackend

    folders = library.model_folders(settings, home)
    path, options = library.resolve(ref, folders), settings.engine
    if options.draft_model:
        options = options.replace(draft_model=str(library.resolve(options.draft_model, folders)))
    return LlamaBackend(
        path, options, home.folder("logs") / "engine.log", states=states_folder(home.folder("cache"))
    )
