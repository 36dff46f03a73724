"""Panels for every front end: which there are, what they show, what is done in them, and how their values read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.hooks import Act, ChatContext, ContextFor, Meter, Outcome, PluginReport, Setting, View
from airochat.session.session import Session
from airochat.settings import Settings
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager

SETTINGS = "settings:"
"""What the names of the forms for plugins' settings begin with; these need no chat."""

_HUGE = 1e15
"""From here on numbers are written with an exponent."""


@dataclass(frozen=True, slots=True)
class PanelEntry:
    """A panel as lists show it."""

    name: str
    title: str
    summary: str
    plugin: str

    @property
    def needs_chat(self) -> bool:
        """Whether it is about a chat."""
        return needs_chat(self.name)


def needs_chat(name: str) -> bool:
    """Return whether a panel is about a chat, as all are but the forms for settings."""
    return not name.startswith(SETTINGS)


def panels(where: Session | SessionManager) -> list[PanelEntry]:
    """List all panels: those that plugins offer, then the forms for their settings; loads the plugins."""
    return [
        PanelEntry(name, panel.title, panel.summary, plugin)
        for name, (plugin, panel) in where.plugins.panels().items()
    ]


def find(where: Session | SessionManager, name: str) -> PanelEntry:
    """Return the panel of a name; the name of a plugin without one means the form for its settings."""
    known = {entry.name: entry for entry in panels(where)}
    found = known.get(name) or known.get(f"{SETTINGS}{name}")
    if found is None:
        raise UsageError(f"There is no panel {one_line(name, 60)!r}.", did_you_mean(name, known))
    return found


def show(where: Session | SessionManager, name: str, place: str = "") -> View:
    """Return what a panel shows at a place; may take as long as plugins may.

    ``where`` is the chat, or the manager if there is none. Raises `UsageError`, `PluginError` if the plugin fails,
    and what the panel tells the user.
    """
    return where.plugins.show_panel(name, place, _context(where, name))


def act(where: Session | SessionManager, name: str, done: Act) -> Outcome:
    """Do what the user did in a panel; raises as `show` does, and `SettingsError` for a value that is refused."""
    return where.plugins.act_on_panel(name, done, _context(where, name))


def allowance(settings: Settings, plugin: PluginReport, allowed: bool) -> dict[str, list[str]]:
    """Return the settings that let a plugin run, or keep it from that; bundled ones run unless they are disabled."""
    enabled = [name for name in settings.plugins_enabled if name != plugin.name]
    disabled = [name for name in settings.plugins_disabled if name != plugin.name]
    if not allowed:
        disabled.append(plugin.name)
    elif plugin.source != "bundled":
        enabled.append(plugin.name)
    return {"plugins_enabled": enabled, "plugins_disabled": disabled}


def allow(manager: SessionManager, plugin: PluginReport, allowed: bool) -> None:
    """Let a plugin run from the next start on, or keep it from that."""
    manager.remember(**allowance(manager.settings, plugin, allowed))


def is_allowed(manager: SessionManager, plugin: PluginReport) -> bool:
    """Return whether a plugin will run at the next start, as far as the settings say."""
    if plugin.name in manager.settings.plugins_disabled:
        return False
    return plugin.source == "bundled" or plugin.name in manager.settings.plugins_enabled


def _context(where: Session | SessionManager, name: str) -> ContextFor:
    if isinstance(where, Session):
        return where.contexts
    if needs_chat(name):
        find(where, name)  # an unknown name is the first thing to say
        raise UsageError(
            f"The panel {one_line(name, 60)} is about a chat, and none is open.", "Open one first."
        )
    return lambda plugin: _no_chat(where, plugin)


def _no_chat(manager: SessionManager, plugin: str) -> ChatContext:
    """Return a chat in which nothing was said, for forms that look at no chat."""
    return manager.plugins.context(
        plugin,
        session_id="",
        title="",
        history=(),
        cards=(),
        persona=None,
        user_name=manager.settings.user_name,
    )


# How values read


def limits(setting: Setting) -> str:
    """Say what a setting takes; empty if that is any text.

    >>> limits(Setting("depth", "int", 4, least=0, most=9)), limits(Setting("weight", "float", 1.0, least=0))
    ('a whole number from 0 to 9', 'a number of at least 0')
    """
    if setting.kind not in ("int", "float"):
        return ""
    kind = "a whole number" if setting.kind == "int" else "a number"
    least, most = is_number(setting.least), is_number(setting.most)
    if least and most:
        return f"{kind} from {amount(setting.least)} to {amount(setting.most)}"
    if least:
        return f"{kind} of at least {amount(setting.least)}"
    return f"{kind} of at most {amount(setting.most)}" if most else kind


def refusal(setting: Setting, text: str) -> str:
    """Return why a setting does not take what was typed, in one sentence; empty if it does."""
    try:
        setting.parsed(text)
    except UsageError as error:
        wanted = limits(setting)
        return f"It must be {wanted}." if wanted else str(error)
    return ""


def is_number(value: float) -> bool:
    """Return whether a value can be reckoned with: it is finite, and no integer beyond all floats."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def amount(value: float) -> str:
    """Write a number for people: ``1,000``, and two digits behind the point at most.

    >>> amount(1000.0), amount(0.125), amount(-3)
    ('1,000', '0.12', '-3')
    """
    if not is_number(value):
        return "?"
    if abs(value) >= _HUGE:
        return f"{value:g}"
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def meter_amounts(meter: Meter) -> str:
    """Write how far something has come, without its name.

    >>> meter_amounts(Meter("words today", 350, 1000, "words"))
    '350 of 1,000 words'
    """
    return f"{amount(meter.value)} of {amount(meter.of)} {meter.unit}".rstrip()


def share(meter: Meter) -> float:
    """Return how full a meter is, from 0 to 1."""
    if not (is_number(meter.value) and is_number(meter.of)) or meter.of <= 0:
        return 0.0
    return max(0.0, min(1.0, meter.value / meter.of))


def written(setting: Setting, value: Any) -> str:
    """Write a value as `Setting.parsed` reads it, safe to be shown."""
    if setting.kind == "bool":
        return "on" if value else "off"
    try:
        return clean(str(value))
    except ValueError:
        return "?"  # Python writes no integer of more than some thousand digits


def title_of(setting: Setting) -> str:
    """Return how a form calls a setting, on one line."""
    return one_line(str(setting.title), 60)


def help_of(setting: Setting) -> str:
    """Return what a form says about a setting and what it takes; two sentences, one, or none."""
    told, wanted = one_line(str(setting.help), 300), limits(setting)
    takes = f"{wanted[:1].upper()}{wanted[1:]}." if wanted else ""
    return " ".join(filter(None, (told, takes)))
