"""The ``state`` that scripts are given: sampling, names and texts under the keys of text-generation-webui."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airochat.hooks import Block, ChatContext
from airochat.sampling import FORBIDDEN, Sampling

from .transcript import split

_SAME = (
    *(
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "typical_p",
        "top_n_sigma",
        "adaptive_target",
        "adaptive_decay",
    ),
    *("xtc_threshold", "xtc_probability", "dry_multiplier", "dry_allowed_length", "dry_base"),
    *("frequency_penalty", "presence_penalty", "mirostat_tau", "mirostat_eta"),
)
_FIELDS: Final[dict[str, str]] = {
    **{name: name for name in _SAME},
    "repetition_penalty": "repeat_penalty",
    "repetition_penalty_range": "repeat_last_n",
    "mirostat_mode": "mirostat",
    "max_new_tokens": "max_tokens",
    "ban_eos_token": "ignore_eos",
    "grammar_string": "grammar",
}
"""The keys of the state that are fields of the sampling."""
_WIDENED = ("dynamic_temperature", "dynatemp_low", "dynatemp_high", "dynatemp_exponent")
_TEXTS = ("custom_stopping_strings", "dry_sequence_breakers", "custom_token_bans", "seed")
_PROMPT = ("context", "history", "user_bio", "name1", "name2")
"""What counts when the prompt is made; nothing of it concerns the sampling."""
_DEFAULT_NAME = "Assistant"
_DEFAULT_SIZE = 8192


def state_of(
    context: ChatContext, sampling: Sampling | None = None, head: str | None = None
) -> dict[str, Any]:
    """Return the state of a chat; ``head`` is what the prompt begins with, by default what the card tells."""
    sampling = sampling or Sampling()
    card = context.card
    history = split(context.history)[1]
    if head is None:
        told = (card.description, card.scenario) if card else ()
        head = context.expand("\n\n".join(filter(None, told)))
    name = (card.nickname or card.name) if card else ""
    greeting = history["internal"][0][1] if history["internal"] else ""
    return {
        **{key: getattr(sampling, field) for key, field in _FIELDS.items()},
        "dynamic_temperature": sampling.dynatemp_range > 0,
        "dynatemp_low": max(0.0, sampling.temperature - sampling.dynatemp_range),
        "dynatemp_high": sampling.temperature + sampling.dynatemp_range,
        "dynatemp_exponent": sampling.dynatemp_exponent,
        "custom_stopping_strings": _quoted(sampling.stop),
        "dry_sequence_breakers": _quoted(sampling.dry_sequence_breakers),
        "custom_token_bans": "",
        "seed": -1 if sampling.seed is None else sampling.seed,
        "context": head,
        "name1": context.user_name,
        "name2": name or _DEFAULT_NAME,
        "greeting": greeting,
        "user_bio": context.persona.description if context.persona else "",
        "history": history,
        "mode": "chat",
        "character_menu": name or _DEFAULT_NAME,
        "unique_id": context.session_id,
        "truncation_length": context.n_ctx or _DEFAULT_SIZE,
        "auto_max_new_tokens": False,
        "custom_system_message": "",
        "chat-instruct_command": "",
        "start_with": "",
        "stream": True,
        "do_sample": True,
        "add_bos_token": True,
        "skip_special_tokens": True,
        "textbox": split(context.history)[0],
    }


def head_of(blocks: Sequence[Block]) -> str:
    """Return the texts that a prompt begins with."""
    return "\n\n".join(block.text for block in blocks if block.depth is None and block.text.strip())


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is new or other in a state."""
    return {key: value for key, value in after.items() if key not in before or before[key] != value}


def without_effect(changes: Iterable[str]) -> list[str]:
    """Return the keys that mean nothing here."""
    known = {*_FIELDS, *_WIDENED, *_TEXTS, *_PROMPT}
    return sorted(str(key) for key in changes if key not in known)


def sampled(sampling: Sampling, changes: Mapping[str, Any], state: Mapping[str, Any]) -> Sampling:
    """Return a sampling with what has changed in a state; raises what is wrong with a value."""
    fields = {field: _plain(field, changes[key]) for key, field in _FIELDS.items() if key in changes}
    if not changes.keys().isdisjoint(_WIDENED):
        low, high = float(state["dynatemp_low"]), float(state["dynatemp_high"])
        on = bool(state["dynamic_temperature"])
        fields["dynatemp_range"] = abs(high - low) / 2 if on else 0.0
        fields["dynatemp_exponent"] = float(state["dynatemp_exponent"])
        if on:
            fields["temperature"] = (low + high) / 2
    if "seed" in changes:
        fields["seed"] = None if int(changes["seed"]) < 0 else int(changes["seed"])
    for key, field in (
        ("custom_stopping_strings", "stop"),
        ("dry_sequence_breakers", "dry_sequence_breakers"),
    ):
        if key in changes:
            fields[field] = _listed(changes[key])
    if changes.get("custom_token_bans"):
        banned = [(int(number), FORBIDDEN) for number in str(changes["custom_token_bans"]).split(",")]
        fields["logit_bias"] = (*sampling.logit_bias, *banned)
    return sampling.replace(**fields)


def _plain(field: str, value: Any) -> Any:
    """Return a number as the field takes it: sliders give 40.0 for 40, and 0 for what is off."""
    if field == "ignore_eos":
        return bool(value)
    if isinstance(value, float) and isinstance(getattr(Sampling(), field), int) and value.is_integer():
        value = int(value)
    return -1.0 if field in ("top_n_sigma", "adaptive_target") and not value else value


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(json.dumps(text, ensure_ascii=False) for text in texts)


def _listed(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, written as a list or as quoted texts with commas between."""
    if isinstance(value, str):
        value = json.loads(f"[{value}]")
    return tuple(value)
