"""Base64 as hand-made tools write it into pictures."""

from __future__ import annotations

import base64

from airochat.characters.containers.notes import Notes
from airochat.characters.warning import CardWarning

_SPACE = b" \t\r\n\f\v"
_BOM = b"\xef\xbb\xbf"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_JUNK = bytes(set(range(256)) - set(_ALPHABET))


def decode_base64(text: bytes, where: str = "The text") -> tuple[bytes, list[CardWarning]]:
    """Decode base64 whatever is wrong with it; raw JSON is returned as it is. ``where`` names it in warnings.

    White space is left out silently; a URL-safe alphabet, missing padding and foreign characters with a warning.
    Nothing raises: what is no base64 at all gives few or no bytes.
    """
    notes = Notes()
    stripped = text.strip(_SPACE + b"\0")
    if stripped.removeprefix(_BOM).lstrip(_SPACE)[:1] == b"{":
        notes.add("raw-json", f"{where} is plain JSON instead of base64.")
        return stripped, notes.warnings()
    return _decode(text.translate(None, _SPACE), where, notes), notes.warnings()


def _decode(text: bytes, where: str, notes: Notes) -> bytes:
    if b"-" in text or b"_" in text:
        notes.add("url-safe-base64", f"{where} uses the URL-safe alphabet of base64.")
        text = text.translate(_URL_SAFE)
    body, sign, rest = text.partition(b"=")
    kept = body.translate(None, _JUNK)
    if len(kept) < len(body) or rest.strip(b"="):
        notes.add("base64-junk", f"{where} has characters that do not belong to base64; they were left out.")
    padding = len(sign + rest) - len(rest.lstrip(b"="))
    if (len(kept) + padding) % 4:
        notes.add("base64-padding", f"{where} lacks the padding at its end.")
    if len(kept) % 4 == 1:
        kept = kept[:-1]
    return base64.b64decode(kept + b"=" * (-len(kept) % 4))
