"""What the extensions do in a turn, hook by hook; several are chained in their order."""

from __future__ import annotations

import copy
import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from airochat.conversation import Message
from airochat.hooks import Block, ChatContext, LogitsProcessor
from airochat.sampling import Sampling

from .desk import Call, Desk
from .extension import Extension, call_some, call_text
from .rows import Changed, followed
from .state import changed, head_of, sampled, state_of, without_effect
from .transcript import Difference, Lines, as_blocks, compare, edited, lines_of, placed, render, split

SOURCE = "plugin:textgen_compat"
_PREFIX = "[The next reply goes on after these words, without repeating them: {text}]"
_CHATS = 16
"""Of how many chats the changed history is remembered."""
_CUSTOM = "custom_generate_chat_prompt"
_LOST = "it changes or takes away messages, which only history_modifier can do"


def user_message(desk: Desk, context: ChatContext, text: str) -> str:
    """Return what the user says after ``chat_input_modifier`` and ``input_modifier``."""
    call = desk.call(context, state_of(context))
    for extension in desk.active(call, "chat_input_modifier"):

        def replace(function: Callable[..., Any], said: str = text) -> str:
            given = call_some(function, said, said, copy.deepcopy(call.state))
            if not isinstance(given, (tuple, list)) or len(given) != 2:
                raise TypeError("it did not return two texts")
            return _text(said, given[0])

        replaced = desk.run(call, extension, "chat_input_modifier", replace)
        text = text if replaced is None else replaced
    return _chained(desk, call, "input_modifier", text)


def reply(desk: Desk, context: ChatContext, text: str) -> str:
    """Return a reply after ``output_modifier``, which is given it with the characters of HTML escaped."""
    call = desk.call(context, state_of(context))
    shown = html.escape(text)
    after = _chained(desk, call, "output_modifier", shown)
    return text if after == shown else html.unescape(after)


def sampling(desk: Desk, context: ChatContext, before: Sampling) -> Sampling:
    """Return the sampling parameters after ``state_modifier``."""
    call = desk.call(context, state_of(context, before))
    result = before
    for extension in desk.active(call, "state_modifier"):

        def modify(
            function: Callable[..., Any], now: Sampling = result, extension: Extension = extension
        ) -> tuple[dict[str, Any], Sampling]:
            after = _state(function, call.state)
            changes = changed(call.state, after)
            for key in without_effect(changes):
                extension.remark(f"{key!r} in the state has no effect")
            return after, sampled(now, changes, after)

        done = desk.run(call, extension, "state_modifier", modify)
        if done is not None:
            call.state, result = done
    return result


def processors(desk: Desk, context: ChatContext) -> list[LogitsProcessor]:
    """Return what the engine runs for the extensions that change how likely each token is."""
    call = desk.call(context, state_of(context))
    return [
        LogitsProcessor(
            f"{extension.name} of textgen_compat",
            str(Path(__file__).with_name("logits.py")),
            "make",
            {"name": extension.name, "folder": str(extension.folder), "params": _plain(extension.params)},
        )
        for extension in desk.active(call, "logits_processor_modifier")
    ]


def messages(desk: Desk, context: ChatContext, before: list[Message]) -> list[Message]:
    """Return the messages of a prompt as ``history_modifier`` changes them or takes them away."""
    call = desk.call(context, state_of(context))
    changed_rows = _rows(desk, call, tuple(before))
    desk.changed.pop(context.session_id, None)
    desk.changed[context.session_id] = changed_rows
    if len(desk.changed) > _CHATS:
        del desk.changed[next(iter(desk.changed))]
    return list(changed_rows.messages)


def blocks(desk: Desk, context: ChatContext, before: list[Block]) -> list[Block]:
    """Return the blocks of a prompt with what the extensions add to it."""
    call = desk.call(context, state_of(context, head=head_of(before)))
    known = desk.changed.get(context.session_id)
    if known is None or known.chat != _ids(context):
        known = _rows(desk, call, context.history)
    lines = lines_of(known.messages, call.state)
    names = (call.state["name1"], call.state["name2"])
    asked = split(known.messages)[0]
    result = before
    for authors, found in _found(desk, call, known, asked, lines, names):
        result, done = edited(result, found.edits)
        if found.lost or not done:
            for author in authors:
                author.remark(_LOST)
        named = "+".join(author.name for author in authors)
        for insertion in found.insertions:
            result = [*result, *as_blocks(insertion, f"{SOURCE}/{named}", names, f"extension {named}")]
    # A reply follows on words of the user; where none are last, one is continued.
    return [*result, *_prefixes(desk, call)] if asked else result


def _rows(desk: Desk, call: Call, before: tuple[Message, ...]) -> Changed:
    """Return the history of a chat after ``history_modifier``, and the messages that follow from it."""
    whole = split(before)[1]
    history = whole
    authors: list[Extension] = []
    for extension in desk.active(call, "history_modifier"):
        changed_history = desk.run(call, extension, "history_modifier", partial(_history, before=history))
        if changed_history is not None and changed_history["internal"] != history["internal"]:
            history = changed_history
            authors.append(extension)
    if not authors:
        return Changed(_ids(call.context), before, whole, ())
    left = followed(before, history, call.context.purpose == "continue")
    return Changed(_ids(call.context), tuple(left), history, tuple(authors))


def _ids(context: ChatContext) -> tuple[str, ...]:
    return tuple(message.id for message in context.history)


def _found(
    desk: Desk, call: Call, known: Changed, asked: str, lines: Lines, names: tuple[str, str]
) -> Iterator[tuple[Sequence[Extension], Difference]]:
    """Yield what the extensions do to the prompt as text: rows and state together, then each custom prompt."""
    authors: list[Extension] = list(known.authors)
    call.state["history"] = dict(known.rows)
    for extension in desk.active(call, "state_modifier"):
        state = desk.run(call, extension, "state_modifier", partial(_state, before=call.state))
        if state is not None:
            authors += [extension] if render(asked, state) != render(asked, call.state) else []
            call.state = state
    text = render(asked, call.state)
    if text != lines.text:
        yield list(dict.fromkeys(authors)), compare(lines, text, names)
        lines = placed(lines, text)
    for extension in desk.active(call, _CUSTOM):
        custom = desk.run(call, extension, _CUSTOM, partial(_custom, asked=asked, state=call.state))
        if custom is not None and custom != text:
            yield [extension], compare(lines, custom, names)


def _prefixes(desk: Desk, call: Call) -> list[Block]:
    """Return what the reply is to go on after: a note, since a plugin cannot begin a reply."""
    text = ""
    authors = []
    for extension in desk.active(call, "bot_prefix_modifier"):

        def put(function: Callable[..., Any], text: str = text) -> str:
            return _text("", call_text(function, text, copy.deepcopy(call.state)))

        changed_text = desk.run(call, extension, "bot_prefix_modifier", put)
        if changed_text is not None and changed_text != text:
            text = changed_text
            authors.append(extension.name)
    if not text.strip():
        return []
    named = "+".join(authors)
    return [Block(f"{SOURCE}/{named}", _PREFIX.format(text=text.strip()), 0, reason=f"bot prefix of {named}")]


def _chained(desk: Desk, call: Call, hook: str, text: str) -> str:
    for extension in desk.active(call, hook):

        def modify(function: Callable[..., Any], text: str = text) -> str:
            return _text(text, call_text(function, text, copy.deepcopy(call.state)))

        modified = desk.run(call, extension, hook, modify)
        text = text if modified is None else modified
    return text


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that can be told to another process."""
    found = {}
    for key, value in params.items():
        try:
            found[str(key)] = json.loads(json.dumps(value))
        except (TypeError, ValueError, RecursionError):
            continue
    return found


def _text(before: str, after: Any) -> str:
    """Return what a script made of a text; it must be one, and not empty where there was something."""
    if not isinstance(after, str):
        raise TypeError(f"it returned {type(after).__name__}, not a text")
    if before.strip() and not after.strip():
        raise ValueError("it left no text")
    return after


def _state(function: Callable[..., Any], before: dict[str, Any]) -> dict[str, Any]:
    after = call_some(function, copy.deepcopy(before))
    if not isinstance(after, dict) or not before.keys() <= after.keys():
        raise TypeError("it did not return the state")
    if not all(isinstance(after[key], str) for key in ("context", "name1", "name2")):
        raise TypeError("it left no text in the context or a name")
    _checked_history(after["history"])
    return after


def _history(function: Callable[..., Any], before: dict[str, Any]) -> dict[str, Any]:
    return _checked_history(call_some(function, copy.deepcopy(before)))


def _checked_history(history: Any) -> dict[str, Any]:
    rows = history.get("internal") if isinstance(history, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, (list, tuple)) and len(row) == 2 and all(isinstance(text, str) for text in row)
        for row in rows
    ):
        raise TypeError("it did not return a history")
    return dict(history)


def _custom(function: Callable[..., Any], asked: str, state: dict[str, Any]) -> str:
    given = copy.deepcopy(state)
    after = call_some(
        function,
        asked,
        given,
        history=given["history"],
        _continue=False,
        impersonate=False,
        also_return_rows=False,
    )
    return _text("-", after)
