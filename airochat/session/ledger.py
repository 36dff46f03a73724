"""The tree of a session and its storage: what is in one is in the other, or is tried again."""

from __future__ import annotations

from collections.abc import Sequence

from airochat.conversation import Message, Tree
from airochat.store import Store


class Ledger:
    """Holds the tree of one session; every change is on the disk before it is in the tree.

    Only a finished reply comes into the tree first: if it cannot be stored, it is tried again with the next change.
    Callers hold the session's lock. Raises `StoreError`.
    """

    def __init__(self, store: Store, session_id: str, tree: Tree) -> None:
        self._store = store
        self._id = session_id
        self._unsaved: list[Message] = []
        self.tree = tree
        """An immutable value that is exchanged as a whole."""

    def begin(self, alternatives: Sequence[Message]) -> None:
        """Store the alternatives of a first message, and show the first of them."""
        self._store.add_messages(self._id, alternatives)
        self._store.amend_step(self._id, alternatives[0].id)
        self.tree = Tree.build(alternatives, alternatives[0].id)

    def append(self, message: Message) -> None:
        """Add a message as a step of its own."""
        self.save_rest()
        self._store.add_message(self._id, message)
        self._store.record_step(self._id, message.id)
        self.tree = self.tree.append(message)

    def extend(self, message: Message) -> None:
        """Add a message that belongs to the reply above it, within the present step."""
        self.save_rest()
        self._store.add_message(self._id, message)
        self._store.amend_step(self._id, message.id)
        self.tree = self.tree.append(message)

    def keep(self, message: Message, others: Sequence[Message] = ()) -> None:
        """Add a finished reply and the alternatives beside it; they are in the tree even if this raises."""
        for one in (message, *others):
            self.tree = self.tree.append(one)
        self.tree = self.tree.move(message.id)
        self._unsaved += [message, *others]
        self.save_rest()

    def save_rest(self) -> None:
        """Store the replies that could not be stored before."""
        while self._unsaved:
            message = self._unsaved[0]
            shown = message.id == self.tree.head
            self._store.save_reply(self._id, message, shown=shown)
            if shown:
                above = None if message.parent is None else self.tree[message.parent]
                answers = above is not None and (above.role == "user" or above.is_results)
                first = self.tree.siblings(message.id)[0] == message.id
                step = self._store.amend_step if answers and first else self._store.record_step
                step(self._id, message.id)
            del self._unsaved[0]

    def move(self, message_id: str | None) -> None:
        """Make this message the head, as a step of its own."""
        tree = self.tree.move(message_id)
        self._store.record_step(self._id, message_id)
        self.tree = tree

    def turn_to(self, message_id: str) -> None:
        """Make the newest leaf under this message the head, within the present step."""
        tree = self.tree.move(self.tree.newest_leaf(message_id))
        self._store.amend_step(self._id, tree.head)
        self.tree = tree

    def undo(self) -> bool:
        """Take back the last step; return whether there was one."""
        self.save_rest()
        return self._reread(*self._store.undo(self._id))

    def redo(self) -> bool:
        """Take the step again that `undo` took back; return whether there was one."""
        self.save_rest()
        return self._reread(*self._store.redo(self._id))

    def _reread(self, moved: bool, head: str | None) -> bool:
        if moved:
            # Read anew, since another program that has this conversation open may have written there.
            self.tree = Tree.build(self._store.messages(self._id), head)
        return moved
