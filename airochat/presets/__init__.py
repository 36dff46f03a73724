"""Sampling presets: sets of sampling fields with a name, and which of several layers a field's value comes from."""

from airochat.presets.catalog import Preset, Presets, parse_preset, preset_toml
from airochat.presets.layers import CARD_FIELDS, Effective, card_sampling, layers

__all__ = [
    "CARD_FIELDS",
    "Effective",
    "Preset",
    "Presets",
    "card_sampling",
    "layers",
    "parse_preset",
    "preset_toml",
]
