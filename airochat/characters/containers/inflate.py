"""Inflating text from an untrusted file, as much of it as there is and no more than allowed."""

from __future__ import annotations

import zlib
from itertools import pairwise

from airochat.errors import CardError

_STEP = 65_536
"""Packed bytes taken at a time, so that what stands before damage is not lost with it."""


def inflate(packed: bytes, limit: int, where: str) -> tuple[bytes, bool]:
    """Return the inflated bytes and whether the stream was sound to its end; ``where`` names it in errors.

    Memory stays within twice ``limit`` whatever the stream says. `CardError`: it holds more than ``limit`` bytes.
    """
    inflater = zlib.decompressobj()
    made = bytearray()
    # The checksum, the last four bytes, goes in by itself: where only it is wrong, all of the text is there.
    end = max(len(packed) - 4, 0)
    for start, stop in pairwise([*range(0, end, _STEP), end, len(packed)]):
        try:
            made += inflater.decompress(packed[start:stop], limit + 1 - len(made))
        except zlib.error:
            return bytes(made), False
        if len(made) > limit:
            raise CardError(
                f"{where} unpacks to more than {limit:,} bytes of text.",
                "It may be made to do harm; do not use it.",
            )
        if inflater.eof:
            break
    return bytes(made), inflater.eof
