"""JavaScript's patterns and replacements, run by the ``regex`` library, which can be given a time limit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import regex  # type: ignore[import-untyped]

from airochat.errors import UsageError
from airochat.text import one_line

from .script import Script

LONGEST: Final = 4_000
"""Characters of a pattern."""
LARGEST: Final = 1_000_000
"""Characters of a text that a script may make."""
MOST_REPEATS: Final = 10_000
_WRITTEN = re.compile(r"/(.+)/([a-z]*)", re.DOTALL)
_MACRO = re.compile(r"\{\{[^{}]*\}\}")
_REFERENCE = re.compile(r"\$(\d{1,2})|\$<([^>]+)>|\{\{match\}\}", re.IGNORECASE)
_MARK = re.compile("\ue000(\\d+)\ue001")
"""Stands for a reference while macros are expanded, so that neither can be taken for the other."""
_FOREIGN = re.compile(r"(?<!\\)\(\?(?!:|=|!|<|[ims-]+:)")
"""What begins a group that JavaScript does not know; in ``regex`` it might recurse, or search backwards."""
_FUZZY = re.compile(r"\{(?!\d+(?:,\d*)?\})")
_PROPERTY = re.compile(r"\\[pP]\{[^{}]+\}|\\u\{([0-9A-Fa-f]{1,6})\}")
_CLASSES: Final = {"[^]": r"[\s\S]", "[]": "(?!)"}
Expand = Callable[[str], str]


class Stopped(Exception):
    """A script that cannot be run on; says why."""


def check(find: str) -> None:
    """Raise `UsageError` unless a script's ``findRegex`` can be used."""
    compiled(*parts(find))


def parts(find: str) -> tuple[str, str]:
    """Return the pattern and the flags of a ``findRegex``; `UsageError` for a flag that there is not.

    >>> parts("/a.c/gi"), parts("a/c")
    (('a.c', 'gi'), ('a/c', ''))
    """
    written = _WRITTEN.fullmatch(find)
    if written is None:
        return find, ""
    if unknown := set(written[2]) - set("dgimsuvy"):
        raise UsageError(f"{one_line(find, 60)} has the flag {min(unknown)}, which there is not.")
    return written[1], written[2]


@lru_cache(512)
def compiled(pattern: str, flags: str) -> regex.Pattern[str]:
    """Return a pattern ready to use; `UsageError` for what is no regex."""
    shown = one_line(pattern, 60)
    if len(pattern) > LONGEST:
        raise UsageError(f"The regex {shown} is longer than {LONGEST:,} characters.")
    if math.prod(max(1, int(count)) for count in re.findall(r"\{(\d{1,9})", pattern)) > MOST_REPEATS:
        raise UsageError(f"The regex {shown} repeats too much.")
    if _FOREIGN.search(pattern):
        raise UsageError(f"{shown} has a group that JavaScript does not know.")
    # JavaScript's \w and \d know only ASCII, but its case and its \p are those of all letters.
    wide = "\\p{" in pattern.lower() or ("i" in flags and not pattern.isascii())
    used = regex.UNICODE if wide else regex.ASCII
    for letter, flag in (("i", regex.IGNORECASE), ("m", regex.MULTILINE), ("s", regex.DOTALL)):
        used |= flag if letter in flags else 0
    start = r"\G" if "y" in flags else ""
    try:
        return regex.compile(start + _translated(pattern, "m" in flags), used | regex.V0)
    except (regex.error, OverflowError, RecursionError, MemoryError, ValueError, IndexError) as error:
        raise UsageError(f"{shown} is no regex: {one_line(str(error), 120)}.") from None


def replaced(script: Script, text: str, expand: Expand, seconds: float) -> str:
    """Return a text as a script changes it; raises `Stopped` if that takes too long or makes too much."""
    return Ready(script, expand).on(text, seconds)


class Ready:
    """A script with its macros expanded, ready for many texts; raises `Stopped` for what is no regex then."""

    def __init__(self, script: Script, expand: Expand) -> None:
        self.script = script
        pattern, self._flags = parts(script.find)
        if script.substitute:
            pattern = _MACRO.sub(lambda macro: _value(expand(macro[0]), script.substitute == 2), pattern)
        self._template = Template(script, expand)
        self.key = (pattern, self._flags, *self._template.key)
        """What its results depend on besides the text."""
        try:
            self._compiled = compiled(pattern, self._flags)
        except UsageError as error:
            raise Stopped(str(error)) from None

    def on(self, text: str, seconds: float) -> str:
        """Return a text as the script changes it; raises `Stopped` if that takes too long or makes too much."""
        made = 0

        def put(match: regex.Match[str]) -> str:
            nonlocal made
            piece = self._template.filled(match)
            made += len(piece)
            if made > LARGEST:
                raise Stopped(f"it makes more than {LARGEST:,} characters")
            return piece

        try:
            count = 0 if "g" in self._flags else 1
            changed: str = self._compiled.sub(put, text, count=count, timeout=seconds)
        except TimeoutError:
            raise Stopped(f"it took longer than {seconds * 1000:.0f} ms") from None
        except (MemoryError, RecursionError) as error:
            raise Stopped(str(error) or "it needs too much memory") from None
        return changed


class Template:
    """What is put in the place of a match: texts, and what groups have found."""

    def __init__(self, script: Script, expand: Expand) -> None:
        self._references: list[re.Match[str]] = []
        marked = _REFERENCE.sub(self._mark, _MARK.sub("", script.replacement))
        self._pieces = _MARK.split(_expanded(marked, expand))
        self._trim = [_expanded(text, expand) for text in script.trim]
        references = (reference[0] for reference in self._references)
        self.key = (*self._pieces, "\0", *references, "\0", *self._trim)
        """What tells it from others."""

    def filled(self, match: regex.Match[str]) -> str:
        """Return the text for one match."""
        made = []
        for number, piece in enumerate(self._pieces):
            made.append(self._found(match, self._references[int(piece)]) if number % 2 else piece)
        return "".join(made)

    def _mark(self, reference: re.Match[str]) -> str:
        self._references.append(reference)
        return f"\ue000{len(self._references) - 1}\ue001"

    def _found(self, match: regex.Match[str], reference: re.Match[str]) -> str:
        digits, name = reference.groups()
        rest = ""
        found: str | None = ""
        if name is not None:
            found = match.groupdict().get(name)
        elif digits is None:
            found = match[0]
        elif int(digits) <= match.re.groups:
            found = match[int(digits)]
        elif int(digits[0]) <= match.re.groups:
            # $12 where there are fewer than 12 groups is $1 with a 2 behind it.
            found, rest = match[int(digits[0])], digits[1:]
        else:
            return reference[0]
        found = found or ""
        for text in self._trim:
            found = found.replace(text, "") if text else found
        return found + rest


def _value(text: str, literal: bool) -> str:
    return str(regex.escape(text)) if literal else text


def _expanded(text: str, expand: Expand) -> str:
    return expand(text) if "{{" in text or "<" in text else text


def _translated(pattern: str, lines: bool) -> str:
    """Return a pattern of JavaScript in the syntax of ``regex``, where the two differ."""
    made: list[str] = []
    at, inside = 0, False
    while at < len(pattern):
        character = pattern[at]
        name = regex.match(r"\\k<(\w+)>", pattern, pos=at)
        empty = next((one for one in _CLASSES if not inside and pattern.startswith(one, at)), "")
        long = _PROPERTY.match(pattern, at)
        if long:
            code = min(int(long[1], 16), 0x10FFFF) if long[1] else 0
            piece, at = (regex.escape(chr(code)) if long[1] else long[0]), long.end()
        elif character == "\\":
            piece = f"(?P={name[1]})" if name and not inside else pattern[at : at + 2]
            at += len(name[0]) if name and not inside else 2
        elif empty:
            piece = _CLASSES[empty]
            at += len(empty)
        else:
            piece = _plain(pattern, at, inside, lines)
            inside = character == "[" or (inside and character != "]")
            at += 1
        made.append(piece)
    return "".join(made)


def _plain(pattern: str, at: int, inside: bool, lines: bool) -> str:
    character = pattern[at]
    if inside:
        return rf"\{character}" if character in "[&~|" else character
    if character == "$" and not lines:
        return r"\Z"
    # Elsewhere than behind a number a brace would allow typing errors.
    return r"\{" if _FUZZY.match(pattern, at) else character
