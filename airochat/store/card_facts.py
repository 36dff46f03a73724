"""What lists and searches know of a card without opening its file again."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

from airochat.characters import CardFile, read_card_file
from airochat.errors import AirochatError
from airochat.store.card_edits import apply_edits
from airochat.store.card_folder import Seen, edits_of
from airochat.store.card_index import Read

_MAX_TEXT = 2_000
"""The most characters of a name or of notes that are kept; what is longer is shown by opening the card."""
_MAX_TAGS = 100
_MAX_WORDS = 200_000
"""The most characters of a card that are searched."""

_log = logging.getLogger(__name__)
_PARAGRAPH = re.compile(r"\n\s*\n")


def examine(folder: Path, name: str, seen: Seen) -> Read:
    """Read one card of the folder with the edits beside it; one that cannot be read gives facts with the error."""
    path = folder / name
    try:
        original = read_card_file(path)
        return summary(name, seen.stamp, apply_edits(original, edits_of(path)))
    except AirochatError as error:
        return _broken(name, seen.stamp, str(error))
    except Exception as error:
        # One file that our own reading trips over must not take the list away.
        _log.exception("Reading the card %s failed", path)
        return _broken(name, seen.stamp, f"The card {path} cannot be read: {type(error).__name__}: {error}")


def summary(name: str, stamp: str, file: CardFile) -> Read:
    """Return what is kept of a card file that could be read."""
    card = file.card
    notes = card.notes().strip()
    facts = {
        "name": card.name[:_MAX_TEXT],
        "creator": card.creator[:_MAX_TEXT],
        "tags": [tag[:_MAX_TEXT] for tag in card.tags[:_MAX_TAGS]],
        "notes": _PARAGRAPH.split(notes, maxsplit=1)[0][:_MAX_TEXT],
        "form": file.form,
        "warnings": len(file.warnings),
        "error": "",
    }
    texts = (name, card.name, card.nickname, card.creator, *card.tags, notes, card.description)
    words = "\n".join(texts).casefold()[:_MAX_WORDS]
    return Read(name, stamp, digest(file.content), facts, words)


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _broken(name: str, stamp: str, error: str) -> Read:
    facts: dict[str, Any] = {
        "name": Path(name).stem,
        "creator": "",
        "tags": [],
        "notes": "",
        "form": "",
        "warnings": 0,
        "error": error,
    }
    return Read(name, stamp, "", facts, name.casefold())
