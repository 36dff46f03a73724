"""Addresses of servers, as people write them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from airochat.errors import ModelError

_ENDPOINT = re.compile(r"/v1(/(chat/)?completions|/models)?/*$")
_EXAMPLES = "Write it as remote:127.0.0.1:8080, or remote:https://server.example/v1."


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: ``base`` without ``/v1``, and the name of one of its models, if one was asked for."""

    base: str
    model: str = ""
    loopback: bool = False
    """Whether the server is on this machine."""

    @property
    def secure(self) -> bool:
        """Whether others on the way cannot read what is sent."""
        return self.loopback or self.base.startswith("https:")


def parse_address(text: str) -> Address:
    """Read ``HOST[:PORT]`` or a URL, with or without ``/v1``; ``#NAME`` at the end chooses one of several models.

    `ModelError` if it is neither.
    """
    text = text.strip()
    if not text or re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise _wrong(text, "it is empty" if not text else "it holds spaces")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _wrong(text, str(error)) from None
    if parts.scheme not in ("http", "https"):
        raise _wrong(text, f"{parts.scheme} is not http or https")
    if parts.username is not None or parts.password is not None:
        message = "The address of a server must not hold a user name or password."
        raise ModelError(message, "Put the key into the environment variable AIROCHAT_API_KEY.")
    if not host or not re.fullmatch(r"[\w.-]+|[0-9a-f:.]+(%\w+)?", host, re.ASCII | re.IGNORECASE):
        raise _wrong(text, "it names no host")
    shown = f"[{host}]" if ":" in host else host
    path = _ENDPOINT.sub("", parts.path).rstrip("/")
    base = f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"
    return Address(base, parts.fragment, _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(text: str, why: str) -> ModelError:
    return ModelError(f"remote:{text} is not an address of a server: {why}.", _EXAMPLES)
