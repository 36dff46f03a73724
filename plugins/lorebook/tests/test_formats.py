from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from airochat.errors import AirochatError, CardError, UsageError
from plugins.lorebook.entry import Book
from plugins.lorebook.export import WRITERS, written
from plugins.lorebook.formats import read_content, read_file
from plugins.lorebook.tests.lore import v3

FOREIGN: dict[str, Any] = {
    "novelai": {
        "lorebookVersion": 5,
        "entries": [
            {
                "text": "It burns.",
                "keys": ["lamp", "/la.p/i"],
                "displayName": "Lamp",
                "enabled": True,
                "contextConfig": {"budgetPriority": 400},
            }
        ],
    },
    "agnai": {
        "kind": "memory",
        "name": "Things",
        "entries": [{"name": "Lamp", "entry": "It burns.", "keywords": ["lamp"], "weight": 400, "enabled": True}],
    },
    "risu": {
        "type": "risu",
        "data": [
            {
                "key": "lamp, light",
                "secondkey": "oil",
                "comment": "Lamp",
                "content": "It burns.",
                "insertorder": 400,
                "alwaysActive": False,
                "selective": True,
                "activationPercent": 60,
            },
            {"mode": "folder", "key": "", "content": ""},
        ],
    },
    "kobold": {
        "gamestarted": True,
        "worldinfo": [
            {
                "key": "lamp,light",
                "keysecondary": "oil",
                "keyanti": "sun",
                "content": "It burns.",
                "comment": "Lamp",
                "selective": True,
                "constant": False,
                "probability": 60,
                "wigroup": "things",
                "widisabled": False,
            }
        ],
    },
    "united": {"worldinfo_v2": {"entries": {"7": {"key": ["lamp"], "content": "It burns.", "comment": "Lamp"}}}},
    "dungeon": [{"keys": "lamp,light", "value": "It burns."}],
    "world": {"entries": {"7": {"uid": 7, "key": ["lamp"], "comment": "Lamp", "content": "It burns.", "order": 400}}},
    "folders": {"title": "T", "folders": {}, "entries": {"7": {"key": ["lamp"], "content": "It burns."}}},
    "character_book": {"entries": [{"keys": ["lamp"], "content": "It burns.", "name": "Lamp"}]},
    "lorebook_v3": {"spec": "lorebook_v3", "data": {"entries": [{"keys": ["lamp"], "content": "It burns."}]}},
    "card": {
        "spec": "chara_card_v2",
        "data": {"name": "A", "character_book": {"entries": [{"keys": ["lamp"], "content": "It burns."}]}},
    },
}  # fmt: skip


def read(raw: Any, name: str = "file.json") -> Book:
    return read_content(json.dumps(raw).encode(), name)[0]


@pytest.mark.parametrize("form", FOREIGN)
def test_every_form_is_read(form: str) -> None:
    book = read(FOREIGN[form])
    (entry,) = book.entries
    assert (entry.content, entry.keys[0], entry.enabled, entry.constant) == ("It burns.", "lamp", True, False)
    assert book.name == {"agnai": "Things", "folders": "T"}.get(form, "file")
    if form in ("novelai", "agnai", "risu", "world"):
        assert entry.order == 400
    if form in ("risu", "kobold"):
        assert (entry.keys, entry.secondary, entry.selective) == (("lamp", "light"), ("oil",), True)
        assert entry.probability == 60
    if form == "kobold":
        assert (entry.decorators.exclude, entry.groups) == (("sun",), ("things",))


@pytest.mark.parametrize("form", WRITERS)
def test_what_is_written_is_read_again(form: str) -> None:
    book = v3(
        {
            "keys": ["lamp", "/l,a/i"],
            "secondary_keys": ["oil"],
            "selective": True,
            "content": "It burns.",
            "name": "Lamp",
            "insertion_order": 7,
        },
        {"keys": ["year"], "content": "1890", "name": "Year", "constant": True},
        name="Coast",
    )
    again = read_content(written(book, form).encode(), "file.json")[0]
    assert again.name == "Coast"
    for old, new in zip(book.entries, again.entries, strict=True):
        assert (new.content, new.keys, new.name, new.enabled) == (
            old.content,
            old.keys,
            old.name,
            old.enabled,
        )
        if form != "agnai":
            assert new.constant == old.constant
        if form not in ("novelai", "agnai"):
            assert (new.secondary, new.selective and bool(new.secondary)) == (
                old.secondary,
                old.selective and bool(old.secondary),
            )


@pytest.mark.parametrize("form", ["lorebook_v3", "sillytavern"])
def test_these_forms_keep_everything(form: str) -> None:
    fields = {
        "position": 4, "depth": 7, "role": 2, "probability": 30, "useProbability": True, "selectiveLogic": 3,
        "group": "a, b", "group_override": True, "group_weight": 5, "use_group_scoring": True, "scan_depth": 9,
        "match_whole_words": False, "sticky": 3, "cooldown": 2, "delay": 1, "exclude_recursion": True,
        "prevent_recursion": True, "delay_until_recursion": 2, "ignore_budget": True, "outlet_name": "x",
        "triggers": ["swipe"], "match_persona_description": True, "someone": {"else": 1},
        "character_filter": {"isExclude": True, "names": ["A"], "tags": ["t"]},
    }  # fmt: skip
    book = v3({"keys": ["k"], "content": "text", "name": "N", "case_sensitive": True, "extensions": fields})
    again = read_content(written(book, form).encode(), "f.json")[0]
    (old,), (new,) = book.entries, again.entries
    for name in set(type(old).__slots__) - {"book", "digest", "uid"}:
        assert getattr(new, name) == getattr(old, name), name
    if form == "lorebook_v3":
        assert new.digest == old.digest


def test_a_place_that_the_file_does_not_name_is_not_made_up() -> None:
    book = v3({"keys": ["k"], "content": "x"}, {"keys": ["k"], "content": "y", "position": "before_char"})
    again = read_content(written(book).encode(), "f.json")[0]
    assert (
        [entry.placed for entry in book.entries] == [entry.placed for entry in again.entries] == [False, True]
    )


def test_no_form_of_that_name() -> None:
    with pytest.raises(UsageError, match="no form 'sillytaverm'") as error:
        written(v3(), "sillytaverm")
    assert "sillytavern" in error.value.hint


def png(keyword: str, raw: Any) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    text = keyword.encode() + b"\0" + base64.b64encode(json.dumps(raw).encode())
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"tEXt", text) + data + chunk(b"IEND", b"")


def test_pictures(tmp_path: Path) -> None:
    path = tmp_path / "lamp.png"
    path.write_bytes(png("naidata", FOREIGN["novelai"]))
    assert read_file(path)[0].entries[0].name == "Lamp"
    path.write_bytes(png("chara", {**FOREIGN["card"], "spec_version": "2.0"}))
    assert read_file(path)[0].entries[0].content == "It burns."
    path.write_bytes(png("chara", {"spec": "chara_card_v2", "data": {"name": "A"}}))
    with pytest.raises(CardError, match="has no lorebook"):
        read_file(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b'"text"', b"{\"entries\": 5}", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n",
     b"PK\x03\x04", b"[" * 5000, b'{"lorebookVersion": 5}', b'{"kind": "memory"}', b'{"type": "risu", "data": 1}',
     b"<html>",
     b'{"worldinfo": [1, 2]}'],
)  # fmt: skip
def test_what_is_no_lorebook_is_refused_or_empty(content: bytes) -> None:
    try:
        book, _ = read_content(content, "x.json")
    except AirochatError as error:
        assert str(error).startswith(("The ", "x.json"))
    else:
        assert book.entries == ()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="cannot be read"):
        read_file(tmp_path / "none.json")
    with pytest.raises(CardError, match="cannot be read"):
        read_file(Path("a\0b"))
