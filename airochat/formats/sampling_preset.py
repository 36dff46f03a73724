"""Sampling presets of text-generation-webui (YAML) and SillyTavern (JSON) as sampling fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from airochat.errors import SettingsError
from airochat.sampling import SAMPLERS, Sampling

_NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_last_n": 1024}
"""What both programs begin with, and a preset is a change of."""
_SAME = (
    "top_p",
    "min_p",
    "typical_p",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "xtc_threshold",
    "xtc_probability",
    "mirostat_tau",
    "mirostat_eta",
    "dynatemp_exponent",
    "adaptive_target",
    "adaptive_decay",
)
_WEBUI = {
    "temperature": "temperature",
    "repetition_penalty": "repeat_penalty",
    "repetition_penalty_range": "repeat_last_n",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "mirostat_mode": "mirostat",
    "top_k": "top_k",
    "top_n_sigma": "top_n_sigma",
}
_TAVERN = {
    "temp": "temperature",
    "rep_pen": "repeat_penalty",
    "rep_pen_range": "repeat_last_n",
    "freq_pen": "frequency_penalty",
    "presence_pen": "presence_penalty",
    "mirostat_mode": "mirostat",
    "top_k": "top_k",
    "nsigma": "top_n_sigma",
    "dry_penalty_last_n": "dry_penalty_last_n",
}
_WHOLE = frozenset({"top_k", "repeat_last_n", "dry_allowed_length", "dry_penalty_last_n", "mirostat"})
_LOST: Mapping[str, Any] = {
    "smoothing_factor": 0,
    "epsilon_cutoff": 0,
    "eta_cutoff": 0,
    "tfs": 1,
    "top_a": 0,
    "penalty_alpha": 0,
    "guidance_scale": 1,
    "negative_prompt": "",
    "encoder_repetition_penalty": 1,
    "encoder_rep_pen": 1,
    "no_repeat_ngram_size": 0,
    "rep_pen_slope": 0,
    "rep_pen_decay": 0,
    "skew": 0,
    "max_tokens_second": 0,
}
"""Keys without a counterpart here, and the value at which each does nothing."""
_MOST_BANNED = 1000
"""How many banned texts of a preset are looked at."""
_ORDER = {
    "repetition_penalty": "penalties",
    "presence_penalty": "penalties",
    "frequency_penalty": "penalties",
    "dynamic_temperature": "temperature",
    "typical_p": "typ_p",
    "temperature": "temperature",
}


@dataclass(frozen=True, slots=True)
class ImportedPreset:
    """Sampling fields of another program's preset, and what of it got lost."""

    values: Mapping[str, Any]
    why: str
    warnings: tuple[str, ...] = ()


def import_preset(file_name: str, text: str) -> ImportedPreset:
    """Return a preset by its file's ending; `SettingsError` if the file is none or has values out of range."""
    ending = PurePath(file_name).suffix.lower()
    if ending in (".yaml", ".yml"):
        return from_webui(text)
    if ending == ".json":
        return from_tavern(text)
    raise SettingsError(
        f"{file_name} is no preset: its name ends in {ending or 'nothing'}.",
        "Take a .yaml of text-generation-webui, a .json of SillyTavern, or a .toml.",
    )


def from_webui(text: str) -> ImportedPreset:
    """Return a preset of text-generation-webui, which holds what differs from neutral."""
    found = _yaml(text)
    reader = _Reader(found, {**_WEBUI, **{name: name for name in _SAME}})
    values = reader.values()
    if _on(found.get("dynamic_temperature")):
        low, high = reader.number("dynatemp_low", 1.0), reader.number("dynatemp_high", 1.0)
        values |= _dynamic(low, high)
    if found.get("do_sample") is False:
        values["temperature"] = 0.0
    if "repetition_penalty_range" in found and "dry_multiplier" in values:
        values["dry_penalty_last_n"] = values["repeat_last_n"]
    if "dry_sequence_breakers" in found:
        values["dry_sequence_breakers"] = reader.breakers(found["dry_sequence_breakers"])
    order = found.get("sampler_priority")
    values |= reader.order(order.split() if isinstance(order, str) else order, found.get("temperature_last"))
    return reader.done(values, "Imported from a preset of text-generation-webui.")


def from_tavern(text: str) -> ImportedPreset:
    """Return a text completion preset of SillyTavern; a master export, which holds one under ``preset``, does too."""
    found = _json(text)
    reader = _Reader(found, {**_TAVERN, **{name: name for name in _SAME}})
    values = reader.values()
    if _on(found.get("dynatemp")):
        values |= _dynamic(reader.number("min_temp", 1.0), reader.number("max_temp", 1.0))
    if found.get("do_sample") is False:
        values["temperature"] = 0.0
    if "dry_sequence_breakers" in found:
        values["dry_sequence_breakers"] = reader.breakers(found["dry_sequence_breakers"])
    for theirs, ours in (("grammar_string", "grammar"), ("genamt", "max_tokens")):
        if found.get(theirs):
            values[ours] = found[theirs]
    if isinstance(found.get("json_schema"), dict) and found["json_schema"]:
        values["json_schema"] = json.dumps(found["json_schema"])
    if _on(found.get("ban_eos_token")) or _on(found.get("ignore_eos_token")):
        values["ignore_eos"] = True
    values |= reader.biases(found.get("logit_bias"))
    if found.get("send_banned_tokens") is not False:
        values |= reader.banned()
    values |= reader.order(found.get("samplers"), found.get("temperature_last"))
    return reader.done(values, "Imported from a preset of SillyTavern.")


class _Reader:
    """Reads the keys of one preset and collects warnings."""

    def __init__(self, found: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self._found, self._names = found, names
        self._warnings: list[str] = []

    def values(self) -> dict[str, Any]:
        """Return the fields that are called by one key."""
        values: dict[str, Any] = dict(_NEUTRAL)
        for theirs, ours in self._names.items():
            if theirs in self._found:
                number = self.number(theirs, math.nan)
                if not math.isnan(number):
                    values[ours] = int(number) if ours in _WHOLE else number
        values["top_k"] = max(0, values["top_k"])
        # Both programs take a range of 0 for everything.
        values["repeat_last_n"] = values["repeat_last_n"] or -1
        if values.get("adaptive_target", -1.0) <= 0:
            values.pop("adaptive_target", None)
        if values.get("dry_penalty_last_n") == 0:
            values["dry_penalty_last_n"] = -1
        return values

    def number(self, key: str, default: float) -> float:
        """Return a number that may be written as a text; a warning and the default if it is none."""
        value = self._found.get(key, default)
        try:
            number = float(value) if isinstance(value, int | float | str) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or (math.isinf(number)):
            self._warnings.append(f"Left out: {key}, which is no number.")
            return default
        return number

    def breakers(self, value: Any) -> tuple[str, ...]:
        """Return DRY's breakers, which are a JSON array in a text, its inside alone, or a list."""
        for form in ("{}", "[{}]"):
            if isinstance(value, str):
                value = _parsed(form.format(value), value)
        if not isinstance(value, list):
            self._warnings.append("Left out: dry_sequence_breakers, which are no list of texts.")
            return Sampling().dry_sequence_breakers
        return tuple(text for text in value if isinstance(text, str) and text)

    def order(self, names: Any, temperature_last: Any) -> dict[str, Any]:
        """Return the order of samplers; those that are missing there are put behind."""
        given = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        known = [_ORDER.get(name, name) for name in given]
        order = list(dict.fromkeys(name for name in known if name in SAMPLERS))
        order += [name for name in SAMPLERS if name not in order]
        if _on(temperature_last) or not given:
            order = [name for name in order if name != "temperature"] + ["temperature"]
        return {} if tuple(order) == SAMPLERS else {"samplers": tuple(order)}

    def biases(self, found: Any) -> dict[str, Any]:
        """Return SillyTavern's list of texts and values."""
        rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
        pairs = [(row.get("text"), row.get("value")) for row in rows if row.get("text")]
        return {"logit_bias": tuple(pairs)} if pairs else {}

    def banned(self) -> dict[str, Any]:
        """Return the texts that must not come: lines, in quotes or without, and KoboldCpp's list."""
        lines, texts = self._found.get("banned_tokens"), self._found.get("banned_strings")
        given = [line.strip() for line in lines.splitlines()] if isinstance(lines, str) else []
        kept = [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
        for line in filter(None, given):
            if line.startswith("["):
                self._warnings.append(
                    f"Left out: the banned token ids {line[:60]}, which fit one model only."
                )
            else:
                kept.append(line[1:-1] if len(line) > 1 and line[0] == line[-1] == '"' else line)
        phrases = list(dict.fromkeys(filter(None, kept)))
        banned: tuple[str, ...] = ()
        refused = phrases[_MOST_BANNED:]
        for phrase in phrases[:_MOST_BANNED]:
            try:
                banned = Sampling(banned=(*banned, _plain_ban(phrase))).banned
            except SettingsError:
                refused.append(phrase)
        if refused:
            self._warnings.append(f"Left out: {len(refused)} banned texts, such as {refused[0][:60]!r}.")
        return {"banned": banned} if banned else {}

    def done(self, values: dict[str, Any], why: str) -> ImportedPreset:
        """Check the values and return them with all warnings."""
        for key, off in _LOST.items():
            value = self._found.get(key, off)
            if value not in (off, "", 0, None, []):
                self._warnings.append(f"Left out: {key}, which llama.cpp does not have.")
        usual = Sampling()
        kept = {
            name: value
            for name, value in values.items()
            if name in _NEUTRAL or name == "repeat_penalty" or value != getattr(usual, name)
        }
        usual.replace(**kept)
        return ImportedPreset(kept, why, tuple(self._warnings))


def _dynamic(low: float, high: float) -> dict[str, Any]:
    """Return a temperature between two borders as its middle and half of its width."""
    return {"temperature": (low + high) / 2, "dynatemp_range": abs(high - low) / 2}


def _plain_ban(text: str) -> str:
    """Return a banned text so that it stays one: between two slashes it would be a regex."""
    return f"/{re.escape(text)}/i" if re.fullmatch(r"/.+/[ims]*", text, re.DOTALL) else text


def _on(value: Any) -> bool:
    return value in (True, 1, "true", "True")


def _yaml(text: str) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(f"The file is not YAML: {reason}.", "Correct that line.") from None
    known = {*_WEBUI, *_SAME, *_LOST, "do_sample", "dynamic_temperature", "sampler_priority"}
    return _checked(
        found, lambda keys: bool(known & keys), "text-generation-webui keeps them in user_data/presets."
    )


def _json(text: str) -> dict[str, Any]:
    found = _parsed(text, None)
    if found is None:
        raise SettingsError("The file is not JSON.", "Export the preset again.")
    if isinstance(found, dict) and isinstance(found.get("preset"), dict):
        found = found["preset"]
    hint = (
        "In SillyTavern, export the text completion preset; instruct templates are imported by `templates`."
    )
    return _checked(found, lambda keys: {"temp", "top_p"} <= keys, hint)


def _checked(found: Any, fits: Callable[[set[str]], bool], hint: str) -> dict[str, Any]:
    if not isinstance(found, dict) or not fits({key for key in found if isinstance(key, str)}):
        raise SettingsError("The file is no sampling preset.", hint)
    return found


def _parsed(text: str, default: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return default
