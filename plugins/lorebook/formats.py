"""Other programs' lorebooks, brought to a form that `read_book` knows; they are told apart by what they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from airochat.characters import CardWarning, parse_card_file, safe_name
from airochat.characters.containers.base64text import decode_base64
from airochat.characters.containers.jsontext import parse_json
from airochat.characters.containers.limits import check_size
from airochat.characters.containers.png import is_png, read_texts
from airochat.errors import CardError

from .book import read_book
from .entry import Book

NOVELAI_KEYWORD: Final = "naidata"
"""The keyword of the text that holds a lorebook in a picture of NovelAI."""


def read_file(path: Path) -> tuple[Book, tuple[CardWarning, ...]]:
    """Read a lorebook file, or the lorebook of a card; raises `CardError` for what is none of either."""
    where = f"The lorebook {path}"
    try:
        check_size(path.stat().st_size, where)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise CardError(f"{where} cannot be read: {reason}.") from None
    return read_content(content, path.name, where)


def read_content(
    content: bytes,
    file_name: str,
    where: str = "The lorebook",
    *,
    name: str = "",
    every_decorator: bool = True,
    empty: bool = False,
) -> tuple[Book, tuple[CardWarning, ...]]:
    """Read the content of a file; see `read_file`. The book is called ``name`` if that is given.

    Unless ``empty``, one without entries is refused.
    """
    stem = Path(file_name).stem
    odd: tuple[CardWarning, ...] = ()
    if is_png(content):
        raw = _of_picture(content, file_name, where)
    elif content[:4] in (b"PK\x03\x04", b"RIFF"):
        raw = _of_card(content, file_name)
    else:
        raw, odd = _parsed(content, where)
    plain = plain_book(raw, where)
    name = name or safe_name(str(plain.get("name") or "")) or safe_name(stem) or "lore"
    book, more = read_book({**plain, "name": name}, where, every_decorator=every_decorator)
    if not book.entries and not empty:
        raise CardError(f"{where} has no entries.")
    return book, (*odd, *more)


def plain_book(raw: Any, where: str) -> Mapping[str, Any]:
    """Return a lorebook of any known form in one of those that cards and worlds have."""
    if isinstance(raw, list):
        raw = {"worldinfo": raw}
    if not isinstance(raw, Mapping):
        raise CardError(f"{where} is no lorebook: it has no entries.")
    if raw.get("spec") == "lorebook_v3" and isinstance(raw.get("data"), Mapping):
        raw = raw["data"]
    for inner in (raw, raw.get("data")):
        if isinstance(inner, Mapping) and isinstance(inner.get("character_book"), Mapping):
            found: Mapping[str, Any] = inner["character_book"]
            return found
    for belongs, convert in _FOREIGN:
        if belongs(raw):
            return {"name": raw.get("name") or raw.get("title"), **convert(raw)}
    if isinstance(raw.get("entries"), (list, Mapping)):
        return {**raw, "name": raw.get("name") or raw.get("title")}
    raise CardError(
        f"{where} is no lorebook that airochat knows.",
        "It reads the files of SillyTavern, cards, NovelAI, Agnai, Risu, KoboldAI and AI Dungeon.",
    )


def _parsed(content: bytes, where: str) -> tuple[Any, tuple[CardWarning, ...]]:
    raw, odd = parse_json(content, where)
    return raw, tuple(odd)


def _of_card(content: bytes, file_name: str) -> Mapping[str, Any]:
    card = parse_card_file(content, file_name).card
    if card.character_book is None:
        raise CardError(f"The card {file_name} has no lorebook.")
    return {"name": card.name, **_without_nothing(card.character_book)}


def _of_picture(content: bytes, file_name: str, where: str) -> Any:
    for chunk in read_texts(content, where)[0]:
        if chunk.keyword.lower() == NOVELAI_KEYWORD:
            return _parsed(decode_base64(chunk.text, where)[0], where)[0]
    return _of_card(content, file_name)


def _without_nothing(book: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in book.items() if key != "name" or value}


def _listed(values: Any) -> Iterator[Mapping[str, Any]]:
    for value in values if isinstance(values, list) else ():
        if isinstance(value, Mapping):
            yield value


def _entry(keys: Any, content: Any, **fields: Any) -> dict[str, Any]:
    return {
        "keys": [] if keys is None else keys,
        "content": content,
        "extensions": {},
        "enabled": True,
        "insertion_order": 100,
        "use_regex": False,
        **{key: value for key, value in fields.items() if value is not None},
    }


def _novelai(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {"entries": [_novelai_entry(one) for one in _listed(raw.get("entries"))]}


def _novelai_entry(one: Mapping[str, Any]) -> dict[str, Any]:
    settings = one.get("contextConfig")
    order = settings.get("budgetPriority") if isinstance(settings, Mapping) else None
    return _entry(
        one.get("keys"),
        one.get("text"),
        name=one.get("displayName"),
        enabled=one.get("enabled", True),
        insertion_order=order,
        constant=one.get("forceActivation"),
    )


def _agnai(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "entries": [
            _entry(
                one.get("keywords"),
                one.get("entry"),
                name=one.get("name"),
                enabled=one.get("enabled", True),
                insertion_order=one.get("weight"),
            )
            for one in _listed(raw.get("entries"))
        ]
    }


def _risu(raw: Mapping[str, Any]) -> dict[str, Any]:
    entries = []
    for one in _listed(raw.get("data")):
        if one.get("mode") == "folder":
            continue
        made = _entry(
            one.get("key"),
            one.get("content"),
            name=one.get("comment"),
            insertion_order=one.get("insertorder"),
            constant=one.get("alwaysActive"),
            selective=one.get("selective"),
            secondary_keys=one.get("secondkey"),
        )
        made["extensions"] = {"probability": one.get("activationPercent")}
        entries.append(made)
    return {"entries": entries}


def _kobold(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {"entries": [_kobold_entry(one) for one in _listed(raw.get("worldinfo"))]}


def _kobold_entry(one: Mapping[str, Any]) -> dict[str, Any]:
    keys = one.get("key", one.get("keys", one.get("keylist")))
    content = one.get("content", one.get("value", one.get("entry")))
    anti = one.get("keyanti")
    barred = ",".join(anti) if isinstance(anti, list) and all(isinstance(key, str) for key in anti) else anti
    if isinstance(barred, str) and barred.strip() and isinstance(content, str):
        content = f"@@exclude_keys {' '.join(barred.split())}\n{content}"
    secondary = one.get("keysecondary")
    made = _entry(
        keys,
        content,
        comment=one.get("comment"),
        secondary_keys=secondary,
        selective=one.get("selective", bool(secondary)),
        constant=one.get("constant"),
        enabled=not one.get("widisabled"),
    )
    made["extensions"] = {"probability": one.get("probability"), "group": one.get("wigroup")}
    return made


def _worlds(raw: Mapping[str, Any]) -> dict[str, Any]:
    united = raw.get("worldinfo_v2")
    entries = united.get("entries") if isinstance(united, Mapping) else None
    found = entries.values() if isinstance(entries, Mapping) else entries or ()
    return {"entries": [_kobold_entry(one) for one in found if isinstance(one, Mapping)]}


_Raw = Mapping[str, Any]
_FOREIGN: Final[tuple[tuple[Callable[[_Raw], bool], Callable[[_Raw], dict[str, Any]]], ...]] = (
    (lambda raw: "lorebookVersion" in raw, _novelai),
    (lambda raw: raw.get("kind") == "memory", _agnai),
    (lambda raw: raw.get("type") == "risu", _risu),
    (lambda raw: isinstance(raw.get("worldinfo_v2"), Mapping), _worlds),
    (lambda raw: isinstance(raw.get("worldinfo"), list), _kobold),
)
"""How each foreign form is told, and read: NovelAI, Agnai, Risu, KoboldAI United, and KoboldAI with its kin."""
