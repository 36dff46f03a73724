from __future__ import annotations

import pytest

from airochat.characters.containers.limits import MAX_FILE, check_size
from airochat.characters.containers.sniff import describe, sniff
from airochat.errors import CardError
from tests.characters import files


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (files.png(), "png"),
        (b"\x89PNG\n\x1a\n", "damaged-png"),
        (files.webp(None), "webp"),
        (files.charx(), "zip"),
        (files.JPEG, "jpeg"),
        (files.GIF, "gif"),
        (b"GGUF\3\0\0\0", "gguf"),
        (b"%PDF-1.7", "pdf"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BM\0\0\1\0\0\0\0\0", "bmp"),
        (b"\0\0\0\x1cftypavif", "avif"),
        (files.HTML, "html"),
        (b"\xef\xbb\xbf\n<HTML>", "html"),
        (b'\xef\xbb\xbf {"a": 1}', "json"),
        ('{"a": 1}'.encode("utf-16"), "json"),
        ('{"a": 1}'.encode("utf-16-le"), "json"),
        ('{"a": 1}'.encode("utf-16-be"), "json"),
        (b"[1]", "json"),
        (b"name: Maya\ncontext: |\n  x", "yaml"),
        (b"# a comment\n\nname:\n", "yaml"),
        (b"BMW: a car", "yaml"),
        (b"Once upon a time", "text"),
        (b"", "empty"),
        (b" \r\n" * 9000, "empty"),
        (b" " * 9000 + b"x", "text"),
        (bytes(range(1, 256)) + b"\0abc", "unknown"),
    ],
)
def test_the_content_decides(content: bytes, kind: str) -> None:
    assert sniff(content) == kind
    assert describe(kind)


def test_a_file_that_is_too_large_is_refused_by_its_size() -> None:
    check_size(MAX_FILE, "maya.png")
    with pytest.raises(CardError, match=r"maya\.png is too large for a card: 64,000,001 bytes"):
        check_size(MAX_FILE + 1, "maya.png")
