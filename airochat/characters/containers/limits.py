"""How much of an untrusted file is taken on, so that none can exhaust the memory or hang the program."""

from __future__ import annotations

from airochat.errors import CardError

MAX_FILE = 64_000_000
"""Bytes of a card file. Cards with dozens of sprites have 50 MB; the whole file is held in memory."""
MAX_TEXT = 48_000_000
"""Bytes of a card's JSON, and of all inflated texts of one picture: what base64 in a file of `MAX_FILE` can hold.

Parsing takes up to 12 times as much memory. Measured on a PNG of 50 MB with 37.5 MB of JSON: a peak of 313 MB if all
of it is plain letters, and of 538 MB with one emoji and one half of a character in it; with 48 MB of JSON 688 MB.
"""
MAX_VALUES = 500_000
"""Values in one JSON text: a large lorebook has 5,000 entries of 50 fields, and every value costs about 100 bytes."""
MAX_DEPTH = 200
"""Nesting of JSON: cards have less than 20 levels, and the parser recurses, within Python's limit of 1,000."""
MAX_CHUNKS = 100_000
"""Chunks of a picture: the largest one in pieces of 8 KB has 8,000."""
MAX_MEMBERS = 10_000
"""Files in a CHARX: each costs about a kilobyte before the first is read."""
MAX_UNPACKED = 512_000_000
"""Bytes of all files in a CHARX; they are unpacked one at a time, when asked for."""
MAX_RATIO = 200
"""Unpacked bytes per packed byte of a file above `RATIO_FROM`: pictures have 1, prose 4, and a bomb 1,000."""
RATIO_FROM = 1_000_000
"""Bytes of a file that is small enough to be unpacked whatever its ratio."""


def check_size(size: int, where: str) -> None:
    """Raise `CardError` if a card file of ``size`` bytes is more than is read; ``where`` names it."""
    if size > MAX_FILE:
        raise CardError(
            f"{where} is too large for a card: {size:,} bytes; at most {MAX_FILE:,} are read.",
            "Take large pictures and sounds out of it.",
        )
