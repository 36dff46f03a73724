"""What is said to an OpenAI-compatible server and what is understood of its answers; everything it sends is capped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airochat.backends.base import Request, Usage
from airochat.backends.remote.fields import Kind, extra_fields
from airochat.text import one_line, whole

MAX_MESSAGE = 300
"""Characters of a server's own words that reach the user."""
_MAX_TEMPLATE = 1 << 18
_EVERYTHING = 1 << 20
"""A number of tokens that no context has."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a completion stream."""

    text: str = ""
    finish: str = ""
    """Why the reply ended, in the server's words: ``stop``, ``length`` …; empty while it goes on."""
    usage: Usage | None = None
    error: str = ""


def completion_body(request: Request, model: str, kind: Kind = "other") -> dict[str, Any]:
    """Return the JSON body of ``POST /v1/completions``.

    A repeat penalty goes by all names that servers have for it. What servers leave off by themselves is sent only if
    it is on, and if such a server heeds it.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "prompt": request.prompt,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
    }
    if sampling.repeat_penalty != 1.0:
        # The second names are those of text-generation-webui and vLLM, the third those of KoboldCpp.
        for name in ("repeat_penalty", "repetition_penalty", "rep_pen"):
            body[name] = sampling.repeat_penalty
        # Only llama.cpp reads -1 as everything.
        everything = sampling.repeat_last_n < 0 and kind != "llama.cpp"
        for name in ("repeat_last_n", "repetition_penalty_range", "rep_pen_range"):
            body[name] = _EVERYTHING if everything else sampling.repeat_last_n
    body |= extra_fields(sampling, kind)
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.ignore_eos:
        # The second name is that of text-generation-webui and KoboldCpp.
        body["ignore_eos"] = body["ban_eos_token"] = True
    if request.stop:
        body["stop"] = list(request.stop)
    if model:
        body["model"] = model
    return body


def read_chunk(data: str) -> Chunk | None:
    """Understand the data of one event; None if it is not a JSON object."""
    event = _json(data)
    if not isinstance(event, dict):
        return None
    if event.get("error"):
        return Chunk(error=_words(event) or "unknown error")
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    text, finish = choice.get("text"), choice.get("finish_reason")
    return Chunk(
        text=whole(text) if isinstance(text, str) else "",
        finish=finish if isinstance(finish, str) else "",
        usage=_usage(event),
    )


def read_models(body: str) -> list[dict[str, Any]] | None:
    """Return the models that ``GET /v1/models`` lists, each with an ``id``; None if this is no such list."""
    answer = _json(body)
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        return None
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"]]


def read_props(body: str) -> tuple[int, str]:
    """Return the context in tokens (0 if not told) and the chat template of llama.cpp's ``GET /props``."""
    answer = _json(body)
    if not isinstance(answer, dict):
        return 0, ""
    defaults = answer.get("default_generation_settings")
    n_ctx = _count(defaults.get("n_ctx")) if isinstance(defaults, dict) else 0
    template = answer.get("chat_template")
    if not isinstance(template, str) or len(template) > _MAX_TEMPLATE:
        template = ""
    return n_ctx or _count(answer.get("n_ctx")), whole(template)


def read_value(body: str) -> int:
    """Return the count in KoboldCpp's ``{"value": N}``, 0 if there is none."""
    answer = _json(body)
    return _count(answer.get("value")) if isinstance(answer, dict) else 0


def context_of(model: Mapping[str, Any]) -> tuple[int, int]:
    """Return the context and the trained context that a row of the model list tells, 0 where it does not."""
    meta = model.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    context = _count(model.get("max_model_len")) or _count(meta.get("n_ctx"))
    return context, _count(meta.get("n_ctx_train"))


def parameters_of(model: Mapping[str, Any]) -> int:
    """Return the number of weights that a row of the model list tells, 0 if it does not."""
    meta = model.get("meta")
    return _count(meta.get("n_params")) if isinstance(meta, dict) else 0


def error_words(body: str) -> str:
    """Return what a server says about an error, as one clean and short line; empty if it is not for people."""
    answer = _json(body)
    if isinstance(answer, dict):
        return _words(answer)
    return "" if body.lstrip()[:1] in ("<", "{", "[") else one_line(body, MAX_MESSAGE)


def _words(answer: Mapping[str, Any]) -> str:
    for key in ("error", "message", "detail"):
        value = answer.get(key)
        if isinstance(value, dict):
            return _words(value)
        if isinstance(value, str) and value:
            return one_line(value, MAX_MESSAGE)
    return ""


def _usage(event: Mapping[str, Any]) -> Usage | None:
    usage = event.get("usage")
    if not isinstance(usage, dict) or not _count(usage.get("prompt_tokens")):
        return None
    prompt = _count(usage.get("prompt_tokens"))
    details = usage.get("prompt_tokens_details")
    reused = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    reused = min(reused, prompt)
    return Usage(prompt, reused, prompt - reused, _count(usage.get("completion_tokens")))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63 else 0


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
