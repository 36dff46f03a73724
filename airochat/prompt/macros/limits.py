"""What one text may cost. Beyond a limit, macros stay as they are written."""

from __future__ import annotations

MAX_DEPTH = 40
"""How deep macros nest, texts of the card that a macro inserts included."""
MAX_CALLS = 10_000
"""How many macros are looked at in one text."""
MAX_INSERTED = 4_000_000
"""How many characters all macros of one text may make, those inside others counted again."""
MAX_ITEMS = 10_000
"""How many items ``{{random}}`` and ``{{pick}}`` choose from."""
MAX_VALUE = 100_000
"""How many characters a variable may hold."""
MAX_VARIABLES = 1_000
"""How many variables there may be, in a chat and everywhere each."""
MAX_DICE = 100
"""How many dice are thrown at once."""
MAX_SIDES = 1_000_000
"""How many sides a die may have."""


class Budget:
    """What is left of the limits while one text and the texts inserted into it are expanded."""

    __slots__ = ("_calls", "_characters", "_depth")

    def __init__(self) -> None:
        self._depth = 0
        self._calls = MAX_CALLS
        self._characters = MAX_INSERTED

    def enter(self) -> bool:
        """Begin a macro; false if there is no room for it, and then it must not be left."""
        if self._depth >= MAX_DEPTH or self._calls <= 0 or self._characters < 0:
            return False
        self._depth += 1
        self._calls -= 1
        return True

    def leave(self) -> None:
        """End a macro that was entered."""
        self._depth -= 1

    def pay(self, characters: int) -> bool:
        """Count what a macro made; false if that is too much, and then nothing more is expanded."""
        self._characters -= characters
        return self._characters >= 0
