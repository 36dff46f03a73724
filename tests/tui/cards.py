"""Cards for the tests of the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.characters.files import V2, png_card


def card(name: str, **fields: Any) -> dict[str, Any]:
    """Return a card of version 2 as JSON has it; fields that are not given are empty or short."""
    data = {
        "name": name,
        "description": f"{name} is here.",
        "personality": "",
        "scenario": "",
        "first_mes": f"I am {name}, {{{{user}}}}.",
        "mes_example": "",
        "creator_notes": "",
        "system_prompt": "",
        "post_history_instructions": "",
        "alternate_greetings": [],
        "tags": [],
        "creator": "",
        "character_version": "",
        "extensions": {},
    }
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {**data, **fields}}


def write_card(folder: Path, name: str, **fields: Any) -> Path:
    """Write a JSON card into a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.lower()}.json"
    path.write_text(json.dumps(card(name, **fields)), encoding="utf-8")
    return path


def write_png(folder: Path, name: str = "maya") -> Path:
    """Write a PNG with the card Maya and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    path.write_bytes(png_card(V2))
    return path
