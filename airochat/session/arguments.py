"""The arguments of calls: made plain, written as JSON, and checked against schemas that nobody vouches for."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airochat.text import clean, one_line

LONGEST = 64_000
"""Characters that the arguments of one call may have as JSON."""
_NODES, _DEPTH, _STEPS = 4_000, 40, 4_000
"""How large a schema may be, and how often a check may follow a reference."""
_UNCHECKED = frozenset({"$schema", "$id", "$vocabulary", "pattern", "patternProperties", "format"})
"""Keywords that are not heeded: a regex of a stranger could hold up the whole program."""
_CLOSING = frozenset({"additionalProperties", "unevaluatedProperties"})
"""Keywords that mean something else where ``patternProperties`` are not heeded."""

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_TABLES = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"enum", "const", "default", "examples"})

_log = logging.getLogger(__name__)


def plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as JSON values of their own; `ValueError` if they cannot be."""
    try:
        written = json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"they are not JSON ({one_line(str(error), 100)})") from None
    if len(written) > LONGEST:
        raise ValueError(f"they have {len(written):,} characters, and {LONGEST:,} are allowed")
    value: dict[str, Any] = json.loads(written)
    return value


def compact(arguments: Mapping[str, Any], limit: int = 400) -> str:
    """Return arguments on one clean line of at most ``limit`` characters.

    >>> compact({"sides": 6, "why": "to hit"})
    '{"sides": 6, "why": "to hit"}'
    """
    return one_line(_visible(json.dumps(dict(arguments), ensure_ascii=False, default=str)), limit)


def spoken(arguments: Mapping[str, Any]) -> str:
    """Return arguments as they stand in a call, on one clean line.

    >>> spoken({"sides": 6, "why": "to hit"})
    'sides=6, why="to hit"'
    """
    words = {key: json.dumps(value, ensure_ascii=False, default=str) for key, value in arguments.items()}
    return one_line(", ".join(f"{key}={word}" for key, word in words.items()), 400)


def pretty(arguments: Mapping[str, Any]) -> str:
    r"""Return arguments as clean text of several lines, all of them: whoever approves a call must see what it is.

    >>> print(pretty({"path": "a\u202eb"}))
    {
      "path": "a\u202eb"
    }
    """
    return clean(_visible(json.dumps(dict(arguments), ensure_ascii=False, indent=2, default=str)))


def _visible(written: str) -> str:
    """Return JSON in which what `clean` would drop is escaped, since the tool gets that too."""
    dropped = {one for one in set(written) if one not in "\n\t" and clean(one) != one}
    return written.translate({ord(one): json.dumps(one)[1:-1] for one in dropped})


def shortened(text: str, limit: int) -> str:
    """Return a text of which at most so many characters are told, with a word about the rest.

    >>> shortened("abcdef", 3)
    'abc [3 more characters]'
    """
    return text if len(text) <= limit else f"{text[:limit]} [{len(text) - limit:,} more characters]"


def problem(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Return in one sentence what is wrong with arguments, or nothing.

    A schema that is broken, too large or without an end is not heeded: the tool has to look for itself.

    >>> problem({"type": "object", "required": ["sides"]}, {})
    "'sides' is a required property."
    """
    try:
        copy = _Copy().of(schema)
        error = _first_error(copy, arguments)
    except Exception as failure:
        _log.warning("The schema of a tool cannot be used: %s", one_line(repr(failure), 200))
        return ""
    if error is None:
        return ""
    place, message = error
    where = f"{place}: " if place else ""
    return f"{where}{one_line(message, 300)}."


class _Copy:
    """Copies a schema, without what is not heeded; `ValueError` if it is too large or contains itself."""

    def __init__(self) -> None:
        self._left = _NODES

    def of(self, value: Any, depth: int = 0, kind: str = "schema") -> Any:
        """Return a copy of a schema, of a table of schemas by name (``names``), or of any value (``data``)."""
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            raise ValueError("it is too large")
        if isinstance(value, Mapping):
            kept = dict(value)
            if kind == "schema":
                loose = _CLOSING if "patternProperties" in value else frozenset()
                kept = {key: one for key, one in value.items() if key not in _UNCHECKED | loose}
                if not all(str(kept.get(key, "#")).startswith("#") for key in _REFERENCES):
                    raise ValueError("it refers to another one, which jsonschema would fetch")
            return {
                str(key): self.of(one, depth + 1, _kind_below(kind, str(key))) for key, one in kept.items()
            }
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            return [self.of(one, depth + 1, kind) for one in value]
        return value


def _kind_below(kind: str, key: str) -> str:
    if kind == "data" or (kind == "schema" and key in _DATA):
        return "data"
    return "names" if kind == "schema" and key in _TABLES else "schema"


def _first_error(schema: Any, arguments: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return where the first error is and what it says."""
    # A second of a start, and needed only where a model calls something.
    import jsonschema  # type: ignore[import-untyped]

    base: Any = jsonschema.Draft202012Validator
    followed = 0

    def counted(validator: Any, reference: Any, instance: Any, within: Any) -> Iterator[Any]:
        nonlocal followed
        followed += 1
        if followed > _STEPS:
            raise ValueError("its references have no end")
        yield from base.VALIDATORS["$ref"](validator, reference, instance, within)

    checker: Any = jsonschema.validators.extend(base, {"$ref": counted, "$dynamicRef": counted})
    error = next(checker(schema).iter_errors(dict(arguments)), None)
    if error is None:
        return None
    return ".".join(map(str, error.absolute_path)), error.message
