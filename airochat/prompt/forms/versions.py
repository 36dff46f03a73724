"""Comparing Airoboros versions."""

from __future__ import annotations

import re

from airochat.templates.names import VERSIONS, read_name

_SPELLING = re.compile(r"[\w.-]{1,16}")
_ORDER = ("gpt-3.5", *VERSIONS)


def rank(version: str) -> int | None:
    """Return the place of a version among all releases; None for one that is not known.

    Every spelling that a model name may have is understood: ``3.11`` and ``3p11`` are 3.1.1.

    >>> rank("1.4.1") < rank("m2.0") < rank("2.2.1") < rank("3.11") == rank("3.1.1")
    True
    >>> rank("9.9") is None
    True
    """
    found = read_name(f"airoboros-{version.strip()}") if _SPELLING.fullmatch(version.strip()) else None
    return _ORDER.index(found.version) if found and found.version in _ORDER else None
