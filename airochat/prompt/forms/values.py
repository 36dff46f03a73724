"""Values that a model wrote as JSON, read with limits on size, depth and digits."""

from __future__ import annotations

import json
import re
from typing import TypeAlias, cast

from airochat.prompt.forms.errors import FormError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

MAX_CHARS = 100_000
"""The longest answer that a parser reads, in characters."""
MAX_DEPTH = 32
"""How deep lists and mappings may nest."""
MAX_DIGITS = 300
"""The longest whole number, in digits; what a float can hold, too."""

# Control codes and line breaks that JSON leaves as they are and YAML does not.
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


def checked(answer: str, what: str) -> str:
    """Return an answer with plain newlines; `FormError` if it is longer than `MAX_CHARS`. ``what`` names it there."""
    if len(answer) > MAX_CHARS:
        raise FormError(
            f"The {what} is too long: {len(answer):,} characters; at most {MAX_CHARS:,} are read."
        )
    return answer.replace("\r\n", "\n")


def read_json(text: str, what: str) -> tuple[Value, str]:
    """Read the JSON value that ``text`` begins with, and return it with the text behind it; else `FormError`.

    >>> read_json('{"a": [1, 2.5]} and more', "answer")
    ({'a': [1, 2.5]}, ' and more')
    """
    if _depth(text) > MAX_DEPTH:
        raise FormError(f"The {what} is nested too deeply: more than {MAX_DEPTH} levels.")
    try:
        value, end = _DECODER.raw_decode(text)
    except FormError:
        raise
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number is out of range"
        raise FormError(f"The {what} is not valid JSON: {reason}.") from None
    return cast(Value, value), text[end:]


def write_json(value: Value, indent: int | None = None) -> str:
    """Return a value as JSON that is YAML too; `FormError` if a number in it is not finite."""
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise FormError("A number that is not finite cannot be written.") from None
    return _BREAKS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _depth(text: str) -> int:
    """Return how deep the first value nests, so that deep ones never reach a recursive reader."""
    depth = deepest = 0
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
            if depth <= 0:
                break
        else:
            quoted = character == '"'
    return deepest


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise FormError(f"A number has {len(digits)} digits; at most {MAX_DIGITS} are read.")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise FormError("A number is too large.")
    return number


def _refuse(word: str) -> Value:
    raise FormError(f"{word} is not a number that JSON knows.")


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=_refuse)
