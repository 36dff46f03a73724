"""The form for a plugin's settings: a panel like those that plugins offer, made from what ``plugin.toml`` declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airochat.hooks.context import ChatContext
from airochat.hooks.panels import Act, Button, Field, Outcome, Panel, Part, Text, View

if TYPE_CHECKING:
    from airochat.hooks.host import PluginHost

SAVE, RESET = "save", "defaults"


def settings_panel(host: PluginHost, plugin: str) -> Panel:
    """Return the form for the settings of a plugin, its place in the order among them."""

    def show(context: ChatContext, place: str) -> View:
        fields: list[Part] = [Field(setting, value) for setting, value in host.settings(plugin)]
        summary = next(report.summary for report in host.reports() if report.name == plugin)
        buttons = (Button(SAVE, "Save"), Button(RESET, "Defaults", "Take the defaults for all of these?"))
        return View(f"Settings of {plugin}", (Text(summary, "soft"), *fields, *buttons))

    def act(context: ChatContext, done: Act) -> Outcome:
        known = [setting.name for setting, _ in host.settings(plugin)]
        host.set(plugin, dict.fromkeys(known) if done.button == RESET else done.values)
        return Outcome("The settings are saved." if done.button == SAVE else "The defaults count again.")

    return Panel(f"settings:{plugin}", f"Settings of {plugin}", "What can be set for this plugin.", show, act)
