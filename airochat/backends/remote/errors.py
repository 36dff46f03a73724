"""From what went wrong on the wire to two sentences for the user."""

from __future__ import annotations

import asyncio

import httpx

from airochat.backends.remote.address import Address
from airochat.backends.remote.protocol import MAX_MESSAGE, error_words
from airochat.errors import BackendError
from airochat.text import one_line

_START = "Start the server, for instance `llama-server -m MODEL.gguf --port 8080`, or correct the address."
_KEY = "Set the environment variable AIROCHAT_API_KEY to the server's key."
_LONG = "The prompt may be longer than the server's context: set n_ctx to what the server has, or shorten it."


def transport_error(address: Address, error: Exception) -> BackendError:
    """Return the error for a connection that failed or broke."""
    base = address.base
    if isinstance(error, httpx.ConnectTimeout):
        return BackendError(f"The server {base} cannot be reached: no answer within 5 seconds.", _START)
    if isinstance(error, httpx.ConnectError):
        return BackendError(f"No server answers at {base}: {one_line(str(error), MAX_MESSAGE)}.", _START)
    if isinstance(error, (httpx.TimeoutException, TimeoutError, asyncio.TimeoutError)):
        return BackendError(
            f"The server {base} took the connection but does not answer.", "Look at its own output."
        )
    if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError | httpx.WriteError | httpx.CloseError):
        return broke_off(address)
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL | OSError):
        return BackendError(f"Talking to {base} failed: {one_line(str(error), MAX_MESSAGE)}.", _START)
    message = (
        f"Something went wrong inside airochat: {type(error).__name__}: {one_line(str(error), MAX_MESSAGE)}."
    )
    return BackendError(message, "Report it, with what you did.")


def broke_off(address: Address) -> BackendError:
    """Return the error for a reply that ended without a reason."""
    return BackendError(
        f"The server {address.base} broke off without saying why.",
        "Its own output may tell. It may have been stopped, serve another request, or have too small a context.",
    )


def status_error(address: Address, status: int, location: str, body: str) -> BackendError:
    """Return the error for an answer other than 200."""
    words = error_words(body)
    said = f": {words.rstrip('.')}" if words else ""
    message = f"The server {address.base} answered {status}{said}."
    if status in (401, 403):
        return BackendError(message, _KEY)
    if 300 <= status < 400:
        place = one_line(location, MAX_MESSAGE)
        return BackendError(
            message, f"It points to {place}; use that address if you trust it." if place else ""
        )
    if status in (404, 405):
        return BackendError(message, "It has no OpenAI-compatible API at /v1; correct the address.")
    return BackendError(message, _LONG if status == 400 else "Its own output may tell more.")
