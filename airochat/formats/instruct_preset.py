"""SillyTavern's instruct presets: JSON with the marks around messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airochat.errors import TemplateError
from airochat.formats.imported import CONTROL, SPELLING, ImportedTemplate, marks, special_name, stops
from airochat.templates import Family
from airochat.templates.template import Marks
from airochat.templates.write import family_toml

_ORIGIN = "Imported from an instruct preset of SillyTavern."
_MACRO = re.compile(r"\{\{[^{}]*\}\}")
_LOST = {
    "first_input_sequence": "a mark of its own for the first user message",
    "last_input_sequence": "a mark of its own for the last user message",
    "first_output_sequence": "a mark of its own for the first reply",
    "user_alignment_message": "a filler in front of a conversation that the character opens",
    "activation_regex": "the models that it switches itself on for",
}


def from_instruct(text: str) -> ImportedTemplate:
    """Return an instruct preset as a template file; `TemplateError` if it is none or cannot be used.

    A master export, which holds a preset under ``instruct``, does too. What templates here cannot say is told in the
    warnings.
    """
    preset = _preset(text)
    wrap = "\n" if preset.get("wrap") else ""
    title = _text(preset, "name").strip() or "SillyTavern preset"

    def before(sequence: str) -> str:
        return sequence + wrap if sequence else ""

    def after(suffix: str) -> str:
        return suffix or wrap

    user, bot = _text(preset, "input_sequence"), _text(preset, "output_sequence")
    last = _text(preset, "last_output_sequence") or bot
    user_end = after(_text(preset, "input_suffix"))
    bot_end = after(_text(preset, "output_suffix") or _text(preset, "separator_sequence"))
    own_system = _text(preset, "system_sequence")
    around = (
        _text(preset, "system_sequence_prefix") or own_system,
        _text(preset, "system_sequence_suffix") or _text(preset, "system_suffix") or wrap or "\n",
    )
    stop = _text(preset, "stop_sequence")
    family = Family(
        name="imported",
        title=title,
        why=_ORIGIN,
        notes="own" if own_system else "user",
        default_system="",
        system=Marks(marks(before(around[0])), marks(around[1])),
        user=Marks(marks(before(user)), marks(user_end)),
        assistant=Marks(marks(before(bot)), marks(bot_end)),
        reply=marks(before(last)),
        stop=stops(stop, _line(user, bot_end), _line(bot, user_end)),
        user_stop=stops(stop, _line(bot, user_end)),
        stop_specials=_ends(stop, bot_end),
        strip_leading_space=True,
        strip_end=bot_end[:1].isspace(),
        spelling=SPELLING,
    )
    return ImportedTemplate(title, family_toml(family), _warnings(preset))


def _preset(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"The file is not JSON: {error}.", "Export the preset again.") from None
    if isinstance(found, dict) and isinstance(found.get("instruct"), dict):
        found = found["instruct"]
    if not isinstance(found, dict) or not {"input_sequence", "output_sequence"} <= found.keys():
        raise TemplateError(
            "The JSON is no instruct preset: it has no input_sequence and output_sequence.",
            "In SillyTavern, export the instruct template; context templates and sampler presets are others.",
        )
    return found


def _text(preset: Mapping[str, Any], key: str) -> str:
    value = preset.get(key) or ""
    if not isinstance(value, str):
        raise TemplateError(f"The preset's {key} is not a text.")
    if macro := _MACRO.search(value):
        raise TemplateError(
            f"The preset's {key} has the macro {macro[0]}, which templates do not know.",
            "Take it out of the preset.",
        )
    return value


def _line(sequence: str, written: str) -> str:
    """Return a mark as it begins a turn: after a newline where one stands before it."""
    own = sequence.strip()
    return f"\n{own}" if own and (sequence.startswith("\n") or written.endswith("\n")) else own


def _ends(*texts: str) -> tuple[str, ...]:
    found = [special_name(spelling) for text in texts for spelling in CONTROL.findall(text)[:1]]
    return tuple(dict.fromkeys((*found, "eos")))


def _warnings(preset: Mapping[str, Any]) -> tuple[str, ...]:
    found = [f"Left out: {what} ({key})." for key, what in _LOST.items() if preset.get(key)]
    if preset.get("names_behavior") == "always" or preset.get("names") is True:
        found.append("Left out: the names that SillyTavern writes before every message.")
    return tuple(found)
