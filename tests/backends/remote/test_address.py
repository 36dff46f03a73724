from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.remote.address import Address, parse_address
from airochat.errors import ModelError


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost", "http://localhost"),
        (" http://127.0.0.1:8080/ ", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080/v1/completions", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080/v1/chat/completions", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080/v1/models", "http://127.0.0.1:8080"),
        ("HTTPS://Server.Example/api/v1", "https://server.example/api"),
        ("https://server.example/v1beta", "https://server.example/v1beta"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("my-box.local:5001", "http://my-box.local:5001"),
        ("my_box", "http://my_box"),
    ],
)
def test_as_people_write_it(text: str, base: str) -> None:
    assert parse_address(text).base == base


def test_one_of_several_models() -> None:
    assert parse_address("box:1/v1#Llama 3".replace(" ", "-")) == Address("http://box:1", "Llama-3")


@pytest.mark.parametrize(
    ("text", "loopback", "secure"),
    [
        ("localhost:1", True, True),
        ("127.9.9.9", True, True),
        ("[::1]", True, True),
        ("192.168.1.5", False, False),
        ("https://box", False, True),
        ("localhost.example", False, False),
        ("127.0.0.1.example", False, False),
    ],
)
def test_what_leaves_this_machine(text: str, loopback: bool, secure: bool) -> None:
    address = parse_address(text)
    assert (address.loopback, address.secure) == (loopback, secure)


@pytest.mark.parametrize(
    "text",
    ["", " ", "ftp://box", "http://", "box:99999", "box:port", "a b", "box\x1b[2J", "http://[::1", "file:///etc/passwd",
     "http://ho$t", "box\\v1", "http:///v1", "//"],
)  # fmt: skip
def test_nonsense(text: str) -> None:
    with pytest.raises(ModelError, match="is not an address of a server") as caught:
        parse_address(text)
    assert "127.0.0.1:8080" in caught.value.hint


def test_no_secrets_in_addresses() -> None:
    with pytest.raises(ModelError) as caught:
        parse_address("https://me:hunter2@box/v1")
    assert "hunter2" not in str(caught.value)
    assert "AIROCHAT_API_KEY" in caught.value.hint


@given(st.text())
def test_anything_is_an_address_or_refused(text: str) -> None:
    try:
        base = parse_address(text).base
    except ModelError as error:
        assert error.hint
    else:
        assert parse_address(base).base == base
