"""All plugins: what they are, whether they run, what they cost, and the way to their panels and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from airochat.errors import AirochatError
from airochat.hooks import PluginReport
from airochat.session import panels
from airochat.session.panels import SETTINGS, PanelEntry
from airochat.text import clean, one_line
from airochat.tui import words
from airochat.tui.latest import Latest
from airochat.tui.screens.choose import Choosable, ChooseScreen
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.listing import Listing

if TYPE_CHECKING:
    from airochat.session import SessionManager
    from airochat.tui.app import AirochatApp

_KEYS: tuple[Hint, ...] = (
    ("enter", "panel"),
    ("s", "settings"),
    ("e", "enable, disable"),
    ("→", "read"),
    ("esc", "back"),
)
_SOURCES = {
    "bundled": "part of airochat",
    "installed": "an installed package",
    "user": "from your plugins folder",
    "missing": "not there",
}
_LONG = 4000
"""Characters of one error that are shown."""


@dataclass(frozen=True, slots=True)
class _Found:
    plugins: list[PluginReport]
    entries: list[PanelEntry]


class PluginsScreen(Screen[None]):
    """Lists the plugins in the order in which they are called."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]
    BINDINGS = [
        Binding("escape", "back", "Back"),
        Binding("s", "settings", "Settings"),
        Binding("e,space", "allow", "Enable or disable"),
        Binding("right", "read", "Read"),
        Binding("left", "to_list", "To the list"),
    ]

    def __init__(self, manager: SessionManager) -> None:
        super().__init__()
        self._manager = manager
        self._plugins: list[PluginReport] = []
        self._entries: list[PanelEntry] = []
        self.listing = Listing(2, id="plugins-list")
        self.activity = Activity(id="plugins-activity")
        self._heading = Static("", id="plugins-title", markup=False)
        self._detail = VerticalScroll(id="plugins-detail")
        self._page = Static("", id="plugins-page", markup=False)

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield self._heading
        with Horizontal(id="plugins-body"):
            yield self.listing
            with self._detail:
                yield self._page
        yield self.activity
        yield Hints(_KEYS, id="plugins-hints")

    def on_mount(self) -> None:
        """Look at the plugins, which loads those that may run."""
        self._looking = Latest(cast("AirochatApp", self.app).bridge)
        self._title("looking …")
        self.listing.focus()
        self._look()

    def on_screen_resume(self) -> None:
        """Look again after a panel, which may have failed."""
        if self._plugins:
            self._look()

    def _look(self) -> None:
        manager = self._manager

        def look() -> _Found:
            entries = panels.panels(manager)
            return _Found(manager.plugins.reports(), entries)

        self._looking.ask(look, self._take)

    def _take(self, result: _Found | AirochatError) -> None:
        if not self.is_attached:
            return
        if isinstance(result, AirochatError):
            self.activity.problem(result.message, result.hint)
            return
        self._plugins, self._entries = result.plugins, result.entries
        self.listing.show(len(self._plugins), self._row, self.listing.chosen)
        on = sum(plugin.state == "on" for plugin in self._plugins)
        failed = sum(plugin.state == "failed" for plugin in self._plugins)
        self._title(f"{on} of {len(self._plugins)} on" + (f", {failed} failed" if failed else ""))

    def _title(self, facts: str) -> None:
        title = Content.assemble(("Plugins", "bold $rp-ink"), "   ", (facts, "$rp-faint"))
        self._heading.update(title)

    # One of them

    @property
    def _chosen(self) -> PluginReport | None:
        index = self.listing.chosen
        return self._plugins[index] if index is not None and index < len(self._plugins) else None

    def _row(self, index: int, width: int) -> list[Content]:
        plugin = self._plugins[index]
        state = self._state(plugin)
        name = one_line(plugin.name, max(8, width - len(state) - 2))
        gap = " " * max(2, width - len(name) - len(state) - 1)
        style = "$rp-error" if plugin.state == "failed" else "$rp-faint"
        ink = "bold $rp-ink" if plugin.state == "on" else "$rp-soft"
        return [
            Content.assemble((name, ink), gap, (state, style)),
            Content.styled(one_line(plugin.summary or plugin.error, 200), "$rp-faint"),
        ]

    def _state(self, plugin: PluginReport) -> str:
        if plugin.source == "missing":
            return "not there"
        coming = "on" if panels.is_allowed(self._manager, plugin) else "off"
        running = "off" if plugin.state == "off" else "on"
        return plugin.state if coming == running else f"{plugin.state}, then {coming}"

    def _own(self, plugin: PluginReport) -> list[PanelEntry]:
        return [entry for entry in self._entries if entry.plugin == plugin.name]

    @on(Listing.Moved)
    def _show(self) -> None:
        plugin = self._chosen
        if plugin is not None:
            allowed = panels.is_allowed(self._manager, plugin)
            page = about(plugin, self._own(plugin), allowed)
            self._page.update(page)
            self._detail.scroll_home(animate=False)

    @on(Listing.Picked)
    def _picked(self) -> None:
        """Open the panel or the settings; ask where there are several panels."""
        plugin = self._chosen
        own = self._own(plugin) if plugin is not None else []
        offered = [entry for entry in own if entry.needs_chat]
        if len(offered) > 1:
            things = [Choosable(entry.name, entry.title, entry.summary) for entry in own]
            self.app.push_screen(ChooseScreen("Which panel?", things), self._open)
        else:
            self._open(next((entry.name for entry in (*offered, *own)), ""))

    def action_settings(self) -> None:
        """Open the form for the settings."""
        plugin = self._chosen
        own = [entry.name for entry in self._own(plugin)] if plugin is not None else []
        self._open(next((name for name in own if name.startswith(SETTINGS)), ""))

    def _open(self, name: str | None) -> None:
        if name is None:
            return
        self.activity.clear()
        try:
            if not name:
                self.activity.problem(
                    "A plugin that is off has no panels.", "e lets it run from the next start on."
                )
            else:
                cast("AirochatApp", self.app).open_panel(name)
        except AirochatError as error:
            self.activity.problem(error.message, error.hint)

    def action_allow(self) -> None:
        """Let the plugin run from the next start on, or keep it from that."""
        plugin = self._chosen
        if plugin is None or plugin.source == "missing":
            return
        self.activity.clear()
        allowed = not panels.is_allowed(self._manager, plugin)
        try:
            panels.allow(self._manager, plugin, allowed)
        except AirochatError as error:
            self.activity.problem(error.message, error.hint)
            return
        self.listing.redraw()
        self._show()
        name = one_line(plugin.name, 40)
        said = "runs" if allowed else "is off"
        self.notify(f"{name} {said} from the next start on.", markup=False)

    # Moving about

    def action_read(self) -> None:
        """Go to the page about the plugin."""
        self._detail.focus()

    def action_to_list(self) -> None:
        """Go back to the list."""
        self.listing.focus()

    def action_back(self) -> None:
        """Go from the page to the list, and from there away."""
        if self.listing.has_focus:
            self.dismiss(None)
        else:
            self.listing.focus()

    def on_descendant_focus(self) -> None:
        """Where there is room for one thing only, show what has the focus."""
        self.set_class(not self.listing.has_focus, "-reading")


def about(plugin: PluginReport, entries: Sequence[PanelEntry], allowed: bool) -> Content:
    """Return the page about a plugin."""
    lines = [
        Content.assemble(
            (one_line(plugin.name, 60), "bold $rp-ink"), "  ", (plugin.version[:40], "$rp-faint")
        )
    ]
    lines.append(Content.styled(one_line(plugin.summary, 300), "$rp-soft"))
    lines += [Content(""), Content.styled(_running(plugin, allowed), "$rp-ink")]
    if plugin.error:
        lines.append(Content.styled(clean(plugin.error)[:_LONG], "$rp-error"))
    if plugin.source not in ("bundled", "missing") and not allowed:
        lines.append(Content.styled("It would run with all your rights, so look at it first.", "$rp-soft"))
    lines.append(Content(""))
    for entry in entries:
        kind = "" if entry.name.startswith(SETTINGS) else f"/panel {entry.name}"
        lines.append(
            Content.assemble(("· ", "$rp-accent"), (entry.title, "$rp-soft"), "  ", (kind, "$rp-faint"))
        )
    lines += [Content("")] if entries else []
    spent = (
        f"{words.count(plugin.calls, 'call')}, {_seconds(plugin.seconds)} in all"
        if plugin.calls
        else "never called"
    )
    lines.append(Content.styled(f"{spent}, place {plugin.order} in the order", "$rp-faint"))
    lines.append(Content.styled(_SOURCES[plugin.source], "$rp-faint"))
    if plugin.path:
        lines.append(Content.styled(clean(plugin.path), "$rp-faint"))
    if plugin.hooks:
        lines.append(Content.styled("hooks: " + ", ".join(map(str, plugin.hooks)), "$rp-faint"))
    for failure in plugin.failures:
        lines.append(Content.styled(clean(failure)[:_LONG], "$rp-faint"))
    return Content("\n").join(lines)


def _running(plugin: PluginReport, allowed: bool) -> str:
    if plugin.source == "missing":
        return "It is enabled, and not there."
    now = {"on": "It runs", "off": "It is off", "failed": "It has failed and is off"}[plugin.state]
    if plugin.state == "on" and not allowed:
        return f"{now}, and is off from the next start on."
    if plugin.state == "off" and allowed:
        return f"{now}, and runs from the next start on."
    return f"{now}."


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:,.0f} ms"
