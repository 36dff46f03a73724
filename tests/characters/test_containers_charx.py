from __future__ import annotations

import io
import json
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.characters.containers import limits
from airochat.characters.containers.charx import is_charx, read_charx, write_charx
from airochat.errors import CardError
from tests.characters import files

ICON = "assets/icon/images/main.png"
SEGMENTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='/\\:."'), min_size=1, max_size=9
)
PATHS = (
    st.lists(SEGMENTS, min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda path: path.casefold() != "card.json")
)


@pytest.mark.parametrize(
    "name", ["plain.charx", "stored.charx", "assets.charx", "jpeg-in-front.charx", "png-in-front.charx"]
)
def test_sound_archives(name: str) -> None:
    content = files.good_files()[name]
    assert is_charx(content)
    card, members, warnings = read_charx(content)
    assert json.loads(card) == files.V3
    assert warnings == []
    if name != "plain.charx":
        assert members[ICON] == files.png()
        assert ICON in members and members.size(ICON) == len(files.png())


@pytest.mark.parametrize(
    ("name", "left_out", "expected"),
    [
        ("parent-path.charx", 1, ["unsafe-path"]),
        ("absolute-path.charx", 2, ["unsafe-path"]),
        ("symlink.charx", 1, ["symlink"]),
        ("encrypted-asset.charx", 1, ["encrypted"]),
        ("bomb-asset.charx", 1, ["zip-bomb"]),
    ],
)
def test_harmful_members_are_left_out(name: str, left_out: int, expected: list[str]) -> None:
    content = files.salvageable_files()[name]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        total = len(archive.namelist())
    card, members, warnings = read_charx(content, "maya.charx")
    assert json.loads(card) == files.V3
    assert len(members) == total - 1 - left_out
    assert [warning.code for warning in warnings] == expected
    assert all("maya.charx" in warning.message for warning in warnings)


@pytest.mark.parametrize(
    "path",
    ["../a", "a/../../b", "/a", "C:/a", "C:\\a", "..\\a", "\\a", "a//b", "a/./b", "a\x1b[2J", "a\nb", ".."],
)
def test_no_path_leads_out(path: str) -> None:
    _, members, warnings = read_charx(files.charx(files.V3, {path: b"x"}))
    assert list(members) == []
    assert [warning.code for warning in warnings] == ["unsafe-path"]
    assert "\x1b" not in warnings[0].message
    with pytest.raises(CardError, match="cannot be the path"):
        write_charx(b"{}", {path: b"x"})


def test_windows_separators_and_leading_dots_are_ordinary() -> None:
    _, members, warnings = read_charx(files.charx(files.V3, {"./a.png": b"1", "b\\c.png": b"2", "d/": b""}))
    assert dict(members) == {"a.png": b"1", "b/c.png": b"2"}
    assert warnings == []


@pytest.mark.parametrize("name", ["maya/card.json", "Maya Card.json", "maya\\card.json"])
def test_a_card_elsewhere_is_found(name: str) -> None:
    content = files.charx(files.V3, {"maya/assets/a.png": b"x", "b.png": b"y"}, name=name)
    card, members, warnings = read_charx(content)
    assert json.loads(card) == files.V3
    assert [warning.code for warning in warnings] == ["card-elsewhere"]
    inside = name != "Maya Card.json"
    assert set(members) == {"assets/a.png" if inside else "maya/assets/a.png", "b.png"}


def test_the_card_at_the_root_comes_first() -> None:
    content = files.charx(files.V1, {"a/card.json": b"other", "xcard.json": b"another"})
    card, members, warnings = read_charx(content)
    assert json.loads(card) == files.V1 and warnings == []
    assert set(members) == {"a/card.json", "xcard.json"}


def _archive(name: str, content: bytes, method: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (files.charx(name=""), "without a card.json"),
        (files.charx()[:-30], "damaged or cut off"),
        (files.charx_encrypted("card.json"), "card.json cannot be read, since it is encrypted"),
        (files.charx_many(limits.MAX_MEMBERS), "more than 10,000 files"),
        (files.JPEG, "is a JPEG picture, not a CHARX"),
        (b"", "is empty, not a CHARX"),
        (_archive("card.json", bytes(limits.MAX_TEXT + 1), zipfile.ZIP_DEFLATED), "at most 48,000,000"),
        (_archive("card.json", bytes(5_000_000), zipfile.ZIP_DEFLATED), "would unpack to 5,000,000 bytes"),
        (_archive("card.json", b"{}", zipfile.ZIP_LZMA), "packed in a way"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, says: str) -> None:
    with pytest.raises(CardError, match=says):
        read_charx(content, "maya.charx")


def test_a_damaged_card_or_file_is_told_when_it_is_read() -> None:
    content = files.charx(files.V3, {ICON: b"picture" * 9}, method=zipfile.ZIP_STORED)
    _, members, _ = read_charx(content.replace(b"picturepic", b"pixxurepic"))
    with pytest.raises(CardError, match=r"main\.png in it is damaged"):
        members[ICON]
    with pytest.raises(CardError, match=r"card\.json in it is damaged"):
        read_charx(content.replace(b"lighthouse", b"lightmouse"))


def test_all_files_together_have_a_limit() -> None:
    # The archive lies about their size: 4 GB each, and 50 MB packed, so that the ratio does not tell.
    content = files.charx(files.V3, {"a": b"x", "b": b"x"}, method=zipfile.ZIP_STORED)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.start_dir
    size = (3 * 10**8).to_bytes(4, "little")
    head, directory = content[:start], content[start:]
    for name in (b"a", b"b"):
        at = directory.index(b"PK\1\2", directory.rindex(name) - 47)
        directory = directory[: at + 20] + size + size + directory[at + 28 :]
    _, members, warnings = read_charx(head + directory)
    assert list(members) == ["a"]
    assert [warning.code for warning in warnings] == ["too-much"]
    tracemalloc.start()
    with pytest.raises(CardError, match="damaged"):
        members["a"]
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@given(st.binary(max_size=200), st.dictionaries(PATHS, st.binary(max_size=200), max_size=5))
def test_what_is_written_is_read_back(card: bytes, contents: dict[str, bytes]) -> None:
    made = write_charx(card, contents)
    found, members, warnings = read_charx(made)
    assert (found, dict(members), warnings) == (card, contents, [])
    assert write_charx(found, members) == made


def test_a_file_cannot_take_the_place_of_the_card() -> None:
    with pytest.raises(CardError, match="cannot be the path"):
        write_charx(b"{}", {"Card.json": b"x"})
