"""The conversation tree: messages linked to their parent, and a head that marks the branch now shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from airochat.conversation.message import Message
from airochat.errors import UsageError


@dataclass(frozen=True, slots=True)
class Tree:
    """An immutable tree of messages. Every operation returns a new tree and leaves the old one as it was.

    ``head`` is the message now shown last, or None before the first one. ``children`` lists the ids under a parent
    (None for the roots) in the order in which they were added.
    """

    messages: dict[str, Message] = field(default_factory=dict)
    children: dict[str | None, tuple[str, ...]] = field(default_factory=dict)
    head: str | None = None

    @classmethod
    def build(cls, messages: Iterable[Message], head: str | None = None) -> Tree:
        """Make a tree from stored messages, in the order in which they were added.

        A message whose parent is missing becomes a root rather than being lost; an unknown head falls back to the
        newest message.
        """
        known = {message.id: message for message in messages}
        below: dict[str | None, list[str]] = {}
        for message in known.values():
            parent = message.parent if message.parent in known else None
            below.setdefault(parent, []).append(message.id)
        children = {parent: tuple(ids) for parent, ids in below.items()}
        if head is not None and head not in known:
            head = next(reversed(known), None)
        return cls(known, children, head)

    def __len__(self) -> int:
        return len(self.messages)

    def __getitem__(self, message_id: str) -> Message:
        try:
            return self.messages[message_id]
        except KeyError:
            raise UsageError(f"This conversation has no message {message_id!r}.") from None

    def __contains__(self, message_id: object) -> bool:
        return message_id in self.messages

    def append(self, message: Message) -> Tree:
        """Return the tree with ``message`` under its parent, and the head on it."""
        if message.parent is not None and message.parent not in self.messages:
            raise UsageError(f"This conversation has no message {message.parent!r}.")
        if message.id in self.messages:
            raise UsageError(f"This conversation already has a message {message.id!r}.")
        siblings = (*self.children.get(message.parent, ()), message.id)
        return Tree(
            {**self.messages, message.id: message}, {**self.children, message.parent: siblings}, message.id
        )

    def replace(self, message: Message) -> Tree:
        """Return the tree with a message exchanged for a later state of itself, such as a reply that has ended."""
        old = self[message.id]
        return dataclasses.replace(
            self, messages={**self.messages, old.id: dataclasses.replace(message, parent=old.parent)}
        )

    def move(self, head: str | None) -> Tree:
        """Return the tree with another head; None is the place before the first message."""
        if head is not None:
            self[head]
        return dataclasses.replace(self, head=head)

    def path(self, message_id: str | None) -> tuple[Message, ...]:
        """Return the messages from the root to ``message_id``, oldest first; nothing for None."""
        found: list[Message] = []
        seen: set[str] = set()
        while message_id is not None and message_id in self.messages and message_id not in seen:
            seen.add(message_id)
            found.append(self.messages[message_id])
            message_id = found[-1].parent
        return tuple(reversed(found))

    @property
    def history(self) -> tuple[Message, ...]:
        """The messages from the root to the head, oldest first."""
        return self.path(self.head)

    def siblings(self, message_id: str) -> tuple[str, ...]:
        """Return the ids of a message and its alternatives, oldest first."""
        message = self[message_id]
        parent = message.parent if message.parent in self.messages else None
        return self.children[parent]

    def newest_leaf(self, message_id: str) -> str:
        """Return the id reached by following the newest child from ``message_id`` down."""
        while below := self.children.get(message_id):
            message_id = below[-1]
        return message_id

    def walk(self) -> Iterator[tuple[int, Message]]:
        """Yield every message with its depth, parents before children, siblings in order."""
        todo = [(0, root) for root in reversed(self.children.get(None, ()))]
        while todo:
            depth, message_id = todo.pop()
            yield depth, self.messages[message_id]
            todo.extend((depth + 1, child) for child in reversed(self.children.get(message_id, ())))
