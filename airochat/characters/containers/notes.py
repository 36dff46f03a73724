"""Collecting warnings, one for each kind however often it occurs."""

from __future__ import annotations

from airochat.characters.warning import CardWarning


class Notes:
    """Warnings in the making: the first message of each code, and how many more there were."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, code: str, message: str) -> None:
        """Take down a warning; ``message`` is a whole sentence."""
        first, count = self._found.get(code, (message, 0))
        self._found[code] = (first, count + 1)

    def warnings(self) -> list[CardWarning]:
        """Return one warning for each code, in the order in which they were first met."""
        return [
            CardWarning(code, message if count == 1 else f"{message} ({count - 1:,} more like this.)")
            for code, (message, count) in self._found.items()
        ]
