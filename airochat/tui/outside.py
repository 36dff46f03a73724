"""Writing a text in the user's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from airochat.errors import UsageError


def editor() -> str:
    """Return the command of the user's editor: ``VISUAL``, ``EDITOR``, or what every system has."""
    plain = "notepad" if os.name == "nt" else "vi"
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or plain


def edit_text(text: str, suffix: str = ".txt") -> str:
    """Let the user change a text in the editor, which has the terminal meanwhile, and return it.

    An editor that is missing or fails is a `UsageError`; the text then did not change.
    """
    command = editor()
    handle, name = tempfile.mkstemp(prefix="airochat-", suffix=suffix)
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        done = subprocess.run([*shlex.split(command, posix=os.name != "nt"), name], check=False)
        if done.returncode:
            raise UsageError(f"The editor {command!r} ended with {done.returncode}; nothing was changed.")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The editor {command!r} cannot be used: {error}.", "Set EDITOR to the command of one."
        ) from None
    finally:
        path.unlink(missing_ok=True)
