"""YAML as text-generation-webui keeps characters in, read without surprises: no dates, no ``no`` that means false."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from airochat.characters.containers.limits import MAX_DEPTH, MAX_VALUES
from airochat.characters.containers.notes import Notes
from airochat.characters.warning import CardWarning
from airochat.errors import CardError
from airochat.text import whole

MAX_YAML = 4_000_000
"""Bytes of a YAML card: reading takes about a second for each megabyte."""
_PLAIN = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"-?(?:0|[1-9]\d{0,99})", "-0123456789"),
    ("float", r"-?\d+\.\d*(?:[eE][-+]?\d{1,3})?", "-0123456789"),
)
"""What an unquoted word may be besides text: the core schema of YAML 1.2, as PyYAML resolves it by first character."""
_UNREADABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BLOCK = re.compile(r"[^\s\ufeff].*[^\s]\n*", re.DOTALL)
_UNPRINTABLE = re.compile("[^\n -~\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")


def parse_yaml(content: bytes, where: str) -> tuple[Any, list[CardWarning]]:
    """Parse YAML into JSON values; ``where`` names the file in messages.

    `CardError`: it is larger than `MAX_YAML`, nested too deeply, repeats parts by reference, or is no YAML at all.
    """
    import yaml  # type: ignore[import-untyped]

    if len(content) > MAX_YAML:
        raise CardError(
            f"{where} has {len(content):,} bytes of YAML; at most {MAX_YAML:,} are read.", "Save it as JSON."
        )
    notes = Notes()
    text = _decoded(content, where, notes)
    try:
        _check_shape(text, where)
        value = yaml.load(text, Loader=_loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise CardError(
            f"{where} is not valid YAML: {getattr(error, 'problem', None) or 'it is broken'}{place}."
        ) from None
    return _json(value), notes.warnings()


def write_yaml(value: Mapping[str, Any]) -> bytes:
    """Return a table of JSON values as YAML, long texts in blocks that can be read and edited."""
    import yaml

    text: str = yaml.dump(
        _json(value),
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
        default_flow_style=False,
    )
    return text.encode()


def _decoded(content: bytes, where: str, notes: Notes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.add("utf16", f"{where} is written in UTF-16 instead of UTF-8.")
        text = content.decode("utf-16", "replace")
    else:
        if content.startswith(b"\xef\xbb\xbf"):
            notes.add("bom", f"{where} begins with a byte order mark, which was left out.")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            notes.add("not-utf8", f"{where} is not UTF-8; it was read as Windows-1252.")
            text = content.decode("cp1252", "replace")
    readable = _UNREADABLE.sub("", text)
    if readable != text:
        notes.add("control-characters", f"{where} has control characters, which were left out.")
    return readable


def _check_shape(text: str, where: str) -> None:
    """Look at the events before anything is built of them: references multiply, and nesting recurses."""
    import yaml

    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))):
        if isinstance(event, yaml.AliasEvent):
            raise CardError(f"{where} repeats parts of itself by reference, which cards do not.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or number > MAX_VALUES:
            raise CardError(
                f"{where} is nested too deeply or has too many values.", "It is no card of any known kind."
            )


@functools.cache
def _loader() -> Any:
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("CardLoader", (base,), {"yaml_implicit_resolvers": {}})
    for name, pattern, first in _PLAIN:
        loader.add_implicit_resolver(  # type: ignore[attr-defined]
            f"tag:yaml.org,2002:{name}",
            re.compile(f"(?:{pattern})$"),
            [*first.replace("\0", ""), *([""] * ("\0" in first))],
        )
    return loader


@functools.cache
def _dumper() -> Any:
    import yaml

    def represent(dumper: Any, text: str) -> Any:
        plain = "\n" in text and _BLOCK.fullmatch(text) and not _UNPRINTABLE.search(text)
        tidy = plain and not re.search(r"[ \t]\n|\n[ \t]+\n", text)
        quoted = '"' if _UNPRINTABLE.search(text) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if tidy else quoted)

    base = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper = type("CardDumper", (base,), {"ignore_aliases": lambda self, data: True})
    dumper.add_representer(str, represent)  # type: ignore[attr-defined]
    return dumper


def _json(value: Any) -> Any:
    """Return a value with nothing in it that JSON does not have."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_json(item) for item in value]
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, (bool, int)) else str(value)
