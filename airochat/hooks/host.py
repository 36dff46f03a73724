"""The plugin host: decides which plugins run, calls them one by one, and survives whatever they do."""

from __future__ import annotations

import copy
import dataclasses
import logging
import os
import re
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from airochat import checks
from airochat.errors import AirochatError, PluginError, StoreError, UsageError
from airochat.hooks.context import (
    BlocksDraft,
    ChatContext,
    Command,
    ContextFor,
    Event,
    PluginContext,
    ReplyDraft,
    SamplingDraft,
    UserMessageDraft,
)
from airochat.hooks.discovery import Found, find_plugins, missing
from airochat.hooks.plugin import Plugin, State
from airochat.hooks.results import checked_blocks, checked_change
from airochat.hooks.services import Chat, Data, Services, chat_context, plugin_context
from airochat.hooks.settings import FILE, PLACE, Setting, ValuesFile
from airochat.hooks.trace import Step, differences
from airochat.hooks.usage import PluginReport, UsageBook
from airochat.hooks.watch import Overtime, Watch
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroCall, MacroFunction
from airochat.sampling import Sampling
from airochat.text import clean, one_line

_log = logging.getLogger(__name__)
_LINE = re.compile(r"\s*/?(\S*)\s*(.*)", re.DOTALL)
_Value = TypeVar("_Value")


class PluginHost:
    """All plugins of one data folder. Methods may be called from any thread.

    ``data`` returns what a plugin keeps in a scope. Bundled plugins run unless ``disabled``; others only if
    ``enabled``. The environment variable ``AIROCHAT_PLUGINS`` overrides both: only the names listed there run, none
    if it is empty; ``only`` overrides all. ``notice`` is told in two sentences when a plugin fails. Plugins are found
    at once, without running their code, and loaded at the first call of a hook. They are called in the order of their
    ``order``, then as they were found; each call has a time limit.
    """

    def __init__(
        self,
        user_dir: Path | None,
        data: Data,
        enabled: Collection[str] = (),
        notice: Callable[[str, str], None] = lambda message, hint: None,
        disabled: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> None:
        self._data = data
        self._notice = notice
        self.services = Services()
        """What the program does for the plugins; set by whoever has a model and a folder."""
        self.watch = Watch()
        """Runs all calls of plugins, each for a limited time."""
        self.on_step: Callable[[Step], None] | None = None
        """Told what each plugin changes, for a trace."""
        self._usage = UsageBook(data)
        self._lock = threading.RLock()
        self._loaded = False
        self._values = ValuesFile(None if user_dir is None else user_dir / FILE)
        listed = os.environ.get("AIROCHAT_PLUGINS")
        if only is None and listed is not None:
            only = {name.strip() for name in listed.split(",")} - {""}
        self._plugins: list[Plugin] = []
        for found in find_plugins(user_dir):
            allowed = found.name not in disabled and (found.source == "bundled" or found.name in enabled)
            self._add(found, allowed if only is None else found.name in only)
        known = {plugin.name for plugin in self._plugins}
        for name in sorted((set(enabled) if only is None else set(only)) - known):
            self._add(missing(name), True)
        self._plugins.sort(key=lambda plugin: plugin.order)

    # -- what there is ------------------------------------------------------------------------------------------

    def reports(self) -> list[PluginReport]:
        """Return what is known of every plugin, in the order in which they are called; loads none."""
        with self._lock:
            return [self._usage.report(plugin) for plugin in self._plugins]

    def load(self) -> None:
        """Load the plugins that may run, unless that has been done."""
        told: list[AirochatError] = []
        with self._lock:
            if self._loaded:
                return
            self._loaded = True
            if self._values.problem is not None:
                told.append(self._values.problem)
            for plugin in self._plugins:
                if plugin.state == "failed":
                    told.append(PluginError(f"The plugin {plugin.name} was not loaded: {plugin.error}"))
                elif plugin.state == "on":
                    told += (PluginError(f"The plugin {plugin.name}: {one}") for one in plugin.problems)
                    self._load(plugin, told.append)
        # Not under the lock, since a listener may wait for a thread that waits for the lock.
        for error in told:
            self._tell(error)

    def settings(self, name: str) -> tuple[tuple[Setting, Any], ...]:
        """Return the settings of a plugin with their values, its place in the order among them; loads none."""
        plugin = self._named(name)
        order = (dataclasses.replace(PLACE, default=plugin.found.order), plugin.order)
        return (*((setting, plugin.settings[setting.name]) for setting in plugin.found.settings), order)

    def set(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change settings of a plugin, durably; None takes the default back.

        Raises `SettingsError`; then nothing has changed. A new ``order`` counts from the next start on.
        """
        plugin = self._named(name)
        known = {setting.name: setting for setting, _ in self.settings(name)}
        for key, value in changes.items():
            if key not in known:
                raise UsageError(
                    f"The plugin {name} has no setting {one_line(key, 40)!r}.",
                    checks.did_you_mean(key, known),
                )
            if value is not None:
                known[key].checked(value)
        with self._lock:
            self._values.write(name, changes)
            plugin.configure(self._values.table(name))

    def close(self) -> None:
        """Keep how much time the plugins have taken; the host may be used further."""
        with self._lock:
            for plugin in self._plugins:
                self._usage.add(plugin)

    # -- contexts -----------------------------------------------------------------------------------------------

    def context(self, plugin: str, **chat: Any) -> ChatContext:
        """Return a chat as a plugin sees it; ``chat`` are the fields of a `Chat`."""
        return chat_context(plugin, self._data, self.services, self._settings(plugin), Chat(**chat))

    def own_context(self, plugin: str) -> PluginContext:
        """Return what a plugin has where there is no chat."""
        return plugin_context(plugin, self._data, self.services, self._settings(plugin))

    # -- calling ------------------------------------------------------------------------------------------------

    def offers(self, hook: str) -> bool:
        """Return whether a plugin is there for a hook."""
        return bool(self._offering(hook))

    def blocks(self, context_for: ContextFor) -> list[Block]:
        """Return the blocks that plugins add to a prompt; each source begins with ``plugin:NAME``."""
        blocks: list[Block] = []
        for plugin in self._offering("contribute_blocks"):
            context = context_for(plugin.name)

            def contribute(plugin: Plugin = plugin, context: ChatContext = context) -> list[Block]:
                return checked_blocks(plugin.name, plugin.call("contribute_blocks", context=context))

            for added in self._step(plugin, "contribute_blocks", [], contribute):
                blocks += added
        return blocks

    def changed_blocks(self, context_for: ContextFor, blocks: list[Block]) -> list[Block]:
        """Return all blocks of a prompt after all plugins have changed them."""
        return self._transformed("transform_blocks", context_for, blocks, BlocksDraft, "blocks")

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
        self, hook: str, context_for: Callable[[str], PluginContext], event: Event | None = None
    ) -> None:
        """Call one of the ``on_*`` hooks, with an event unless it takes none."""
        given = {} if event is None else {"event": event}
        for plugin in self._offering(hook):
            context = context_for(plugin.name)
            self._run(plugin, f"in {hook}", partial(plugin.tell, hook, context=context, **given))

    # -- what plugins offer -------------------------------------------------------------------------------------

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Return the slash commands by name, each with the name of its plugin."""
        return {
            name: (plugin.name, command)
            for plugin in self._active()
            for name, command in plugin.commands.items()
        }

    def macros(self) -> dict[str, MacroFunction]:
        """Return the macros that plugins offer, by name; of two of one name, that of the last plugin."""
        return {
            name: partial(self._run_macro, plugin, function)
            for plugin in self._active()
            for name, function in plugin.macros.items()
        }

    def macro_failed(self, name: str, error: Exception) -> None:
        """Switch off the plugin whose macro raised."""
        owners = [plugin for plugin in self._active() if name in plugin.macros]
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

        def run() -> str:
            answer: object = command.run(context, rest)
            if not isinstance(answer, str):
                raise TypeError(f"the answer is a {type(answer).__name__}, not a text")
            return clean(answer)

        try:
            return self._timed(plugin, run, self.watch.limits.command)
        except (KeyboardInterrupt, AirochatError):
            raise
        except BaseException as error:
            raise self._switch_off(plugin, f"in /{name}", error) from error

    # -- inside -------------------------------------------------------------------------------------------------

    def _add(self, found: Found, wanted: bool) -> None:
        state: State = "off" if not wanted else "failed" if found.error else "on"
        plugin = Plugin(found, state, found.error)
        plugin.configure(self._values.table(found.name))
        self._plugins.append(plugin)

    def _named(self, name: str) -> Plugin:
        found = [plugin for plugin in self._plugins if plugin.name == name and not plugin.found.error]
        if not found:
            known = [plugin.name for plugin in self._plugins if not plugin.found.error]
            raise UsageError(f"There is no plugin {one_line(name, 60)!r}.", checks.did_you_mean(name, known))
        return found[0]

    def _settings(self, name: str) -> Mapping[str, Any]:
        return next((plugin.settings for plugin in self._plugins if plugin.name == name), {})

    def _active(self) -> list[Plugin]:
        self.load()
        with self._lock:
            return [plugin for plugin in self._plugins if plugin.state == "on"]

    def _offering(self, hook: str) -> list[Plugin]:
        return [plugin for plugin in self._active() if hook in plugin.hooks]

    def _load(self, plugin: Plugin, tell: Callable[[AirochatError], None]) -> None:
        """Run a plugin's code and collect what it offers; the caller holds the lock."""
        limits = self.watch.limits
        if not self._run(plugin, "while it was loaded", plugin.load, limits.load, tell):
            return
        if "register_macros" in plugin.hooks:
            for macros in self._run(plugin, "in register_macros", plugin.offered_macros, None, tell):
                plugin.macros = macros
        if "register_commands" in plugin.hooks and plugin.state == "on":
            for commands in self._run(plugin, "in register_commands", plugin.offered_commands, None, tell):
                for command in commands:
                    self._keep(plugin, command, tell)

    def _keep(self, plugin: Plugin, command: Command, tell: Callable[[AirochatError], None]) -> None:
        taken = [other.name for other in self._plugins if command.name in other.commands]
        if not taken:
            plugin.commands[command.name] = command
            return
        plugin.error = f"The command /{command.name} is already taken by {taken[0]}."
        tell(PluginError(f"The plugin {plugin.name} has no /{command.name}: {taken[0]} already has one."))

    def _transformed(
        self,
        hook: str,
        context_for: ContextFor,
        value: _Value,
        draft_type: Callable[[_Value], object],
        field: str,
    ) -> _Value:
        for plugin in self._offering(hook):
            context = context_for(plugin.name)
            # A list of its own, so that what is done to it is not used unless all of it can be.
            draft = draft_type(copy.copy(value))

            def transform(
                plugin: Plugin = plugin,
                context: ChatContext = context,
                before: _Value = value,
                draft: Any = draft,
            ) -> _Value:
                plugin.tell(hook, context=context, draft=draft)
                return checked_change(plugin.name, before, getattr(draft, field))

            for changed in self._step(plugin, hook, value, transform):
                value = changed
        return value

    def _run_macro(self, plugin: Plugin, function: MacroFunction, call: MacroCall) -> str | None:
        return self._timed(plugin, partial(function, call), self.watch.limits.macro)

    def _step(self, plugin: Plugin, hook: str, before: object, call: Callable[[], _Value]) -> list[_Value]:
        """Run a hook that changes or adds something, and tell about it; see `_run`."""
        begun = time.perf_counter()
        results = self._run(plugin, f"in {hook}", call)
        if self.on_step is not None:
            changes = differences(before, results[0]) if results else ()
            error = "" if results else plugin.error
            self.on_step(Step(hook, plugin.name, time.perf_counter() - begun, changes, error))
        return results

    def _run(
        self,
        plugin: Plugin,
        where: str,
        call: Callable[[], _Value],
        seconds: float | None = None,
        tell: Callable[[AirochatError], None] | None = None,
    ) -> list[_Value]:
        """Return what a call into a plugin returns as a list of one; an empty list if it failed, which is told."""
        try:
            return [self._timed(plugin, call, seconds or self.watch.limits.hook)]
        except KeyboardInterrupt:
            raise
        except StoreError as error:
            # A full disk or a busy database is not the plugin's fault.
            _log.warning("The plugin %s, %s: %s", plugin.name, where, error)
            (tell or self._tell)(error)
        except BaseException as error:
            (tell or self._tell)(self._switch_off(plugin, where, error))
        return []

    def _timed(self, plugin: Plugin, call: Callable[[], _Value], seconds: float) -> _Value:
        begun = time.perf_counter()
        try:
            return self.watch.run(call, seconds)
        finally:
            plugin.calls += 1
            plugin.seconds += time.perf_counter() - begun

    def _tell(self, error: AirochatError) -> None:
        self._notice(error.message, error.hint)

    def _switch_off(self, plugin: Plugin, where: str, error: BaseException) -> PluginError:
        _log.error("The plugin %s failed %s", plugin.name, where, exc_info=error)
        reason = traceback.format_exception_only(error)[-1]
        for own in (PluginError, Overtime):
            reason = reason.removeprefix(f"{own.__module__}.{own.__name__}: ")
        failure = f"failed {where}: {one_line(reason, 300)}"
        with self._lock:
            plugin.state = "failed"
            plugin.error = f"It {failure}"
            self._usage.failed(plugin)
        return PluginError(
            f"The plugin {plugin.name} {failure}",
            f"It is off until airochat starts again; `airochat plugins disable {plugin.name}` keeps it off.",
        )
