"""Logits processors: code of plugins that changes how likely each token is, run in the engine for one reply."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from airochat.backends.llama.chain import Logits
from airochat.sampling import LogitsProcessor
from airochat.text import one_line

_log = logging.getLogger(__name__)
SLOW_S = 2.0
"""What a processor may take for one token; one that takes longer is not called again for that reply."""
_LARGEST = 1 << 20
"""Bytes that a processor's file may have."""
_REASON = 200
Function = Callable[[list[int], Logits], object]


@dataclass(slots=True)
class _Running:
    name: str
    function: Function


class Processors:
    """The processors of one reply behind a prompt; those that fail are left out from there on, and named in ``notes``.

    A processor gets numbers of its own to change, so that nothing of one that fails, and nothing that it keeps, is in
    llama.cpp's memory.
    """

    def __init__(self, wanted: Sequence[LogitsProcessor], prompt: Sequence[int]) -> None:
        self.notes: list[str] = []
        """Sentences for the user about those that are left out."""
        self._prompt = list(prompt)
        self._running: list[_Running] = []
        for processor in wanted:
            name = one_line(processor.name)
            try:
                self._running.append(_Running(name, _made(processor)))
            except (Exception, SystemExit) as error:
                self._tell(name, error)

    def __bool__(self) -> bool:
        """Whether there is still one to call."""
        return bool(self._running)

    def apply(self, tokens: Sequence[int], logits: Logits) -> None:
        """Let the processors change the logits behind the prompt and ``tokens``; these must be usable numbers."""
        for running in tuple(self._running):
            changed = logits.copy()
            began = time.perf_counter()
            try:
                running.function([*self._prompt, *tokens], changed)
            except (Exception, SystemExit) as error:
                self._leave_out(running, error)
                continue
            took = time.perf_counter() - began
            if not math.isfinite(changed.max()):
                self._leave_out(running, "it ruled out every token, or gave numbers that are none")
                continue
            logits[:] = changed
            if took > SLOW_S:
                self._leave_out(running, f"it took {took:.1f} s for one token")

    def _leave_out(self, running: _Running, reason: Exception | SystemExit | str) -> None:
        self._running.remove(running)
        self._tell(running.name, reason)

    def _tell(self, name: str, reason: Exception | SystemExit | str) -> None:
        if isinstance(reason, str):
            said = reason
        else:
            _log.warning("The logits processor %r failed", name, exc_info=reason)
            said = one_line(f"{type(reason).__name__}: {_words(reason)}", _REASON).rstrip(" .:")
        self.notes.append(f"The logits processor {name!r} is left out of this reply: {said}.")


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the error is a plugin's own, too
        return ""


def _made(processor: LogitsProcessor) -> Function:
    module = _module(Path(processor.file))
    make = getattr(module, processor.make, None)
    if not callable(make):
        raise LookupError(f"there is no function {processor.make!r} in {Path(processor.file).name}")
    function: Function = make(dict(processor.options))
    if not callable(function):
        raise TypeError(f"{processor.make!r} made {type(function).__name__}, which is no function")
    return function


_modules: dict[Path, tuple[tuple[int, int], ModuleType]] = {}
"""The newest version of each file, with the time of its change and its size."""


def _module(path: Path) -> ModuleType:
    """Return the module of a file, which is run again if the file has changed."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    status = path.stat()
    version = status.st_mtime_ns, status.st_size
    known = _modules.get(path)
    if known is not None and known[0] == version:
        return known[1]
    if status.st_size > _LARGEST:
        raise ValueError(f"{path.name} is larger than {_LARGEST:,} bytes")
    name = f"_airochat_processor_{hashlib.blake2b(str(path).encode(), digest_size=8).hexdigest()}"
    spec: Any = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ImportError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Not through the loader, which would write compiled code beside the file and trust it for a second too long.
        exec(spec.loader.source_to_code(path.read_bytes(), str(path)), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    _modules[path] = version, module
    return module


def usable(logits: Logits) -> bool:
    """Return whether the model's own numbers are worth showing to a processor."""
    return bool(np.isfinite(logits.max()))
