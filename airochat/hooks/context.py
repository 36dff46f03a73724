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
from airochat.sampling import LogitsProcessor, Sampling

if TYPE_CHECKING:
    from airochat.characters import Card, Persona
    from airochat.hooks.tools import Tool

Scope = Literal["global", "card", "chat", "branch"]
"""How far something that a plugin keeps reaches: everywhere, in all chats with a character, in a chat, on a branch."""


Purpose = Literal["reply", "continue", "user"]
"""What a prompt is for: a reply, the rest of one, or what the user says next."""


class Ask(Protocol):
    """Asks the model something beside the conversation."""

    def __call__(self, question: str, *, system: str = "", sampling: Sampling | None = None) -> Future[str]:
        """Return the answer as a future; it is written while the model has nothing else to do."""
        ...


class Embed(Protocol):
    """Turns texts into vectors, such that those of texts of a like meaning are close."""

    def __call__(self, texts: Sequence[str]) -> Future[list[list[float]]]:
        """Return a vector of length 1 for each text, as a future."""
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
    """``ask(question, system="", sampling=None)`` asks the model beside the chat; returns a future with the answer.

    It is written while the model has nothing else to do, so use ``add_done_callback``; a hook that waits for it hangs.
    """
    notify: Callable[[str, str], None] = field(repr=False, compare=False)
    """``notify(message, hint)`` tells the user something that stops nothing."""
    embed: Embed | None = field(default=None, repr=False, compare=False)
    """Turns texts into vectors of length 1, as a future; None unless the user has set an ``embedding_model``."""
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
    purpose: Purpose = "reply"
    """What the coming prompt is for."""
    speaker: str = ""
    """Which character is to speak; empty where there is none, or before that is known."""
    reply_tokens: int = 0
    """Tokens that the context keeps for the reply; 0 while that is not known."""
    template: str = ""
    """The name of the template that writes the prompt, such as ``airoboros-3``; empty while no model is loaded."""
    horizon: str | None = None
    """The oldest message that the prompt has, if older ones are left out; None if the model sees all.

    While a prompt is assembled this is what it will be; blocks are asked for again if it turns out otherwise.
    """
    tools: tuple[Tool, ...] = field(default=(), repr=False)
    """All tools that the model may call in the reply that is prepared or written; elsewhere, and where they are
    collected, there are none."""
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
class HistoryDraft:
    """The messages of a prompt that is being assembled, oldest first; what is stored and shown stays as it is.

    A message may be left out, or replaced by one of the same id and role with another text. Others cannot be added;
    `contribute_blocks` does that.
    """

    messages: list[Message]


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
    processors: list[LogitsProcessor] = field(default_factory=list)
    """Code that changes how likely each token is; add to it."""


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
