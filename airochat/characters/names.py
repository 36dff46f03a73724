"""Names of characters, fit to be shown, to begin a line of the prompt, and to become part of a file's name."""

from __future__ import annotations

import re

from airochat.text import clean

MAX_NAME = 120
"""Characters of a name; what is longer is not a name, and would fill every line of a chat."""
_SEPARATORS = re.compile(r"[/\\]+")


def safe_name(text: str) -> str:
    r"""Return a name on one line without control characters, path separators and escapes; empty if nothing is left.

    >>> safe_name("../Maya\x1b[2J\n  of\\the Hills ")
    'Maya of-the Hills'
    """
    folded = " ".join(clean(text).split())
    parts = (part.strip() for part in _SEPARATORS.split(folded))
    return "-".join(part for part in parts if part.strip("."))[:MAX_NAME].strip()
