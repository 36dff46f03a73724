"""Files of every kind: what is read, with which warnings, and what the refusal of the others says."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from airochat.characters import parse_card_file, read_card, read_card_file
from airochat.characters.assets import picture
from airochat.characters.containers.limits import MAX_FILE
from airochat.errors import CardError
from tests.characters import files

SALVAGED = {
    "absolute-path.charx": ["unsafe-path"],
    "bad-crc-elsewhere.png": ["bad-crc"],
    "bad-crc.png": ["bad-crc"],
    "bom-inside.png": ["bom"],
    "bom.json": ["bom"],
    "bomb-asset.charx": ["zip-bomb"],
    "card-in-folder.charx": ["card-elsewhere"],
    "control.json": ["control-characters", "unsafe-name"],
    "cut-in-pixels.png": ["cut-off"],
    "cut-in-zlib.png": ["cut-text", "cut-off"],
    "encrypted-asset.charx": ["encrypted"],
    "first-unreadable.png": ["unreadable-chunk"],
    "huge-number.json": ["long-number"],
    "junk.png": ["base64-junk"],
    "latin1.json": ["not-utf8"],
    "length-beyond.png": ["cut-off"],
    "nan.json": ["nan"],
    "no-end.png": ["no-end"],
    "no-padding.png": ["base64-padding"],
    "nul-end.json": ["nul-end"],
    "parent-path.charx": ["unsafe-path"],
    "raw-json-bom.png": ["raw-json", "bom"],
    "raw-json.png": ["raw-json"],
    "several.png": ["repeated-chunk"],
    "surrogate.json": ["lone-surrogate"],
    "symlink.charx": ["symlink"],
    "trailing.json": ["trailing-data"],
    "trailing.png": ["trailing-bytes"],
    "two-differ.png": ["chunks-differ"],
    "url-safe.png": ["url-safe-base64", "base64-padding"],
    "utf16.json": ["utf16"],
}
"""The warnings of files that are broken but can be read; those not named here have none."""
NAMES = {
    "nan.json": "Nan",
    "control.json": "Tab here",
    "surrogate.json": "Half �",
    "latin1.json": "Zoë",
    "two-differ.png": "Other",
}
REFUSED = {
    "empty.png": "is empty",
    "blank.json": "is empty",
    "signature-only.png": "a PNG picture without a card",
    "no-card.png": "a PNG picture without a card",
    "only-software.png": "only the texts Software",
    "html.png": "a web page",
    "webp.png": "a WEBP picture",
    "jpeg.png": "a JPEG picture",
    "gif.png": "a GIF picture",
    "gguf.json": "a GGUF model",
    "not-base64.png": "not base64",
    "not-json-inside.png": "not valid JSON",
    "card-cut-off.png": "cut off",
    "cut.json": "cut off",
    "list.json": "holds no fields",
    "deep.json": "nested",
    "zlib-bomb.png": "unpacks to more than",
    "itxt-bomb.png": "unpacks to more than",
    "no-card.charx": "without a card.json",
    "cut.charx": "damaged or cut off",
    "encrypted-card.charx": "encrypted",
    "many.charx": "more than 10,000 files",
    "no-comment.webp": "a WEBP picture without a card",
    "exif-loop.webp": "a WEBP picture without a card",
}


@pytest.mark.parametrize("name", sorted(files.good_files()))
def test_good_files_are_read_without_a_warning(name: str) -> None:
    content = files.good_files()[name]
    file = parse_card_file(content, name)
    assert (file.card.name, file.card.description) == ("Maya", "{{char}} keeps the lighthouse.")
    assert file.form == name.rpartition(".")[2]
    assert (file.content, file.warnings, file.name) == (content, (), name)


@pytest.mark.parametrize("name", sorted(files.salvageable_files()))
def test_broken_files_are_read_with_a_warning(name: str) -> None:
    file = parse_card_file(files.salvageable_files()[name], name)
    assert [warning.code for warning in file.warnings] == SALVAGED.get(name, [])
    assert file.card.name == NAMES.get(name, "Maya")
    assert all(name in warning.message for warning in file.warnings)


@pytest.mark.parametrize("name", sorted(files.hopeless_files()))
def test_hopeless_files_are_refused_with_what_they_are(name: str) -> None:
    with pytest.raises(CardError, match=name) as caught:
        parse_card_file(files.hopeless_files()[name], name)
    assert REFUSED[name] in str(caught.value)


def test_version_3_counts_where_both_are_and_its_copy_raises_no_warning() -> None:
    decorated = {
        "extensions": {},
        "entries": [{"keys": ["a"], "content": "@@depth 1\nSalt.", "extensions": {}}],
    }
    plain = {"extensions": {}, "entries": [{"keys": ["a"], "content": "Salt.", "extensions": {}}]}
    newer = {**files.V3, "data": {**files.V3["data"], "character_book": decorated}}
    older = {
        **files.V2,
        "data": {**files.V2["data"], "character_book": plain, "creator_notes": "Use a newer program."},
    }
    file = parse_card_file(files.both_chunks(older, newer), "maya.png")
    assert (file.card.nickname, file.card.creator_notes, file.warnings) == ("May", "Likes rain.", ())
    older["data"]["scenario"] = "Calm."
    older["data"]["character_book"]["entries"][0]["content"] = "Sugar."
    file = parse_card_file(files.both_chunks(older, newer), "maya.png")
    assert [warning.code for warning in file.warnings] == ["chunks-differ"]
    assert "scenario, character_book" in file.warnings[0].message


def test_a_copy_that_is_no_card_is_passed_over() -> None:
    broken = files.text_chunk("ccv3", base64.b64encode(b'{"spec": "lorebook_v3"}'))
    file = parse_card_file(files.png([broken, files.card_chunk(files.V2)]), "maya.png")
    assert (file.card.name, [warning.code for warning in file.warnings]) == ("Maya", ["unreadable-chunk"])
    assert "The ccv3 text of the card maya.png" in file.warnings[0].message


YAML: list[tuple[str, list[str], dict[str, Any]]] = [
    ("name: Maya\ngreeting: |-\n  Hi\n  you\ncontext: C\n", [], {"first_mes": "Hi\nyou", "description": "C"}),
    ("\ufeffname: Maya\ncontext: C", ["bom"], {"name": "Maya"}),
    ("name: No\ncontext: 2021-01-01\ngreeting: yes", [],
     {"name": "No", "description": "2021-01-01", "first_mes": "yes"}),
    ("name: 1984\ncontext: ~\n", ["null-field", "not-a-text"], {"name": "1984", "description": ""}),
    ("name: 0x1F\ncontext: 1:30\n", [], {"name": "0x1F", "description": "1:30"}),
    ("name: Ma\x07ya\ncontext: C", ["control-characters"], {"name": "Maya"}),
    ("name: Maya\ndescription: D\nextensions: {x: [1, 0.5, true]}", [], {"extensions": {"x": [1, 0.5, True]}}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "codes", "fields"), YAML)
def test_yaml(text: str, codes: list[str], fields: dict[str, Any]) -> None:
    file = parse_card_file(text.encode(), "maya.yaml")
    assert file.form == "yaml"
    assert [warning.code for warning in file.warnings] == codes
    assert {key: getattr(file.card, key) for key in fields} == fields


def test_yaml_of_other_encodings() -> None:
    for content, code in (
        ("name: Zoë\ncontext: C".encode("latin-1"), "not-utf8"),
        ("name: Zoë\ncontext: C".encode("utf-16"), "utf16"),
    ):
        file = parse_card_file(content, "zoe.yaml")
        assert (file.card.name, [warning.code for warning in file.warnings]) == ("Zoë", [code])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: &a [x]\ncontext: *a", "repeats parts of itself"),
        ("name: Maya\ncontext: " + "[" * 5000, "nested too deeply|not valid YAML"),
        ("name: Maya\n\tcontext: [", "not valid YAML: .* in line 2"),
        ("name: !!python/object/apply:os.system [ls]\ncontext: C", "not valid YAML"),
        ("name: Maya\ncontext: " + "x" * 4_000_001, "bytes of YAML"),
        ("note: this\nis: no card", "none of the fields"),
    ],
)
def test_yaml_that_is_refused(text: str, says: str) -> None:
    with pytest.raises(CardError, match=says):
        parse_card_file(text.encode(), "maya.yaml")


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "lighthouse keeper.txt"
    path.write_bytes(files.json_bytes({**files.V1, "name": ""}))
    file = read_card_file(path)
    assert (file.card.name, file.name, read_card(path)) == ("lighthouse keeper", str(path), file.card)
    assert [warning.code for warning in file.warnings] == ["no-name"]
    for missing in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(CardError, match="cannot be read"):
            read_card(missing)


def test_a_card_of_fifty_megabytes(tmp_path: Path) -> None:
    sprite = base64.b64encode(b"\0" * 20_000_000).decode()
    content = files.png([files.text_chunk("chara-ext-asset_:1", sprite.encode()), files.card_chunk(files.V2)])
    large = files.png([], [files.chunk(b"IDAT", bytes(23_000_000))])[:-12] + content[33:]
    assert len(large) > 49_000_000
    assert parse_card_file(large, "large.png").card.name == "Maya"
    with_text = files.png_card({**files.V3, "data": {**files.V3["data"], "x": "y" * 37_500_000}}, "ccv3")
    assert len(with_text) > 50_000_000
    tracemalloc.start()
    read = parse_card_file(with_text, "text.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (read.card.name, read.warnings) == ("Maya", ())
    assert peak < 320_000_000
    with pytest.raises(CardError, match="bytes of JSON"):
        parse_card_file(json.dumps({**files.V1, "x": "y" * 50_000_000}).encode(), "large.json")
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(CardError, match="too large"):
        read_card(path)


def test_pictures() -> None:
    png, webp = files.png_card(), files.webp_card()
    assert picture(parse_card_file(png, "m.png")) == png
    assert picture(parse_card_file(webp, "m.webp")) == webp
    assert picture(parse_card_file(files.json_bytes(files.V1), "m.json")) is None
    assert picture(parse_card_file(files.charx(), "m.charx")) is None
    fronted = files.charx(files.V3, {"a.txt": b"x"}, front=files.png())
    assert picture(parse_card_file(fronted, "m.charx")) == files.png()
    url = f"data:image/png;base64,{base64.b64encode(files.png()).decode()}"
    icons = [{"type": "icon", "uri": "https://example.org/x.png", "name": "main", "ext": "png"},
             {"type": "icon", "uri": url, "name": "other", "ext": "png"}]  # fmt: skip
    inline = {**files.V3, "data": {**files.V3["data"], "assets": icons}}
    assert picture(parse_card_file(files.json_bytes(inline), "m.json")) == files.png()
    assert picture(parse_card_file(files.json_bytes({**files.V1, "avatar": url}), "m.json")) == files.png()
    assert picture(parse_card_file(files.json_bytes({**files.V1, "avatar": "none"}), "m.json")) is None


def test_a_damaged_asset_is_no_picture() -> None:
    path = "assets/icon/images/main.png"
    raw = {
        **files.V3,
        "data": {
            **files.V3["data"],
            "assets": [{"type": "icon", "uri": f"embeded://{path}", "name": "main", "ext": "png"}],
        },
    }
    content = bytearray(files.charx(raw, {path: files.png()}, method=zipfile.ZIP_STORED))
    at = content.index(files.SIGNATURE)
    content[at : at + 20] = bytes(20)
    assert picture(parse_card_file(bytes(content), "m.charx")) is None
