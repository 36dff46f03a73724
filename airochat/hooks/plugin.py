"""One plugin in the host: what was found, whether it runs, and how its hooks are called."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import pluggy

from airochat import checks
from airochat.errors import PluginError, SettingsError
from airochat.hooks import hookspecs
from airochat.hooks.discovery import Found
from airochat.hooks.results import OFFERS
from airochat.hooks.settings import ORDER, PLACE, values_of

State = Literal["on", "off", "failed"]
"""Whether a plugin is called; ``failed`` ones have a reason and are not."""


@dataclass(slots=True)
class Plugin:
    """A plugin and its state.

    Each has a pluggy manager of its own: so plugins are called in our order, one failure ends no other call, and the
    one to blame is known.
    """

    found: Found
    state: State
    error: str = ""
    hooks: tuple[str, ...] = ()
    offered: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What it offers, by the name of the ``register_*`` hook, and there by its own."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The values of its settings; cannot be changed from outside."""
    problems: list[SettingsError] = field(default_factory=list)
    """What is wrong with the values that the user has set."""
    order: int = 0
    """Plugins of a lower number are called first."""
    calls: int = 0
    seconds: float = 0.0
    """How long its calls took together."""
    manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager(hookspecs.PROJECT))

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.found.name

    def configure(self, table: Mapping[str, Any]) -> None:
        """Take in what the user has set for it."""
        own = {key: value for key, value in table.items() if key != ORDER}
        values, self.problems = values_of(self.found.settings, own)
        order, wrong = values_of((PLACE,), {key: table[key] for key in table.keys() & {ORDER}})
        self.problems += wrong
        self.settings = MappingProxyType(values)
        self.order = order[ORDER] if ORDER in table and not wrong else self.found.order

    def load(self) -> None:
        """Run the plugin's code and check its hooks; raises whatever the plugin raises, and `PluginError`."""
        self.manager.add_hookspecs(hookspecs)
        known = [name for name in vars(hookspecs) if hasattr(self.manager.hook, name)]
        plugin = self.found.load()
        self.manager.register(plugin, self.name)
        callers = self.manager.get_hookcallers(plugin) or []
        for caller in callers:
            (hook,) = caller.get_hookimpls()
            if not caller.has_spec() and not hook.optionalhook:
                raise PluginError(
                    f"There is no hook {caller.name!r}.", checks.did_you_mean(caller.name, known)
                )
            if hook.wrapper or hook.hookwrapper:
                raise PluginError(f"{caller.name} is a hook wrapper; plugins cannot wrap each other.")
        self.hooks = tuple(caller.name for caller in callers if caller.has_spec())
        if not self.hooks:
            raise PluginError("It has no hooks.", "Put @airochat.hookimpl above its functions.")

    def collect(self, hook: str) -> list[tuple[str, Any]]:
        """Return what it registers by a hook, checked, each with its name."""
        offered: list[tuple[Any, ...]] = []
        self.tell(hook, register=lambda *given: offered.append(given))
        return [OFFERS[hook](*given) for given in offered]

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call one hook of this plugin and return what it returned; raises whatever it raises."""
        results = getattr(self.manager.hook, hook)(**arguments)
        result = results[0] if results else None
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(f"{hook} is async; hooks are ordinary functions")
        return result

    def tell(self, hook: str, **arguments: Any) -> None:
        """Call a hook that returns nothing; `TypeError` if it does, since the author expected it to matter."""
        result = self.call(hook, **arguments)
        if result is not None:
            raise TypeError(f"{hook} must return nothing, not {type(result).__name__}")
