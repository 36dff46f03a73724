"""Paths in what a user pastes, or drops onto the terminal, which pastes the path."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote, urlsplit

SUFFIXES = frozenset((".png", ".apng", ".webp", ".json", ".yaml", ".yml", ".charx"))
"""How the names of files end that may hold a card."""

CHATS = frozenset((".jsonl",))
"""How the names of files end that may hold a chat, and never a card."""

MAX_TEXT = 100_000
"""Characters beyond which a pasted text is no list of paths."""


def card_paths(text: str) -> list[Path]:
    """Return the card files that a pasted text names; empty if any of it is something else."""
    return _files(text, SUFFIXES)


def chat_paths(text: str) -> list[Path]:
    """Return the chat files that a pasted text names; empty if any of it is something else."""
    return _files(text, CHATS)


def paths(text: str) -> list[Path]:
    """Return the paths in a text: one a line, or several in one line, quoted or escaped as a shell does it."""
    if len(text) > MAX_TEXT:
        return []
    return [path for line in text.splitlines() if line.strip() for path in _in_line(line.strip())]


def expand(path: Path) -> list[Path]:
    """Return the files that may be cards if the path is a folder, else the path itself."""
    try:
        if not path.is_dir():
            return [path]
        return sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())
    except OSError:
        return [path]


def is_file(path: Path) -> bool:
    """Return whether there is a file; a path that no system takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _files(text: str, suffixes: Collection[str]) -> list[Path]:
    found = paths(text)
    return found if all(path.suffix.lower() in suffixes and is_file(path) for path in found) else []


def _in_line(line: str) -> list[Path]:
    whole = _path(line)
    if is_file(whole):
        return [whole]
    try:
        parts = shlex.split(line, posix=os.name != "nt")
    except ValueError:
        return [whole]
    return [_path(part.strip("\"'")) for part in parts]


def _path(text: str) -> Path:
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
