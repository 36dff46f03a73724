"""What can be asked and decided about the tools of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.hooks import ContextFor, Tool
from airochat.session.approval import Approvals, PendingCall, Standing, named
from airochat.session.group import Group
from airochat.session.insight import SessionInsight
from airochat.session.task import Task

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager


def offered(manager: SessionManager) -> dict[str, tuple[str, Tool]]:
    """Return the tools that a chat without messages or characters has, by name, each with its plugin."""
    chat: dict[str, Any] = {"session_id": "", "title": "", "history": (), "cards": (), "persona": None}
    name = manager.settings.user_name
    return manager.plugins.tools(lambda plugin: manager.plugins.context(plugin, user_name=name, **chat))


class SessionTools(SessionInsight):
    """The part of a session that knows about tools, and does what needs no turn."""

    group: Group
    approvals: Approvals
    """What the user has decided about tools."""
    own_approver: Callable[[PendingCall], object] | None = None
    """Asks the user about calls in this chat, in place of the manager's ``approver``."""

    @property
    def approver(self) -> Callable[[PendingCall], object] | None:
        """What asks the user about a call; None if nobody can be asked."""
        return self.own_approver or self._manager.approver

    def tools(self) -> dict[str, tuple[str, Tool]]:
        """Return the tools that the model may call now, by name, each with its plugin."""
        if not self.plugins.offers("contribute_tools"):
            return {}
        return self.plugins.tools(self.context)

    @property
    def contexts(self) -> ContextFor:
        """What makes contexts that know all tools, for commands and panels."""
        return partial(self.context, tools=tuple(tool for _, tool in self.tools().values()))

    def allow(self, tool: str, how: Standing = "chat") -> None:
        """Let the model call a tool without asking: in this ``chat``, or ``always``; ``never`` forbids it.

        Raises `UsageError` if there is no such tool here.
        """
        if how not in get_args(Standing):
            raise UsageError(f"how = {how!r} is not known.", f"Give one of {', '.join(get_args(Standing))}.")
        plugin, found = named(self.tools(), tool)
        self.approvals.keep(self.id, plugin, found.name, how, found.identity)

    def results_of(self, message_id: str) -> tuple[Mapping[str, Any], ...]:
        """Return the calls whose results a message holds, or which were made for a reply: the newest ones.

        See `Provenance.calls` for what is known of each.
        """
        message = self.tree[message_id]
        below = [self.tree[one] for one in reversed(self.tree.children.get(message_id, ()))]
        found = next((one for one in (message, *below) if one.is_results), None)
        return () if found is None else found.provenance.calls

    def keep_results(self, message: Message) -> None:
        """Store the results of calls under the reply that made them; who knows of that knows of them. `StoreError`."""
        with self._lock:
            self.group.inherit(message.id, Task(message.parent, speaker=self.tree[message.parent or ""].name))
            self._ledger.extend(message)
        self._tree_changed()
        self._tell_plugins(message)

    def _tell_plugins(self, message: Message) -> None:
        raise NotImplementedError
