"""Going through a turn without a model, to see what each plugin would change; nothing is kept of it."""

from __future__ import annotations

import tempfile
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airochat.conversation import Message, new_id
from airochat.hooks import ChatContext, PluginHost, Services, Step
from airochat.session.events import Notice

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of a turn that was not one."""

    steps: tuple[Step, ...]
    """The calls of plugins in their order."""
    notices: tuple[Notice, ...]
    """What the user would have been told about plugins."""


def rehearse(manager: SessionManager, text: str, session: str = "", reply: str = "") -> Rehearsal:
    """Let all plugins do what they would do if ``text`` were said, in a chat by its key or in a new one.

    ``reply`` is what the model would answer. The plugins get copies of what they keep, a folder that is removed
    afterwards, and no answers from the model. Raises `UsageError` if there is no such chat.
    """
    steps: list[Step] = []
    notices: list[Notice] = []
    copies: dict[tuple[str, str], dict[str, Any]] = {}

    def copied(plugin: str, scope: str) -> MutableMapping[str, Any]:
        if (plugin, scope) not in copies:
            copies[plugin, scope] = dict(manager.store.mapping(plugin, scope))
        return copies[plugin, scope]

    settings = manager.settings
    host = PluginHost(
        manager.home.folder("plugins"),
        copied,
        settings.plugins_enabled,
        lambda message, hint: notices.append(Notice(message, hint)),
        settings.plugins_disabled,
    )
    host.on_step = steps.append
    with tempfile.TemporaryDirectory(prefix="airochat-") as folder:
        host.services = Services(folder=Path(folder))
        _go_through(manager, host, text, session, reply)
    return Rehearsal(tuple(steps), tuple(notices))


def _go_through(manager: SessionManager, host: PluginHost, text: str, session: str, reply: str) -> None:
    # Before a chat is opened, since its opening is told to plugins.
    manager.plugins = host
    if session:
        chat = manager.load(session)
        history, sampling = chat.history, chat.profile.effective_sampling()
    else:
        chat, history, sampling = None, (), manager.settings.sampling

    def context_for(plugin: str) -> ChatContext:
        if chat is not None:
            return chat.context(plugin, history)
        name = manager.settings.user_name
        return host.context(
            plugin, session_id="", title="", history=history, cards=(), persona=None, user_name=name
        )

    said = host.user_message(context_for, text)
    parent = history[-1].id if history else None
    history = (*history, Message(new_id(), parent, "user", manager.settings.user_name, said))
    host.history(context_for, history)
    host.changed_blocks(context_for, host.blocks(context_for))
    host.sampling(context_for, sampling)
    if reply:
        written = host.reply(context_for, reply)
        message = Message(new_id(), history[-1].id, "assistant", "", written)
        host.calls(context_for, message, [tool for _, tool in host.tools(context_for).values()], 0)
