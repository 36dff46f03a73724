"""Which plugins run, and how each call into one is isolated: timed, limited, and survived."""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from airochat import checks
from airochat.errors import AirochatError, PluginError, StoreError, UsageError
from airochat.hooks.context import ChatContext, PluginContext
from airochat.hooks.discovery import Found, find_plugins, missing
from airochat.hooks.plugin import Plugin, State
from airochat.hooks.results import OFFERS, label
from airochat.hooks.services import Chat, Data, Services, chat_context, plugin_context
from airochat.hooks.settings import FILE, ValuesFile
from airochat.hooks.trace import Step, differences
from airochat.hooks.usage import PluginReport, UsageBook
from airochat.hooks.watch import Overtime, Watch
from airochat.text import one_line

_log = logging.getLogger(__name__)
_Value = TypeVar("_Value")


class PluginRunner:
    """The plugins of one data folder, and all calls into them. Methods may be called from any thread."""

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

    def use(
        self,
        name: str,
        where: str,
        call: Callable[[], _Value],
        seconds: float | None = None,
    ) -> _Value:
        """Return what a call into a plugin returns, made for somebody who waits for it.

        ``where`` says what is called, such as ``in /roll``. An `AirochatError` is passed on, as what the plugin tells
        the user; for any other exception the plugin is switched off, and `PluginError` raised.
        """
        plugin = self._running(name)
        try:
            return self._timed(plugin, call, seconds or self.watch.limits.command)
        except (KeyboardInterrupt, AirochatError):
            raise
        except BaseException as error:
            raise self._switch_off(plugin, where, error) from error

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

    def _running(self, name: str) -> Plugin:
        found = [plugin for plugin in self._active() if plugin.name == name]
        if not found:
            raise PluginError(
                f"The plugin {one_line(name, 60)} is off.", "`airochat plugins list` tells why."
            )
        return found[0]

    def _load(self, plugin: Plugin, tell: Callable[[AirochatError], None]) -> None:
        """Run a plugin's code and collect what it offers; the caller holds the lock."""
        if not self._run(plugin, "while it was loaded", plugin.load, self.watch.limits.load, tell):
            return
        for hook in OFFERS:
            if hook in plugin.hooks and plugin.state == "on":
                for offered in self._run(plugin, f"in {hook}", partial(plugin.collect, hook), None, tell):
                    plugin.offered[hook] = {
                        name: value for name, value in offered if self._is_free(plugin, hook, name, tell)
                    }

    def _is_free(self, plugin: Plugin, hook: str, name: str, tell: Callable[[AirochatError], None]) -> bool:
        taken = [other.name for other in self._plugins if name in other.offered.get(hook, {})]
        if not taken or hook == "register_macros":
            return True
        what = label(hook, name)
        plugin.error = f"{what} is already taken by {taken[0]}."
        tell(PluginError(f"The plugin {plugin.name} has no {what}: {taken[0]} already has one."))
        return False

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
