"""A session: one open conversation with its settings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airochat.backends.base import ModelInfo
from airochat.characters import Card
from airochat.conversation import Message, Tree, new_id
from airochat.errors import UsageError
from airochat.hooks import EditFacts, MessageFacts, PluginHost
from airochat.prompt.macros import Variables
from airochat.sampling import Sampling
from airochat.session.ahead import Ahead
from airochat.session.cast import NARRATOR
from airochat.session.events import Notice, PromptReady, SessionEvent, TreeChanged, TurnEnded, TurnEvent
from airochat.session.group import Group
from airochat.session.idle import Idle
from airochat.session.ledger import Ledger
from airochat.session.listeners import Listeners
from airochat.session.profile import Profile
from airochat.session.prompts import Prompts, Written
from airochat.session.run import TurnRun
from airochat.session.steering import Steering
from airochat.session.task import Task, cut_short, may_call, rest_of
from airochat.session.titles import is_new, retitle
from airochat.session.tooling import SessionTools
from airochat.session.turn import Turn
from airochat.session.variables import BranchVariables
from airochat.store import SessionRecord
from airochat.text import one_line, whole

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager

MAX_REPLIES = 16
"""How many alternatives one turn can write."""


class Session(SessionTools):
    """One open conversation. All methods may be called from any thread.

    The tree is an immutable value that is exchanged as a whole, so a front end can keep the one it got.
    """

    def __init__(self, manager: SessionManager, record: SessionRecord, tree: Tree) -> None:
        self._manager = manager
        self._store = manager.store
        self.plugins: PluginHost = manager.plugins
        self.approvals = manager.approvals
        self.id = record.id
        self.title = record.title
        self.profile = Profile.load(record.settings, manager.settings)
        """Card, persona, template, system prompt and sampling of this conversation."""
        self._ledger = Ledger(manager.store, record.id, tree)
        self.turn: Turn | None = None
        """The running turn, or None."""
        self.group = Group(self, manager.store)
        """The characters: who is here, who speaks next, who knows what."""
        self.variables = BranchVariables(manager.store, self.id)
        self.ahead = Ahead(self)
        """Reads the coming prompt while nothing else is done."""
        self.idle = Idle(self)
        """Tells the plugins when nothing has been done for a while."""
        self._prompts = Prompts(self, manager)
        self._steering = Steering(self)
        self._warned: set[str] = set()
        self._lock = threading.RLock()
        self._listeners: Listeners[SessionEvent] = Listeners()
        self._forget = manager.subscribe(self._listeners.emit)

    def subscribe(self, listener: Callable[[SessionEvent], None]) -> Callable[[], None]:
        """Call ``listener`` on every event of this session and its model; return what ends that."""
        return self._listeners.add(listener)

    # -- writing ------------------------------------------------------------------------------------------------

    def send(
        self,
        text: str,
        *,
        n: int = 1,
        prefill: str = "",
        speaker: str = "",
        to: Sequence[str] = (),
        **sampling: Any,
    ) -> Turn:
        """Say ``text`` and let the model reply; the message is saved before this returns.

        Macros in ``text`` are expanded. ``n`` replies are written, as alternatives of each other. ``prefill`` is what
        they must start with, ``speaker`` the character that answers, and ``to`` those who alone know of the message;
        other keyword arguments are sampling fields for this turn. An empty text lets the model go on by itself: with
        its last reply if that was cut short, else with the calls in it that were not made, else with another one.
        Raises `UsageError` if a reply is being written and `StoreError` if the message could not be saved; then nothing
        has changed.
        """
        wanted = self._wanted(n, sampling)
        audience = [self.profile.cast.member(name).called for name in ([to] if isinstance(to, str) else to)]
        if speaker:
            self.profile.cast.find(speaker)
        called: Message | None = None
        with self._lock:
            self._check_idle()
            if text.strip():
                self._say(text, audience)
            elif self.history and not prefill and not speaker:
                if cut_short(self.history[-1]):
                    return self._begin(rest_of(self.history[-1]), wanted, n)
                called = self.history[-1] if n == 1 and may_call(self.history[-1]) else None
            chosen = speaker or (audience[0] if len(audience) == 1 else "")
            return self._begin(replace(self._reply(prefill, chosen), called=called), wanted, n)

    def speak(self, name: str = "", *, n: int = 1, prefill: str = "", **sampling: Any) -> Turn:
        """Let a character speak, or the ``narrator``; by default the one whose turn it is."""
        wanted = self._wanted(n, sampling)
        with self._lock:
            self._check_idle()
            return self._begin(self._reply(prefill, name), wanted, n)

    def narrate(self, text: str) -> Message:
        """Tell what happens, as the narrator; nobody answers by itself."""
        if not text.strip():
            raise UsageError("There is nothing to tell.")
        with self._lock:
            self._check_idle()
            told, variables = self._typed(text)
            message = Message(new_id(), self.tree.head, "system", NARRATOR, told, time.time())
            self._add(message, variables)
        self._tree_changed()
        self._tell_plugins(message)
        return message

    def continue_(self, *, n: int = 1, **sampling: Any) -> Turn:
        """Write on where the last reply ends; the longer one becomes its sibling."""
        wanted = self._wanted(n, sampling)
        with self._lock:
            self._check_idle()
            return self._begin(rest_of(self._last_message()), wanted, n)

    def impersonate(self, *, prefill: str = "", **sampling: Any) -> Turn:
        """Let the model write what the user says next."""
        wanted = self.profile.effective_sampling(**sampling)
        with self._lock:
            self._check_idle()
            return self._begin(Task(self.tree.head, "user", prefill), wanted)

    def swipe(self, message_id: str | None = None, *, n: int = 1, **sampling: Any) -> Turn:
        """Write ``n`` more alternatives of a reply, by default of the last one; of results, of what follows them."""
        wanted = self._wanted(n, sampling)
        with self._lock:
            self._check_idle()
            if message_id is None and self.history and self.history[-1].role != "assistant":
                return self._begin(self._reply(), wanted, n)
            target = self.tree[message_id] if message_id else self._last_message()
            parent = target.id if target.is_results else target.parent
            return self._begin(Task(parent, speaker=self.speaker_of(target)), wanted, n)

    def steer(self, message_id: str, position: int, token: int, *, n: int = 1, **sampling: Any) -> Turn:
        """Write an alternative of a reply that has ``token`` in place of its token number ``position``, from 0.

        What stands before it is kept and not read again; what follows is written anew.
        """
        wanted = self._wanted(n, sampling)
        begun = self._steering.begin(message_id, position, token)
        with self._lock:
            self._check_idle()
            return self._begin(self._steering.task(message_id, begun), wanted, n)

    def edit(self, message_id: str, text: str) -> Message:
        """Write a changed copy of a message as its sibling, and move the head there; the old one stays."""
        with self._lock:
            self._check_idle()
            old = self.tree[message_id]
            before = self.tree.path(old.parent)
            variables = self.variables.at((*before, old))
            if old.role != "assistant" and not old.is_results:
                text, variables = self._typed(text, before)
            message = replace(
                old,
                id=new_id(),
                text=text,
                created=time.time(),
                tokens=(),
                state="finished",
                provenance=replace(old.provenance, raw=""),
            )
            self._add(message, variables, self.group.audience(old.id))
        self._tree_changed()
        self.tell("on_message_edited", EditFacts(self.id, old, message))
        return message

    def greet(self) -> None:
        """Begin with the greetings of the characters, as alternatives of a first message."""
        written = self._prompts.greetings()
        messages = [
            Message(new_id(), None, "assistant", card.called, text, time.time()) for card, text, _ in written
        ]
        for message, (_, _, variables) in zip(messages, written, strict=True):
            self.variables.keep(message.id, variables)
        if messages:
            self._ledger.begin(messages)
        for message in messages:
            self._tell_plugins(message)

    def stop(self) -> None:
        """Stop the running turn, if there is one."""
        if turn := self.turn:
            turn.stop()

    # -- settings -----------------------------------------------------------------------------------------------

    def set(self, **changes: Any) -> None:
        """Change settings of this session, and keep them with it.

        These are ``title``, ``template``, ``system``, ``scenario``, ``persona``, ``muted``, ``sampling`` and
        ``roleplay``, the last two as tables of fields. A persona may be given by its name.
        """
        if isinstance(changes.get("persona"), str):
            changes["persona"] = self._manager.personas.get(changes["persona"])
        profile = self.profile.changed(**changes)
        self._manager.model.check_template(profile.template)
        with self._lock:
            self._store.update_session(self.id, title=changes.get("title"), settings=profile.stored())
            self.profile = profile
            self.title = changes.get("title", self.title)

    def retitle(self) -> Future[str]:
        """Let the model find a title for this conversation while it has nothing else to do; returns at once."""
        return retitle(self, self._manager.asides.title(self), self._tree_changed)

    def add_card(self, card: str | Path | Card) -> Card:
        """Let a character join; see `Group.add`."""
        found, card_id = self._manager.find_card(card)
        self.change_cast(self.profile.with_card(found, card_id))
        return found

    def change_cast(self, profile: Profile) -> None:
        """Exchange the characters, and keep them with the session."""
        with self._lock:
            before, after = self.profile.cast.names, profile.cast.names
            if len(before) == len(after):
                self.group.renamed({old: new for old, new in zip(before, after, strict=True) if old != new})
            self._store.update_session(self.id, settings=profile.stored())
            self.profile = profile
        self._tree_changed()

    def command(self, line: str) -> str:
        """Run a plugin's command, such as ``/note the rain grows louder``, and return its answer."""
        return self.plugins.run_command(line, self.contexts)

    def write(self, task: Task, info: ModelInfo, sampling: Sampling) -> Written:
        """Assemble the prompt of a turn."""
        return self._prompts.write(task, info, sampling, self.tree)

    def close(self) -> None:
        """Stop the running turn, wait for its end, and save what could not be saved before."""
        self.ahead.stop()
        self.ahead.wait(10)
        if turn := self.turn:
            turn.stop()
            turn.wait(10)
        self.idle.stop()
        self.tell("on_session_closed")
        with self._lock:
            self._ledger.save_rest()
        self._forget()
        self._manager.forget(self)

    # -- for the turn that runs ---------------------------------------------------------------------------------

    def publish(self, event: SessionEvent) -> None:
        """Hand an event to the turn it belongs to and to all listeners."""
        if isinstance(event, PromptReady):
            self._note_horizon(event.plan)
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
        """Store the state of a reply while its turn goes on."""
        self._store.save_reply(self.id, message, shown=False)

    def keep_replies(
        self, message: Message, others: Sequence[Message] = (), variables: Variables | None = None
    ) -> None:
        """Put a finished reply and the alternatives beside it into the tree and the store.

        One that cannot be stored now is tried again later. ``variables`` are those that macros in the prompt have set.
        """
        try:
            with self._lock:
                self._ledger.keep(message, others)
            if variables is not None:
                for one in (message, *others):
                    self.variables.keep(one.id, variables)
        finally:
            self._tree_changed()
            for one in (message, *others):
                self._tell_plugins(one)

    def end_turn(self, event: TurnEnded) -> None:
        """Publish the last event of the running turn and be idle again."""
        turn = self.turn
        with self._lock:
            self.turn = None
        if turn is not None:
            turn.record(event)
        self._listeners.emit(event)
        self.idle.start()
        if self._manager.settings.auto_title and event.reason != "failed" and is_new(self.history):
            self.retitle()

    # -- inside -------------------------------------------------------------------------------------------------

    def _wanted(self, n: int, sampling: Mapping[str, Any]) -> Sampling:
        """Check how many replies are asked for, and return how they are chosen."""
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_REPLIES:
            raise UsageError(f"n = {n!r} is no number of replies.", f"Ask for 1 to {MAX_REPLIES}.")
        return self.profile.effective_sampling(**sampling)

    def _check_idle(self) -> None:
        if self.turn is not None:
            raise UsageError("A reply is being written.", "Stop it first, or wait for its end.")

    def _begin(self, task: Task, sampling: Sampling, n: int = 1) -> Turn:
        turn_id = new_id()
        ids = [new_id() for _ in range(n)]
        turn = Turn(self.id, turn_id, ids, self._stop_request)
        for message_id in ids:
            self.group.inherit(message_id, task)
        self.turn = turn
        self.idle.stop()
        self.ahead.stop()
        runner = TurnRun(self, turn, task, sampling)
        threading.Thread(target=runner.run, name="airochat-turn", daemon=True).start()
        return turn

    def _stop_request(self, request_id: str) -> None:
        if (backend := self._manager.model.current) is not None:
            backend.stop(request_id)

    def _reply(self, prefill: str = "", speaker: str = "") -> Task:
        name = self.profile.cast.find(speaker).called if speaker else self.group.next()
        return Task(self.tree.head, prefill=prefill, speaker=name)

    def speaker_of(self, message: Message) -> str:
        """Return who is to write another alternative of a message: whoever wrote it, if that is still here.

        After results that is whoever made the calls.
        """
        if message.is_results and message.parent:
            message = self.tree[message.parent]
        known = (*self.group.names, NARRATOR) if message.role == "assistant" else ()
        return message.name if message.name in known else self.group.next()

    def _typed(self, text: str, history: Sequence[Message] | None = None) -> tuple[str, Variables]:
        said, variables = self._prompts.expanded(whole(text), history)
        if text.strip() and not said.strip():
            raise UsageError("Nothing is left of this text when its macros are expanded.")
        return said, variables

    def _add(self, message: Message, variables: Variables, audience: Sequence[str] = ()) -> None:
        """Store a message; who knows of it and what it set come first, so that a whisper is never public."""
        if audience:
            self.group.keep(message.id, tuple(audience))
        self.variables.keep(message.id, variables)
        self._ledger.append(message)

    def _say(self, text: str, audience: Sequence[str]) -> None:
        text, variables = self._typed(text)
        message = self._user_message(self.plugins.user_message(self.context, text))
        self._add(message, variables, audience)
        if not self.title:
            self.set(title=one_line(text, 48))
        self._tree_changed()
        self._tell_plugins(message)

    def _tree_changed(self) -> None:
        self._listeners.emit(TreeChanged(self.id, self.tree))

    def _tell_plugins(self, message: Message) -> None:
        self.tell("on_message_added", MessageFacts(self.id, message), message.id)
