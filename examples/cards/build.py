"""Builds the example cards of this folder from their texts in ``source`` and their pictures in ``drawing``.

Run it with ``python examples/cards/build.py [--to FOLDER]``. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path
from typing import Any

import tomli
from drawing import ines

from airochat.characters import Asset, Card, write_card
from airochat.characters.containers.charx import write_charx

HERE = Path(__file__).resolve().parent
CREATED = 1_795_305_600
"""22 November 2026, the date of all the cards of version 3."""
_LINE_START = re.compile(r"<START>|\{\{(?:char|user)\}\}:|@@")


def build(source: Path) -> tuple[str, bytes]:
    """Return the file name and the bytes of the card that a source file describes."""
    told = tomli.loads(source.read_text(encoding="utf-8"))
    version, fields = told["version"], unwrapped(told["card"])
    if version == 3:
        fields |= {"creation_date": CREATED, "modification_date": CREATED}
    if "book" in told:
        fields["character_book"] = book(unwrapped(told["book"]))
    picture = importlib.import_module(f"drawing.{source.stem}").draw().png()
    name = f"{source.stem}.{told['form']}"
    if told["form"] == "charx":
        return name, charx(fields, picture)
    return name, write_card(Card(**fields), told["form"], picture=picture, version=version)


def charx(fields: dict[str, Any], picture: bytes) -> bytes:
    """Return a CHARX with the portrait, a background and a picture of every mood."""
    pictures = {("icon", "main"): picture, ("background", "main"): ines.draw_island().png()}
    pictures |= {("emotion", mood): ines.draw_mood(mood).png() for mood in ines.MOODS}
    paths = {key: f"assets/{key[0]}/images/{key[1]}.png" for key in pictures}
    assets = tuple(Asset(kind, f"embeded://{path}", name, "png") for (kind, name), path in paths.items())
    card = Card(**fields, assets=assets)
    return write_charx(write_card(card, "json"), {paths[key]: content for key, content in pictures.items()})


def book(told: dict[str, Any]) -> dict[str, Any]:
    """Return a lorebook of version 3 with the fields that it demands."""
    entries = []
    for number, entry in enumerate(told["entries"], start=1):
        demanded = {"id": number, "enabled": True, "use_regex": False, "constant": False, "extensions": {}}
        entries.append({**demanded, "case_sensitive": False, **entry})
    return {**told, "extensions": {}, "entries": entries}


def unwrapped(value: Any) -> Any:
    """Return texts without the line breaks that only keep the source narrow: of those a blank line stays one."""
    if isinstance(value, dict):
        return {key: unwrapped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [unwrapped(inner) for inner in value]
    return _joined(value) if isinstance(value, str) else value


def _joined(text: str) -> str:
    lines: list[str] = []
    for line in text.strip().splitlines():
        goes_on = lines and lines[-1] and line and not _LINE_START.match(line)
        if goes_on and not lines[-1].startswith(("<START>", "@@")):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Write all cards."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--to", type=Path, default=HERE, metavar="FOLDER", help="where to write them")
    folder = arguments.parse_args().to
    for source in sorted((HERE / "source").glob("*.toml")):
        name, content = build(source)
        (folder / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
