"""Sampling fields under the names that each kind of server has for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from airochat.sampling import FIELDS, Sampling

Kind = Literal["llama.cpp", "koboldcpp", "webui", "llama-cpp-python", "other"]
"""What a server is; ``webui`` is text-generation-webui."""

_OWNERS: Mapping[str, Kind] = {
    "llamacpp": "llama.cpp",
    "koboldcpp": "koboldcpp",
    "user": "webui",
    "me": "llama-cpp-python",
}
_COMMON = frozenset(
    {
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repeat_penalty",
        "repeat_last_n",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "max_tokens",
        "stop",
        "ignore_eos",
    }
)
_MIROSTAT = frozenset({"mirostat", "mirostat_tau", "mirostat_eta"})
HEEDED: Mapping[Kind, frozenset[str]] = {
    "llama.cpp": FIELDS,
    "koboldcpp": FIELDS - {"samplers", "json_schema"},
    "webui": FIELDS - {"json_schema"},
    "llama-cpp-python": (_COMMON | _MIROSTAT | {"logit_bias"}) - {"ignore_eos", "repeat_last_n"},
    "other": _COMMON,
}
"""The fields that each kind of server heeds; in ``logit_bias`` only llama.cpp's takes texts."""

_WEBUI_NAMES = {"mirostat": "mirostat_mode", "grammar": "grammar_string"}
_KOBOLD_NAMES = {"typical_p": "typical", "top_n_sigma": "nsigma"}
_WEBUI_SAMPLERS = {"penalties": "repetition_penalty", "typ_p": "typical_p"}


def kind_of(model: Mapping[str, Any], *, has_props: bool) -> Kind:
    """Return the kind of server from a row of its model list and whether it has llama.cpp's ``/props``."""
    owner = model.get("owned_by")
    known = _OWNERS.get(owner) if isinstance(owner, str) else None
    return known or ("llama.cpp" if has_props else "other")


def extra_fields(sampling: Sampling, kind: Kind) -> dict[str, Any]:
    """Return the fields beside the common ones that differ from off and that such a server heeds."""
    active = (sampling.active() & HEEDED[kind]) - _COMMON
    values = {name: getattr(sampling, name) for name in sorted(active)}
    if "logit_bias" in values:
        values["logit_bias"] = _biases(sampling, kind)
    if "json_schema" in values:
        values["json_schema"] = json.loads(sampling.json_schema)
    if kind == "webui":
        return _for_webui(sampling, values)
    if kind == "llama.cpp":
        return _for_llama_cpp(sampling, values)
    names = _KOBOLD_NAMES if kind == "koboldcpp" else {"mirostat": "mirostat_mode"}
    return {names.get(name, name): _listed(value) for name, value in values.items()}


def _for_llama_cpp(sampling: Sampling, values: dict[str, Any]) -> dict[str, Any]:
    if sampling.adaptive_target >= 0:
        # There it counts only if it is listed.
        values["samplers"] = (*sampling.samplers, "adaptive_p")
    return {name: _listed(value) for name, value in values.items()}


def _for_webui(sampling: Sampling, values: dict[str, Any]) -> dict[str, Any]:
    if "dynatemp_range" in values:
        half = values.pop("dynatemp_range")
        values["dynamic_temperature"] = True
        values["dynatemp_low"] = max(0.0, sampling.temperature - half)
        values["dynatemp_high"] = sampling.temperature + half
    if "dry_sequence_breakers" in values:
        breakers = map(json.dumps, sampling.dry_sequence_breakers)
        values["dry_sequence_breakers"] = ", ".join(breakers)
    if "samplers" in values:
        names = values.pop("samplers")
        values["sampler_priority"] = [_WEBUI_SAMPLERS.get(name, name) for name in names]
    return {_WEBUI_NAMES.get(name, name): value for name, value in values.items()}


def _biases(sampling: Sampling, kind: Kind) -> Any:
    if kind == "llama.cpp":
        return [list(pair) for pair in sampling.logit_bias]
    return {str(token): bias for token, bias in sampling.logit_bias if isinstance(token, int)}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
