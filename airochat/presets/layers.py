"""Sampling fields from several layers: the settings, the character's card, the chat, and the turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airochat.errors import SettingsError
from airochat.sampling import FIELDS, Sampling

Origin = Literal["default", "settings", "card", "chat", "turn"]
CARD_FIELDS = FIELDS - {"grammar", "json_schema", "seed", "max_tokens", "ignore_eos", "stop"}
"""What a card may set: how a character speaks, but not what is spent on it and where it ends."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The value of one field, and the layer that it comes from."""

    value: Any
    origin: Origin


def layers(
    settings: Sampling,
    card: Mapping[str, Any] | None = None,
    chat: Mapping[str, Any] | None = None,
    turn: Mapping[str, Any] | None = None,
) -> dict[str, Effective]:
    """Return each field's value and origin; a later layer wins. `SettingsError` if they do not go together.

    A value of the settings that is airochat's default counts as that. Together the values are a valid `Sampling`.
    """
    given: tuple[tuple[Origin, Mapping[str, Any]], ...] = (
        ("card", card or {}),
        ("chat", chat or {}),
        ("turn", turn or {}),
    )
    merged: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for origin, values in given:
        merged.update(values)
        origins.update(dict.fromkeys(values, origin))
    whole, usual = settings.replace(**merged), Sampling()
    return {
        name: Effective(
            getattr(whole, name),
            origins.get(name)
            or ("default" if getattr(usual, name) == getattr(settings, name) else "settings"),
        )
        for name in Sampling.__dataclass_fields__
    }


def card_sampling(extensions: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the sampling fields that a card sets, and a warning for each that cannot be taken.

    They stand in the table ``sampling`` of ``airochat`` in the card's extensions.
    """
    own = extensions.get("airochat")
    table = own.get("sampling") if isinstance(own, Mapping) else None
    values: dict[str, Any] = {}
    warnings: list[str] = []
    for name, value in table.items() if isinstance(table, Mapping) else ():
        if name not in CARD_FIELDS:
            warnings.append(f"The card sets {str(name)[:60]!r}, which a card may not.")
            continue
        try:
            Sampling().replace(**{name: value})
            values[name] = value
        except SettingsError as error:
            warnings.append(f"The card's sampling is left alone: {error.message}")
    return values, tuple(warnings)
