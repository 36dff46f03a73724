"""What plugins are given: frozen facts about a chat, and drafts that they may change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airochat.conversation import Message, Tree
from airochat.prompt.blocks import Block
from airochat.sampling import Sampling

if TYPE_CHECKING:
    from airochat.characters import Card, Persona

Scope = Literal["global", "card", "chat", "branch"]
"""How far something that a plugin keeps reaches: everywhere, in all chats with a character, in a chat, on a branch."""


class Ask(Protocol):
    """Asks the model something beside the conversation."""

    def __call__(self, question: str, *, system: str = "") -> Future[str]:
        """Return the answer as a future; it is written while the model has nothing else to do."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What one plugin has of its own, whatever chat is open."""

    plugin: str
    """The plugin's name."""
    settings: Mapping[str, Any]
    """The values of the settings that its ``plugin.toml`` declares, by name."""
    log: logging.Logger
    """Writes into airochat's log file under the plugin's name."""
    ask: Ask = field(repr=False, compare=False)
    """``ask(question, system="")`` asks the model beside the chat and returns a future with the answer.

    It is written while the model has nothing else to do, so use ``add_done_callback``; a hook that waits for it hangs.
    """
    count_tokens: Callable[[Sequence[str]], list[int]] = field(repr=False, compare=False)
    """Counts the tokens of each text in one go: those of the loaded model, or estimates while there is none."""
    n_ctx: int = 0
    """Tokens that the loaded model's context holds; 0 while that is not known."""
    stores: Mapping[str, Callable[[], MutableMapping[str, Any]]] = field(repr=False, compare=False)
    """What `storage` opens, by scope; use that."""
    make_folder: Callable[[], Path] = field(repr=False, compare=False)
    """What `folder` calls; use that."""

    def storage(self, scope: Scope) -> MutableMapping[str, Any]:
        """Return what this plugin keeps in a scope, as JSON values; setting a key saves it, changing a value does not.

        ``global`` is everywhere the same; the others exist where there is a chat. ``card`` is shared by all chats with
        the same first character. ``branch`` belongs to the messages: what is set is kept with the newest message of
        `ChatContext.history`, and is found from there on, until a message further down has another value.
        """
        if scope not in self.stores:
            raise ValueError(f"There is no scope {scope!r} here, only {', '.join(self.stores)}.")
        return self.stores[scope]()

    @property
    def folder(self) -> Path:
        """A folder for this plugin's own files, made when it is asked for."""
        return self.make_folder()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatContext(PluginContext):
    """One chat as one plugin sees it."""

    session_id: str
    title: str
    history: tuple[Message, ...]
    """The messages of the branch in question, oldest first; those that the coming speaker knows of."""
    tree: Tree = field(repr=False, compare=False)
    """All messages of the chat, with those of other branches."""
    cards: tuple[Card, ...]
    """The characters; the chat's own one is the first."""
    persona: Persona | None
    user_name: str
    data: MutableMapping[str, Any]
    """The same as ``storage("chat")``."""
    expand: Callable[[str], str] = field(default=str, repr=False, compare=False)
    """Expands the macros in a text that the user or an author wrote."""

    @property
    def card(self) -> Card | None:
        """The chat's own character, or None."""
        return self.cards[0] if self.cards else None


ContextFor = Callable[[str], ChatContext]
"""Makes the context of a chat for the plugin of a name."""


@dataclass(slots=True)
class UserMessageDraft:
    """What the user is about to say; it must keep some text."""

    text: str


@dataclass(slots=True)
class BlocksDraft:
    """All blocks of a prompt that is being assembled: those of card and persona, then those of plugins.

    The messages of the history are not among them. Change the list, or put another one in its place.
    """

    blocks: list[Block]


@dataclass(slots=True)
class SamplingDraft:
    """The sampling parameters of the coming reply, changed by ``draft.sampling = draft.sampling.replace(…)``."""

    sampling: Sampling


@dataclass(slots=True)
class ReplyDraft:
    """A reply that has ended, before it is stored; it must keep some text."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """A turn: at its start without a message; at its end with the stored reply, or None if nothing was written."""

    session_id: str
    turn_id: str
    message: Message | None = None
    reason: str = ""
    """Why it ended: ``eos``, ``stop``, ``length``, ``user`` or ``failed``; empty before."""
    error: str = ""
    """What went wrong, if the turn failed."""


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What a reply has grown by since the last such event."""

    session_id: str
    turn_id: str
    message_id: str
    """The id that the reply will have."""
    text: str
    index: int = 0
    """0 for the reply itself, from 1 on for the alternatives that are written beside it."""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """A message that has been added to a chat."""

    session_id: str
    message: Message


@dataclass(frozen=True, slots=True)
class EditFacts:
    """An edit: ``message`` now stands beside ``before``, which stays in the tree."""

    session_id: str
    before: Message
    message: Message


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """The message shown last is another one; None is the place before the first message."""

    session_id: str
    before: str | None
    head: str | None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model that was loaded or given up."""

    name: str
    fingerprint: str
    n_ctx: int
    """Tokens that its context holds; 0 if it does not tell."""


Event = TurnFacts | TextFacts | MessageFacts | EditFacts | HeadFacts | ModelFacts
"""What an ``on_*`` hook learns."""


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command: ``run`` gets the chat and what stands after the name, and returns the answer to show.

    An `AirochatError` that it raises is shown to the user; any other exception switches the plugin off.
    """

    name: str
    """Lower-case letters, digits, ``-`` and ``_``, without the slash."""
    summary: str
    usage: str
    """How to write it, for instance ``/note [TEXT | depth N | off]``."""
    run: Callable[[ChatContext, str], str]
