"""A bench for the tests of a plugin: it runs the plugin on a chat without a model and without a database."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from airochat.conversation import Message, new_id
from airochat.errors import PluginError
from airochat.hooks.context import ChatContext, Event
from airochat.hooks.host import PluginHost
from airochat.hooks.panels import Act, Outcome, View
from airochat.hooks.services import Services
from airochat.hooks.tools import CallResult, ResultsDraft, Tool, ToolCall
from airochat.prompt.blocks import Block
from airochat.prompt.macros import Macros
from airochat.prompt.macros import Scope as MacroScope
from airochat.resources import resource_dir
from airochat.sampling import LogitsProcessor, Sampling

_Result = TypeVar("_Result")


class PluginBench:
    """One plugin on one chat; what the plugin keeps is kept as long as the bench.

    ``said`` are the texts of the chat, by the user and the character in turn. Methods call the plugin as a turn does,
    and raise `PluginError` where airochat would switch it off.
    """

    def __init__(self, folder: Path, said: Sequence[str] = (), **chat: Any) -> None:
        folder = folder.resolve()
        self.name = folder.name
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}
        self._problems: list[str] = []
        self._chat = chat
        bundled = folder.parent == resource_dir("plugins").resolve()
        self.host = PluginHost(
            None if bundled else folder.parent, self._data, notice=self._note, only={self.name}
        )
        files = tempfile.mkdtemp(prefix="airochat-")
        weakref.finalize(self, shutil.rmtree, files, ignore_errors=True)
        self.host.services = Services(folder=Path(files))
        self.history: tuple[Message, ...] = ()
        """The messages of the chat."""
        for text in said:
            self.add(text)

    def add(self, text: str, role: str = "") -> Message:
        """Add a message to the chat; the user and the character speak in turn."""
        wanted: Any = role or ("assistant" if self.history and self.history[-1].role == "user" else "user")
        parent = self.history[-1].id if self.history else None
        message = Message(new_id(), parent, wanted, "You" if wanted == "user" else "Assistant", text)
        self.history = (*self.history, message)
        return message

    def context(self, plugin: str = "") -> ChatContext:
        """Return the chat as the plugin sees it."""
        tools = self.host.tools(self._bare) if self.host.offers("contribute_tools") else {}
        bare = self._bare(plugin or self.name)
        return dataclasses.replace(bare, tools=tuple(tool for _, tool in tools.values()))

    def _bare(self, plugin: str) -> ChatContext:
        chat = {"session_id": "bench", "title": "Bench", "cards": (), "persona": None, "user_name": "You"}
        return self.host.context(plugin, **{**chat, "history": self.history, **self._chat})

    def command(self, line: str) -> str:
        """Run a line such as ``/roll 2d6`` and return the answer."""
        return self._checked(self.host.run_command(line, self.context))

    def macro(self, text: str) -> str:
        """Return a text with the macros that the plugin offers expanded."""
        macros = Macros(MacroScope(), None, self.host.macros(), self.host.macro_failed)
        return self._checked(macros.expand(text))

    def blocks(self) -> list[Block]:
        """Return what the plugin adds to the prompt."""
        return self._checked(self.host.blocks(self.context))

    def changed_blocks(self, blocks: list[Block]) -> list[Block]:
        """Return the blocks of a prompt as the plugin changes them."""
        return self._checked(self.host.changed_blocks(self.context, blocks))

    def user_message(self, text: str) -> str:
        """Return what the user says as the plugin changes it."""
        return self._checked(self.host.user_message(self.context, text))

    def sampling(self, sampling: Sampling | None = None) -> Sampling:
        """Return sampling parameters as the plugin changes them."""
        return self._checked(self.host.sampling(self.context, sampling or Sampling()))

    def reply(self, text: str) -> str:
        """Return a reply as the plugin changes it."""
        return self._checked(self.host.reply(self.context, text))

    def changed_history(self) -> list[Message]:
        """Return the messages of the chat as the plugin changes them for a prompt."""
        return self._checked(self.host.history(self.context, self.history)[0])

    def processors(self) -> list[LogitsProcessor]:
        """Return the code by which the plugin changes how likely each token is."""
        return self._checked(self.host.chosen_sampling(self.context, Sampling()).processors)

    def tools(self) -> dict[str, Tool]:
        """Return the tools that the plugin lets the model call, by name."""
        return self._checked({name: tool for name, (_, tool) in self.host.tools(self._bare).items()})

    def calls(self, reply: str, number: int = 0) -> list[ToolCall]:
        """Return the calls that the plugin finds in a reply, which becomes the newest message of the chat."""
        message = self.add(reply, "assistant")
        return self._checked(self.host.calls(self.context, message, list(self.tools().values()), number))

    def run_tool(self, call: ToolCall) -> CallResult:
        """Make a call without asking anybody, and return what came of it."""
        return self._checked(self.host.run_tool(self.name, self.tools()[call.tool], self.context(), call))

    def results(self, *results: CallResult) -> ResultsDraft:
        """Return what the plugin makes of the results of calls in the newest message of the chat."""
        text = "\n".join(f"{result.call.tool}: {result.text}" for result in results)
        draft = ResultsDraft(self.history[-1], tuple(self.tools().values()), results, text)
        return self._checked(self.host.results(self.context, draft))

    def panel(self, name: str = "", place: str = "") -> View:
        """Return what a panel of the plugin, by default the one of its name, shows at a place."""
        return self._checked(self.host.show_panel(name or self.name, place, self.context))

    def act(self, button: str, row: str = "", place: str = "", name: str = "", **values: Any) -> Outcome:
        """Press a button of a panel, with a row chosen and values typed."""
        done = Act(place, button, row, values)
        return self._checked(self.host.act_on_panel(name or self.name, done, self.context))

    def tell(self, hook: str, event: Event | None = None) -> None:
        """Call one of the ``on_*`` hooks."""
        self.host.notify(hook, self.context, event)
        self._checked(None)

    def _checked(self, result: _Result) -> _Result:
        if self._problems:
            raise PluginError(self._problems.pop(0))
        return result

    def _note(self, message: str, hint: str) -> None:
        self._problems.append(message)

    def _data(self, plugin: str, scope: str) -> MutableMapping[str, Any]:
        return self._kept.setdefault((plugin, scope), {})
