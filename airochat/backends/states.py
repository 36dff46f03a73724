"""Where the caches of conversations lie on the disk."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

SUFFIX = ".kv"
DRAFT_SUFFIX = ".new"
"""What a file is called while it is being written."""


def states_folder(cache: Path) -> Path:
    """Return the folder for saved states within the folder for caches."""
    return cache / "kv"


def state_file(folder: Path, chat: str) -> Path:
    """Return the file of a conversation, whose id may hold anything."""
    name = hashlib.blake2b(chat.encode("utf-8", "replace"), digest_size=12).hexdigest()
    return folder / (name + SUFFIX)


def forget_state(folder: Path, chat: str) -> None:
    """Remove the file of a conversation, since what was said can be read from it, and drafts of it."""
    path = state_file(folder, chat)
    with contextlib.suppress(OSError):
        for one in (path, *folder.glob(f"{path.stem}.*{DRAFT_SUFFIX}")):
            one.unlink(missing_ok=True)
