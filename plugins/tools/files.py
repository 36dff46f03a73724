"""Reading text files of one folder that the user has allowed, and nothing outside it."""

from __future__ import annotations

from pathlib import Path

from airochat.errors import UsageError
from airochat.text import clean, one_line

MAX_BYTES = 64 * 1024
"""How much of a file is read."""
MOST = 200
"""How many names of a folder are told."""


def read(folder: str, path: str) -> str:
    """Return a text file, or the names in a folder; `UsageError` for what is outside, hidden, or no text.

    ``folder`` is the allowed one; ``path`` is relative to it. Links count as where they lead.
    """
    if not folder.strip():
        raise UsageError(
            "No folder is allowed.", "`airochat plugins settings tools folder=PATH` allows the files of one."
        )
    root = Path(folder).expanduser().resolve()
    shown = one_line(path, 60)
    try:
        target = (root / path.strip().lstrip("/\\")).resolve()
        inside = target.is_relative_to(root)
        hidden = inside and any(part.startswith(".") for part in target.relative_to(root).parts)
        if inside and not hidden and target.is_dir():
            return _names(target, root)
        if not inside or hidden or not target.is_file():
            raise UsageError(f"There is no file {shown!r} in the allowed folder.", "An empty path lists it.")
        with target.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        raise UsageError(f"{shown} cannot be read: {reason}.") from None
    if b"\0" in data:
        raise UsageError(f"{shown} is not a text file.")
    text = clean(data[:MAX_BYTES].decode("utf-8-sig", "replace"))
    if text.count("\ufffd") > len(text) // 20:
        raise UsageError(f"{shown} is not a text file in UTF-8.")
    return text + ("\n… (only the first 64 KB are read)" if len(data) > MAX_BYTES else "")


def _names(target: Path, root: Path) -> str:
    names = sorted(
        one_line(entry.name, 200) + ("/" if entry.is_dir() else "")
        for entry in target.iterdir()
        if not entry.name.startswith(".") and entry.resolve().is_relative_to(root)
    )
    more = f"\n… and {len(names) - MOST} more" if len(names) > MOST else ""
    return "\n".join(names[:MOST]) + more if names else "The folder is empty."
