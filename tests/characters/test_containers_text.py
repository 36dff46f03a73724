from __future__ import annotations

import base64
import json
import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.characters.containers import limits
from airochat.characters.containers.base64text import decode_base64
from airochat.characters.containers.jsontext import parse_json
from airochat.errors import CardError
from tests.characters import files

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS.filter(lambda value: not isinstance(value, float) or math.isfinite(value)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def codes(content: bytes) -> list[str]:
    return [warning.code for warning in parse_json(content, "maya.json")[1]]


@given(VALUES, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]))
def test_sound_json_is_read_as_the_standard_library_reads_it(
    value: Any, ascii_only: bool, encoding: str
) -> None:
    text = json.dumps({"": value}, ensure_ascii=ascii_only)
    found, warnings = parse_json(text.encode(encoding), "x")
    assert found == {"": value}
    wanted = {"utf-8": [], "utf-8-sig": ["bom"]}.get(encoding, ["utf16"])
    assert [warning.code for warning in warnings] == wanted


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bom.json", ["bom"]),
        ("utf16.json", ["utf16"]),
        ("nul-end.json", ["nul-end"]),
        ("trailing.json", ["trailing-data"]),
    ],
)
def test_rubbish_around_json_is_left_out(name: str, expected: list[str]) -> None:
    value, warnings = parse_json(files.salvageable_files()[name], "maya.json")
    assert value == files.V2
    assert [warning.code for warning in warnings] == expected
    assert all("maya.json" in warning.message for warning in warnings)


@pytest.mark.parametrize(
    ("content", "value", "expected"),
    [
        (b'{"a": NaN, "b": [-Infinity, Infinity, 1e999]}', {"a": None, "b": [None] * 3}, ["nan"]),
        (b'{"a": "x\ty\nz\0"}', {"a": "x\ty\nz\0"}, ["control-characters"]),
        (b'{"a\\udc00": ["\\ud83d", "\\ud83d\\ude00"]}', {"a�": ["�", "😀"]}, ["lone-surrogate"]),
        ('{"a": "Zoë"}'.encode("cp1252"), {"a": "Zoë"}, ["not-utf8"]),
        ('{"a": "Zoë'.encode() + b'\xff"}', {"a": "Zoë�"}, ["not-utf8"]),
        (b'{"a": 1} {"b": 2}', {"a": 1}, ["trailing-data"]),
        (b' \r\n"x"\n', "x", []),
        (b"[-" + b"9" * 640 + b"]", [1 - 10**640], []),
        (b"[1, -" + b"9" * 641 + b"]", [1, "-" + "9" * 641], ["long-number"]),
        (b'{"a\n": ' + b"7" * 10_000 + b"}", {"a\n": "7" * 10_000}, ["control-characters", "long-number"]),
    ],
)
def test_odd_values(content: bytes, value: Any, expected: list[str]) -> None:
    assert parse_json(content, "x")[0] == value
    assert codes(content) == expected


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "x is empty"),
        (b"\xef\xbb\xbf \n\0", "x is empty"),
        (b'{"a": "b', "cut off"),
        (b'{"a": [1, ', "cut off"),
        (b"{'a': 1}", "x is not valid JSON: .* line 1, column 2"),
        (files.nested_json(limits.MAX_DEPTH), "nested more than 200 levels"),
        (files.nested_json(3_000_000), "more than 500,000 values"),
        (b"[" + b"{}," * limits.MAX_VALUES + b"1]", "more than 500,000 values"),
        (b'["",' + b'"",' * limits.MAX_VALUES * 2 + b'""]', "more than 500,000 values"),
        (b" " * (limits.MAX_TEXT + 1), "at most 48,000,000"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, says: str) -> None:
    with pytest.raises(CardError, match=says):
        parse_json(content, "x")


def test_brackets_and_commas_inside_texts_do_not_count() -> None:
    text = '\\\\"' + "[{," * 300_000
    value = {"a\\": text, "b": [text[:9]]}
    assert parse_json(json.dumps(value).encode(), "x") == (value, [])


def test_the_deepest_nesting_is_read() -> None:
    value, warnings = parse_json(files.nested_json(limits.MAX_DEPTH - 1), "x")
    assert value["name"] == "Deep" and warnings == []


def test_ten_thousand_greetings_are_read() -> None:
    greetings = ["Hello there, [friend], and welcome."] * 10_000
    assert parse_json(files.json_bytes({**files.V1, "alternate_greetings": greetings}), "x")[1] == []


@pytest.mark.parametrize("unit", [b'{"a":0},', b'"\\"",', b"[],", b'"\xf0\x9f\x98\x80",', b'\\"\\\\'])
def test_memory_stays_within_a_few_times_the_text(unit: bytes) -> None:
    content = b'["' + unit * (limits.MAX_TEXT // len(unit) - 2)
    tracemalloc.start()
    with pytest.raises(CardError):
        parse_json(content, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * limits.MAX_TEXT


def test_the_widest_text_that_is_read_stays_within_the_memory_promised() -> None:
    end = '😀\\ud83d"]'.encode()
    content = b'["' + b"a" * (limits.MAX_TEXT - len(end) - 2) + end
    tracemalloc.start()
    _, warnings = parse_json(content, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [warning.code for warning in warnings] == ["lone-surrogate"]
    assert peak < 12.5 * limits.MAX_TEXT


@given(st.binary(max_size=300))
def test_base64_of_anything_comes_back(content: bytes) -> None:
    text = base64.b64encode(content)
    assert decode_base64(text) == (content, [])
    assert decode_base64(files.wrapped(text, 20)) == (content, [])
    assert decode_base64(base64.urlsafe_b64encode(content).rstrip(b"="))[0] == content


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange_for_base64(text: bytes) -> None:
    decoded, _ = decode_base64(text)
    assert len(decoded) <= len(text)


@pytest.mark.parametrize(
    ("text", "decoded", "expected"),
    [
        (b"-_-_", b"\xfb\xff\xbf", ["url-safe-base64"]),
        (b"eyJ", b'{"', ["base64-padding"]),
        (b"ey%J9\0", b'{"}', ["base64-junk"]),
        (b"eyJ9e", b'{"}', ["base64-padding"]),
        (b"eyI=e30=", b'{"', ["base64-junk"]),
        (b'  {"a": 1}\0', b'{"a": 1}', ["raw-json"]),
        (b'\xef\xbb\xbf{"a": 1}', b'\xef\xbb\xbf{"a": 1}', ["raw-json"]),
        (b"%%%", b"", ["base64-junk"]),
        (b"", b"", []),
    ],
)
def test_base64_of_hand_made_tools(text: bytes, decoded: bytes, expected: list[str]) -> None:
    found, warnings = decode_base64(text, "the chara text of maya.png")
    assert found == decoded
    assert [warning.code for warning in warnings] == expected
    assert all("maya.png" in warning.message for warning in warnings)
