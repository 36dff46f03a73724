"""What a file really is, whatever its name says."""

from __future__ import annotations

import re
from collections.abc import Callable

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\x89PNG", "damaged-png"),
    (b"PK\3\4", "zip"),
    (b"PK\5\6", "zip"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"GGUF", "gguf"),
    (b"%PDF", "pdf"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "rar"),
)
_NAMES = {
    "png": "a PNG picture",
    "damaged-png": "a PNG picture damaged on its way (sent as text?)",
    "webp": "a WEBP picture",
    "avif": "an AVIF or HEIC picture",
    "zip": "a zip archive",
    "jpeg": "a JPEG picture",
    "gif": "a GIF picture",
    "bmp": "a BMP picture",
    "gguf": "a GGUF model",
    "pdf": "a PDF document",
    "gzip": "a gzip archive",
    "7z": "a 7z archive",
    "rar": "a RAR archive",
    "html": "a web page",
    "json": "JSON",
    "yaml": "YAML",
    "text": "plain text",
    "empty": "empty",
    "unknown": "of an unknown kind",
}
_HEAD = 4096
_PAGE = re.compile(r"\s*<(?:!doctype html|html|head|body|\?xml|!--)", re.IGNORECASE)
_KEY = re.compile(r"""^["']?[A-Za-z_][\w -]*["']?:(?:\s|$)""", re.MULTILINE)
_TEXT_KINDS: tuple[tuple[Callable[[str], object], str], ...] = (
    (_PAGE.match, "html"),
    (lambda text: text.lstrip()[:1] in ("{", "["), "json"),
    (_KEY.search, "yaml"),
)


def sniff(content: bytes) -> str:
    """Return what the file is by its first bytes: a name that `describe` knows.

    Those that hold cards are ``png``, ``webp``, ``zip``, ``json`` and ``yaml``; ``text`` is any other text.
    """
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if content[:2] == b"BM" and content[6:10] == bytes(4):
        return "bmp"
    if content[4:12] in (b"ftypavif", b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "avif"
    if not content[:_HEAD].strip() and not content.strip(b" \t\r\n\0"):
        return "empty"
    return _sniff_text(content[:_HEAD])


def describe(kind: str) -> str:
    """Return what `sniff` found, in words that follow “it is”."""
    return _NAMES[kind]


def _sniff_text(head: bytes) -> str:
    text = _decoded(head)
    if text is None:
        return "unknown"
    return next((kind for test, kind in _TEXT_KINDS if test(text)), "text")


def _decoded(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    if head[1:2] == b"\0" or head[:1] == b"\0":
        return head.decode("utf-16-le" if head[:1] != b"\0" else "utf-16-be", "replace")
    text = head.decode("utf-8-sig", "replace")
    return text if "\0" not in text.rstrip("\0") else None
