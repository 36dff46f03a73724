"""File names made of text that anyone may have written."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection

from airochat.text import clean

MAX_BYTES = 120
"""The longest stem, in bytes of UTF-8; suffixes still fit where a name may have 143 bytes (encrypted home folders)."""

_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')


def file_stem(text: str, otherwise: str) -> str:
    """Return a file name without suffix that every system takes and that leaves no folder, or ``otherwise``.

    Letters of all scripts stay. Escape sequences, control characters and path separators go, as do leading dots and
    dashes and trailing dots; names of Windows devices get an underscore in front.
    """
    plain = " ".join(clean(unicodedata.normalize("NFC", text)).split())
    stem = _cut(_FORBIDDEN.sub("_", plain).lstrip(" .-~")).rstrip(" .")
    if not stem.strip("_ "):
        return otherwise
    return f"_{stem}" if _RESERVED.fullmatch(stem) else stem


def unique_name(stem: str, suffix: str, taken: Collection[str]) -> str:
    """Return ``stem`` + ``suffix``, numbered if a name in ``taken`` differs from it in capitals at most."""
    used = {folded(name) for name in taken}
    numbered = itertools.chain([stem], (f"{stem} ({number})" for number in itertools.count(2)))
    return next(name + suffix for name in numbered if folded(name + suffix) not in used)


def folded(name: str) -> str:
    """Return a name as file systems that ignore capitals and the composition of accents compare it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _cut(stem: str) -> str:
    return stem.encode("utf-8")[:MAX_BYTES].decode("utf-8", "ignore")
