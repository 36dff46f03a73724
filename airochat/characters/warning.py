"""What is odd about a card file that could be read all the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardWarning:
    """One oddity of a card or lorebook file.

    ``code`` is stable, for tests and scripts: words in small letters joined by ``-``. ``message`` is a sentence that
    says where it is and what was done about it.
    """

    code: str
    message: str

    def __str__(self) -> str:
        return self.message
