"""What the tests of memory share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from airochat.conversation import Message, Provenance
from airochat.hooks import TurnFacts
from airochat.hooks.services import Services
from airochat.hooks.testing import PluginBench
from airochat.sampling import Sampling

FOLDER = Path(__file__).parents[1]
WAIT_S = 60
TALK = ("Nice weather today.", "Yes, the sun shines.")


class Asked:
    """Stands for the model: keeps what it is asked until somebody answers."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.sampling: list[Sampling | None] = []
        self.futures: list[Future[str]] = []

    def __call__(self, question: str, *, system: str = "", sampling: Sampling | None = None) -> Future[str]:
        self.questions.append(question)
        self.sampling.append(sampling)
        self.futures.append(Future())
        return self.futures[-1]

    def answer(self, text: str) -> None:
        """Answer the newest question."""
        self.futures[-1].set_result(text)

    def fail(self, error: Exception) -> None:
        """Fail at it."""
        self.futures[-1].set_exception(error)


class Bench(PluginBench):
    """A bench of memory with a model that waits for its answers, and a horizon that can be moved."""

    def __init__(self, said: Sequence[str] = (), **chat: Any) -> None:
        super().__init__(FOLDER, said, **chat)
        self.asked = Asked()
        self.notices: list[str] = []
        self.serve(ask=self.asked, notify=lambda message, hint: self.notices.append(message))

    def serve(self, **services: Any) -> None:
        """Change what the program does for plugins."""
        self.host.services = dataclasses.replace(self.host.services, **services)

    def leave(self, count: int) -> None:
        """Let the oldest ``count`` messages leave the context."""
        self._chat["horizon"] = self.history[count].id if count else None

    def set(self, **settings: Any) -> None:
        """Change settings of the plugin, for this bench only."""
        plugin = self.host._named(self.name)
        plugin.configure({**dict(plugin.settings), **settings})

    def after_turn(self) -> None:
        """Tell the plugin that a turn is over."""
        self.tell("on_turn_finished", TurnFacts("bench", "turn"))

    def used(self, prompt: int, generated: int = 50, max_tokens: int = 400) -> None:
        """Let the newest message be a reply of which it is known what it took."""
        made = Provenance(
            sampling={"max_tokens": max_tokens}, usage={"prompt": prompt, "generated": generated}
        )
        self.history = (*self.history[:-1], dataclasses.replace(self.history[-1], provenance=made))

    def sources(self) -> list[str]:
        """Return the sources of the blocks, without the plugin's name."""
        return [block.source.removeprefix("plugin:memory/") for block in self.blocks()]

    def text_of(self, source: str) -> str:
        """Return the text of a block."""
        return next(block.text for block in self.blocks() if block.source == f"plugin:memory/{source}")

    def swipe(self, text: str) -> Message:
        """Put another message in the place of the newest one."""
        role = self.history[-1].role
        self.history = self.history[:-1]
        return self.add(text, role)


def talk(count: int) -> list[str]:
    """Return so many messages of no weight."""
    return [f"{TALK[number % 2]} {number}" for number in range(count)]


def counting(services: Services) -> Callable[[str], int]:
    """Return what counts the tokens of one text."""
    return lambda text: services.count_tokens([text])[0]
