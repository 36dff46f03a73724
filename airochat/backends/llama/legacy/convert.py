"""Writing the GGUF: the header, then the weights in small pieces, under another name until all is on the disk."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from airochat.backends.llama.ggml import size_text
from airochat.backends.llama.legacy.plan import Plan
from airochat.backends.llama.legacy.read import ALIGNMENT
from airochat.backends.llama.legacy.write import padding
from airochat.errors import ModelError, UsageError

CHUNK = 4 << 20
"""Bytes that are in memory at a time."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_target(source: Path, target: Path, *, force: bool = False) -> None:
    """Raise `UsageError` unless ``target`` may be written; ``force`` allows what is there, but never the source."""
    if target.suffix.lower() != ".gguf":
        raise UsageError(f"{target} does not end in .gguf.", f"Call it {target.with_suffix('.gguf').name}.")
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", "Give the new file a name.")
    if not target.parent.is_dir():
        raise UsageError(f"The folder {target.parent} does not exist.", "Make it, or correct the path.")
    if os.path.exists(target) and os.path.samefile(source, target):
        raise UsageError(f"{target} is the old file itself.", "Give the new file another name.")
    if os.path.lexists(target) and not force:
        raise UsageError(f"{target} is there already.", "Give another name, or --force to replace it.")


def convert(work: Plan, target: Path, advance: Callable[[int], None], *, force: bool = False) -> None:
    """Write the new file; ``advance`` is told the bytes of each step, which add up to ``work.size``.

    The target appears only when it is whole and on the disk. If anything fails, what was written is removed.
    """
    check_target(work.old.path, target, force=force)
    _check_room(work, target)
    try:
        with _draft(target, force) as draft:
            with open(draft, "wb") as file:
                _write(work, file, advance)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, target)
            _sync_folder(target.parent)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _no_room(work, target) from None
        message = f"{target} cannot be written: {error.strerror or error}."
        raise ModelError(message, "Look for write access to the folder, or give another one.") from None


@contextmanager
def _draft(target: Path, force: bool) -> Iterator[Path]:
    """Make an empty file beside the target, and remove it if it has not been renamed."""
    draft = target.with_name(target.name + ".part")
    if force:
        draft.unlink(missing_ok=True)
    try:
        open(draft, "xb").close()
    except FileExistsError:
        message = f"{draft} is there: another conversion is writing it, or one was killed."
        raise ModelError(message, "If none is running, delete it, or give --force.") from None
    try:
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _write(work: Plan, file: BinaryIO, advance: Callable[[int], None]) -> None:
    file.write(work.header)
    advance(len(work.header))
    buffer = memoryview(bytearray(CHUNK))
    with _source(work.old.path) as source:
        for tensor in work.tensors:
            source.seek(tensor.start)
            _copy(source, file, tensor.size, buffer, advance)
            zeros = padding(tensor.size, ALIGNMENT)
            file.write(b"\0" * zeros)
            advance(zeros)


def _copy(
    source: FileIO, file: BinaryIO, size: int, buffer: memoryview, advance: Callable[[int], None]
) -> None:
    while size:
        count = _read(source, buffer[: min(size, len(buffer))])
        file.write(buffer[:count])
        advance(count)
        size -= count


def _read(source: FileIO, buffer: memoryview) -> int:
    try:
        count = source.readinto(buffer)
    except OSError as error:
        raise ModelError(f"{source.name} cannot be read: {error.strerror}.", "Check its drive.") from None
    if not count:
        raise ModelError(f"{source.name} has become shorter meanwhile.", "Convert it when it is complete.")
    return count


def _source(path: Path) -> FileIO:
    try:
        return FileIO(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from None


def _check_room(work: Plan, target: Path) -> None:
    with suppress(OSError):  # not every drive tells
        free = shutil.disk_usage(target.parent).free
        if free < work.size:
            raise _no_room(work, target, f", and {size_text(free)} are free")


def _no_room(work: Plan, target: Path, free: str = "") -> ModelError:
    return ModelError(
        f"There is no room for {target}: it needs {size_text(work.size)}{free}.",
        "Make room, or write it to another drive.",
    )


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk; Windows does that by itself and cannot open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
