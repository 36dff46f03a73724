"""What the plugin does to prompts and replies of a chat that has tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from airochat.checks import did_you_mean
from airochat.errors import SettingsError
from airochat.hooks import Block, CallsDraft, ChatContext, HistoryDraft, SamplingDraft, Tool
from airochat.text import one_line

from . import switch
from .calls import wrote
from .forms import Form, only_prose


def blocks(context: ChatContext, order: int) -> list[Block]:
    """Return the list of tools for the head of the prompt, and at its end what the coming reply has to call.

    The list is the same in every turn, whatever the turn is for, so that the model reads it once.
    """
    tools = switch.offered(context)
    if not tools:
        return []
    form = switch.form_of(context)
    text = form.describe(tools)
    # A server may tell so much of its tools that no room is left for the chat; then the list may have to go.
    fits = not context.n_ctx or context.count_tokens([text])[0] <= context.n_ctx // 2
    listed = Block("plugin:tools/list", text, pinned=fits, reason="tools are on in this chat", order=order)
    asked = _wanted(context, tools)
    if asked is None or not asked["tool"] or _asks_in_words_of_its_own(context, form):
        return [listed]
    hint = f" {asked['hint']}" if asked["hint"] else ""
    return [
        listed,
        Block("plugin:tools/call", f"Call {asked['tool']} now.{hint}", 0, pinned=True, reason="/call"),
    ]


def change_history(context: ChatContext, draft: HistoryDraft) -> None:
    """Write the last message of the user as the form's request, if a call has to come."""
    tools = switch.offered(context)
    asked, form = _wanted(context, tools), switch.form_of(context)
    if asked is None or not draft.messages or not _asks_in_words_of_its_own(context, form):
        return
    last = draft.messages[-1]
    said = f"{last.text}\n{asked['hint']}" if asked["hint"] else last.text
    text = form.request(said, [tool for tool in tools if asked["tool"] in ("", tool.name)])
    draft.messages[-1] = dataclasses.replace(last, text=text)


def change_sampling(context: ChatContext, draft: SamplingDraft) -> None:
    """Bind the reply to the grammar of a call, or of a call or plain text; the user's own grammar is left alone."""
    tools = switch.offered(context)
    if not tools or context.purpose != "reply" or draft.sampling.grammar or draft.sampling.json_schema:
        return
    grammar = _grammar(context, switch.form_of(context), tools)
    try:
        draft.sampling = draft.sampling.replace(grammar=grammar) if grammar else draft.sampling
    except SettingsError as error:
        context.log.warning("Replies are not bound to the grammar of calls: %s", error)


def find_calls(context: ChatContext, draft: CallsDraft) -> None:
    """Put the calls of a reply into the draft, unless there were enough; what cannot be called is told."""
    context.data.pop(switch.NEXT, None)
    found = switch.form_of(context).read(wrote(draft.reply), draft.tools)
    if found.unknown:
        names = [tool.name for tool in draft.tools]
        unknown = one_line(found.unknown[0], 60)
        context.notify(
            f"The model calls {unknown!r}, which is not one of its tools.", did_you_mean(unknown, names)
        )
    if not found.calls:
        return
    if draft.round >= context.settings["max_rounds"]:
        context.notify(
            f"The model has called tools {draft.round} times in a row; this call was not made.",
            "`airochat plugins settings tools max_rounds=N` lets it call more often.",
        )
        return
    same = [(call.tool, dict(call.arguments)) for call in found.calls]
    if switch.repeats_itself(context.history) and switch.made(context.history)[0] == same:
        context.notify(f"The model repeats its call of {found.calls[0].tool}; it was not made again.", "")
        return
    draft.calls += found.calls


def _wanted(context: ChatContext, tools: Sequence[Tool]) -> dict[str, str] | None:
    """Return what has to be called, if anything has to be and can be."""
    asked = switch.wanted(context, context.history) if context.purpose == "reply" and tools else None
    known = ("", *(tool.name for tool in tools))
    return asked if asked is not None and asked["tool"] in known else None


def _asks_in_words_of_its_own(context: ChatContext, form: Form) -> bool:
    """Return whether the form has a request of its own, and there is something to put into it."""
    return form.trained and bool(context.history) and context.history[-1].role == "user"


def _grammar(context: ChatContext, form: Form, tools: Sequence[Tool]) -> str:
    asked = _wanted(context, tools)
    if asked is not None:
        return form.grammar(tools, prose=False, only=asked["tool"])
    if not context.settings["constrain"]:
        return ""
    enough = switch.rounds(context.history) >= context.settings["max_rounds"]
    if enough or switch.repeats_itself(context.history):
        return only_prose(form.opening)
    return form.grammar(tools, prose=True)
