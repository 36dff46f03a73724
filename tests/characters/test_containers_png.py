from __future__ import annotations

import base64
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.characters.containers import limits
from airochat.characters.containers.png import TextChunk, image_data_hash, is_png, read_texts, replace_texts
from airochat.errors import CardError
from tests.characters import files

KINDS: tuple[files.Kind, ...] = ("tEXt", "zTXt", "iTXt")
LATIN = st.characters(min_codepoint=33, max_codepoint=126)
KEYWORDS = st.text(LATIN, min_size=1, max_size=20)
TEXTS = st.binary(max_size=200).map(lambda text: text.replace(b"\0", b""))


def codes(content: bytes) -> list[str]:
    return [warning.code for warning in read_texts(content)[1]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("animated", [False, True])
def test_a_text_is_read_wherever_it_stands(kind: files.Kind, after: bool, animated: bool) -> None:
    chunk = files.card_chunk(files.V2, kind=kind)
    content = files.png([] if after else [chunk], [chunk] if after else [], animated=animated)
    assert read_texts(content) == ([TextChunk("chara", files.encoded(files.V2), kind)], [])


def test_an_international_text_may_be_unpacked() -> None:
    content = files.good_files()["itxt-plain.png"]
    assert read_texts(content)[0] == [TextChunk("chara", files.encoded(files.V2), "iTXt")]


def test_all_texts_come_in_file_order() -> None:
    found, _ = read_texts(files.both_chunks())
    assert [text.keyword for text in found] == ["chara", "ccv3"]
    found, _ = read_texts(files.salvageable_files()["several.png"])
    assert [text.text for text in found] == [
        files.encoded(files.V2),
        files.encoded({**files.V1, "name": "Second"}),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bad-crc.png", ["bad-crc"]),
        ("bad-crc-elsewhere.png", ["bad-crc"]),
        ("cut-in-pixels.png", ["cut-off"]),
        ("length-beyond.png", ["cut-off"]),
        ("cut-in-zlib.png", ["cut-text", "cut-off"]),
        ("no-end.png", ["no-end"]),
        ("trailing.png", ["trailing-bytes"]),
        ("keyword-case.png", []),
    ],
)
def test_damaged_pictures_still_give_their_text(name: str, expected: list[str]) -> None:
    content = files.salvageable_files()[name]
    found, warnings = read_texts(content, "maya.png")
    assert [warning.code for warning in warnings] == expected
    assert [text.text for text in found] == [files.encoded(files.V2)]
    assert all("maya.png" in warning.message for warning in warnings)


def test_a_warning_names_the_text_and_is_given_once() -> None:
    bad = files.text_chunk("chara", b"e30=", crc=7)
    (warning,) = read_texts(files.png([bad, bad, bad]))[1]
    assert "its text chara (tEXt)" in warning.message
    assert "2 more like this" in warning.message


def test_a_keyword_cannot_bring_escapes_into_a_warning() -> None:
    (warning,) = read_texts(files.png([files.text_chunk("a\x1b[2Jb", b"", crc=7)]))[1]
    assert "its text ab (tEXt)" in warning.message


@pytest.mark.parametrize(
    "chunk",
    [
        files.chunk(b"tEXt", b"no end of keyword"),
        files.chunk(b"iTXt", b"chara\0\1\0en"),
        files.chunk(b"zTXt", b""),
    ],
)
def test_a_text_without_its_parts_is_left_out(chunk: bytes) -> None:
    content = files.png([chunk, files.card_chunk(files.V2)])
    assert codes(content) == ["broken-text"]
    assert len(read_texts(content)[0]) == 1


def test_text_before_damage_in_a_packed_stream_is_kept() -> None:
    body = files.text_chunk("chara", bytes(range(1, 256)) * 2000, "zTXt")[8:-4]
    found, warnings = read_texts(files.png([files.chunk(b"zTXt", body[: len(body) // 2])]))
    assert [warning.code for warning in warnings] == ["cut-text"]
    assert found[0].text.startswith(bytes(range(1, 256)))


def test_a_packed_text_with_a_wrong_checksum_is_whole() -> None:
    body = files.text_chunk("chara", b"all of it", "zTXt")[8:-4]
    found, warnings = read_texts(files.png([files.chunk(b"zTXt", body[:-1] + b"?")]))
    assert [text.text for text in found] == [b"all of it"]
    assert [warning.code for warning in warnings] == ["cut-text"]


def test_nonsense_after_good_chunks_ends_the_walk() -> None:
    content = files.png([files.card_chunk(files.V2)], end=False) + b"\0" * 40
    assert codes(content) == ["damaged"]
    assert len(read_texts(content)[0]) == 1


@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
def test_a_bomb_is_refused_within_its_limit(kind: files.Kind) -> None:
    bomb = files.inflating_bomb(limits.MAX_TEXT * 4, kind=kind)
    tracemalloc.start()
    with pytest.raises(CardError, match=r"unpacks to more than 48,000,000 bytes"):
        read_texts(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * limits.MAX_TEXT


def test_many_small_bombs_share_one_limit() -> None:
    half = files.text_chunk("a", b"A" * (limits.MAX_TEXT // 2 + 1), "zTXt")
    assert codes(files.png([half])) == []
    with pytest.raises(CardError, match="unpacks to more than"):
        read_texts(files.png([half, half]))


def test_a_flood_of_chunks_is_refused() -> None:
    flood = files.SIGNATURE + files.chunk(b"tEXt", b"") * (limits.MAX_CHUNKS + 1)
    with pytest.raises(CardError, match="more than 100,000 chunks"):
        read_texts(flood)
    with pytest.raises(CardError, match="more than 100,000 chunks"):
        replace_texts(flood, [], [])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (files.HTML, "x.png is a web page, not a PNG"),
        (files.webp(None), "x.png is a WEBP picture, not a PNG"),
        (files.JPEG, "x.png is a JPEG picture, not a PNG"),
        (b"", "x.png is empty, not a PNG"),
    ],
)
def test_the_real_type_of_other_files_is_named(content: bytes, says: str) -> None:
    assert not is_png(content)
    with pytest.raises(CardError, match=says):
        read_texts(content, "x.png")


def test_replacing_leaves_every_other_chunk_alone() -> None:
    head, body = files.picture_chunks(animated=True)
    first, last = files.text_chunk("Software", b"paint"), files.chunk(b"vpAg", b"odd", crc=3)
    old = [files.card_chunk(files.V1, kind=kind) for kind in KINDS]
    content = files.SIGNATURE + head + old[0] + first + old[1] + body + last + old[2]
    content += files.chunk(b"IEND", b"") + b"after"
    made = replace_texts(content, ["Chara", "ccv3"], [("chara", b"two"), ("ccv3", b"three")])
    new = files.text_chunk("chara", b"two") + files.text_chunk("ccv3", b"three")
    control = head.index(b"fcTL") - 4
    before = files.SIGNATURE + head[:control] + new + head[control:] + first
    assert made == before + body + last + files.chunk(b"IEND", b"") + b"after"
    assert image_data_hash(made) == image_data_hash(content)


@pytest.mark.parametrize(
    "content",
    [
        files.SIGNATURE,
        files.png(end=False),
        files.png([files.text_chunk("chara", b"x" * 90)])[:130],
        files.SIGNATURE + files.picture_chunks()[0],
    ],
)
def test_an_end_is_added_where_it_lacks(content: bytes) -> None:
    made = replace_texts(content, ["chara"], [("chara", b"new")])
    assert made.endswith(files.chunk(b"IEND", b""))
    assert [text.text for text in read_texts(made)[0]] == [b"new"]


def test_the_new_text_stands_before_a_chunk_that_is_cut_off() -> None:
    content = files.SIGNATURE + files.picture_chunks()[0] + files.chunk(b"vpAg", b"odd", length=1000)
    assert [text.text for text in read_texts(replace_texts(content, [], [("chara", b"new")]))[0]] == [b"new"]


@given(
    st.lists(st.tuples(KEYWORDS, TEXTS, st.sampled_from(KINDS), st.booleans()), max_size=6),
    st.lists(st.tuples(KEYWORDS, TEXTS), max_size=4),
    st.booleans(),
)
def test_what_is_put_in_is_read_back(
    old: list[tuple[str, bytes, files.Kind, bool]], new: list[tuple[str, bytes]], animated: bool
) -> None:
    chunks = [(files.text_chunk(keyword, text, kind), after) for keyword, text, kind, after in old]
    content = files.png(
        [chunk for chunk, after in chunks if not after],
        [chunk for chunk, after in chunks if after],
        animated=animated,
    )
    dropped = [keyword for keyword, *_ in old[::2]] + [keyword for keyword, _ in new]
    made = replace_texts(content, dropped, new)
    gone = {keyword.casefold() for keyword in dropped}
    kept = [
        (text.keyword, text.text) for text in read_texts(content)[0] if text.keyword.casefold() not in gone
    ]
    found = [(text.keyword, text.text) for text in read_texts(made)[0]]
    assert sorted(found) == sorted(kept + new)
    assert codes(made) == []
    assert image_data_hash(made) == image_data_hash(content)
    assert replace_texts(made, dropped, new) == made


def test_the_hash_tells_pictures_apart() -> None:
    assert image_data_hash(files.png()) == image_data_hash(
        files.png([files.card_chunk(files.V1)], trailing=b"x")
    )
    assert image_data_hash(files.png()) != image_data_hash(files.png(size=(3, 2)))
    assert image_data_hash(files.png()) != image_data_hash(files.png(animated=True))


def test_fifty_megabytes_are_read() -> None:
    text = base64.b64encode(b"{" + b" " * 37_500_000)
    content = files.png([struct.pack(">I", len(text) + 6) + b"tEXtchara\0" + text + bytes(4)])
    tracemalloc.start()
    found, warnings = read_texts(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[0].text == text
    assert [warning.code for warning in warnings] == ["bad-crc"]
    assert peak < 2 * len(content)
