"""The folder of cards as it is on the disk: card files, the user's edits beside them, and the bin."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from airochat.errors import StoreError
from airochat.store.atomic import DRAFT, publish, sweep, told

_READER = "1"
"""Raised when cards are read differently, so that what is known of every file is found out anew."""
EDITS = ".edits.json"
"""What follows a card's file name in the name of the file with the user's edits."""
BIN = ".bin"
"""The folder for what was removed."""
SUFFIXES = frozenset({".png", ".apng", ".webp", ".json", ".yaml", ".yml", ".charx", ".zip", ".jpg", ".jpeg"})
"""Files with other suffixes are none of ours."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A card file as the folder lists it: ``size`` in bytes, ``modified`` in seconds since 1970, UTC.

    ``stamp`` changes with the file, with the edits beside it, and with the version of airochat that reads them.
    """

    size: int
    modified: float
    edited: bool
    stamp: str


def scan(folder: Path) -> dict[str, Seen]:
    """Return the card files by name; empty if there is no folder. Raises `StoreError`."""
    cards: dict[str, os.stat_result] = {}
    edits: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name.startswith(DRAFT):
                    sweep(entry)
                elif entry.name.endswith(EDITS) or can_be_card(entry.name):
                    # What vanishes now, and a link that leads nowhere, are no cards.
                    with suppress(OSError):
                        if entry.is_file():
                            (edits if entry.name.endswith(EDITS) else cards)[entry.name] = entry.stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"The folder of cards {folder} cannot be read: {error.strerror}.") from None
    return {name: _seen(stat, edits.get(name + EDITS)) for name, stat in cards.items()}


def plain_stem(name: str) -> str:
    """Return a file name without its suffix, and without what would make it the name of a file of edits."""
    return re.sub(r"(?i)(\.edits)+$", "", os.path.splitext(name)[0])


def look(path: Path) -> Seen | None:
    """Return one card file as `scan` would list it; None if it is not there."""
    with suppress(OSError):
        card = path.stat()
        with suppress(OSError):
            return _seen(card, edits_of(path).stat())
        return _seen(card, None)
    return None


def edits_of(path: Path) -> Path:
    """Return where the edits of a card are, if there are any."""
    return path.with_name(path.name + EDITS)


def changed(folder: Path) -> int:
    """Return when a name in the folder last changed, in nanoseconds; 0 if there is no folder."""
    with suppress(OSError):
        return folder.stat().st_mtime_ns
    return 0


def names(folder: Path) -> list[str]:
    """Return every file name that is taken: also those for which the edits of a card that is gone wait."""
    with told(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = os.listdir(folder)
    return [*there, *(name.removesuffix(EDITS) for name in there if name.endswith(EDITS))]


def discard(path: Path) -> Path:
    """Move a file to the bin, under a name of its own, and return where it is now."""
    place = path.parent / BIN
    with told(place):
        place.mkdir(mode=0o700, exist_ok=True)
    target = place / f"{time.time_ns()}-{path.name}"
    publish(path, target)
    return target


def can_be_card(name: str) -> bool:
    """Tell whether a file may be a card, by its name."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES and not name.startswith(".") and not name.lower().endswith(EDITS)


def _seen(card: os.stat_result, edits: os.stat_result | None) -> Seen:
    files = [card] if edits is None else [card, edits]
    # A replaced file has another inode, even within one tick of the clock.
    stamps = [f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}" for stat in files]
    modified = max(stat.st_mtime for stat in files)
    return Seen(card.st_size, modified, edits is not None, "|".join([_READER, *stamps]))
