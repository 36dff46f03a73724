"""What can be asked of a session without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airochat.backends.base import Backend, ModelInfo
from airochat.characters import Card, Persona
from airochat.conversation import Message, Tree
from airochat.hooks import ChatContext, Event, PluginHost
from airochat.session.events import ModelEvent
from airochat.session.ledger import Ledger
from airochat.session.profile import Profile

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager
    from airochat.session.prompts import Prompts


class SessionFacts:
    """The reading half of a session; may be asked from any thread at any time."""

    id: str
    title: str
    profile: Profile
    """Cards, persona, template, system prompt and sampling of this conversation."""
    horizon: str | None = None
    """The oldest message that the newest prompt has, if older ones were left out of it; else None."""
    plugins: PluginHost
    _manager: SessionManager
    _ledger: Ledger
    _prompts: Prompts

    @property
    def tree(self) -> Tree:
        """All messages: an immutable value that is exchanged as a whole."""
        return self._ledger.tree

    @property
    def history(self) -> tuple[Message, ...]:
        """The messages of the branch now shown, oldest first."""
        return self.tree.history

    @property
    def head(self) -> str | None:
        """The id of the message now shown last."""
        return self.tree.head

    @property
    def card(self) -> Card | None:
        """The character, or the first one of a group, or None."""
        return self.profile.card

    @property
    def persona(self) -> Persona | None:
        """The user's persona, or None."""
        return self.profile.persona

    @property
    def user_name(self) -> str:
        """The name under which the user speaks."""
        return self.profile.user_name

    @property
    def reply_name(self) -> str:
        """The name under which replies appear."""
        return self.profile.reply_name

    @property
    def template_name(self) -> str:
        """The template set for this session; empty if the model decides."""
        return self.profile.effective_template

    @property
    def model_state(self) -> ModelEvent | None:
        """The newest event about the model: loading, ready or failed; None before the start."""
        return self._manager.model.state

    @property
    def backend(self) -> Backend:
        """The backend that the next turn uses."""
        return self._manager.model.backend()

    @property
    def loaded_model(self) -> ModelInfo | None:
        """The model if it is loaded; never waits for it."""
        backend = self._manager.model.current
        return None if backend is None else backend.info

    @property
    def read_ahead(self) -> bool:
        """Whether the coming prompt may be read while nothing else is done."""
        return self._manager.settings.read_ahead

    def wait_for_model(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready; raises `ModelError` or `TimeoutError`."""
        return self._manager.model.wait(timeout)

    def swipe_position(self) -> tuple[int, int]:
        """Return which alternative the last message is, from 1, and how many there are; (0, 0) if there is none."""
        if self.tree.head is None:
            return 0, 0
        siblings = self.tree.siblings(self.tree.head)
        return siblings.index(self.tree.head) + 1, len(siblings)

    def tell(self, hook: str, event: Event | None = None, message_id: str | None = None) -> None:
        """Call one of the plugins' ``on_*`` hooks for the branch up to a message, by default the one now shown."""
        branch = self.tree.path(message_id) if message_id else None
        self.plugins.notify(hook, lambda plugin: self.context(plugin, branch=branch), event)

    def context(
        self,
        plugin: str,
        history: tuple[Message, ...] | None = None,
        branch: tuple[Message, ...] | None = None,
        **prompt: Any,
    ) -> ChatContext:
        """Return what a plugin may know of this session, by default of the branch now shown.

        ``history`` is what it sees of ``branch``, if that is less; ``prompt`` what a prompt that is being assembled
        is for.
        """
        tree = self.tree
        seen = (tree.history if branch is None else branch) if history is None else history
        return self.plugins.context(
            plugin,
            session_id=self.id,
            title=self.title,
            history=seen,
            cards=self.profile.cards,
            persona=self.persona,
            user_name=self.user_name,
            expand=lambda text: self._prompts.expanded(text, history)[0],
            tree=tree,
            branch=tuple(message.id for message in (seen if branch is None else branch)),
            card_key=next(iter(self.profile.card_ids), ""),
            **{"horizon": self.horizon, "template": self._template_now, **prompt},
        )

    @property
    def _template_now(self) -> str:
        """The name of the template that the next prompt will be written by; empty while no model is loaded."""
        info = self.loaded_model
        return "" if info is None else self._manager.model.choose(self.template_name, info).template.name
