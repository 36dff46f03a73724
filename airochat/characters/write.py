"""Writing cards as PNG, CHARX, JSON and YAML, with all that airochat does not know and pixels untouched."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from airochat import checks
from airochat.characters.assets import embedded, picture, unpacked
from airochat.characters.card import Card
from airochat.characters.containers.charx import write_charx
from airochat.characters.containers.limits import MAX_TEXT, check_size
from airochat.characters.containers.png import replace_texts
from airochat.characters.containers.sniff import describe, sniff
from airochat.characters.forms import as_version, as_webui, backfill
from airochat.characters.read import KEYWORDS, CardFile
from airochat.characters.yamltext import write_yaml
from airochat.errors import CardError

FORMS = ("png", "json", "charx", "yaml")
"""The forms that cards are written in."""
VERSIONS = (1, 2, 3)
_NOT_A_SCHEME = "\0"
"""What no address begins with."""


def write_card(
    card: Card,
    form: str,
    *,
    original: CardFile | None = None,
    picture: bytes | None = None,
    version: int = 3,
    now: int | None = None,
) -> bytes:
    """Return a card as the bytes of a file in one of `FORMS`.

    ``original`` is the file that the card came from: its pixels, its assets and all its other parts are kept.
    ``picture``, an image file's bytes, takes the place of its picture. A PNG of version 3 holds a copy of version 2
    for older programs too. ``version`` is 3 for CHARX, and does not matter for YAML. With ``now``, in seconds since
    1970, version 3 says when it was written; the other versions and YAML get no dates. Version 2 cannot have
    decorators in the lorebook; they are left out.

    `CardError`: the form or version is unknown, there is no picture for a PNG, or the card is too large to be read.
    """
    if form not in FORMS:
        raise CardError(f"A card cannot be written as {form!r}.", checks.did_you_mean(form, FORMS))
    if version not in VERSIONS or (form == "charx" and version != 3):
        raise CardError(
            f"{form} has no card version {version}.", "Versions are 1, 2 and 3; CHARX has only version 3."
        )
    if now is not None and version == 3 and form != "yaml":
        card = _dated(card, now)
    content = _written(card, form, original, picture, version)
    check_size(len(content), f"The card {card.name} as {form}")
    return content


def _written(card: Card, form: str, original: CardFile | None, picture: bytes | None, version: int) -> bytes:
    if form == "png":
        return _png(card, original, picture, version)
    if form == "charx":
        return _charx(card, original, picture)
    if form == "yaml":
        return write_yaml(_with_assets(as_webui(card), original))
    return _json(_with_assets(as_version(card, version), original), indent=2)


def _dated(card: Card, now: int) -> Card:
    """Set the dates as the specification wants it: creation once, and a 0, which withholds a date, stays."""
    created = now if card.creation_date is None else card.creation_date
    modified = 0 if card.modification_date == 0 else now
    return dataclasses.replace(card, creation_date=created, modification_date=modified)


def _png(card: Card, original: CardFile | None, new: bytes | None, version: int) -> bytes:
    own = original.content if original and original.form == "png" else None
    base = new or own or (picture(original) if original else None)
    if base is None or sniff(base) != "png":
        what = "it has no picture" if base is None else f"its picture is {describe(sniff(base))}"
        raise CardError(
            f"The card {card.name} cannot be written as PNG: {what}.",
            "Give a PNG as its picture, or write it as charx or json.",
        )
    kept = "__asset:" if base is own else _NOT_A_SCHEME
    main = _with_assets(as_version(card, version), original, kept, base)
    texts = [("chara", backfill(card)), ("ccv3", main)] if version == 3 else [("chara", main)]
    chunks = [(keyword, base64.b64encode(_json(value))) for keyword, value in texts]
    return replace_texts(base, KEYWORDS, chunks)


def _charx(card: Card, original: CardFile | None, new: bytes | None) -> bytes:
    value = as_version(card, 3)
    moved = original.content if original and original.form in ("png", "webp") else None
    assets, files = unpacked(original, list(value["data"].get("assets", [])), new or moved)
    if assets:
        value["data"]["assets"] = assets
    return write_charx(_json(value, indent=2), files)


def _with_assets(
    value: dict[str, Any], original: CardFile | None, kept: str = _NOT_A_SCHEME, avatar: bytes | None = None
) -> dict[str, Any]:
    fields = value["data"] if isinstance(value.get("data"), dict) and "spec" in value else value
    if isinstance(fields.get("assets"), list):
        fields["assets"] = embedded(original, fields["assets"], kept, avatar)
    return value


def _json(value: Mapping[str, Any], indent: int | None = None) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CardError(f"The card cannot be written: it holds what JSON does not have ({error}).") from None
    # The escape that Python writes for half a surrogate pair is that of JSON.
    content = text.encode("utf-8", "backslashreplace")
    if len(content) > MAX_TEXT:
        raise CardError(
            f"The card would have {len(content):,} bytes of text; at most {MAX_TEXT:,} can be read again.",
            "Write it as charx, which keeps pictures beside the text.",
        )
    return content
