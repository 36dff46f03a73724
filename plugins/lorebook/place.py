"""Where lore stands in the prompt, and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from airochat.hooks import Block
from airochat.text import one_line

from .entry import Entry
from .options import Options
from .scene import Fired

PRIORITY: Final = 20
"""Above what a card can do without, below the author's note."""
CONSTANT_PRIORITY: Final = 30
DROPPED_FIRST: Final = 1
_LIKE_EXAMPLES: Final = -1
"""Goes before the oldest message does, like example dialogue."""
_MARGINS: Final = (1, 1)
_BY_ROLE: Final[Mapping[str, int]] = {"assistant": -3, "user": -2, "system": 0}
"""At one depth the model's own words stand above the user's, and these above what nobody says."""
NOTE: Final = "plugin:authors_note"
"""The source of the author's note, which is another plugin's."""
_ABOVE, _BELOW = -1, 1
"""The orders of what belongs to the note, which nothing else of ours has at a depth."""
LATE: Final = 1
"""The depth of what comes and goes, by our own layout: right before the last message."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the prompt: a depth, or None for the head; and what sorts entries there."""

    depth: int | None
    order: int = 0
    words: str = ""


def spot(entry: Entry, options: Options, count: int) -> Spot:
    """Return where an entry stands in a chat of ``count`` messages."""
    late = not entry.constant and entry.position in ("before_char", "after_char")
    if late and (options.place == "late" or not entry.placed):
        return Spot(LATE, 0, "before the last message")
    if entry.position == "before_char":
        return Spot(None, -1, "before the character")
    if entry.position == "after_char":
        return Spot(None, 0, "after the character")
    if entry.position in ("examples_top", "examples_bottom"):
        return Spot(None, 0, "with the example dialogue")
    if entry.position in ("note_top", "note_bottom"):
        above = entry.position == "note_top"
        words = f"{'above' if above else 'below'} the author's note"
        return Spot(options.note_depth, _ABOVE if above else _BELOW, words)
    depth = entry.depth
    if entry.decorators.reverse_depth is not None:
        depth = max(count - entry.decorators.reverse_depth, 0)
    return Spot(depth, _BY_ROLE[entry.role], f"at depth {depth}, {entry.role}")


def blocks(fired: Iterable[Fired], options: Options, count: int) -> list[Block]:
    """Return the blocks of the entries, each under the source ``plugin:lorebook/BOOK/ENTRY``."""
    taken: Counter[str] = Counter()
    made = []
    for one in fired:
        if not one.text or one.entry.position == "outlet":
            continue
        entry, where = one.entry, spot(one.entry, options, count)
        made.append(
            Block(
                source(entry, taken),
                one.text,
                where.depth,
                entry.role if entry.position == "depth" else "system",
                priority=_priority(entry),
                reason=one.cause.words,
                margins=_MARGINS,
                order=where.order,
            )
        )
    return made


def source(entry: Entry, taken: Counter[str]) -> str:
    """Return an entry's name in reports, which no other one in ``taken`` has."""
    name = f"plugin:lorebook/{_part(entry.book)}/{_part(entry.name)}"
    taken[name] += 1
    return name if taken[name] == 1 else f"{name}#{taken[name]}"


def around_note(placed: Sequence[Block], options: Options) -> list[Block]:
    """Return the blocks of a prompt with the entries of the author's note where that stands.

    Without a note they stay at the depth for them, or are lost, by the settings.
    """
    note = next((block for block in placed if block.source == NOTE), None)
    made = []
    around: dict[int, list[Block]] = {_ABOVE: [], _BELOW: []}
    for block in placed:
        lore = block.source.startswith("plugin:lorebook/") and block.depth is not None
        if lore and block.order in around:
            if note is not None and note.depth is None:
                around[block.order].append(replace(block, depth=None, order=note.order))
                continue
            if note is not None:
                block = replace(block, depth=note.depth, role=note.role, order=note.order + block.order)
            elif options.without_note == "lose":
                continue
        made.append(block)
    if note is not None and note.depth is None:
        # In the head, what is of one order stands as it is given.
        at = made.index(note)
        made[at : at + 1] = [*around[_ABOVE], note, *around[_BELOW]]
    return made


def outlets(fired: Iterable[Fired]) -> dict[str, str]:
    """Return the texts that stand where ``{{outlet::NAME}}`` does, by name."""
    found: dict[str, list[str]] = {}
    for one in fired:
        if one.entry.position == "outlet" and one.entry.outlet:
            found.setdefault(one.entry.outlet, []).append(one.text)
    return {name: "\n".join(texts) for name, texts in found.items()}


def read_again(where: Spot, messages: Sequence[int]) -> int:
    """Return how many tokens stand behind a place, and are read again when something there comes or goes.

    ``messages`` are the tokens of the messages, oldest first; what else stands there is not counted.
    """
    return sum(
        messages if where.depth is None else messages[len(messages) - min(where.depth, len(messages)) :]
    )


def _priority(entry: Entry) -> int:
    if entry.position in ("examples_top", "examples_bottom"):
        return _LIKE_EXAMPLES
    if entry.decorators.drop_first:
        return DROPPED_FIRST
    return CONSTANT_PRIORITY if entry.constant else PRIORITY


def _part(name: str) -> str:
    return one_line(name, 60).replace("/", "-") or "lore"
