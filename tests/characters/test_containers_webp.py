from __future__ import annotations

import json

import pytest

from airochat.characters.containers import limits
from airochat.characters.containers.webp import is_webp, read_exif_comment
from airochat.errors import CardError
from tests.characters import files


@pytest.mark.parametrize(
    "name",
    ["little-endian.webp", "big-endian.webp"]
    + [
        f"{name}.webp"
        for name in (
            "unicode-comment",
            "no-prefix",
            "undefined-prefix",
            "base64-comment",
            "numbers",
            "exif-prefix",
            "flat-directory",
        )
    ],
)
def test_a_card_in_the_comment_is_found(name: str) -> None:
    content = {**files.good_files(), **files.salvageable_files()}[name]
    assert is_webp(content)
    found, warnings = read_exif_comment(content)
    assert found is not None and json.loads(found) == files.V2
    assert warnings == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_wide_comments_are_read_whatever_the_file_says(encoding: str, order: str) -> None:
    comment = b"UNICODE\0" + json.dumps(files.V1).encode(encoding)
    found, _ = read_exif_comment(files.webp_card(comment=comment, order="<" if order == "<" else ">"))
    assert found is not None and json.loads(found) == files.V1


@pytest.mark.parametrize(
    "content",
    [
        files.webp(None),
        files.webp(b""),
        files.webp(b"XX*\0\x08\0\0\0"),
        files.webp(files.tiff(b"ASCII\0\0\0Shot on a rainy day")),
        files.webp(files.tiff(files.json_bytes(files.V1), tag=0x9999)),
        files.webp(files.tiff(b"abc")),
        files.webp_card()[:40],
        files.hopeless_files()["exif-loop.webp"],
    ],
)
def test_pictures_without_a_card(content: bytes) -> None:
    assert read_exif_comment(content)[0] is None


def test_chunks_of_odd_length_are_padded() -> None:
    content = (
        files.webp(None) + files.riff(b"ICCP", b"odd") + files.webp_card()[files.webp_card().index(b"EXIF") :]
    )
    found, _ = read_exif_comment(content)
    assert found is not None and json.loads(found) == files.V2


def test_odd_files_are_warned_of() -> None:
    assert [warning.code for warning in read_exif_comment(files.webp(b"XX*\0"))[1]] == ["broken-exif"]
    found, warnings = read_exif_comment(files.webp_card()[:-20], "maya.webp")
    assert found is not None and files.json_bytes(files.V2).startswith(found)
    assert [warning.code for warning in warnings] == ["cut-off"]
    assert "maya.webp" in warnings[0].message


def test_what_is_no_webp_is_refused() -> None:
    with pytest.raises(CardError, match="x is a PNG picture, not a WEBP"):
        read_exif_comment(files.png(), "x")
    flood = files.riff(b"RIFF", b"WEBP" + files.riff(b"JUNK", b"") * (limits.MAX_CHUNKS + 1))
    with pytest.raises(CardError, match="more than 100,000 chunks"):
        read_exif_comment(flood)
