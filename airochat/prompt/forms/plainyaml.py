"""The YAML that models were trained to answer in: mappings and lists nested by spaces, and scalars on one line.

Anchors, tags, aliases, directives and text over several lines are no part of it and are errors. A YAML library would
refuse what small models write, such as a colon amid plain text, and take ``yes`` and ``12:30`` for what nobody meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.values import MAX_DEPTH, MAX_DIGITS, Value, read_json, write_json

_WORDS: Mapping[str, Value] = {"null": None, "~": None, "": None, "true": True, "false": False}
_NO_TEXT = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_WHOLE = re.compile(rf"[-+]?(?:0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})")
_REAL = re.compile(
    r"[-+]?(?:[0-9]{1,300}\.[0-9]{0,300}|\.[0-9]{1,300}|[0-9]{1,300}(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?"
)
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_COMMENT = re.compile(r"(?:^|[ \t])#")
_Line = tuple[int, str]


def read_yaml(text: str) -> dict[str, Value]:
    r"""Return the mapping that a text holds; `FormError` tells the line that is not understood.

    >>> read_yaml('function: count\nparams:\n  words:\n    - "a b"\n    - 3\n  exact: true')
    {'function': 'count', 'params': {'words': ['a b', 3], 'exact': True}}
    """
    lines = [_line(line) for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise FormError("The YAML is empty.")
    reader = _Reader(lines)
    value = reader.mapping(lines[0][0], 0)
    if reader.lines:
        raise FormError(
            f"The YAML has a line out of place: {reader.lines[-1][1][:60]!r}.", "Check its indentation."
        )
    return value


def write_yaml(value: Mapping[str, Value], indent: int = 0) -> str:
    r"""Return a mapping as the models write it: two spaces a level, and text in double quotes.

    >>> write_yaml({"action": "count", "filters": {"least": 3}})
    'action: "count"\nfilters:\n  least: 3\n'
    """
    return "".join(f"{' ' * indent}{_key(key)}:{_written(item, indent)}" for key, item in value.items())


class _Reader:
    """Takes lines from the front; they are kept in reverse, since a list gives from its end."""

    def __init__(self, lines: list[_Line]) -> None:
        self.lines = lines[::-1]

    def mapping(self, indent: int, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self.lines and self.lines[-1][0] == indent:
            content = self.lines.pop()[1]
            key, rest = _split_key(content)
            if key in found:
                raise FormError(f"The YAML has the key {key!r} twice.")
            # A list may stand as far left as its key.
            found[key] = _scalar(rest) if rest else self._nested(indent, indent, depth)
        return found

    def _nested(self, indent: int, list_indent: int, depth: int) -> Value:
        if depth >= MAX_DEPTH:
            raise FormError(f"The YAML is nested too deeply: more than {MAX_DEPTH} levels.")
        deeper, content = self.lines[-1] if self.lines else (-1, "")
        if deeper >= list_indent and _is_item(content):
            return self._list(deeper, depth + 1)
        return self.mapping(deeper, depth + 1) if deeper > indent else None

    def _list(self, indent: int, depth: int) -> list[Value]:
        found: list[Value] = []
        while self.lines and self.lines[-1][0] == indent and _is_item(self.lines[-1][1]):
            content = self.lines.pop()[1]
            rest = content[1:].lstrip()
            if _has_key(rest):
                inner = indent + len(content) - len(rest)
                self.lines.append((inner, rest))
                found.append(self.mapping(inner, depth + 1))
            else:
                found.append(_scalar(rest) if rest else self._nested(indent, indent + 1, depth))
        return found


def _line(line: str) -> _Line:
    content = line.lstrip(" ")
    if content.startswith("\t"):
        raise FormError("The YAML is indented by tabs.", "YAML is indented by spaces.")
    return len(line) - len(content), content.rstrip()


def _is_item(content: str) -> bool:
    return content == "-" or content.startswith("- ")


def _has_key(content: str) -> bool:
    return bool(re.match(r"[A-Za-z_][\w-]{0,99}:(?: |$)", content))


def _split_key(content: str) -> tuple[str, str]:
    """Return the key of a line and what follows its colon, without a comment."""
    quoted = content.startswith('"')
    if quoted:
        value, rest = read_json(content, "key")
        key, colon, rest = str(value), rest.lstrip()[:1], rest.lstrip()[1:]
    else:
        key, colon, rest = content.partition(":")
        key = key.strip()
    if colon != ":" or not (key or quoted) or _is_item(content) or (rest and rest[0] not in " \t"):
        raise FormError(
            f"A line of the YAML is not understood: {content[:60]!r}.", "It must look like key: value."
        )
    rest = rest.strip()
    return key, "" if rest.startswith("#") else rest


def _scalar(text: str) -> Value:
    if text[:1] in ('"', "{", "["):
        return _json(text)
    if text.startswith("'"):
        quoted = _QUOTED.match(text)
        if not quoted:
            raise FormError(f"A text in the YAML has no closing quote: {text[:60]!r}.")
        _nothing_after(text[quoted.end() :])
        return quoted[1].replace("''", "'")
    if text[:1] and text[0] in "&*!|>%@`":
        raise FormError(f"A value of the YAML is of a kind that is not read: {text[:60]!r}.")
    comment = _COMMENT.search(text)
    return _plain(text[: comment.start()].strip() if comment else text)


def _plain(text: str) -> Value:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _REAL.fullmatch(text):
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number
    return text


def _json(text: str) -> Value:
    inner = text[1:-1]
    if text.startswith("[") and text.endswith("]") and not any(mark in inner for mark in "[]{}\"'"):
        return [_plain(item.strip()) for item in inner.split(",")] if inner.strip() else []
    value, rest = read_json(text, "value in the YAML")
    _nothing_after(rest)
    return value


def _nothing_after(rest: str) -> None:
    if rest.strip() and not re.match(r"[ \t]+#", rest):
        raise FormError(f"The YAML has text after a value: {rest.strip()[:60]!r}.")


def _key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _NO_TEXT
    return key if plain else write_json(key)


def _written(value: Value, indent: int) -> str:
    if isinstance(value, dict) and value:
        return f"\n{write_yaml(value, indent + 2)}"
    if isinstance(value, list) and value:
        return f"\n{_items(value, indent + 2)}"
    return f" {write_json(value)}\n"


def _items(values: Sequence[Value], indent: int) -> str:
    # What is nested in a list is written on one line, as JSON, which is YAML too.
    return "".join(f"{' ' * indent}- {write_json(value)}\n" for value in values)
