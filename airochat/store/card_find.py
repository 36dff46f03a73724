"""Finding the one card that a user means."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from airochat.errors import UsageError
from airochat.store.file_names import folded

if TYPE_CHECKING:
    from airochat.store.library import CardEntry

_LISTED = 8
"""How many cards of the same name an error lists."""


def pick(ref: str, entries: Mapping[str, CardEntry], folder: Path) -> CardEntry:
    """Return the entry whose file is ``ref``, with or without folder and suffix, or whose name it is.

    Capitals count only if that tells cards apart. None or several are a `UsageError`.
    """
    name = _inside(ref, folder)
    if name in entries:
        return entries[name]
    for same in (lambda text: text == name, lambda text: folded(text) == folded(name)):
        if found := [entry for entry in entries.values() if _is_meant(entry, same)]:
            return _only(ref, found)
    raise _unknown(ref, entries)


def _inside(ref: str, folder: Path) -> str:
    """Return the file name, if ``ref`` is a path into the folder."""
    path = Path(os.path.expanduser(ref))
    inside = os.path.basename(ref) != ref and path.parent.resolve() == folder.resolve()
    return path.name if inside else ref


def _is_meant(entry: CardEntry, same: Callable[[str], bool]) -> bool:
    return same(entry.id) or same(Path(entry.id).stem) or same(entry.name)


def _only(ref: str, found: list[CardEntry]) -> CardEntry:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(repr(entry.id) for entry in sorted(found, key=lambda entry: entry.id)[:_LISTED])
    more = f", and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    raise UsageError(
        f"{len(found)} cards fit {ref!r}: {listed}{more}.", "Give the name of one of these files."
    )


def _unknown(ref: str, entries: Mapping[str, CardEntry]) -> UsageError:
    names = {name for entry in entries.values() for name in (entry.name, Path(entry.id).stem)}
    close = difflib.get_close_matches(ref, names, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "`airochat cards list` shows them all."
    return UsageError(f"There is no card {ref!r} in the library.", hint)
