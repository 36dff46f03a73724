"""CHARX files: a zip archive with ``card.json`` at its root and the card's pictures and sounds beside it.

The card specification (version 3) asks for ASCII names and no encryption. A picture may stand in front of the
archive, so that the file shows as one.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from airochat.characters.containers.limits import MAX_MEMBERS, MAX_RATIO, MAX_TEXT, MAX_UNPACKED, RATIO_FROM
from airochat.characters.containers.notes import Notes
from airochat.characters.containers.sniff import describe, sniff
from airochat.characters.warning import CardWarning
from airochat.errors import CardError
from airochat.text import one_line

_CARD = "card.json"
_CENTRAL_ENTRY = b"PK\1\2"
_UNSAFE = re.compile(r"^/|^[A-Za-z]:|[\x00-\x1f\x7f]|(?:^|/)\.\.?(?:/|$)|//")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
"""What `zipfile` raises on damaged, encrypted and exotic members (measured by fuzzing)."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date of a zip; the same card gives the same bytes."""


class Members(Mapping[str, bytes]):
    """The files of a CHARX beside the card, by path; each is unpacked when asked for.

    Getting one raises `CardError` if it is damaged.
    """

    def __init__(self, archive: zipfile.ZipFile, found: Mapping[str, zipfile.ZipInfo], where: str) -> None:
        self._archive = archive
        self._found = found
        self._where = where

    def __getitem__(self, path: str) -> bytes:
        return _unpack(self._archive, self._found[path], self._where)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, path: object) -> bool:
        return path in self._found

    def size(self, path: str) -> int:
        """Return a file's size in bytes as the archive tells it."""
        return self._found[path].file_size


def is_charx(content: bytes) -> bool:
    """Tell whether a file is a zip archive, or has one behind a picture."""
    return zipfile.is_zipfile(io.BytesIO(content))


def read_charx(content: bytes, where: str = "The card") -> tuple[bytes, Members, list[CardWarning]]:
    """Return the card's JSON, the other files, and what is wrong with the archive; ``where`` names it in messages.

    Left out with a warning are unsafe paths, links, encrypted and exotically packed files, bombs, and what exceeds
    `MAX_UNPACKED` in all. `CardError`: no zip, damaged, no card in it, more than `MAX_MEMBERS` files, or a card of
    more than `MAX_TEXT` bytes.
    """
    archive = _open(content, where)
    notes = Notes()
    card = _find_card(archive, where, notes)
    if card.file_size > MAX_TEXT:
        raise CardError(
            f"{where}: its card.json has {card.file_size:,} bytes; at most {MAX_TEXT:,} are read."
        )
    _, reason = _objection(card, _CARD, MAX_UNPACKED)
    if reason:
        raise CardError(f"{where}: its card.json cannot be read, since {reason}.", "Export it anew.")
    root = _path(card).rpartition("/")[0]
    files = {
        path.removeprefix(f"{root}/"): member
        for path, member in _admitted(archive, where, notes)
        if member is not card
    }
    return _unpack(archive, card, where), Members(archive, files, where), notes.warnings()


def write_charx(card_json: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return a CHARX with the card and ``files`` by path; the same arguments give the same bytes.

    `CardError`: a path is absolute, leads out of the archive, or is that of the card itself.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_entry(_CARD), card_json)
        for path, content in files.items():
            if not _safe(path) or path.casefold() == _CARD:
                raise CardError(f"{one_line(path)!r} cannot be the path of a file in a CHARX.", "Rename it.")
            archive.writestr(_entry(path), content)
    return target.getvalue()


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o100644 << 16
    return entry


def _open(content: bytes, where: str) -> zipfile.ZipFile:
    # Every member costs a kilobyte before zipfile tells how many there are: count their marks first.
    if content.count(_CENTRAL_ENTRY) > MAX_MEMBERS:
        raise CardError(f"{where} holds more than {MAX_MEMBERS:,} files.")
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except _DAMAGE:
        kind = sniff(content)
        if kind == "zip":
            raise CardError(
                f"{where} is a damaged or cut off CHARX (zip) file.", "Export or download it anew."
            ) from None
        raise CardError(f"{where} is {describe(kind)}, not a CHARX (zip) file.") from None


def _find_card(archive: zipfile.ZipFile, where: str, notes: Notes) -> zipfile.ZipInfo:
    named = [member for member in archive.infolist() if _path(member).casefold().endswith(_CARD)]
    if not named:
        raise CardError(f"{where} is a zip archive without a card.json.", "It is no CHARX card.")
    best = min(named, key=lambda member: (_path(member) != _CARD, _path(member).count("/")))
    if _path(best) != _CARD:
        notes.add("card-elsewhere", f"{where} has its card at {one_line(best.filename)} instead of {_CARD}.")
    return best


def _admitted(archive: zipfile.ZipFile, where: str, notes: Notes) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    room = MAX_UNPACKED
    for member in archive.infolist():
        path = _path(member)
        if path.endswith("/"):
            continue
        code, reason = _objection(member, path, room)
        if code:
            notes.add(code, f"{where}: the file {one_line(path)} was left out, since {reason}.")
        else:
            room -= member.file_size
            yield path, member


def _path(member: zipfile.ZipInfo) -> str:
    return member.filename.replace("\\", "/").removeprefix("./")


def _objection(member: zipfile.ZipInfo, path: str, room: int) -> tuple[str, str]:
    """Return code and reason why a file is not taken, or two empty texts."""
    if not _safe(path):
        return "unsafe-path", "its path leads out of the archive"
    if member.external_attr >> 28 == 0o12:
        return "symlink", "it is a link"
    if member.flag_bits & 1:
        return "encrypted", "it is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed-otherwise", "it is packed in a way that the specification does not know"
    if member.file_size > max(RATIO_FROM, MAX_RATIO * member.compress_size):
        return "zip-bomb", f"it would unpack to {member.file_size:,} bytes from {member.compress_size:,}"
    if member.file_size > room:
        return "too-much", f"all files together exceed {MAX_UNPACKED:,} bytes"
    return "", ""


def _safe(path: str) -> bool:
    return bool(path) and not _UNSAFE.search(path.replace("\\", "/"))


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> bytes:
    try:
        with archive.open(member) as stream:
            return stream.read(member.file_size)
    except _DAMAGE:
        raise CardError(
            f"{where}: {one_line(member.filename)} in it is damaged.", "Export or download it anew."
        ) from None
