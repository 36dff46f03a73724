"""The pictures and other files that belong to a card, wherever they are, and how they travel to another form."""

from __future__ import annotations

import base64
import binascii
import io
import mimetypes
import re
import zipfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from airochat.characters.card import Asset
from airochat.characters.containers.base64text import decode_base64
from airochat.characters.containers.charx import read_charx
from airochat.characters.containers.png import read_texts, replace_texts
from airochat.characters.containers.sniff import sniff
from airochat.characters.fields import is_nested
from airochat.characters.read import KEYWORDS, CardFile
from airochat.errors import CardError

OWN = "ccdefault:"
"""The address of an icon that is the card's own picture."""
_EMBEDDED = re.compile(r"embedd?ed://")
"""Spelled with one d in the specification; both occur."""
_IN_PNG = "__asset:"
_PNG_KEYWORDS = ("chara-ext-asset_:", "chara-ext-asset_")
"""What precedes the path in the keyword of a text chunk that holds an asset."""
_DATA = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
_PICTURES = {"png": "png", "jpeg": "jpeg", "webp": "webp", "gif": "gif", "avif": "avif"}
"""The kinds of picture, and their suffixes in a CHARX."""


def picture(file: CardFile) -> bytes | None:
    """Return the card's picture as a file's bytes: its main icon, or the PNG or WEBP itself; None if it has none."""
    if file.form in ("png", "webp"):
        return file.content
    icons = sorted(
        (asset for asset in file.card.assets if asset.type == "icon"), key=lambda icon: icon.name != "main"
    )
    for icon in icons:
        found = _whole_asset(file, icon)
        if found is not None and sniff(found) in _PICTURES:
            return found
    if file.form == "charx" and sniff(file.content) in _PICTURES:
        return _front(file.content)
    return _data_picture(_avatar(file.card.raw))


def asset_bytes(file: CardFile, asset: Asset) -> bytes | None:
    """Return the bytes of an asset; None if it is not in the file. Nothing is fetched from the network.

    `CardError`: the file of the asset is damaged.
    """
    if asset.uri.startswith(OWN):
        return file.content if file.form in ("png", "webp") and asset.type == "icon" else None
    if _DATA.match(asset.uri):
        return _data(asset.uri)
    embedded = _EMBEDDED.match(asset.uri)
    if embedded and file.form == "charx":
        members = read_charx(file.content)[1]
        path = asset.uri[embedded.end() :]
        return members.get(path)
    if asset.uri.startswith(_IN_PNG) and file.form == "png":
        return _in_png(file.content, asset.uri[len(_IN_PNG) :])
    return None


def without_card(content: bytes) -> bytes:
    """Return a PNG without the texts that hold a card; other pictures as they are."""
    return replace_texts(content, KEYWORDS, ()) if sniff(content) == "png" else content


def embedded(file: CardFile | None, assets: list[Any], kept: str, avatar: bytes | None) -> list[Any]:
    """Return the assets of a card as JSON values, so that they need no file beside the card.

    What only ``file`` has becomes a data URL, unless its address begins with ``kept``; an icon that is ``avatar``,
    the picture that the card is written into, becomes the card's own picture.
    """
    return [_as_data(file, asset, kept, avatar) for asset in assets] if file else assets


def unpacked(
    file: CardFile | None, assets: list[Any], avatar: bytes | None
) -> tuple[list[Any], dict[str, bytes]]:
    """Return the assets of a card as JSON values for a CHARX, and the files to put into it.

    ``avatar`` becomes the main icon, if given.
    """
    files: dict[str, bytes] = {}
    if file and file.form == "charx":
        files |= {path: content for path, content in read_charx(file.content)[1].items()}
    elif file and file.form == "png":
        assets = [_as_member(file, asset, files) for asset in assets]
    if avatar is None:
        return assets, files
    kind = sniff(avatar)
    if kind not in _PICTURES:
        raise CardError("What was given as the card's picture is no picture of a known kind.", "Give a PNG.")
    path = f"assets/icon/images/main.{_PICTURES[kind]}"
    files[path] = without_card(avatar)
    icon = {"type": "icon", "uri": f"embeded://{path}", "name": "main", "ext": _PICTURES[kind]}
    return _with_icon(assets, icon), files


def _with_icon(assets: list[Any], icon: dict[str, Any]) -> list[Any]:
    mains = [number for number, asset in enumerate(assets) if _is_main(asset)]
    if not mains:
        return [icon, *assets]
    return [{**asset, **icon} if number == mains[0] else asset for number, asset in enumerate(assets)]


def _is_main(asset: Any) -> bool:
    return isinstance(asset, Mapping) and asset.get("type") == "icon" and asset.get("name") == "main"


def _as_data(file: CardFile, asset: Any, kept: str, avatar: bytes | None) -> Any:
    typed = _typed(asset)
    if typed is None or typed.uri.startswith((kept, OWN)) or _DATA.match(typed.uri):
        return asset
    found = _whole_asset(file, typed)
    if found is None:
        return asset
    if avatar is not None and typed.type == "icon" and without_card(found) == without_card(avatar):
        return {**asset, "uri": OWN}
    kind = mimetypes.guess_type(f"x.{typed.ext}")[0] or "application/octet-stream"
    return {**asset, "uri": f"data:{kind};base64,{base64.b64encode(found).decode()}"}


def _as_member(file: CardFile, asset: Any, files: dict[str, bytes]) -> Any:
    typed = _typed(asset)
    found = _whole_asset(file, typed) if typed and typed.uri.startswith(_IN_PNG) else None
    if typed is None or found is None:
        return asset
    suffix = re.sub(r"[^a-z0-9]", "", typed.ext)[:8] or "bin"
    path = f"assets/other/other/{len(files) + 1}.{suffix}"
    files[path] = found
    return {**asset, "uri": f"embeded://{path}"}


def _typed(asset: Any) -> Asset | None:
    if not isinstance(asset, Mapping) or not isinstance(asset.get("uri"), str):
        return None
    return Asset(
        str(asset.get("type")), asset["uri"], str(asset.get("name")), str(asset.get("ext", "")).lower()
    )


def _whole_asset(file: CardFile, asset: Asset) -> bytes | None:
    """Return an asset, or None if it is damaged too."""
    try:
        return asset_bytes(file, asset)
    except CardError:
        return None


def _in_png(content: bytes, path: str) -> bytes | None:
    keywords = tuple(f"{start}{path}".lower() for start in _PNG_KEYWORDS)
    found = (text.text for text in read_texts(content)[0] if text.keyword.lower() in keywords)
    encoded = next(found, None)
    return None if encoded is None else decode_base64(encoded)[0]


def _data(uri: str) -> bytes | None:
    head, _, body = uri.partition(",")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return decode_base64(body.encode("ascii", "ignore"))[0]
    except (ValueError, binascii.Error):
        return None


def _front(content: bytes) -> bytes:
    """Return the picture in front of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content[: min(member.header_offset for member in archive.infolist())]


def _avatar(raw: Mapping[str, Any]) -> Any:
    inner = raw["data"].get("avatar") if is_nested(raw) else None
    return inner or raw.get("avatar")


def _data_picture(uri: Any) -> bytes | None:
    found = _data(uri) if isinstance(uri, str) and _DATA.match(uri) else None
    return found if found is not None and sniff(found) in _PICTURES else None
