"""Writing a file whole or not at all, whatever ends the program in between."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airochat.errors import StoreError

DRAFT = ".new-"
"""How the names of files begin that are being written."""

_STALE = 3600.0
"""Seconds after which nobody writes a draft any more: its program was killed."""


def write_file(path: Path, content: bytes) -> None:
    """Replace or make a file: after a crash it is the old one or the new one; on the disk when this returns."""
    with drafted(path.parent, content) as draft:
        publish(draft, path)


@contextmanager
def drafted(folder: Path, content: bytes) -> Iterator[Path]:
    """Write ``content`` under a name of its own, on the disk before the block begins, gone after it."""
    with told(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=DRAFT, dir=folder)
    try:
        with told(folder), os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        with suppress(OSError):
            os.unlink(name)


def publish(draft: Path, path: Path) -> None:
    """Give a draft, or any file, its name at one stroke; what had that name is replaced."""
    with told(path):
        os.replace(draft, path)
        _sync_folder(path.parent)


def sweep(draft: os.DirEntry[str]) -> None:
    """Remove a draft whose program was killed."""
    with suppress(OSError):
        if time.time() - draft.stat(follow_symlinks=False).st_mtime > _STALE:
            os.unlink(draft.path)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn errors of the system into a `StoreError` that names the place."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Look for room on the disk and for write access, or set AIROCHAT_HOME to another folder.",
        ) from None


def _sync_folder(folder: Path) -> None:
    """Put a changed name on the disk; Windows does that by itself and cannot open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
