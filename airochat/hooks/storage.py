"""What a plugin keeps with the messages of a chat, so that every branch has its own values."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

_ROOT = ""
"""Stands for the place above the first message, which all branches share."""


class BranchMapping(MutableMapping[str, Any]):
    """A mapping whose values are those set at the nearest message of a branch; what is set, is set at its end.

    Lies in another mapping, one entry for each message and key, so that a long chat is not written again for a small
    change. A deleted key is marked at the end of the branch, and comes back with an older message.
    """

    def __init__(self, kept: MutableMapping[str, Any], branch: Sequence[str]) -> None:
        self._kept = kept
        self._branch = (_ROOT, *branch)

    def __getitem__(self, key: str) -> Any:
        places = self._places().get(key, set())
        for message_id in reversed(self._branch):
            if message_id in places:
                found = self._kept[_entry(message_id, key)]
                if found:
                    return found[0]
                break
        raise KeyError(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._kept[_entry(self._branch[-1], key)] = [value]

    def __delitem__(self, key: str) -> None:
        self[key]
        self._kept[_entry(self._branch[-1], key)] = []

    def __iter__(self) -> Iterator[str]:
        return iter([key for key in sorted(self._places()) if self.get(key, self) is not self])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _places(self) -> dict[str, set[str]]:
        """Return for each key the messages at which it was set or deleted, on whatever branch."""
        found: dict[str, set[str]] = {}
        for entry in self._kept:
            message_id, _, key = entry.partition("\n")
            found.setdefault(key, set()).add(message_id)
        return found


def _entry(message_id: str, key: str) -> str:
    return f"{message_id}\n{key}"
