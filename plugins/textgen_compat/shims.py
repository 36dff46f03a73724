"""What scripts import from the program that they were written for, there only while one of them runs."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

from .inert import Inert, InertFinder, InertModule
from .transcript import render

PACKAGES = ("modules", "extensions", "gradio")
"""The packages that are taken over; what was there before comes back."""
_TRANSFORMERS = "transformers"
_LOCK = threading.Lock()
"""Held while shims are in place; the engine may have some of its own in this process."""
_INERT = ("modules.ui", "modules.ui_chat", "modules.html_generator", "modules.extensions")
_LOG = "airochat.plugin.textgen_compat.scripts"


class Busy(Exception):
    """Another script runs, and does not end in time."""


@dataclass(slots=True)
class Live:
    """What the functions of the shims work with during a call."""

    state: dict[str, Any] = field(default_factory=dict)
    count_tokens: Callable[[Sequence[str]], list[int]] = lambda texts: [len(text) // 4 for text in texts]
    own_length: Callable[[str], Any] | None = None
    """The ``custom_tokenized_length`` of the first extension that has one."""


class Arguments(SimpleNamespace):
    """Command line arguments, of which none was given."""

    def __getattr__(self, name: str) -> Any:
        """Return None for every other argument."""
        if name.startswith("__"):
            raise AttributeError(name)


class LogitsProcessor:
    """What scripts derive processors from: called with the ids so far and the scores, it returns the scores."""


class LogitsProcessorList(list[Any]):
    """A list of processors."""


class Shims:
    """The modules for scripts, and their coming and going in ``sys.modules``."""

    def __init__(self) -> None:
        self.live = Live()
        # What scripts take from it is two empty classes, so that it need not be installed for these.
        without = importlib.util.find_spec(_TRANSFORMERS) is None
        self._packages = (*PACKAGES, _TRANSFORMERS) if without else PACKAGES
        self._finder = InertFinder(["gradio"])
        self._modules = {module.__name__: module for module in self._made()}

    @property
    def settings(self) -> dict[str, Any]:
        """What scripts see as ``shared.settings``."""
        found: dict[str, Any] = self._modules["modules.shared"].settings
        return found

    @contextmanager
    def installed(self, own: dict[str, ModuleType], seconds: float) -> Iterator[None]:
        """Put the shims and a script's ``own`` modules in place; `Busy` if others need longer than ``seconds``.

        Modules of the script's package that are imported meanwhile are added to its own.
        """
        if not _LOCK.acquire(timeout=max(0.0, seconds)):
            raise Busy
        try:
            before = _taken_out(self._packages)
            sys.modules.update(self._modules | own)
            sys.meta_path.insert(0, self._finder)
            try:
                yield
            finally:
                sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._finder]
                for name, module in _taken_out(self._packages).items():
                    kept = own if name.startswith("extensions.") else self._modules
                    kept.setdefault(name, module)
                sys.modules.update(before)
        finally:
            _LOCK.release()

    def processor_list(self) -> list[Any]:
        """Return the empty list of processors that a script is given."""
        known = self._modules.get(_TRANSFORMERS) or sys.modules.get(_TRANSFORMERS)
        kind = getattr(known, "LogitsProcessorList", list)
        found: list[Any] = kind()
        return found

    def _made(self) -> Iterator[ModuleType]:
        logger = logging.getLogger(_LOG)
        parts = {
            "shared": _shared(),
            "chat": {"generate_chat_prompt": self._prompt, "replace_character_names": _named},
            "text_generation": {
                "encode": self._encode,
                "get_encoded_length": self._length,
                "get_max_prompt_length": _room,
                "generate_reply": _no_reply,
            },
            "logging_colors": {"logger": logger},
            "utils": {"gradio": _widgets},
        }
        package = _module("modules", parts={}, package=True)
        for name, values in parts.items():
            module = _module(f"modules.{name}", values)
            setattr(package, name, module)
            yield module
        for name in _INERT:
            inert = InertModule(name)
            setattr(package, name.rpartition(".")[2], inert)
            yield inert
        yield package
        yield _module("extensions", parts={}, package=True)
        yield InertModule("gradio")
        if _TRANSFORMERS in self._packages:
            yield _module(
                _TRANSFORMERS,
                {"LogitsProcessor": LogitsProcessor, "LogitsProcessorList": LogitsProcessorList},
            )

    def _prompt(self, user_input: str, state: Mapping[str, Any] | None = None, **given: Any) -> Any:
        """Return what stands for the prompt; what a script puts into it is found by comparing."""
        state = self.live.state if state is None else state
        text = render(user_input, state, given.get("history"))
        return (text, text.split("\n")) if given.get("also_return_rows") else text

    def _length(self, prompt: str) -> int:
        if self.live.own_length is not None:
            return int(self.live.own_length(prompt))
        return self.live.count_tokens([prompt])[0]

    def _encode(self, prompt: str, *args: Any, **kwargs: Any) -> list[list[int]]:
        """Return one row with as many numbers as the text has tokens; the numbers are no token ids."""
        return [list(range(self.live.count_tokens([prompt])[0]))]


def package_of(name: str, folder: str) -> ModuleType:
    """Return the package that a script's folder is, so that it may import its other modules."""
    return _module(f"extensions.{name}", {}, package=True, path=[folder])


def _module(
    name: str, parts: Mapping[str, Any], *, package: bool = False, path: Iterable[str] = ()
) -> ModuleType:
    module = ModuleType(name)
    if package:
        module.__path__ = list(path)
    module.__dict__.update(parts)
    return module


def _taken_out(packages: Sequence[str]) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in packages]
    return {name: sys.modules.pop(name) for name in names}


def _shared() -> dict[str, Any]:
    return {
        "args": Arguments(extensions=[], verbose=False, listen=False, api=False, chat=True, lora=[]),
        "settings": {},
        "gradio": Inert(),
        "input_elements": [],
        "model": None,
        "model_name": "None",
        "tokenizer": None,
        "lora_names": [],
        "is_seq2seq": False,
        "stop_everything": False,
        "need_restart": False,
        "processing_message": "",
        "generation_lock": threading.Lock(),
        "persistent_interface_state": {},
        "is_chat": lambda: True,
    }


def _named(text: str, name1: str, name2: str) -> str:
    for mark, name in (("{{user}}", name1), ("<USER>", name1), ("{{char}}", name2), ("<BOT>", name2)):
        text = text.replace(mark, name)
    return text


def _room(state: Mapping[str, Any]) -> int:
    return int(state["truncation_length"]) - int(state["max_new_tokens"])


def _widgets(*names: Any) -> list[Inert]:
    return [Inert() for name in names for _ in (name if isinstance(name, (list, tuple)) else [name])]


def _no_reply(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("a script cannot ask the model here")
