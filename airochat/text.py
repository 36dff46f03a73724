"""Making text that we did not write safe to show in a terminal or a notebook."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_DROPPED = (
    *range(0, 9),
    *range(11, 32),
    *range(127, 160),
    0xAD,
    0x61C,
    0x200B,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE0080),
)
_TABLE: dict[int, str | None] = {
    **dict.fromkeys(_DROPPED),
    **dict.fromkeys((0x0B, 0x0C, 0x85, 0x2028, 0x2029), "\n"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}


def clean(text: str) -> str:
    r"""Return ``text`` without escape sequences, control, bidirectional and invisible characters.

    Newlines of every kind become ``\n``; tabs stay; lone surrogates become U+FFFD; joiners and variation selectors
    stay, since emoji and several scripts need them. The terminal passes ESC and C1 codes of widgets through raw, so
    every text from a model, card, file, server or clipboard goes through here before a front end shows it.

    >>> clean("a\x1b[2Jb\r\nc\x07")
    'ab\nc'
    """
    return _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).translate(_TABLE)


def whole(text: str) -> str:
    """Return ``text`` with halves of surrogate pairs replaced, which no tokenizer, database or file takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str, limit: int = 80) -> str:
    """Return `clean` text folded to one line of at most ``limit`` characters, for titles and lists."""
    folded = " ".join(clean(text).split())
    return folded if len(folded) <= limit else folded[: limit - 1].rstrip() + "…"
