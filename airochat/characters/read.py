"""Card files of every form: PNG, WEBP, CHARX, JSON and YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from airochat.characters.book import parse_book, strip_decorators
from airochat.characters.card import Card
from airochat.characters.coerce import within
from airochat.characters.containers.base64text import decode_base64
from airochat.characters.containers.charx import is_charx, read_charx
from airochat.characters.containers.jsontext import parse_json
from airochat.characters.containers.limits import check_size
from airochat.characters.containers.notes import Notes
from airochat.characters.containers.png import TextChunk, read_texts
from airochat.characters.containers.sniff import describe, sniff
from airochat.characters.containers.webp import read_exif_comment
from airochat.characters.fields import VERSION_1, parse_fields, read_fields, refuse
from airochat.characters.warning import CardWarning
from airochat.characters.yamltext import parse_yaml
from airochat.errors import CardError
from airochat.text import one_line

Form = Literal["png", "webp", "json", "yaml", "charx"]
"""What a card file is."""
_Read = tuple[Any, Sequence[CardWarning]]

KEYWORDS = ("ccv3", "chara")
"""The keywords of the texts in a PNG that hold a card, the better one first."""
_MAX_COPIES = 8
"""Copies of a card in one picture that are looked at."""
_COMPARED = (*VERSION_1, "system_prompt", "post_history_instructions", "alternate_greetings", "tags")
"""The fields in which two copies of a card may not differ. The notes of the one for older programs may."""
_HINTS = {
    "html": "It is the page that a download showed; download the card itself.",
    "gguf": "Models are opened with --model.",
    "jpeg": "A JPEG holds no card; get the PNG that it was made from.",
}


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card and the file that it came from."""

    card: Card
    form: Form
    content: bytes = field(repr=False)
    """The whole file, untouched."""
    warnings: tuple[CardWarning, ...] = ()
    """What is odd about the file and its fields."""
    name: str = ""
    """The file's path or name, for messages."""


def read_card(path: Path) -> Card:
    """Read the card in a file of any form; `CardError` names the file and what is wrong with it."""
    return read_card_file(path).card


def read_card_file(path: Path) -> CardFile:
    """Read a card file of any form; `CardError` names the file and what is wrong with it."""
    where = f"The card {path}"
    try:
        check_size(path.stat().st_size, where)
        content = path.read_bytes()
    except OSError as error:
        raise CardError(f"{where} cannot be read: {error.strerror}.") from None
    return parse_card_file(content, str(path))


def parse_card_file(content: bytes, name: str) -> CardFile:
    """Make a card from a file's bytes. ``name``, its path, stands in messages and names a card without a name.

    The bytes alone decide what it is. `CardError`: it is no card, and what it is instead.
    """
    where = f"The card {name}"
    check_size(len(content), where)
    form = _form(content, where)
    raw, odd = _READERS[form](content, where)
    card, found = parse_fields(raw, name)
    return CardFile(card, form, content, tuple(dict.fromkeys((*odd, *found))), name)


def _card_texts(content: bytes, where: str) -> list[TextChunk]:
    return [text for text in read_texts(content, where)[0] if text.keyword.lower() in KEYWORDS]


def _form(content: bytes, where: str) -> Form:
    kind = sniff(content)
    if kind == "zip":
        return "charx"
    if kind == "png":
        return "charx" if is_charx(content) and not _card_texts(content, where) else "png"
    if kind in ("webp", "json", "yaml"):
        return kind  # type: ignore[return-value]
    if kind in ("jpeg", "gif") and is_charx(content):
        return "charx"
    if kind == "empty":
        raise CardError(f"{where} is empty.")
    raise CardError(f"{where} is no card: it is {describe(kind)}.", _HINTS.get(kind, ""))


def _read_png(content: bytes, where: str) -> _Read:
    texts, odd = read_texts(content, where)
    notes = Notes()
    copies: dict[str, list[_Read]] = {}
    failed: list[CardError] = []
    for keyword, text in _candidates(texts):
        try:
            copy = _read_chunk(text.text, f"The {keyword} text of {within(where)}")
            copies.setdefault(keyword, []).append(copy)
        except CardError as error:
            failed.append(error)
            notes.add("unreadable-chunk", error.message)
    if not copies:
        raise failed[0] if failed else _no_card(texts, where)
    for keyword, found in copies.items():
        if any(raw != found[0][0] for raw, _ in found[1:]):
            notes.add(
                "repeated-chunk", f"{where} has several {keyword} texts that differ; the first one counts."
            )
    if len(copies) == len(KEYWORDS):
        _compare(copies["ccv3"][0][0], copies["chara"][0][0], where, notes)
    raw, chosen = next(copies[keyword][0] for keyword in KEYWORDS if keyword in copies)
    return raw, [*odd, *chosen, *notes.warnings()]


def _candidates(texts: Sequence[TextChunk]) -> Iterator[tuple[str, TextChunk]]:
    for keyword in KEYWORDS:
        yield from [(keyword, text) for text in texts if text.keyword.lower() == keyword][:_MAX_COPIES]


def _read_chunk(text: bytes, where: str) -> _Read:
    plain, odd = decode_base64(text, where)
    if not plain.strip(b" \t\r\n\0"):
        raise CardError(f"{where} is not base64.", "The picture was damaged; get it anew.")
    raw, found = parse_json(plain, where)
    refuse(raw, where)
    return raw, (*odd, *found)


def _no_card(texts: Sequence[TextChunk], where: str) -> CardError:
    keywords = ", ".join(dict.fromkeys(one_line(text.keyword, 20) for text in texts[:10]))
    reason = (
        f"it has only the texts {keywords}"
        if keywords
        else "sites and chat programs often strip it from pictures"
    )
    return CardError(f"{where} is a PNG picture without a card in it: {reason}.", "Get the original file.")


def _compare(newer: Mapping[str, Any], older: Mapping[str, Any], where: str, notes: Notes) -> None:
    """Note in which fields the two copies in a picture differ, beyond what writing the older one changes."""
    first, second = (read_fields(raw, where, "", Notes()) for raw in (newer, older))
    differing = [key for key in _COMPARED if getattr(first, key) != getattr(second, key)]
    if _lore(first) != _lore(second):
        differing.append("character_book")
    if differing:
        listed = ", ".join(differing)
        notes.add(
            "chunks-differ", f"{where} holds two cards that differ in {listed}; the one of version 3 counts."
        )


def _lore(card: Card) -> list[tuple[Any, str]]:
    if card.character_book is None:
        return []
    entries = parse_book(card.character_book, "")[0]["entries"]
    return [(entry["keys"], strip_decorators(entry["content"])) for entry in entries]


def _read_webp(content: bytes, where: str) -> _Read:
    comment, odd = read_exif_comment(content, where)
    if comment is None:
        raise CardError(
            f"{where} is a WEBP picture without a card in it.", "Get the original file, usually a PNG."
        )
    raw, found = parse_json(comment, where)
    return raw, (*odd, *found)


def _read_charx(content: bytes, where: str) -> _Read:
    text, _, odd = read_charx(content, where)
    raw, found = parse_json(text, where)
    return raw, (*odd, *found)


_READERS: dict[Form, Callable[[bytes, str], _Read]] = {
    "png": _read_png,
    "webp": _read_webp,
    "charx": _read_charx,
    "json": parse_json,
    "yaml": parse_yaml,
}
