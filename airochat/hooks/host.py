"""The plugin host: decides which plugins run, calls them one by one, and survives whatever they do."""

from __future__ import annotations

import logging
import os
import re
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airochat import checks
from airochat.conversation import Message
from airochat.errors import AirochatError, PluginError, StoreError, UsageError
from airochat.hooks.context import (
    ChatContext,
    Command,
    ContextFor,
    MessageFacts,
    ReplyDraft,
    SamplingDraft,
    TurnFacts,
    UserMessageDraft,
)
from airochat.hooks.discovery import Found, Source, find_plugins, missing
from airochat.hooks.plugin import Plugin, State
from airochat.hooks.results import checked_blocks, checked_change, checked_command, checked_macro
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroFunction
from airochat.sampling import Sampling
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.characters import Card, Persona

_log = logging.getLogger(__name__)
_LINE = re.compile(r"\s*/?(\S*)\s*(.*)", re.DOTALL)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What `airochat plugins list` shows of a plugin; ``hooks`` are known once it has been loaded."""

    name: str
    version: str
    source: Source
    summary: str
    state: State
    error: str
    hooks: tuple[str, ...]
    path: str


class PluginHost:
    """All plugins of one data folder. Methods may be called from any thread.

    ``data`` returns what a plugin keeps in a scope. Bundled plugins run unless ``disabled``; others only if
    ``enabled``. The environment variable ``AIROCHAT_PLUGINS`` overrides both: only the names listed there run, none
    if it is empty. ``notice`` is told in two sentences when a plugin fails. Plugins are found at once, without
    running their code, and loaded at the first call of a hook.
    """

    def __init__(
        self,
        user_dir: Path | None,
        data: Callable[[str, str], MutableMapping[str, Any]],
        enabled: Collection[str] = (),
        notice: Callable[[str, str], None] = lambda message, hint: None,
        disabled: Collection[str] = (),
    ) -> None:
        self._data = data
        self._notice = notice
        self._lock = threading.RLock()
        self._loaded = False
        listed = os.environ.get("AIROCHAT_PLUGINS")
        only = None if listed is None else {name.strip() for name in listed.split(",")} - {""}
        self._plugins: list[Plugin] = []
        for found in find_plugins(user_dir):
            allowed = found.name not in disabled and (found.source == "bundled" or found.name in enabled)
            self._add(found, allowed if only is None else found.name in only)
        known = {plugin.name for plugin in self._plugins}
        for name in sorted((set(enabled) if only is None else only) - known):
            self._add(missing(name), True)

    def reports(self) -> list[PluginReport]:
        """Return what is known of every plugin, in the order in which they are called; loads none."""
        with self._lock:
            return [
                PluginReport(
                    plugin.name,
                    plugin.found.version,
                    plugin.found.source,
                    plugin.found.summary,
                    plugin.state,
                    plugin.error,
                    plugin.hooks,
                    plugin.found.path,
                )
                for plugin in self._plugins
            ]

    def load(self) -> None:
        """Load the plugins that may run, unless that has been done."""
        told: list[AirochatError] = []
        with self._lock:
            if self._loaded:
                return
            self._loaded = True
            for plugin in self._plugins:
                if plugin.state == "failed":
                    told.append(PluginError(f"The plugin {plugin.name} was not loaded: {plugin.error}"))
                elif plugin.state == "on":
                    with self._guarded(plugin, "while it was loaded", told.append):
                        plugin.load()
                        self._collect_commands(plugin, told.append)
                        self._collect_macros(plugin)
        # Not under the lock, since a listener may wait for a thread that waits for the lock.
        for error in told:
            self._tell(error)

    def context(
        self,
        plugin: str,
        *,
        session_id: str,
        title: str,
        history: tuple[Message, ...],
        cards: tuple[Card, ...],
        persona: Persona | None,
        user_name: str,
        expand: Callable[[str], str] = str,
    ) -> ChatContext:
        """Return the context of a chat for one plugin, with what that plugin keeps for this chat."""
        return ChatContext(
            session_id,
            title,
            history,
            cards,
            persona,
            user_name,
            self._data(plugin, f"chat:{session_id}"),
            logging.getLogger(f"airochat.plugin.{plugin}"),
            expand,
        )

    def blocks(self, context_for: ContextFor) -> list[Block]:
        """Return the blocks that plugins add to a prompt; each source begins with ``plugin:NAME``."""
        blocks: list[Block] = []
        for plugin in self._offering("contribute_blocks"):
            context = context_for(plugin.name)
            with self._guarded(plugin, "in contribute_blocks"):
                blocks += checked_blocks(plugin.name, plugin.call("contribute_blocks", context=context))
        return blocks

    def user_message(self, context_for: ContextFor, text: str) -> str:
        """Return what the user says after all plugins have changed it."""
        return self._transformed("transform_user_message", context_for, text, UserMessageDraft, "text")

    def sampling(self, context_for: ContextFor, sampling: Sampling) -> Sampling:
        """Return the sampling parameters after all plugins have changed them."""
        return self._transformed("transform_sampling", context_for, sampling, SamplingDraft, "sampling")

    def reply(self, context_for: ContextFor, text: str) -> str:
        """Return a reply after all plugins have changed it."""
        return self._transformed("transform_reply", context_for, text, ReplyDraft, "text")

    def notify(
        self, hook: str, context_for: ContextFor, event: TurnFacts | MessageFacts | None = None
    ) -> None:
        """Call one of the ``on_*`` hooks; all but ``on_session_opened`` take an event."""
        given = {} if event is None else {"event": event}
        for plugin in self._offering(hook):
            context = context_for(plugin.name)
            with self._guarded(plugin, f"in {hook}"):
                plugin.tell(hook, context=context, **given)

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Return the slash commands by name, each with the name of its plugin."""
        self.load()
        with self._lock:
            active = [plugin for plugin in self._plugins if plugin.state == "on"]
            return {
                name: (plugin.name, command) for plugin in active for name, command in plugin.commands.items()
            }

    def macros(self) -> dict[str, MacroFunction]:
        """Return the macros that plugins offer, by name; of two of one name, that of the last plugin."""
        self.load()
        with self._lock:
            active = [plugin for plugin in self._plugins if plugin.state == "on"]
            return {name: function for plugin in active for name, function in plugin.macros.items()}

    def macro_failed(self, name: str, error: Exception) -> None:
        """Switch off the plugin whose macro raised."""
        with self._lock:
            owners = [plugin for plugin in self._plugins if plugin.state == "on" and name in plugin.macros]
        if owners:
            self._tell(self._switch_off(owners[-1], f"in the macro {name}", error))

    def run_command(self, line: str, context_for: ContextFor) -> str:
        """Run a line such as ``/note the rain grows louder`` and return the answer.

        Raises `UsageError` for an unknown command, `PluginError` if the plugin fails, and what it raises itself to
        tell the user.
        """
        match = _LINE.fullmatch(line)
        name, rest = (match[1], match[2].rstrip()) if match else ("", "")
        commands = self.commands()
        if name not in commands:
            raise UsageError(
                f"There is no command /{one_line(name, 40)}.", checks.did_you_mean(name, commands)
            )
        owner, command = commands[name]
        plugin = next(plugin for plugin in self._plugins if plugin.name == owner and name in plugin.commands)
        context = context_for(owner)
        try:
            answer: object = command.run(context, rest)
            if not isinstance(answer, str):
                raise TypeError(f"the answer is a {type(answer).__name__}, not a text")
        except (KeyboardInterrupt, AirochatError):
            raise
        except BaseException as error:
            raise self._switch_off(plugin, f"in /{name}", error) from error
        return clean(answer)

    def _add(self, found: Found, wanted: bool) -> None:
        state: State = "off" if not wanted else "failed" if found.error else "on"
        self._plugins.append(Plugin(found, state, found.error))

    def _offering(self, hook: str) -> list[Plugin]:
        self.load()
        with self._lock:
            return [plugin for plugin in self._plugins if plugin.state == "on" and hook in plugin.hooks]

    def _transformed(
        self,
        hook: str,
        context_for: ContextFor,
        value: _Value,
        draft_type: Callable[[_Value], object],
        field: str,
    ) -> _Value:
        for plugin in self._offering(hook):
            context, draft = context_for(plugin.name), draft_type(value)
            with self._guarded(plugin, f"in {hook}"):
                plugin.tell(hook, context=context, draft=draft)
                value = checked_change(value, getattr(draft, field))
        return value

    def _collect_commands(self, plugin: Plugin, tell: Callable[[AirochatError], None]) -> None:
        offered: list[Command] = []
        if "register_commands" in plugin.hooks:
            plugin.tell("register_commands", register=offered.append)
        for command in map(checked_command, offered):
            taken = [other.name for other in self._plugins if command.name in other.commands]
            if taken:
                plugin.error = f"The command /{command.name} is already taken by {taken[0]}."
                tell(
                    PluginError(
                        f"The plugin {plugin.name} has no /{command.name}: {taken[0]} already has one."
                    )
                )
            else:
                plugin.commands[command.name] = command

    def _collect_macros(self, plugin: Plugin) -> None:
        if "register_macros" not in plugin.hooks:
            return
        offered: list[tuple[str, MacroFunction]] = []
        plugin.tell("register_macros", register=lambda name, function: offered.append((name, function)))
        plugin.macros.update(checked_macro(name, function) for name, function in offered)

    def _tell(self, error: AirochatError) -> None:
        self._notice(error.message, error.hint)

    @contextmanager
    def _guarded(
        self, plugin: Plugin, where: str, tell: Callable[[AirochatError], None] | None = None
    ) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise
        except StoreError as error:
            # A full disk or a busy database is not the plugin's fault.
            _log.warning("The plugin %s, %s: %s", plugin.name, where, error)
            (tell or self._tell)(error)
        except BaseException as error:
            (tell or self._tell)(self._switch_off(plugin, where, error))

    def _switch_off(self, plugin: Plugin, where: str, error: BaseException) -> PluginError:
        _log.error("The plugin %s failed %s", plugin.name, where, exc_info=error)
        reason = traceback.format_exception_only(error)[-1].removeprefix("airochat.errors.PluginError: ")
        failure = f"failed {where}: {one_line(reason, 300)}"
        with self._lock:
            plugin.state = "failed"
            plugin.error = f"It {failure}"
        return PluginError(
            f"The plugin {plugin.name} {failure}",
            f"It is off until airochat starts again; `airochat plugins disable {plugin.name}` keeps it off.",
        )
