"""JSON schemas as rules of GBNF, llama.cpp's notation for grammars; what is too much for them allows any JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_TEXT = 40_000
"""How long the rules of all tools together may get, in characters."""
_MAX_DEPTH = 6
_MAX_FIELDS = 40
_MAX_CHOICES = 200
_MAX_COUNT = 64
"""The longest text or list whose length the grammar keeps to; llama.cpp writes repetitions out."""
_NAME = re.compile(r"[^A-Za-z0-9]+")

BASE = r"""
ws ::= " "? | "\n" " "{0,16}
char ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})
string ::= "\"" char* "\""
integer ::= "-"? whole
whole ::= "0" | [1-9] [0-9]{0,14}
number ::= integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?
boolean ::= "true" | "false"
any0 ::= string | number | boolean | "null" | "[" ws "]" | "{" ws "}"
any1 ::= any0 | "[" ws any0 ("," ws any0)* ws "]" | "{" ws string ":" ws any0 ("," ws string ":" ws any0)* ws "}"
any ::= any1 | "[" ws any1 ("," ws any1)* ws "]" | object
object ::= "{" ws (string ":" ws any1 ("," ws string ":" ws any1)*)? ws "}"
"""
"""The rules that all others are made of."""


class Rules:
    """Rules that are collected; each method returns an expression that stands for a value of a schema."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}

    @property
    def text(self) -> str:
        """All rules that were made; `BASE` is not among them."""
        return "".join(f"{name} ::= {body}\n" for name, body in self._rules.items())

    def add(self, name: str, body: str) -> str:
        """Keep a rule, and return the name that it got."""
        stem = _NAME.sub("-", name).strip("-")[:40].lower() or "rule"
        free, number = f"r-{stem}", 1
        while free in self._rules:
            if self._rules[free] == body:
                return free
            number += 1
            free = f"r-{stem}-{number}"
        self._rules[free] = body
        return free

    def value(self, schema: Any, name: str, depth: int = 0) -> str:
        """Return what stands for a value that fits a schema."""
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
            return "any"
        if "const" in schema:
            return literal(schema["const"])
        choices = schema.get("enum")
        if (
            isinstance(choices, Sequence)
            and not isinstance(choices, str)
            and 0 < len(choices) <= _MAX_CHOICES
        ):
            return self.add(name, " | ".join(literal(choice) for choice in choices))
        for key in ("anyOf", "oneOf"):
            kinds = schema.get(key)
            if isinstance(kinds, list) and 0 < len(kinds) <= 8:
                parts = [self.value(kind, f"{name}-{index}", depth + 1) for index, kind in enumerate(kinds)]
                return self.add(name, " | ".join(dict.fromkeys(parts)))
        kind = schema.get("type")
        if isinstance(kind, list) and kind:
            parts = [self.value({**schema, "type": one}, f"{name}-{one}", depth + 1) for one in kind]
            return self.add(name, " | ".join(dict.fromkeys(parts)))
        return self._of_kind(kind, schema, name, depth)

    def _of_kind(self, kind: Any, schema: Mapping[str, Any], name: str, depth: int) -> str:
        match kind:
            case "object":
                return self._object(schema, name, depth)
            case "array":
                return self._array(schema, name, depth)
            case "string":
                return self._string(schema, name)
            case "integer":
                return "whole" if _at_least(schema, 0) else "integer"
            case "number" | "boolean":
                return str(kind)
            case "null":
                return '"null"'
        return "any"

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        least, most = _count(schema.get("minLength")), _count(schema.get("maxLength"))
        if most is not None:
            return self.add(name, f'"\\"" char{{{min(least or 0, most)},{most}}} "\\""')
        return self.add(name, f'"\\"" char{{{least}}} char* "\\""') if least else "string"

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> str:
        item = self.value(schema.get("items", {}), f"{name}-item", depth + 1)
        least, most = _count(schema.get("minItems")) or 0, _count(schema.get("maxItems"))
        if most == 0:
            return '"[" ws "]"'
        upper = "" if most is None else str(max(most, least) - 1)
        some = f'{item} ("," ws {item}){{{max(least - 1, 0)},{upper}}}'
        return self.add(name, f'"[" ws {some if least else f"({some})?"} ws "]"')

    def _object(self, schema: Mapping[str, Any], name: str, depth: int) -> str:
        fields = schema.get("properties")
        if (
            not isinstance(fields, Mapping)
            or len(fields) > _MAX_FIELDS
            or not (fields or schema.get("additionalProperties") is False)
        ):
            return "object"
        wanted = schema.get("required")
        required = [key for key in fields if isinstance(wanted, list) and key in wanted]
        optional = [key for key in fields if key not in required]
        pairs = {
            key: f'{literal(str(key))} ":" ws {self.value(fields[key], f"{name}-{key}", depth + 1)}'
            for key in (*required, *optional)
        }
        inside = ' "," ws '.join(pairs[key] for key in required)
        rest = self._rest([pairs[key] for key in optional], name)
        if required:
            inside = f"{inside} {rest[0]}" if rest else inside
        elif rest:
            # Any of them may come first, with those behind it.
            starts = [
                f"{pairs[key]} {rest[index + 1]}" if index + 1 < len(rest) else pairs[key]
                for index, key in enumerate(optional)
            ]
            inside = f"({' | '.join(starts)})?"
        return self.add(name, f'"{{" ws {inside} ws "}}"' if inside else '"{" ws "}"')

    def _rest(self, pairs: list[str], name: str) -> list[str]:
        """Return for each pair what stands for it and those behind it, each of which may be missing."""
        made: list[str] = []
        for pair in reversed(pairs):
            behind = f" {made[0]}" if made else ""
            made.insert(0, self.add(f"{name}-rest", f'("," ws {pair})?{behind}'))
        return made


def literal(value: Any) -> str:
    r"""Return a JSON value as a text in a grammar.

    >>> print(literal('a"b'))
    "\"a\\\"b\""
    """
    return quoted(json.dumps(value, ensure_ascii=True))


def quoted(text: str) -> str:
    r"""Return a text as one in a grammar.

    >>> print(quoted('Plan:\n'))
    "Plan:\n"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def not_beginning(word: str) -> str:
    """Return what stands for any text that does not begin with a word; the text may be part of the word.

    >>> not_beginning("ab")
    '[^a] .* | "a" ([^b] .*)?'
    """
    first, rest = word[0], word[1:]
    other = f"[^{_in_set(first)}] .*"
    return f"{other} | {quoted(first)} ({not_beginning(rest)})?" if rest else other


def _in_set(character: str) -> str:
    if character in "\\]^-[":
        return f"\\{character}" if character in "\\[]" else f"\\x{ord(character):02X}"
    return {"\n": "\\n"}.get(character, character)


def _count(value: Any) -> int | None:
    """Return a length that a grammar can keep to, or None."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= _MAX_COUNT else None


def _at_least(schema: Mapping[str, Any], least: int) -> bool:
    value = schema.get("minimum")
    return isinstance(value, (int, float)) and value >= least
