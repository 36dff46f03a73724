"""One extension: its folder, its loaded script, its parameters, and how its functions are called."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from airochat.errors import UsageError
from airochat.hooks.settings import Setting

from .shims import package_of

SCRIPT = "script.py"
HONOURED = (
    *("setup", "history_modifier", "state_modifier", "chat_input_modifier", "input_modifier"),
    *("custom_generate_chat_prompt", "bot_prefix_modifier", "output_modifier"),
    "logits_processor_modifier",
)
"""The functions that are called."""
IGNORED: Final[dict[str, str]] = {
    "ui": "there are no Gradio widgets; the panel of /textgen and /textgen set have its params",
    "custom_css": "there is no web page",
    "custom_js": "there is no web page",
    "custom_generate_reply": "plugins cannot write a reply in the model's place",
    "custom_tokenized_length": "airochat counts tokens itself; only scripts that ask for a length get it",
    "tokenizer_modifier": "plugins do not see token ids",
    "input_hijack": "it was replaced by chat_input_modifier",
}
"""The names that mean something in a script and have no effect here, with the reason."""


@dataclass(eq=False, slots=True)
class Extension:
    """An extension that the user has enabled."""

    name: str
    folder: Path
    module: ModuleType | None = None
    """The script, once it is loaded."""
    modules: dict[str, ModuleType] = field(default_factory=dict)
    """What its package imported of itself."""
    error: str = ""
    """Why it is off until it is enabled again."""
    loader: threading.Thread | None = None
    """Loads the script."""
    remarks: list[str] = field(default_factory=list)
    """What it wanted and did not get, each once."""

    @property
    def script(self) -> Path:
        """The file with its code."""
        return self.folder / SCRIPT

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters with their present values."""
        found = getattr(self.module, "params", None)
        return found if isinstance(found, dict) else {}

    @property
    def paused(self) -> bool:
        """Whether it is not called since its parameter ``activate`` is off."""
        return "activate" in self.params and not self.params["activate"]

    @property
    def loading(self) -> bool:
        """Whether its script still runs for the first time."""
        return self.loader is not None and self.loader.is_alive()

    @property
    def runs(self) -> bool:
        """Whether it is to be called."""
        return self.module is not None and not (self.error or self.paused or self.loading)

    @property
    def honoured(self) -> list[str]:
        """The functions of the script that are called."""
        return [name for name in HONOURED if callable(getattr(self.module, name, None))]

    @property
    def ignored(self) -> list[str]:
        """The names of the script that have no effect."""
        return [name for name in IGNORED if hasattr(self.module, name)]

    def hook(self, name: str) -> Callable[..., Any] | None:
        """Return a function of the script, if it has it."""
        found = getattr(self.module, name, None)
        return found if callable(found) else None

    def remark(self, text: str) -> None:
        """Note what cannot be done, unless that has been noted."""
        if text not in self.remarks:
            self.remarks.append(text)

    def load(self, values: Mapping[str, Any], shown: dict[str, Any]) -> None:
        """Run the script, set its parameters, and call its ``setup``; raises whatever the script raises.

        The shims must be in place. ``shown`` gets the parameters as scripts find them in the program's settings.
        """
        label = self.name.replace(".", "_")
        self.modules[f"extensions.{label}"] = package = package_of(label, str(self.folder))
        module = _module(f"extensions.{label}.{Path(SCRIPT).stem}", self.script)
        self.modules[module.__name__] = package.script = module  # type: ignore[attr-defined]
        sys.modules.update(self.modules)
        code = compile(self.script.read_bytes(), str(self.script), "exec")
        exec(code, module.__dict__)
        self.module = module
        for key, value in values.items():
            if key in self.params:
                self.params[key] = value
        shown.update({f"{self.name}-{key}": value for key, value in self.params.items()})
        setup = self.hook("setup")
        if setup is not None:
            setup()


def call_text(function: Callable[..., Any], text: str, state: dict[str, Any]) -> Any:
    """Call a function that changes a text with as many of ``text``, ``state`` and ``is_chat`` as it takes."""
    parameters = _parameters(function)
    named = "is_chat" in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return call_some(function, text, state, *([] if named else [True]), is_chat=True)


def call_some(function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """Call a function with as many of the values as it takes, and with those of the named ones that it has."""
    parameters = _parameters(function)
    kinds = [parameter.kind for parameter in parameters.values()]
    places = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and name not in named
    ]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        values = values[: len(places)]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        named = {name: value for name, value in named.items() if name in parameters}
    return function(*values, **named)


def parsed(key: str, default: Any, text: str) -> Any:
    """Return what a user has typed for a parameter, of the type of its default; `UsageError` if it cannot be."""
    kind = {bool: "bool", int: "int", float: "float", str: "text"}.get(type(default))
    if kind is not None:
        return Setting(key, kind, default).parsed(text)
    try:
        return json.loads(text)
    except ValueError:
        if default is None:
            return text
        raise UsageError(f"{key} takes a {type(default).__name__}, written as JSON.") from None


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ImportError(f"{path} is no Python file")
    return importlib.util.module_from_spec(spec)
