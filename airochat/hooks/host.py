"""The plugin host: everything that the program asks of its plugins."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from airochat import checks
from airochat.errors import UsageError
from airochat.hooks.context import ContextFor
from airochat.hooks.drafts import Drafts
from airochat.hooks.forms import settings_panel
from airochat.hooks.offers import Command
from airochat.hooks.panels import Act, Outcome, Panel, View
from airochat.hooks.plugin import Plugin
from airochat.hooks.results import checked_act, checked_outcome, checked_view
from airochat.hooks.settings import PLACE, Setting
from airochat.prompt.macros import MacroCall, MacroFunction
from airochat.text import clean, one_line

_LINE = re.compile(r"\s*/?(\S*)\s*(.*)", re.DOTALL)


class PluginHost(Drafts):
    """All plugins of one data folder. Methods may be called from any thread.

    ``data`` returns what a plugin keeps in a scope. Bundled plugins run unless ``disabled``; others only if
    ``enabled``. The environment variable ``AIROCHAT_PLUGINS`` overrides both: only the names listed there run, none
    if it is empty; ``only`` overrides all. ``notice`` is told in two sentences when a plugin fails. Plugins are found
    at once, without running their code, and loaded at the first call of a hook. They are called in the order of their
    ``order``, then as they were found; each call has a time limit.
    """

    # -- settings -----------------------------------------------------------------------------------------------

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

    def data_folders(self, kind: str) -> list[Path]:
        """Return the folders of a name, such as ``themes``, that plugins that may run have; loads none.

        Those of installed packages are left out: where they lie is known only once they are imported.
        """
        with self._lock:
            running = [plugin.found for plugin in self._plugins if plugin.state == "on"]
            places = [Path(found.path) / kind for found in running if found.source in ("bundled", "user")]
        return [place for place in places if place.is_dir()]

    # -- what plugins offer -------------------------------------------------------------------------------------

    def offered(self, hook: str) -> dict[str, tuple[str, Any]]:
        """Return what plugins offer by a ``register_*`` hook, by name, each with its plugin."""
        return {
            name: (plugin.name, value)
            for plugin in self._active()
            for name, value in plugin.offered.get(hook, {}).items()
        }

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Return the slash commands by name, each with the name of its plugin."""
        return self.offered("register_commands")

    def macros(self) -> dict[str, MacroFunction]:
        """Return the macros that plugins offer, by name; of two of one name, that of the last plugin."""
        return {
            name: partial(self._run_macro, plugin, function)
            for plugin in self._active()
            for name, function in plugin.offered.get("register_macros", {}).items()
        }

    def macro_failed(self, name: str, error: Exception) -> None:
        """Switch off the plugin whose macro raised."""
        owners = [plugin for plugin in self._active() if name in plugin.offered.get("register_macros", {})]
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
        context = context_for(owner)

        def run() -> str:
            answer: object = command.run(context, rest)
            if not isinstance(answer, str):
                raise TypeError(f"the answer is a {type(answer).__name__}, not a text")
            return clean(answer)

        return self.use(owner, f"in /{name}", run)

    # -- panels -------------------------------------------------------------------------------------------------

    def panels(self) -> dict[str, tuple[str, Panel]]:
        """Return the panels by name, each with its plugin: those that plugins offer, then forms for their settings.

        A form is called ``settings:PLUGIN``.
        """
        found = self.offered("register_panels")
        for report in self.reports():
            if report.state == "on":
                found[f"settings:{report.name}"] = (report.name, settings_panel(self, report.name))
        return found

    def show_panel(self, name: str, place: str, context_for: ContextFor) -> View:
        """Return what a panel shows at a place; raises `UsageError`, `PluginError`, and what it tells the user."""
        owner, panel = self._panel(name)
        context = context_for(owner)

        def show() -> View:
            return checked_view(panel.show(context, place))

        return self.use(owner, f"in the panel {name}", show, self.watch.limits.hook)

    def act_on_panel(self, name: str, act: Act, context_for: ContextFor) -> Outcome:
        """Do what the user did in a panel; raises as `show_panel`, and if there is no such button or row any more."""
        view = self.show_panel(name, act.place, context_for)
        checked = checked_act(view, act)
        owner, panel = self._panel(name)
        context = context_for(owner)

        def run() -> Outcome:
            return checked_outcome(panel.act(context, checked))

        return self.use(owner, f"in the panel {name}", run)

    # -- inside -------------------------------------------------------------------------------------------------

    def _panel(self, name: str) -> tuple[str, Panel]:
        panels = self.panels()
        if name not in panels:
            raise UsageError(f"There is no panel {one_line(name, 60)!r}.", checks.did_you_mean(name, panels))
        return panels[name]

    def _run_macro(self, plugin: Plugin, function: MacroFunction, call: MacroCall) -> str | None:
        return self._timed(plugin, partial(function, call), self.watch.limits.macro)
