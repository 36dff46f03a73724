"""Moving about in the tree of a session: branches, swipes, undo."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airochat.hooks import HeadFacts
from airochat.session.facts import SessionFacts


class SessionMoves(SessionFacts):
    """The half of a session that changes what is shown, and writes nothing."""

    _lock: threading.RLock

    def move(self, message_id: str | None) -> None:
        """Make this message the last one shown; what follows stays in the tree."""
        with self._lock:
            self._check_idle()
            before = self.head
            self._ledger.move(message_id)
        self._moved(before)

    branch = move

    def turn_to(self, message_id: str) -> None:
        """Show the newest branch that goes through this message."""
        with self._lock:
            self._check_idle()
            before = self.head
            self._ledger.turn_to(message_id)
        self._moved(before)

    def next_swipe(self) -> bool:
        """Show the next alternative of the last message; False if this is the newest."""
        return self._step_swipe(1)

    def previous_swipe(self) -> bool:
        """Show the alternative before the last message; False if this is the first."""
        return self._step_swipe(-1)

    def undo(self) -> bool:
        """Take back the last step, such as a message with its reply; nothing is deleted. False if there is none."""
        return self._travel(self._ledger.undo)

    def redo(self) -> bool:
        """Take the step again that `undo` took back. False if there is none."""
        return self._travel(self._ledger.redo)

    def _step_swipe(self, by: int) -> bool:
        position, count = self.swipe_position()
        if not 1 <= position + by <= count or self.tree.head is None:
            return False
        self.turn_to(self.tree.siblings(self.tree.head)[position - 1 + by])
        return True

    def _travel(self, step: Callable[[], bool]) -> bool:
        with self._lock:
            self._check_idle()
            before = self.head
            moved = step()
        if moved:
            self._moved(before)
        return moved

    def _moved(self, before: str | None) -> None:
        self._tree_changed()
        if self.head != before:
            self.tell("on_head_moved", HeadFacts(self.id, before, self.head))

    def _check_idle(self) -> None:
        raise NotImplementedError

    def _tree_changed(self) -> None:
        raise NotImplementedError
