"""Grammars in GBNF, the notation of llama.cpp: checked before it reads them, since it trusts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from airochat.errors import SettingsError

MAX_LENGTH = 65_536
"""The longest grammar or JSON schema in characters."""
_MAX_DEPTH = 64
_MAX_RULES = 2_000
_MAX_REPEATED = 20_000
_MAX_REPEAT = 2_000
"""llama.cpp's own bound for one repetition."""
_HINT = "See llama.cpp's page on GBNF grammars."
_TOKEN = re.compile(
    r"""
    (?P<blank> [ \t\r\n]+ | \#[^\n]* )
    | (?P<text> "(?:[^"\\\n]|\\.)*" )
    | (?P<set> \[\^?(?:[^\]\\\n]|\\.)*\] )
    | (?P<rule> [A-Za-z0-9_-]+ [ \t]* ::= )
    | (?P<name> [A-Za-z0-9_-]+ )
    | (?P<repeat> \{ [ \t]* [0-9]{1,9} [ \t]* (?: , [ \t]* (?:[0-9]{1,9})? [ \t]* )? \} )
    | (?P<token> !?<[^<>\s]+> )
    | (?P<sign> [()|*+?.] )
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=64)
def check(text: str) -> None:
    """Raise `SettingsError` with the line unless a grammar is one that llama.cpp can be given.

    Deep nesting and huge repetitions would exhaust its stack or memory. It still refuses rules that begin with
    themselves.
    """
    if "\0" in text or len(text) > MAX_LENGTH:
        raise SettingsError(
            f"The grammar is longer than {MAX_LENGTH} characters, or holds a NUL.", "Shorten it."
        )
    depth = repeated = 0
    rules: set[str] = set()
    used: dict[str, int] = {}
    for kind, word, line in _tokens(text):
        if kind == "rule":
            rules.add(word.partition(":")[0].strip())
        elif kind == "name":
            used.setdefault(word, line)
        elif kind == "repeat":
            repeated += _repetitions(word, line)
        elif kind == "sign" and word in "()":
            depth = _nested(depth, word, line)
    if depth:
        raise _wrong("a ( is never closed", text.count("\n") + 1)
    _check_rules(rules, used)
    if repeated > _MAX_REPEATED:
        raise SettingsError(f"The grammar's repetitions add up to {repeated}.", f"At most {_MAX_REPEATED}.")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield the kind, the text and the line of everything but blanks and comments."""
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(f"{text[at : at + 20]!r} is not understood", line)
        kind = match.lastgroup or ""
        if kind != "blank":
            yield kind, match[0], line
        line += match[0].count("\n")
        at = match.end()


def _nested(depth: int, word: str, line: int) -> int:
    depth += 1 if word == "(" else -1
    if depth < 0:
        raise _wrong("a ) closes nothing", line)
    if depth > _MAX_DEPTH:
        raise _wrong(f"it is nested more than {_MAX_DEPTH} deep", line)
    return depth


def _repetitions(word: str, line: int) -> int:
    least, comma, most = word.strip("{}").partition(",")
    count = int(most) if most.strip() else int(least)
    if count > _MAX_REPEAT or (comma and most.strip() and int(most) < int(least)):
        raise _wrong(f"{word} is no range up to {_MAX_REPEAT}", line)
    return count


def _check_rules(rules: set[str], used: dict[str, int]) -> None:
    if "root" not in rules:
        raise SettingsError('The grammar has no rule "root", with which a reply begins.', _HINT)
    if len(rules) > _MAX_RULES:
        raise SettingsError(f"The grammar has {len(rules)} rules.", f"At most {_MAX_RULES}.")
    for name, line in used.items():
        if name not in rules:
            raise _wrong(f"there is no rule {name!r}", line)


def _wrong(what: str, line: int) -> SettingsError:
    return SettingsError(f"The grammar cannot be used: {what}, line {line}.", _HINT)
