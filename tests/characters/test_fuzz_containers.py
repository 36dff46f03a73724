"""Whatever bytes come, the readers of containers return or raise `CardError`, in bounded memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.characters.containers import charx, jsontext, png, sniff, webp
from airochat.characters.containers.base64text import decode_base64
from airochat.errors import CardError
from tests.characters import files
from tests.characters.mutate import mutated

INPUTS, MANY_INPUTS = 4_000, 200_000
MEMORY = 100_000_000
"""Bytes at the peak. No seed has more than 20 KB; a few damaged ones unpack to megabytes, which are copied."""


def read_json(content: bytes) -> None:
    value, _ = jsontext.parse_json(content, "x")
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def read_png(content: bytes) -> None:
    texts, _ = png.read_texts(content)
    made = png.replace_texts(content, ["chara"], [("chara", b"new"), ("ccv3", b"newer")])
    kept = [text for text in texts if text.keyword.casefold() != "chara"]
    found, _ = png.read_texts(made)
    assert [text for text in found if text.text not in (b"new", b"newer")] == kept
    assert {(text.keyword, text.text) for text in found} >= {("chara", b"new"), ("ccv3", b"newer")}
    assert png.image_data_hash(made) == png.image_data_hash(content)
    for text in texts:
        accepted(read_json, decode_base64(text.text)[0])


def read_webp(content: bytes) -> None:
    comment, _ = webp.read_exif_comment(content)
    if comment is not None:
        read_json(comment)


def read_charx(content: bytes) -> None:
    card, members, _ = charx.read_charx(content)
    assert all(".." not in path.split("/") and path[:1] != "/" for path in members)
    for path in members:
        accepted(members.__getitem__, path)
    read_json(card)


def accepted(read: Callable[[str], object] | Callable[[bytes], object], argument: object) -> bool:
    try:
        read(argument)  # type: ignore[arg-type]
    except CardError as error:
        assert error.message
        return False
    return True


def read_all(content: bytes) -> list[str]:
    """Try every reader, whatever the file seems to be, and return the names of those that accepted it."""
    assert sniff.describe(sniff.sniff(content))
    readers = (read_png, read_webp, read_charx, read_json)
    return [read.__name__ for read in readers if accepted(read, content)]


def fuzz(count: int, seed: int) -> Counter[str]:
    everything = {**files.good_files(), **files.salvageable_files(), **files.hopeless_files()}
    seeds = {name: content for name, content in everything.items() if len(content) < 20_000}
    outcomes: Counter[str] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        name, content = rng.choice(list(seeds.items()))
        try:
            outcomes.update(read_all(mutated(content, list(seeds.values()), rng)) or ["refused"])
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}, made from {name}: {error!r}") from error
    return outcomes


def check_fuzz(count: int, seed: int) -> None:
    tracemalloc.start()
    try:
        outcomes = fuzz(count, seed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"{count:,} inputs, peak {peak:,} bytes: {dict(outcomes)}")
    assert peak < MEMORY
    assert set(outcomes) == {"read_png", "read_webp", "read_charx", "read_json", "refused"}


def test_damaged_files() -> None:
    check_fuzz(INPUTS, 1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_very_many_damaged_files() -> None:
    check_fuzz(MANY_INPUTS, 2)


HEADS = st.sampled_from(
    [
        b"",
        files.SIGNATURE,
        files.SIGNATURE + files.picture_chunks()[0],
        b"RIFF\0\0\0\0WEBPEXIF\xff\0\0\0II*\0\x08\0\0\0",
        files.charx(name=""),
        b'{"',
    ]
)
PIECES = st.lists(
    st.binary(max_size=40)
    | st.builds(
        files.chunk,
        st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"IDAT", b"IEND", b"abcd"]),
        st.binary(max_size=40) | st.binary(max_size=40).map(b"chara\0".__add__),
        crc=st.none() | st.just(0),
        length=st.none() | st.integers(0, 2**32 - 1),
    ),
    max_size=5,
).map(b"".join)


@settings(max_examples=500)
@given(HEADS, PIECES)
def test_made_up_files(head: bytes, rest: bytes) -> None:
    assert isinstance(read_all(head + rest), list)


@settings(max_examples=300)
@given(st.text(alphabet='{}[]:,"\\u0129d8eE+-.ntrueflasNI\x00\n ', max_size=60))
def test_made_up_json(text: str) -> None:
    try:
        wanted = json.loads(text, parse_constant=lambda name: None)
    except ValueError:
        return
    if "\\u" not in text and "e" not in text.lower():
        assert jsontext.parse_json(text.encode(), "x")[0] == wanted
