"""The plugin on a chat, with a place for extensions."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from airochat.hooks import Block
from airochat.hooks.testing import PluginBench
from airochat.resources import resource_dir

PLUGIN = resource_dir("plugins") / "textgen_compat"
SAID = ("Hello there", "Good evening.", "What now?")


class Extensions:
    """The plugin on a chat, and a place for extensions."""

    def __init__(self) -> None:
        self.bench = PluginBench(PLUGIN, SAID)

    def put(self, name: str, script: str, *, enable: bool = True, **files: str) -> str:
        """Write an extension; return what enabling it answers."""
        folder = self.bench.context().folder / "extensions" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in {"script": script, **files}.items():
            (folder / f"{file}.py").write_text(text, encoding="utf-8")
        return self("enable", name) if enable else ""

    def __call__(self, *words: str) -> str:
        return self.bench.command(" ".join(("/textgen", *words)))

    def desk(self) -> Any:
        return self.part("desk")

    @staticmethod
    def part(name: str) -> ModuleType:
        return importlib.import_module(f"airochat_plugin_textgen_compat.{name}")

    def script(self, name: str) -> Any:
        desk = sys.modules["airochat_plugin_textgen_compat"]._desk()
        folder = self.bench.context().folder / "extensions" / name
        return desk.found(folder).module


@pytest.fixture
def extensions() -> Extensions:
    return Extensions()


@pytest.fixture
def own(extensions: Extensions) -> Callable[[], list[Block]]:
    def changed() -> list[Block]:
        head = Block("card.description", "Bo is sad.\nBo keeps bees.")
        return [block for block in extensions.bench.changed_blocks([head]) if block != head]

    return changed
