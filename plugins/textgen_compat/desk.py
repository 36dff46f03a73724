"""What is loaded of the extensions, and calls into them: for a limited time, and each at its own risk."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from airochat.errors import PluginError
from airochat.hooks import ChatContext
from airochat.hooks.watch import Overtime, Watch
from airochat.text import one_line

from .extension import SCRIPT, Extension, call_some
from .rows import Changed
from .shims import Busy, Live, Shims

HOOK_S = 4.0
"""How long all extensions together may take in one hook; the plugin itself has five seconds."""
LOAD_S = 50.0
"""How long the script of an extension may take to be loaded; some import half of the world."""
COMMAND_S = 55.0
"""How long a command waits for that."""
_LEAST_S = 0.05
FOLDER = "extensions"

_Value = TypeVar("_Value")


@dataclass(slots=True)
class Call:
    """One call of the plugin: the chat, the state that scripts see, and when all must be done."""

    context: ChatContext
    state: dict[str, Any]
    until: float
    extensions: list[Extension] | None = None
    """The enabled ones, once they have been looked for."""

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()


class Desk:
    """All extensions of this run of the program."""

    def __init__(self) -> None:
        self.shims = Shims()
        self._watch = Watch()
        self._loaded: dict[Path, Extension] = {}
        self.changed: dict[str, Changed] = {}
        """By chat what the scripts have made of its history for the prompt that is being assembled."""
        self._lock = threading.Lock()

    def folders(self, context: ChatContext) -> dict[str, Path]:
        """Return the folders with a script by name: those of the plugin's folder, then those that were added."""
        place = context.folder / FOLDER
        here = sorted(place.iterdir()) if place.is_dir() else []
        added = [Path(path) for path in context.storage("global").get("paths", [])]
        found: dict[str, Path] = {}
        for folder in (*here, *added):
            if (folder / SCRIPT).is_file():
                found.setdefault(folder.name, folder)
        return found

    def call(self, context: ChatContext, state: dict[str, Any], seconds: float | None = None) -> Call:
        """Begin a call, with the time for a hook unless other is given."""
        return Call(context, state, time.monotonic() + (HOOK_S if seconds is None else seconds))

    def found(self, folder: Path) -> Extension | None:
        """Return an extension if it was loaded, or failed to."""
        return self._loaded.get(folder)

    def forget(self, folder: Path) -> None:
        """Forget what was loaded from a folder, so that it is loaded anew."""
        self._loaded.pop(folder, None)

    def enabled(self, call: Call) -> list[Extension]:
        """Return the enabled extensions in their order, those that failed too; what is not yet loaded is."""
        if call.extensions is None:
            folders = self.folders(call.context)
            names = call.context.storage("global").get("enabled", [])
            call.extensions = [self._ready(call, name, folders[name]) for name in names if name in folders]
        return call.extensions

    def active(self, call: Call, hook: str) -> list[Extension]:
        """Return the extensions that are to be called for a hook."""
        return [one for one in self.enabled(call) if one.runs and one.hook(hook)]

    def run(
        self,
        call: Call,
        extension: Extension,
        hook: str,
        make: Callable[[Callable[..., Any]], _Value],
    ) -> _Value | None:
        """Return what ``make`` makes of a function of an extension; None if that failed, or there is no time."""
        function = extension.hook(hook)
        if function is None:
            return None
        return self._guarded(call, extension, f"in {hook}", lambda: make(function))

    def _ready(self, call: Call, name: str, folder: Path) -> Extension:
        """Return an extension, loaded if there is time for that; else it goes on being loaded."""
        with self._lock:
            extension = self._loaded.get(folder)
            if extension is None:
                extension = self._loaded[folder] = Extension(name, folder)
                extension.loader = threading.Thread(
                    target=self._load, args=(call, extension), name="airochat-textgen", daemon=True
                )
                extension.loader.start()
        if extension.loader is not None:
            extension.loader.join(max(0.0, call.left))
        return extension

    def _load(self, call: Call, extension: Extension) -> None:
        values = call.context.storage("global").get("params", {}).get(extension.name, {})

        def load() -> bool:
            extension.load(values, self.shims.settings)
            return True

        own = self.call(call.context, call.state, LOAD_S)
        if not self._guarded(own, extension, "while it was loaded", load) and not extension.error:
            extension.error = "It was not loaded, since another one took the time."

    def _guarded(
        self, call: Call, extension: Extension, where: str, work: Callable[[], _Value]
    ) -> _Value | None:
        if call.left < _LEAST_S:
            return None
        try:
            with self.shims.installed(extension.modules, call.left):
                self.shims.live = Live(call.state, call.context.count_tokens, self._own_length(call))
                return self._watch.run(work, max(_LEAST_S, call.left))
        except Busy:
            call.context.log.warning("%s was left out %s: another one runs", extension.name, where)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed(call, extension, where, error)
        return None

    def _failed(self, call: Call, extension: Extension, where: str, error: BaseException) -> None:
        call.context.log.error("The extension %s failed %s", extension.name, where, exc_info=error)
        reason = traceback.format_exception_only(error)[-1]
        for own in (PluginError, Overtime):
            reason = reason.removeprefix(f"{own.__module__}.{own.__name__}: ")
        extension.error = one_line(f"It failed {where}: {reason}", 300)

    def _own_length(self, call: Call) -> Callable[[str], Any] | None:
        """Return the first function by which a script counts tokens, of what is loaded; others are told of."""
        hook = "custom_tokenized_length"
        found = [one for one in list(self._loaded.values()) if one.runs and one.hook(hook)]
        for other in found[1:]:
            other.remark(f"{hook}, of which only that of the first extension is called")
        function = found[0].hook(hook) if found else None
        return None if function is None else partial(call_some, function)
