"""What the program does for plugins, and the contexts through which each gets at it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airochat.conversation import Message, Tree
from airochat.errors import ModelError, PluginError, StoreError
from airochat.hooks.context import Ask, ChatContext, Embed, PluginContext, Purpose
from airochat.hooks.storage import BranchMapping
from airochat.hooks.tools import Tool
from airochat.prompt import count_tokens
from airochat.sampling import Sampling
from airochat.text import one_line

if TYPE_CHECKING:
    from airochat.characters import Card, Persona

Data = Callable[[str, str], MutableMapping[str, Any]]
"""Opens what a plugin keeps in a place, such as ``global`` or ``chat:ID``."""


def nobody(question: str, *, system: str = "", sampling: Sampling | None = None) -> Future[str]:
    """Answer like a model that is not there."""
    answer: Future[str] = Future()
    answer.set_exception(ModelError("There is no model that could be asked."))
    return answer


def estimated(texts: Sequence[str]) -> list[int]:
    """Return about how many tokens each text takes in whatever model."""
    return count_tokens(texts, None)


@dataclass(frozen=True, slots=True)
class Services:
    """What the program does for all plugins; without a program they get estimates and no answers."""

    ask: Ask = nobody
    count_tokens: Callable[[Sequence[str]], list[int]] = estimated
    n_ctx: Callable[[], int] = lambda: 0
    folder: Path | None = None
    """Holds the folders for the plugins' own files."""
    notify: Callable[[str, str], None] = lambda message, hint: None
    """Tells the user something that stops nothing."""
    embed: Callable[[], Embed | None] = lambda: None
    """Returns what turns texts into vectors, if there is something."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as the session describes it, before it is known which plugin will see it."""

    session_id: str
    title: str
    history: tuple[Message, ...]
    cards: tuple[Card, ...]
    persona: Persona | None
    user_name: str
    expand: Callable[[str], str] = str
    tree: Tree | None = None
    """By default the history alone."""
    branch: tuple[str, ...] | None = None
    """The ids of all messages of the branch; by default those of the history."""
    purpose: Purpose = "reply"
    speaker: str = ""
    reply_tokens: int = 0
    horizon: str | None = None
    template: str = ""
    tools: tuple[Tool, ...] = ()
    card_key: str = ""
    """What tells the first character from others; by default its name."""


def plugin_context(plugin: str, data: Data, services: Services, settings: Mapping[str, Any]) -> PluginContext:
    """Return what a plugin has where there is no chat."""
    return PluginContext(
        **_own(plugin, services, settings), stores={"global": partial(data, plugin, "global")}
    )


def chat_context(
    plugin: str, data: Data, services: Services, settings: Mapping[str, Any], chat: Chat
) -> ChatContext:
    """Return a chat as a plugin sees it."""
    name = chat.card_key or (chat.cards[0].name if chat.cards else "")
    branch = tuple(message.id for message in chat.history) if chat.branch is None else chat.branch
    places: dict[str, Callable[[], MutableMapping[str, Any]]] = {
        "global": partial(data, plugin, "global"),
        "card": partial(data, plugin, f"card:{name}"),
        "chat": partial(data, plugin, f"chat:{chat.session_id}"),
        "branch": lambda: BranchMapping(data(plugin, f"branch:{chat.session_id}"), branch),
    }
    return ChatContext(
        **_own(plugin, services, settings),
        stores=places,
        session_id=chat.session_id,
        title=chat.title,
        history=chat.history,
        tree=_guarded(chat.tree or Tree.build(chat.history, branch[-1] if branch else None)),
        cards=chat.cards,
        persona=chat.persona,
        user_name=chat.user_name,
        data=places["chat"](),
        expand=chat.expand,
        purpose=chat.purpose,
        speaker=chat.speaker,
        reply_tokens=chat.reply_tokens,
        horizon=chat.horizon,
        template=chat.template,
        tools=chat.tools,
    )


def _guarded(tree: Tree) -> Tree:
    """Return the same tree with tables that cannot be written to, since the session goes on with this one."""
    messages: Any = MappingProxyType(tree.messages)
    children: Any = MappingProxyType(tree.children)
    return Tree(messages, children, tree.head)


def _own(plugin: str, services: Services, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "plugin": plugin,
        "settings": settings,
        "log": logging.getLogger(f"airochat.plugin.{plugin}"),
        "ask": services.ask,
        "notify": partial(_notify, services),
        "embed": services.embed(),
        "count_tokens": services.count_tokens,
        "n_ctx": services.n_ctx(),
        "make_folder": partial(_made, services.folder, plugin),
    }


def _notify(services: Services, message: str, hint: str = "") -> None:
    services.notify(one_line(message, 500), one_line(hint, 500))


def _made(place: Path | None, plugin: str) -> Path:
    if place is None:
        raise PluginError("There is no folder for the files of plugins.")
    folder = place / plugin
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} cannot be made: {error.strerror}.") from None
    return folder
