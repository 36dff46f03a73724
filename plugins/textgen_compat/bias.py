"""Scripts that change how likely each token is, called in the engine's process as their own program calls them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from .desk import LOAD_S
from .extension import Extension, call_some
from .shims import Live, Shims

HOOK: Final = "logits_processor_modifier"
_WAIT_S: Final = 5.0
_loaded: dict[str, tuple[int, Extension]] = {}
"""By the path of their scripts what was loaded in this process, each with when its script was written."""
_shims: list[Shims] = []


def changer(options: Mapping[str, Any]) -> Callable[[list[int], Any], None]:
    """Return what changes the logits for the extension ``name`` in ``folder``, whose parameters are ``params``."""
    shims = _the_shims()
    extension = _extension(str(options["name"]), Path(str(options["folder"])), options["params"], shims)
    return Changer(extension, shims)


class Changer:
    """The processors that a script gives for one reply; it is asked for them when the prompt is known."""

    def __init__(self, extension: Extension, shims: Shims) -> None:
        self._extension = extension
        self._shims = shims
        self._processors: list[Callable[[Any, Any], Any]] | None = None
        self._ids = np.zeros(0, dtype=np.int64)
        self._count = 0

    def __call__(self, ids: list[int], logits: Any) -> None:
        """Change ``logits`` in place, as the script wants it after ``ids``."""
        given, scores = _tensors(self._row(ids), logits.reshape(1, -1))
        if self._processors is None:
            self._processors = self._asked(given)
        changed = scores
        for processor in self._processors:
            found = processor(given, changed)
            changed = changed if found is None else found
        if changed is not scores:
            row = np.asarray(changed.detach().cpu() if hasattr(changed, "detach") else changed)
            if row.size != logits.size:
                raise ValueError(f"it returned {row.size} scores for {logits.size} tokens")
            np.copyto(logits, row.reshape(logits.shape), casting="unsafe")

    def _asked(self, ids: Any) -> list[Callable[[Any, Any], Any]]:
        function = self._extension.hook(HOOK)
        if function is None:
            return []
        listed = self._shims.processor_list()
        with self._shims.installed(self._extension.modules, _WAIT_S):
            found = call_some(function, listed, ids)
        return [one for one in (found if isinstance(found, (list, tuple)) else listed) if callable(one)]

    def _row(self, ids: Sequence[int]) -> Any:
        """Return the ids as one row; what is the same as at the last call is not copied again."""
        known = self._count
        if known > len(ids) or (known and self._ids[known - 1] != ids[known - 1]):
            known = 0
        if len(ids) > len(self._ids):
            self._ids = np.concatenate([self._ids, np.zeros(len(ids) + 1024, dtype=np.int64)])
        self._ids[known : len(ids)] = ids[known:]
        self._count = len(ids)
        return self._ids[: len(ids)].reshape(1, -1)


def _tensors(ids: Any, scores: Any) -> tuple[Any, Any]:
    """Return the arrays, or tensors that share their memory if a script has imported torch."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "from_numpy"):
        return ids, scores
    return torch.from_numpy(ids), torch.from_numpy(scores)


def _the_shims() -> Shims:
    if not _shims:
        _shims.append(Shims())
    return _shims[0]


def _extension(name: str, folder: Path, params: Mapping[str, Any], shims: Shims) -> Extension:
    """Return an extension loaded in this process, with the parameters that it has in the other one."""
    extension = Extension(name, folder)
    stamp = extension.script.stat().st_mtime_ns
    known = _loaded.get(str(extension.script))
    if known is None or known[0] != stamp:
        with shims.installed(extension.modules, LOAD_S):
            shims.live = Live()
            extension.load(params, shims.settings)
        known = _loaded[str(extension.script)] = stamp, extension
    known[1].params.update(params)
    return known[1]
