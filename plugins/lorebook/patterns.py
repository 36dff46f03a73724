"""Keys that are regexes, such as ``/ki.g/i``: JavaScript's syntax, with a limit on what they may cost."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final

import regex  # type: ignore[import-untyped]

from airochat.text import one_line

LONGEST: Final = 2_000
"""Characters of a pattern."""
MILLISECONDS: Final = 50
"""What one search may take."""
ALL_MILLISECONDS: Final = 400
"""What all searches of one scan may take."""
FAILURES: Final = 2
"""How often a key may run out of time before it is not tried any more."""
_FLAGS: Final = frozenset("gimsuy")
_LINE_END: Final = "\\n\\r\\u2028\\u2029"


class Pattern:
    """A regex key. ``error`` says why it cannot be used, if it cannot."""

    __slots__ = ("_compiled", "_sticky", "error", "failures", "source")

    def __init__(self, source: str, pattern: str, flags: str) -> None:
        self.source = source
        self.error = ""
        self.failures = 0
        self._sticky = "y" in flags
        self._compiled: regex.Pattern[str] | None = None
        if len(pattern) > LONGEST:
            self.error = f"it is longer than {LONGEST:,} characters"
            return
        try:
            self._compiled = _compiled(pattern, "".join(sorted(set(flags) & set("ims"))))
        except (regex.error, OverflowError, RecursionError, MemoryError, ValueError, IndexError) as error:
            self.error = f"it is no regex: {one_line(str(error), 120)}"

    @property
    def usable(self) -> bool:
        """Whether it is still tried."""
        return self._compiled is not None and self.failures < FAILURES

    def search(self, text: str, clock: Clock) -> int:
        """Return where it first matches, or -1; after `FAILURES` searches that took too long it never does."""
        if self._compiled is None or not self.usable or clock.left <= 0:
            return -1
        find = self._compiled.match if self._sticky else self._compiled.search
        begun = time.monotonic()
        try:
            found = find(text, timeout=min(MILLISECONDS / 1000, clock.left))
        except (TimeoutError, MemoryError, RecursionError):
            self.failures += 1
            clock.slow.append(self.source)
            return -1
        finally:
            clock.left -= time.monotonic() - begun
        return found.start() if found else -1


class Clock:
    """The time that the regexes of one scan have left, in seconds, and which of them took too long."""

    __slots__ = ("left", "slow")

    def __init__(self) -> None:
        self.left = ALL_MILLISECONDS / 1000
        self.slow: list[str] = []


def pattern_of(key: str) -> Pattern | None:
    r"""Return the pattern that a key is, or None for a plain one.

    >>> pattern_of("/ki.g/i") is not None, pattern_of("/a/b/"), pattern_of("king")
    (True, None, None)
    """
    if len(key) < 3 or not key.startswith("/"):
        return None
    end = _closing(key)
    if end < 2 or not set(key[end + 1 :]) <= _FLAGS:
        return None
    return Pattern(key, key[1:end], key[end + 1 :])


def _closing(key: str) -> int:
    """Return where the slash stands that ends a pattern, or -1 if there is another one that is not escaped."""
    at = 1
    found = -1
    while at < len(key):
        if key[at] == "\\":
            at += 2
            continue
        if key[at] == "/":
            if found >= 0:
                return -1
            found = at
        at += 1
    return found


@lru_cache(maxsize=4096)
def _compiled(pattern: str, flags: str) -> regex.Pattern[str]:
    used = regex.V0 | regex.ASCII
    used |= regex.IGNORECASE if "i" in flags else 0
    used |= regex.MULTILINE if "m" in flags else 0
    used |= regex.DOTALL if "s" in flags else 0
    if "i" in flags and not pattern.isascii():
        # Case is then told by all letters; the classes that are ASCII's are written out by `translated`.
        used = (used & ~regex.ASCII) | regex.UNICODE
    return regex.compile(translated(pattern, dot_all="s" in flags, lines="m" in flags), used)


def translated(pattern: str, *, dot_all: bool, lines: bool) -> str:
    """Return a pattern of JavaScript in the syntax of `regex`."""
    made: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            piece, at = _escape(pattern, at)
            made.append(piece)
        elif character == "[":
            piece, at = _class(pattern, at)
            made.append(piece)
        else:
            made.append(_plain(pattern, at, dot_all, lines))
            at += 1
    return "".join(made)


def _plain(pattern: str, at: int, dot_all: bool, lines: bool) -> str:
    character = pattern[at]
    if character == "$" and not lines:
        return r"\Z"
    if character == "." and not dot_all:
        return f"[^{_LINE_END}]"
    if character == "{" and not regex.match(r"\{\d+(?:,\d*)?\}", pattern[at : at + 24]):
        # Elsewhere it would be a fuzzy match.
        return r"\{"
    return character


_SHORT: Final = {
    "d": r"[0-9]",
    "D": r"[^0-9]",
    "w": r"[A-Za-z0-9_]",
    "W": r"[^A-Za-z0-9_]",
}
_CLASS_SHORT: Final = {"d": "0-9", "w": "A-Za-z0-9_", "b": r"\x08"}


def _escape(pattern: str, at: int) -> tuple[str, int]:
    following = pattern[at + 1 : at + 2]
    if following in _SHORT:
        return _SHORT[following], at + 2
    if following == "k" and (name := regex.match(r"\\k<(\w+)>", pattern, pos=at)):
        return f"(?P={name[1]})", name.end()
    if following == "u" and (code := regex.match(r"\\u\{([0-9A-Fa-f]{1,6})\}", pattern, pos=at)):
        return regex.escape(chr(min(int(code[1], 16), 0x10FFFF))), code.end()
    if following == "c" and (letter := regex.match(r"\\c([A-Za-z])", pattern, pos=at)):
        return f"\\x{ord(letter[1]) % 32:02x}", letter.end()
    if following and following.isalpha() and following not in "bBsSnrtvfxupP":
        # Letters that mean something only here, such as those for the ends of the text.
        return following, at + 2
    return pattern[at : at + 2] if following else r"\\", at + 2


def _class(pattern: str, at: int) -> tuple[str, int]:
    for empty, instead in (("[^]", r"[\s\S]"), ("[]", r"(?!)")):
        if pattern.startswith(empty, at):
            return instead, at + len(empty)
    made = ["["]
    at += 1
    if pattern.startswith("^", at):
        made.append("^")
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "\\":
            following = pattern[at + 1 : at + 2]
            if following in _CLASS_SHORT:
                piece, at = _CLASS_SHORT[following], at + 2
            else:
                piece, at = (pattern[at : at + 2], at + 2) if following in "DW" else _escape(pattern, at)
            made.append(piece)
        else:
            made.append(rf"\{pattern[at]}" if pattern[at] in "[&~|" else pattern[at])
            at += 1
    # Without its end it is no pattern there, and must be none here.
    return "".join([*made, *(["]"] if at < len(pattern) else [])]), at + 1
