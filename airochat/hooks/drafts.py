"""What plugins do to a turn: what they add to its prompt, what they change, and what they are told."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from airochat.conversation import Message
from airochat.hooks.context import (
    BlocksDraft,
    ChatContext,
    ContextFor,
    Event,
    HistoryDraft,
    PluginContext,
    ReplyDraft,
    SamplingDraft,
    UserMessageDraft,
)
from airochat.hooks.plugin import Plugin
from airochat.hooks.results import (
    checked_blocks,
    checked_calls,
    checked_change,
    checked_history,
    checked_results,
    checked_sampling,
    checked_tools,
)
from airochat.hooks.runner import PluginRunner
from airochat.hooks.tools import LONGEST_RESULT, CallResult, CallsDraft, ResultsDraft, Tool, ToolCall
from airochat.hooks.watch import Overtime
from airochat.prompt.blocks import Block
from airochat.sampling import Sampling
from airochat.text import clean, one_line

_Value = TypeVar("_Value")


class Drafts(PluginRunner):
    """The half of the host that a turn uses."""

    def blocks(self, context_for: ContextFor) -> list[Block]:
        """Return the blocks that plugins add to a prompt; each source begins with ``plugin:NAME``."""
        blocks: list[Block] = []
        for plugin in self._offering("contribute_blocks"):
            context = context_for(plugin.name)

            def contribute(plugin: Plugin = plugin, context: ChatContext = context) -> list[Block]:
                return checked_blocks(plugin.name, plugin.call("contribute_blocks", context=context))

            for added in self._step(plugin, "contribute_blocks", [], contribute):
                blocks += added
        return blocks

    def tools(self, context_for: ContextFor) -> dict[str, tuple[str, Tool]]:
        """Return the tools that the model may call, by name, each with its plugin; of two of one name, the first."""
        tools: dict[str, tuple[str, Tool]] = {}
        for plugin in self._offering("contribute_tools"):
            context = context_for(plugin.name)

            def contribute(plugin: Plugin = plugin, context: ChatContext = context) -> list[Tool]:
                return checked_tools(plugin.call("contribute_tools", context=context))

            for added in self._run(plugin, "in contribute_tools", contribute):
                for tool in added:
                    tools.setdefault(tool.name, (plugin.name, tool))
        return tools

    def history(
        self, context_for: ContextFor, messages: Sequence[Message]
    ) -> tuple[list[Message], dict[str, str]]:
        """Return the messages of a prompt after all plugins have changed them, and for changed ones by whom, by id."""
        notes: dict[str, list[str]] = {}

        def take(plugin: str, before: list[Message], draft: HistoryDraft) -> list[Message]:
            after = checked_history(before, draft.messages)
            known = {message.id: message for message in before}
            for message in after:
                if message is not known[message.id]:
                    notes.setdefault(message.id, []).append(plugin)
            return after

        changed = self._transformed("transform_history", context_for, list(messages), HistoryDraft, take)
        return changed, {key: f"changed by {', '.join(names)}" for key, names in notes.items()}

    def changed_blocks(self, context_for: ContextFor, blocks: list[Block]) -> list[Block]:
        """Return all blocks of a prompt after all plugins have changed them."""

        def take(plugin: str, before: list[Block], draft: BlocksDraft) -> list[Block]:
            return checked_change(plugin, before, draft.blocks)

        return self._transformed("transform_blocks", context_for, blocks, BlocksDraft, take)

    def user_message(self, context_for: ContextFor, text: str) -> str:
        """Return what the user says after all plugins have changed it."""

        def take(plugin: str, before: str, draft: UserMessageDraft) -> str:
            return checked_change(plugin, before, draft.text)

        return self._transformed("transform_user_message", context_for, text, UserMessageDraft, take)

    def sampling(self, context_for: ContextFor, sampling: Sampling) -> Sampling:
        """Return the sampling parameters after all plugins have changed them."""
        return self.chosen_sampling(context_for, sampling).sampling

    def chosen_sampling(self, context_for: ContextFor, sampling: Sampling) -> SamplingDraft:
        """Return the sampling parameters and the logits processors after all plugins have changed them."""

        def take(plugin: str, before: SamplingDraft, draft: SamplingDraft) -> SamplingDraft:
            return checked_sampling(draft)

        def copied(before: SamplingDraft) -> SamplingDraft:
            return SamplingDraft(before.sampling, list(before.processors))

        return self._transformed("transform_sampling", context_for, SamplingDraft(sampling), copied, take)

    def reply(self, context_for: ContextFor, text: str) -> str:
        """Return a reply after all plugins have changed it."""

        def take(plugin: str, before: str, draft: ReplyDraft) -> str:
            return checked_change(plugin, before, draft.text)

        return self._transformed("transform_reply", context_for, text, ReplyDraft, take)

    def calls(
        self, context_for: ContextFor, reply: Message, tools: Sequence[Tool], number: int
    ) -> list[ToolCall]:
        """Return the calls that plugins find in a reply, after ``number`` rounds of calls before it."""

        def take(plugin: str, before: list[ToolCall], draft: CallsDraft) -> list[ToolCall]:
            return checked_calls(draft.calls, tools)

        make = partial(CallsDraft, reply, tuple(tools), number)
        return self._transformed("transform_calls", context_for, [], make, take)

    def results(self, context_for: ContextFor, draft: ResultsDraft) -> ResultsDraft:
        """Return what is told to the model of the results of calls, after all plugins have changed it."""

        def take(plugin: str, before: ResultsDraft, draft: ResultsDraft) -> ResultsDraft:
            return checked_results(draft, before.tools)

        def copied(before: ResultsDraft) -> ResultsDraft:
            return dataclasses.replace(before, calls=list(before.calls))

        return self._transformed("transform_results", context_for, draft, copied, take)

    def run_tool(self, plugin: str, tool: Tool, context: ChatContext, call: ToolCall) -> CallResult:
        """Make a call and return what came of it; whatever happens in there becomes the result."""
        running = self._running(plugin)
        before = running.seconds

        def run() -> str:
            result: object = tool.run(context, call)
            if not isinstance(result, str):
                raise TypeError(f"the result is a {type(result).__name__}, not a text")
            return clean(shortened(result))

        try:
            state, text = "done", self._timed(running, run, tool.seconds)
        except KeyboardInterrupt:
            raise
        except Overtime as error:
            state, text = "failed", f"The call failed: {error}."
        except BaseException as error:
            context.log.warning("The tool %s failed", tool.name, exc_info=error)
            state, text = "failed", f"The call failed: {one_line(_said(error), 300)}"
        return CallResult(call, state, text, running.seconds - before)  # type: ignore[arg-type]

    def notify(
        self, hook: str, context_for: Callable[[str], PluginContext], event: Event | None = None
    ) -> None:
        """Call one of the ``on_*`` hooks, with an event unless it takes none."""
        given = {} if event is None else {"event": event}
        for plugin in self._offering(hook):
            context = context_for(plugin.name)
            self._run(plugin, f"in {hook}", partial(plugin.tell, hook, context=context, **given))

    def _transformed(
        self,
        hook: str,
        context_for: ContextFor,
        value: _Value,
        make: Callable[[_Value], Any],
        take: Callable[[str, _Value, Any], _Value],
    ) -> _Value:
        """Return a value after all plugins have changed it: each gets the draft that ``make`` makes of it.

        ``take`` gets a plugin's name, the value before and the draft, and returns the value checked.
        """
        for plugin in self._offering(hook):
            context = context_for(plugin.name)
            # A list of its own, so that what is done to it is not used unless all of it can be.
            draft = make(copy.copy(value))

            def transform(
                plugin: Plugin = plugin,
                context: ChatContext = context,
                before: _Value = value,
                draft: Any = draft,
            ) -> _Value:
                plugin.tell(hook, context=context, draft=draft)
                return take(plugin.name, before, draft)

            for changed in self._step(plugin, hook, value, transform):
                value = changed
        return value


def shortened(result: str) -> str:
    """Return the result of a call, cut where it is longer than is kept."""
    if len(result) <= LONGEST_RESULT:
        return result
    return f"{result[:LONGEST_RESULT]}\n[cut here: the result has {len(result):,} characters]"


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return text or type(error).__name__
