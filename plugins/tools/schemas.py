"""What servers say of their tools, made harmless: short clean texts, and schemas without references or patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airochat.text import clean, one_line

LONGEST_DESCRIPTION = 600
"""How much of a tool's description is used, in characters."""
_LONGEST_TEXT = 200
_MAX_DEPTH = 6
_MAX_PARTS = 400
"""How many schemas one tool's parameters may be made of."""
_MAX_FIELDS = 40
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_LARGEST = 1e15
"""How large a number in a schema may be."""
_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")


def described(text: Any) -> str:
    """Return a description as it may stand in a prompt."""
    return one_line(text, LONGEST_DESCRIPTION) if isinstance(text, str) else ""


def tidy(schema: Any) -> dict[str, Any]:
    """Return a schema of an object with what is understood of the given one.

    References within it are written out, and cut off where they lead in circles. Patterns are left out: they are
    regular expressions of a stranger, and may take forever. What is too large takes any object.
    """
    made = _Tidier(schema).tidy(schema, 0) if isinstance(schema, Mapping) else {}
    if not made or made.get("type") != "object":
        return {"type": "object"}
    return made


class _TooLarge(Exception):
    """A schema of too many parts."""


class _Tidier:
    def __init__(self, root: Mapping[str, Any]) -> None:
        found = root.get("$defs", root.get("definitions"))
        self._named: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        self._parts = 0

    def tidy(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        try:
            return self._tidied(schema, depth)
        except _TooLarge:
            return {}

    def _tidied(self, schema: Any, depth: int) -> dict[str, Any]:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise _TooLarge
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
            return {}
        if isinstance(schema.get("$ref"), str):
            name = schema["$ref"].rpartition("/")[2]
            return self._tidied(self._named.get(name), depth + 1)
        made = self._plain(schema)
        if isinstance(schema.get("properties"), Mapping):
            self._fields(made, schema, depth)
        if isinstance(schema.get("items"), Mapping):
            made["items"] = self._tidied(schema["items"], depth + 1)
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and 0 < len(schema[key]) <= 8:
                made["anyOf"] = [self._tidied(one, depth + 1) for one in schema[key]]
        whole = schema.get("allOf")
        if isinstance(whole, list) and len(whole) == 1 and "type" not in made:
            made = {**self._tidied(whole[0], depth + 1), **made}
        return made

    def _fields(self, made: dict[str, Any], schema: Mapping[str, Any], depth: int) -> None:
        known = [name for name in schema["properties"] if isinstance(name, str) and clean(name) == name][
            :_MAX_FIELDS
        ]
        made["properties"] = {name: self._tidied(schema["properties"][name], depth + 1) for name in known}
        wanted = schema.get("required")
        made["required"] = [name for name in known if isinstance(wanted, list) and name in wanted]
        made.setdefault("type", "object")

    def _plain(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parts of a schema that hold no other schemas."""
        made: dict[str, Any] = {}
        kind = schema.get("type")
        # Each once: what is made of a schema grows with the product of these lists.
        kinds = (
            [one for one in dict.fromkeys(map(str, kind)) if one in _KINDS] if isinstance(kind, list) else []
        )
        if kind in _KINDS or kinds:
            made["type"] = kinds or kind
        if isinstance(schema.get("description"), str):
            made["description"] = one_line(schema["description"], _LONGEST_TEXT)
        choices = schema.get("enum")
        if isinstance(choices, list) and 0 < len(choices) <= _LONGEST_TEXT and all(map(_is_plain, choices)):
            made["enum"] = list(choices)
        if "const" in schema and _is_plain(schema["const"]):
            made["const"] = schema["const"]
        for key in _NUMBERS:
            if _is_number(schema.get(key)):
                made[key] = schema[key]
        for key in _COUNTS:
            if isinstance(schema.get(key), int) and _is_number(schema[key]) and schema[key] >= 0:
                made[key] = schema[key]
        if schema.get("additionalProperties") is False:
            made["additionalProperties"] = False
        return made


def _is_number(value: Any) -> bool:
    """Return whether a value is a number that JSON has, and no huge one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and clean(value) == value
    return value is None or isinstance(value, bool) or _is_number(value)
