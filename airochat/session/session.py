"""A session: one open conversation with its settings."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from airochat.backends.base import Backend, ModelInfo
from airochat.characters import Card, Persona
from airochat.conversation import Message, Tree, new_id
from airochat.errors import UsageError
from airochat.hooks import ChatContext, MessageFacts, PluginHost
from airochat.prompt import Block, PromptPlan, card_blocks
from airochat.sampling import Sampling
from airochat.session.events import ModelEvent, Notice, SessionEvent, TreeChanged, TurnEnded, TurnEvent
from airochat.session.listeners import Listeners
from airochat.session.planning import FALLBACK, Wanted, write
from airochat.session.profile import Profile
from airochat.session.run import TurnRun
from airochat.session.task import Task, cut_short, rest_of
from airochat.session.turn import Turn
from airochat.store import SessionRecord
from airochat.templates import Template
from airochat.text import one_line, whole

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager


class Session:
    """One open conversation. All methods may be called from any thread.

    The tree is an immutable value that is exchanged as a whole, so a front end can keep the one it got.
    """

    def __init__(self, manager: SessionManager, record: SessionRecord, tree: Tree) -> None:
        self._manager = manager
        self._store = manager.store
        self.plugins: PluginHost = manager.plugins
        self.id = record.id
        self.title = record.title
        self.profile = Profile.load(record.settings, manager.settings)
        """Card, persona, template, system prompt and sampling of this conversation."""
        self.tree = tree
        self.turn: Turn | None = None
        """The running turn, or None."""
        self._unsaved: list[Message] = []
        self._warned: set[str] = set()
        self._lock = threading.RLock()
        self._listeners: Listeners[SessionEvent] = Listeners()
        self._forget = manager.subscribe(self._listeners.emit)

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
        """The character, or None."""
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

    def wait_for_model(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready; raises `ModelError` or `TimeoutError`."""
        return self._manager.model.wait(timeout)

    def subscribe(self, listener: Callable[[SessionEvent], None]) -> Callable[[], None]:
        """Call ``listener`` on every event of this session and its model; return what ends that."""
        return self._listeners.add(listener)

    # -- writing ------------------------------------------------------------------------------------------------

    def send(self, text: str, *, prefill: str = "", **sampling: Any) -> Turn:
        """Say ``text`` and let the model reply; the message is saved before this returns.

        ``prefill`` is what the reply must start with; other keyword arguments are sampling fields for this turn. An
        empty text lets the model go on by itself: with its last reply if that was cut short, else with another one.
        Raises `UsageError` if a reply is being written and `StoreError` if the message could not be saved; then
        nothing has changed.
        """
        wanted = self.profile.effective_sampling(**sampling)
        with self._lock:
            self._check_idle()
            if text.strip():
                self._add_user_message(self.plugins.user_message(self.context, whole(text)))
            elif self.history and not prefill and cut_short(self.history[-1]):
                return self._begin(rest_of(self.history[-1]), wanted)
            return self._begin(Task(self.tree.head, prefill=prefill), wanted)

    def continue_(self, **sampling: Any) -> Turn:
        """Write on where the last reply ends; the longer one becomes its sibling."""
        wanted = self.profile.effective_sampling(**sampling)
        with self._lock:
            self._check_idle()
            return self._begin(rest_of(self._last_message()), wanted)

    def impersonate(self, *, prefill: str = "", **sampling: Any) -> Turn:
        """Let the model write what the user says next."""
        wanted = self.profile.effective_sampling(**sampling)
        with self._lock:
            self._check_idle()
            return self._begin(Task(self.tree.head, "user", prefill), wanted)

    def swipe(self, message_id: str | None = None, **sampling: Any) -> Turn:
        """Write another alternative of a reply, by default of the last one."""
        wanted = self.profile.effective_sampling(**sampling)
        with self._lock:
            self._check_idle()
            if message_id is None and self.history and self.history[-1].role == "user":
                return self._begin(Task(self.tree.head), wanted)
            target = self.tree[message_id] if message_id else self._last_message()
            return self._begin(Task(target.parent), wanted)

    def edit(self, message_id: str, text: str) -> Message:
        """Write a changed copy of a message as its sibling, and move the head there; the old one stays."""
        with self._lock:
            self._check_idle()
            old = self.tree[message_id]
            message = dataclasses.replace(
                old, id=new_id(), text=text, created=time.time(), tokens=(), state="finished"
            )
            self._append(message)
        self._tree_changed()
        return message

    def stop(self) -> None:
        """Stop the running turn, if there is one."""
        if turn := self.turn:
            turn.stop()

    # -- moving about -------------------------------------------------------------------------------------------

    def move(self, message_id: str | None) -> None:
        """Make this message the last one shown; what follows stays in the tree."""
        with self._lock:
            self._check_idle()
            tree = self.tree.move(message_id)
            self._store.record_step(self.id, message_id)
            self.tree = tree
        self._tree_changed()

    branch = move

    def turn_to(self, message_id: str) -> None:
        """Show the newest branch that goes through this message."""
        with self._lock:
            self._check_idle()
            head = self.tree.newest_leaf(message_id)
            self._store.amend_step(self.id, head)
            self.tree = self.tree.move(head)
        self._tree_changed()

    def next_swipe(self) -> bool:
        """Show the next alternative of the last message; False if this is the newest."""
        return self._step_swipe(1)

    def previous_swipe(self) -> bool:
        """Show the alternative before the last message; False if this is the first."""
        return self._step_swipe(-1)

    def swipe_position(self) -> tuple[int, int]:
        """Return which alternative the last message is, from 1, and how many there are; (0, 0) if there is none."""
        if self.tree.head is None:
            return 0, 0
        siblings = self.tree.siblings(self.tree.head)
        return siblings.index(self.tree.head) + 1, len(siblings)

    def undo(self) -> bool:
        """Take back the last step, such as a message with its reply; nothing is deleted. False if there is none."""
        return self._travel(self._store.undo)

    def redo(self) -> bool:
        """Take the step again that `undo` took back. False if there is none."""
        return self._travel(self._store.redo)

    def set(self, **changes: Any) -> None:
        """Change ``title``, ``template``, ``system`` or ``sampling`` of this session, and keep that with it."""
        profile = self.profile.changed(**changes)
        self._manager.model.check_template(profile.template)
        with self._lock:
            self._store.update_session(self.id, title=changes.get("title"), settings=profile.stored())
            self.profile = profile
            self.title = changes.get("title", self.title)

    def command(self, line: str) -> str:
        """Run a plugin's command, such as ``/note the rain grows louder``, and return its answer."""
        return self.plugins.run_command(line, self.context)

    def prompt(self, text: str | None = None, **sampling: Any) -> PromptPlan:
        """Return the prompt of the next turn, as if ``text`` were said; waits for a model that is being loaded."""
        info = self.wait_for_model()
        tree, parent = self.tree, self.tree.head
        if text:
            message = self._user_message(whole(text))
            tree, parent = tree.append(message), message.id
        return self.plan(Task(parent), info, self.profile.effective_sampling(**sampling), tree)[0]

    def plan(
        self, task: Task, info: ModelInfo, sampling: Sampling, tree: Tree | None = None
    ) -> tuple[PromptPlan, Template]:
        """Assemble the prompt of a turn, and return it with the template used."""
        history = (tree or self.tree).path(task.after)
        model = self._manager.model
        self.warn(map(str, self._manager.templates.problems))
        wanted = Wanted(
            blocks=self._blocks(history),
            history=history,
            system=self.profile.effective_system,
            choice=model.choose(self.template_name, info),
            fallback=self._manager.templates.get(FALLBACK),
            goal=task.goal,
            prefill=task.prefill,
        )
        return write(wanted, info, model.backend().tokenizer, sampling)

    def context(self, plugin: str, history: tuple[Message, ...] | None = None) -> ChatContext:
        """Return what a plugin may know of this session."""
        return self.plugins.context(
            plugin,
            session_id=self.id,
            title=self.title,
            history=self.history if history is None else history,
            card=self.card,
            persona=self.persona,
            user_name=self.user_name,
        )

    def close(self) -> None:
        """Stop the running turn, wait for its end, and save what could not be saved before."""
        if turn := self.turn:
            turn.stop()
            turn.wait(10)
        with self._lock:
            self._save_unsaved()
        self._forget()
        self._manager.forget(self)

    # -- for the turn that runs ---------------------------------------------------------------------------------

    def publish(self, event: SessionEvent) -> None:
        """Hand an event to the turn it belongs to and to all listeners."""
        if self.turn is not None and isinstance(event, TurnEvent):
            self.turn.record(event)
        self._listeners.emit(event)

    def notice(self, message: str, hint: str = "") -> None:
        """Tell the user something that stops nothing."""
        self._listeners.emit(Notice(message, hint))

    def warn(self, warnings: Iterable[str]) -> None:
        """Tell the user about a prompt, each thing once."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self.notice(warning)

    def save_reply(self, message: Message) -> None:
        """Store the state of a reply that is being written."""
        self._store.save_reply(self.id, message)

    def keep_reply(self, message: Message) -> None:
        """Put a finished reply into the tree and the store; one that cannot be stored now is tried again later."""
        with self._lock:
            self.tree = self.tree.append(message)
            self._unsaved.append(message)
        try:
            with self._lock:
                self._save_unsaved()
        finally:
            self._tree_changed()
            self._tell_plugins(message)

    def end_turn(self, event: TurnEnded) -> None:
        """Publish the last event of the running turn and be idle again."""
        turn = self.turn
        with self._lock:
            self.turn = None
        if turn is not None:
            turn.record(event)
        self._listeners.emit(event)

    # -- inside -------------------------------------------------------------------------------------------------

    def _check_idle(self) -> None:
        if self.turn is not None:
            raise UsageError("A reply is being written.", "Stop it first, or wait for its end.")

    def _begin(self, task: Task, sampling: Sampling) -> Turn:
        turn_id = new_id()
        turn = Turn(self.id, turn_id, new_id(), lambda: self._stop_request(turn_id))
        self.turn = turn
        runner = TurnRun(self, turn, task, sampling)
        threading.Thread(target=runner.run, name="airochat-turn", daemon=True).start()
        return turn

    def _stop_request(self, request_id: str) -> None:
        if (backend := self._manager.model.current) is not None:
            backend.stop(request_id)

    def _user_message(self, text: str) -> Message:
        return Message(new_id(), self.tree.head, "user", self.user_name, text, time.time())

    def _add_user_message(self, text: str) -> None:
        message = self._user_message(text)
        self._append(message)
        if not self.title:
            self.set(title=one_line(text, 48))
        self._tree_changed()
        self._tell_plugins(message)

    def _append(self, message: Message) -> None:
        self._save_unsaved()
        self._store.add_message(self.id, message)
        self._store.record_step(self.id, message.id)
        self.tree = self.tree.append(message)

    def _save_unsaved(self) -> None:
        while self._unsaved:
            message = self._unsaved[0]
            self._store.save_reply(self.id, message)
            if message.id == self.tree.head:
                follows_user = message.parent is not None and self.tree[message.parent].role == "user"
                first = len(self.tree.siblings(message.id)) == 1
                step = self._store.amend_step if follows_user and first else self._store.record_step
                step(self.id, message.id)
            del self._unsaved[0]

    def _last_message(self) -> Message:
        if not self.history:
            raise UsageError("There is no reply yet.", "Say something first.")
        return self.history[-1]

    def _step_swipe(self, by: int) -> bool:
        position, count = self.swipe_position()
        if not 1 <= position + by <= count or self.tree.head is None:
            return False
        self.turn_to(self.tree.siblings(self.tree.head)[position - 1 + by])
        return True

    def _travel(self, step: Callable[[str], tuple[bool, str | None]]) -> bool:
        with self._lock:
            self._check_idle()
            self._save_unsaved()
            moved, head = step(self.id)
            if moved:
                # Read anew, since another program that has this conversation open may have written there.
                self.tree = Tree.build(self._store.messages(self.id), head)
        if moved:
            self._tree_changed()
        return moved

    def _tree_changed(self) -> None:
        self._listeners.emit(TreeChanged(self.id, self.tree))

    def _tell_plugins(self, message: Message) -> None:
        self.plugins.notify("on_message_added", self.context, MessageFacts(self.id, message))

    def _blocks(self, history: tuple[Message, ...]) -> list[Block]:
        blocks = card_blocks(self.card, self.persona, self.user_name, self.profile.effective_system)
        return blocks + self.plugins.blocks(lambda plugin: self.context(plugin, history))
