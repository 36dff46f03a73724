from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.remote.sse import MAX_EVENT, EventParser
from airochat.errors import BackendError


def parse(*chunks: bytes) -> list[str]:
    parser = EventParser()
    return [data for chunk in chunks for data in parser.feed(chunk)] + parser.close()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\ndata: two\n\n", ["one", "two"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", ["one", "two"]),
        (b"data: one\r\rdata: two\r\r", ["one", "two"]),
        (b"data:one\n\n", ["one"]),
        (b"data:  one\n\n", [" one"]),
        (b"data: one\ndata: two\n\n", ["one\ntwo"]),
        (b": ping\n\n: ping\ndata: one\n\n", ["one"]),
        (b"event: message\nid: 7\nretry: 10\ndata: one\n\n", ["one"]),
        (b"data\ndata\n\n", ["\n"]),
        (b"\xef\xbb\xbfdata: one\n\n", ["one"]),
        (b"data: one", ["one"]),
        (b"data: one\r", ["one"]),
        (b"data: \xff\xc3\xa9\n\n", ["\ufffdé"]),
        (b"nonsense\n\n{}\n", []),
        (b"", []),
    ],
)
def test_format(stream: bytes, events: list[str]) -> None:
    assert parse(stream) == events


PIECES = st.sampled_from(
    [b"data: ", b"data:", b": x", b"\n", b"\r", b"\r\n", b"\n\n", b"id: 1", "ä€🦙".encode(), b"a"]
)


@given(st.lists(PIECES, max_size=30), st.data())
def test_the_cuts_do_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(*chunks) == parse(stream)


def test_a_line_end_that_is_cut_in_two() -> None:
    assert parse(b"data: a\r", b"\ndata: b\r\n\r\n") == ["a\nb"]


def test_event_without_end_is_refused() -> None:
    parser = EventParser()
    with pytest.raises(BackendError, match="1 MiB"):
        for _ in range(2 * MAX_EVENT // 65_536):
            parser.feed(b"x" * 65_536)


def test_event_of_endlessly_many_lines_is_refused() -> None:
    parser = EventParser()
    with pytest.raises(BackendError, match="1 MiB"):
        for _ in range(2 * MAX_EVENT // 1024):
            parser.feed(b"data: " + b"x" * 1024 + b"\n")
