"""Word by word from one language into another: what stands here for a real translator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import tomli

from airochat.errors import UsageError

SHIPPED = Path(__file__).parent / "glossary.toml"
_LARGEST = 1 << 20


class Glossary:
    """Exchanges the words of one language for those of another, both ways; all other words stay."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._there = _Exchange(pairs)
        self._back = _Exchange({right: left for left, right in pairs.items()})

    def into_model(self, text: str) -> str:
        """Return what the writer says in the model's language."""
        return self._there.done(text)

    def into_writer(self, text: str) -> str:
        """Return what the model says in the writer's language."""
        return self._back.done(text)


class _Exchange:
    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._pairs = {word.casefold(): other for word, other in pairs.items()}
        # Long ones first, so that "good night" is found before "night".
        words = sorted(map(re.escape, self._pairs), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None

    def done(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(self._exchanged, text)

    def _exchanged(self, match: re.Match[str]) -> str:
        other = self._pairs.get(match[0].casefold(), match[0])
        return other[:1].upper() + other[1:] if match[0][:1].isupper() else other


@lru_cache(maxsize=4)
def read(path: Path, changed: int) -> Glossary:
    """Read a glossary; ``changed`` is the time of the file's last change, so that a new one is read anew.

    `UsageError` says what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"The glossary {path} is larger than {_LARGEST} bytes.", "Name another file.")
        pairs = tomli.loads(content.decode("utf-8")).get("words")
    except OSError as error:
        raise UsageError(f"The glossary {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"The glossary {path} is no TOML: {error}.", "Correct it there.") from None
    if not isinstance(pairs, dict) or not all(isinstance(word, str) and word for word in pairs.values()):
        raise UsageError(f"The glossary {path} has no table [words] of texts.", 'Such as: ferry = "Fähre"')
    return Glossary(pairs)


def glossary(setting: str) -> Glossary:
    """Return the glossary that the user has set, or the one that comes with the plugin; raises `UsageError`."""
    path = Path(setting).expanduser() if setting else SHIPPED
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise UsageError(f"The glossary {path} cannot be read: {error.strerror}.") from None
    return read(path, changed)
