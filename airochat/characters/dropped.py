"""Which texts of a card the prompt of a new chat has no room for.

The order is that of `airochat.prompt.budget`: the examples, the oldest first, then the greeting as the oldest message,
then what stands late in the prompt before what stands early. Description and system prompt are never left out. What
the template, the persona and the user's message take comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

REPLY = 512
"""Tokens of a context that are kept free for the reply: the default of ``max_tokens``."""
PINNED = ("description", "system_prompt")
"""The fields without which no prompt is made."""
_LAST = ("character_book", "post_history_instructions", "depth_prompt", "scenario", "personality")
"""What goes where it is not enough that examples and greeting are gone."""


def dropped(tokens: Mapping[str, int], examples: Sequence[int], room: int) -> list[str] | None:
    """Return the names of the fields that do not fit, in the order in which they go, or None if no prompt does.

    ``tokens`` are those of each field that is there, ``examples`` those of each block in ``mes_example``, and
    ``room`` is what a prompt may have of them.
    """
    greeting = tokens.get("first_mes", 0)
    left = room - sum(examples) - sum(tokens.get(field, 0) for field in (*PINNED, *_LAST))
    gone = 0
    for example in examples:
        if left >= greeting:
            break
        left += example
        gone += 1
    late = []
    for field in _LAST:
        if left < 0 and field in tokens:
            left += tokens[field]
            late.append(field)
    if left < 0:
        return None
    early = [_some(gone, len(examples))] if gone else []
    return [*early, *(["first_mes"] if left < greeting else []), *late]


def _some(gone: int, count: int) -> str:
    return "mes_example" if gone == count else f"mes_example ({gone} of {count} examples)"
