"""A first sign of life, drawn before the interface's modules are read."""

from __future__ import annotations

import os
import sys


def _possible() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def splash(text: str = "airochat") -> None:
    """Write ``text`` into the middle of the alternate screen, where the interface will be drawn."""
    if _possible():
        columns, rows = os.get_terminal_size(sys.stderr.fileno())
        place = f"\x1b[{rows // 2};{max(1, (columns - len(text)) // 2)}H"
        sys.stderr.write(f"\x1b[?1049h\x1b[?25l\x1b[2J{place}{text}")
        sys.stderr.flush()


def unsplash() -> None:
    """Give the terminal its own screen and cursor back, if the interface could not take over."""
    if _possible():
        sys.stderr.write("\x1b[?1049l\x1b[?25h")
        sys.stderr.flush()
