"""What a server tells about its model, gathered from the routes of several kinds of servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from airochat import checks
from airochat.backends.base import ModelInfo
from airochat.backends.remote.address import Address
from airochat.backends.remote.fields import HEEDED, Kind, kind_of
from airochat.backends.remote.protocol import context_of, parameters_of, read_models, read_props, read_value
from airochat.errors import BackendError, ModelError
from airochat.text import one_line

DEFAULT_CONTEXT = 4096
"""Tokens that are assumed if neither the server nor the user tells."""
_KOBOLD_CONTEXT = "/api/extra/true_max_context_length"

Get = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a server's model, the id by which requests name it, and the kind of server."""

    model: str
    info: ModelInfo
    kind: Kind = "other"


async def describe(get: Get, address: Address, n_ctx: int, *, keyed: bool) -> Described:
    """Ask a server for its model.

    ``get`` fetches a path. ``n_ctx`` is the user's wish, or 0. ``keyed`` says that a key is sent along. Raises
    `BackendError` or `ModelError` if the server has no usable model, and what ``get`` raises.
    """
    rows = read_models(await get("/v1/models"))
    if rows is None:
        message = f"{address.base}/v1/models does not answer like an OpenAI-compatible server."
        raise BackendError(
            message, "Correct the address; it is the one that the server prints when it starts."
        )
    if not rows:
        raise BackendError(f"The server {address.base} has no model loaded.", "Load one there.")
    row = _choose(rows, address)
    told, trained = context_of(row)
    own, template = read_props(await _optional(get, "/props"))
    kind = kind_of(row, has_props=bool(own))
    told = own or read_value(await _optional(get, _KOBOLD_CONTEXT)) or told
    granted = min(told, n_ctx) if told and n_ctx else told or n_ctx or DEFAULT_CONTEXT
    info = ModelInfo(
        name=short_name(row["id"]),
        fingerprint=f"remote:{address.base}#{row['id']}",
        parameters=parameters_of(row),
        n_ctx=granted,
        n_ctx_train=trained,
        metadata={"tokenizer.chat_template": template} if template else {},
        device=f"server {address.base}",
        warnings=tuple(_warnings(rows, address, told or n_ctx, keyed)),
        sampling_fields=HEEDED[kind],
    )
    return Described(row["id"], info, kind)


def short_name(model: str) -> str:
    """Return a short name for people from a model's id, which may be a path on the server."""
    name = model.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return one_line(name.removesuffix(".gguf") or model)


def _choose(rows: Sequence[dict[str, Any]], address: Address) -> dict[str, Any]:
    if not address.model:
        return rows[0]
    for row in rows:
        if address.model.casefold() in (row["id"].casefold(), short_name(row["id"]).casefold()):
            return row
    names = [short_name(row["id"]) for row in rows[:20]]
    message = f"The server {address.base} has no model {address.model!r}."
    raise ModelError(message, checks.did_you_mean(address.model, names))


async def _optional(get: Get, path: str) -> str:
    try:
        return await get(path)
    except (BackendError, httpx.HTTPError):
        return ""


def _warnings(rows: Sequence[dict[str, Any]], address: Address, context: int, keyed: bool) -> list[str]:
    warnings = []
    if not context:
        warnings.append(
            f"The server does not tell its context; {DEFAULT_CONTEXT} tokens are assumed. Set n_ctx."
        )
    if len(rows) > 1 and not address.model:
        name = short_name(rows[0]["id"])
        warnings.append(f"The server has {len(rows)} models; {name} was taken. Add #NAME to choose another.")
    if keyed and not address.secure:
        warnings.append(f"Your key goes to {address.base} unencrypted; use an https address.")
    return warnings
