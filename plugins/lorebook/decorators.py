"""Decorators: lines such as ``@@depth 4`` at the top of an entry's content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from .entry import Decorators, Position

FURTHEST: Final = 1_000_000
"""The largest number that a decorator may give."""
_PLACES: Final[dict[str, Position]] = {
    "before_desc": "before_char",
    "after_desc": "after_char",
    "personality": "after_char",
    "scenario": "after_char",
}
_ELSEWHERE = ("activate", "dont_activate")
"""The decorators that SillyTavern knows."""


def read(lines: Iterable[str], *, every_known: bool = True) -> tuple[Decorators, dict[str, Any]]:
    """Return what the lines say, and the fields of the entry that they replace.

    Of lines that begin with ``@@@`` the first that is known takes the place of an unknown one above. Of two of one
    name the first counts. What is unknown or makes no sense is left out. Without ``every_known``, only those that
    SillyTavern knows count.
    """
    found = Decorators()
    fields: dict[str, Any] = {}
    seen: set[str] = set()
    for chain in _chains(lines):
        for name, value in chain:
            if (every_known or name in _ELSEWHERE) and (reader := _READERS.get(name)) is not None:
                made = reader(value)
                if made is None:
                    continue
                if name not in seen or name == "additional_keys":
                    found, fields = _with(found, fields, made)
                seen.add(name)
                break
    place = fields.pop("place", None)
    if place is not None:
        fields.pop("depth", None)
        return replace(found, reverse_depth=None), {**fields, "position": place}
    if "depth" in fields or found.reverse_depth is not None:
        fields["position"] = "depth"
    return found, fields


def _with(
    found: Decorators, fields: dict[str, Any], made: dict[str, Any]
) -> tuple[Decorators, dict[str, Any]]:
    own = {key: value for key, value in made.items() if key in Decorators.__slots__}
    if "additional" in own:
        own["additional"] = (*found.additional, *own["additional"])
    return replace(found, **own), {**fields, **{key: made[key] for key in made if key not in own}}


def _chains(lines: Iterable[str]) -> Iterator[list[tuple[str, str]]]:
    """Yield each decorator with its fallbacks, best first."""
    chain: list[tuple[str, str]] = []
    for line in lines:
        fallback = line.startswith("@@@")
        name, _, value = line.lstrip("@").partition(" ")
        if chain and not fallback:
            yield chain
            chain = []
        chain.append((name.strip(), value.strip()))
    if chain:
        yield chain


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 8 else None


def _numbered(make: Callable[[int], dict[str, Any]]) -> Callable[[str], dict[str, Any] | None]:
    def reader(value: str) -> dict[str, Any] | None:
        number = _number(value)
        return None if number is None or number > FURTHEST else make(number)

    return reader


def _plain(**fields: Any) -> Callable[[str], dict[str, Any] | None]:
    return lambda value: dict(fields)


def _keys(value: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in value.split(",") if key.strip())


def _place(value: str) -> dict[str, Any] | None:
    place = _PLACES.get(value.lower())
    return None if place is None else {"place": place}


def _role(value: str) -> dict[str, Any] | None:
    return {"role": value.lower()} if value.lower() in ("assistant", "system", "user") else None


_READERS: Final[dict[str, Callable[[str], dict[str, Any] | None]]] = {
    "activate_only_after": _numbered(lambda n: {"only_after": n}),
    "activate_only_every": _numbered(lambda n: {"every": n}),
    "keep_activate_after_match": _plain(keep_after_match=True),
    "dont_activate_after_match": _plain(never_after_match=True),
    "depth": _numbered(lambda n: {"depth": n}),
    "reverse_depth": _numbered(lambda n: {"reverse_depth": n}),
    "role": _role,
    "scan_depth": _numbered(lambda n: {"scan_depth": n}),
    "is_greeting": _numbered(lambda n: {"greeting": n}),
    "position": _place,
    "ignore_on_max_context": _plain(drop_first=True),
    "additional_keys": lambda value: {"additional": (_keys(value),)} if _keys(value) else None,
    "exclude_keys": lambda value: {"exclude": _keys(value)} if _keys(value) else None,
    "activate": _plain(activate=True),
    "dont_activate": _plain(never=True),
}
"""What each decorator sets; those in tokens, and about the interface, are not known, so that fallbacks count."""
