"""Checks of what plugins hand back, so that the rest of airochat can rely on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar, get_args

from airochat.conversation import Role
from airochat.hooks.context import Command
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroFunction
from airochat.text import one_line

_COMMAND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_MACRO = re.compile(r"[A-Za-z]\w{0,39}")
_BLOCK_FIELDS = (
    *((name, str) for name in ("source", "text", "reason", "before", "after")),
    *((name, int) for name in ("priority", "order")),
    ("pinned", bool),
    ("margins", tuple),
)
_Value = TypeVar("_Value")


def checked_blocks(plugin: str, result: Any) -> list[Block]:
    """Return a plugin's blocks with their source under its name; `TypeError` or `ValueError` for anything else."""
    if result is None:
        return []
    if isinstance(result, (str, bytes)) or not isinstance(result, Iterable):
        raise TypeError(f"contribute_blocks must return a list of Block, not {type(result).__name__}")
    return [_checked_block(f"plugin:{plugin}", block) for block in result]


def checked_change(plugin: str, before: _Value, after: Any) -> _Value:
    """Return what a plugin has left in a draft; `TypeError` or `ValueError` if it cannot be used."""
    if not isinstance(after, type(before)):
        raise TypeError(f"it left a {type(after).__name__} in the draft, where a {type(before).__name__} was")
    if isinstance(before, str) and isinstance(after, str) and before.strip() and not after.strip():
        raise ValueError("it left no text in the draft")
    if isinstance(before, list) and isinstance(after, list):
        return _changed_list(plugin, before, after)  # type: ignore[return-value]
    return after


def _changed_list(plugin: str, before: list[Block], after: list[Any]) -> list[Block]:
    """Return blocks that a plugin has changed, with its name in the reasons of those that are not as before."""
    known = {block.source for block in before}
    result = []
    for block in after:
        if not any(block is one for one in before):
            own = block.source if isinstance(block, Block) and block.source in known else f"plugin:{plugin}"
            block = _checked_block(own, block)
            reason = f"changed by {plugin}" if block.source in known else f"added by {plugin}"
            block = replace(block, reason="; ".join(filter(None, (block.reason, reason))))
        result.append(block)
    return result


def checked_command(command: Any) -> Command:
    """Return a command that a plugin has offered; `TypeError` or `ValueError` if it cannot be used."""
    if not isinstance(command, Command):
        raise TypeError(f"register takes a Command, not {type(command).__name__}")
    if not _COMMAND.fullmatch(command.name):
        raise ValueError(f"{command.name!r} is not a command's name: lower-case letters, digits, - and _")
    if not callable(command.run):
        raise TypeError(f"the command {command.name} has nothing to run")
    return replace(command, summary=one_line(command.summary, 200), usage=one_line(command.usage, 200))


def checked_macro(name: Any, function: Any) -> tuple[str, MacroFunction]:
    """Return a macro that a plugin has offered; `TypeError` or `ValueError` if it cannot be used."""
    if not isinstance(name, str) or not _MACRO.fullmatch(name):
        raise ValueError(f"{name!r} is not a macro's name: letters, digits and _")
    if not callable(function):
        raise TypeError(f"the macro {name} has nothing to run")
    return name.lower(), function


def _checked_block(source: str, block: Any) -> Block:
    if not isinstance(block, Block):
        raise TypeError(f"contribute_blocks must return blocks, not {type(block).__name__}")
    for name, kind in _BLOCK_FIELDS:
        if not isinstance(getattr(block, name), kind):
            raise TypeError(f"the {name} of a block is {getattr(block, name)!r}")
    if len(block.margins) != 2 or not all(type(margin) is int and margin >= 0 for margin in block.margins):
        raise ValueError(f"the margins of a block are {block.margins!r}")
    if block.role not in get_args(Role):
        raise ValueError(f"the role of a block is {block.role!r}")
    if block.depth is not None and (type(block.depth) is not int or block.depth < 0):
        raise ValueError(f"the depth of a block is {block.depth!r}")
    own = block.source == source or block.source.startswith(f"{source}/")
    return block if own else replace(block, source=source)
