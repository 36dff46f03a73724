"""What each plugin has changed: the steps of a turn, with the differences as lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airochat.conversation import Message
from airochat.hooks.context import SamplingDraft
from airochat.hooks.tools import ResultsDraft
from airochat.prompt.blocks import Block
from airochat.sampling import Sampling
from airochat.text import one_line


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a hook that changes or adds something."""

    hook: str
    plugin: str
    seconds: float
    changes: tuple[str, ...]
    """Lines that begin with ``-`` for what was there before and ``+`` for what is there now; none if it is the same."""
    error: str = ""
    """Why the plugin was switched off, if it was; then nothing of its changes is used."""


def differences(before: Any, after: Any) -> tuple[str, ...]:
    """Return what has changed between two texts, samplings or lists of blocks, as lines."""
    lines = difflib.ndiff(_lines(before), _lines(after))
    return tuple(line for line in lines if line[0] in "+-")


def _lines(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, Sampling):
        return [f"{name} = {setting!r}" for name, setting in sorted(value.stored().items())]
    if isinstance(value, SamplingDraft):
        return [*_lines(value.sampling), *(f"processor {one.name}" for one in value.processors)]
    if isinstance(value, ResultsDraft):
        return [*value.text.splitlines(), *_lines(value.calls), f"again = {value.again}"]
    if isinstance(value, Iterable):
        return [line for one in value for line in _item(one)]
    return [repr(value)]


def _item(item: Any) -> list[str]:
    if isinstance(item, Block):
        return _block(item)
    if isinstance(item, Message):
        return [f"[message {item.id}, {item.role}] {item.name}", *item.text.splitlines()]
    return [repr(item)]


def _block(block: Block) -> list[str]:
    place = "head" if block.depth is None else f"depth {block.depth}"
    facts = [block.source, place, block.role, f"priority {block.priority}", *(["pinned"] * block.pinned)]
    reason = f" {one_line(block.reason, 200)}" if block.reason else ""
    return [f"[{', '.join(facts)}]{reason}", *block.text.splitlines()]
