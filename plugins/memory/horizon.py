"""What has left the context, what leaves it next, and how much room there is: arithmetic over a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from airochat.conversation import Message
from airochat.hooks import ChatContext

_UNKNOWN: Final = 4096
"""Tokens of a context whose size nobody told; the prompt takes the same."""
_WEIGHT: Final = 8
"""Tokens that stand around a message."""
_FAR: Final = 6
"""Messages since the user's last one from which on that is not what the talk is about any more."""
_MARGIN: Final = 64
"""Tokens by which a count of texts apart from each other may be wrong."""


def spoken(history: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages that a prompt can have: those with a text."""
    return tuple(message for message in history if message.text)


def place_of(history: Sequence[Message], message_id: str | None) -> int | None:
    """Return how many messages stand before one; None if it is not there."""
    if message_id is None:
        return None
    return next((number for number, one in enumerate(history) if one.id == message_id), None)


def anchor(history: Sequence[Message]) -> int:
    """Return the place of the message before which stands what changes from turn to turn, and which it is about.

    It is the user's last one, so that a reply that is swiped, continued, or followed by another character's, or by
    results of tools, finds the same text at the same place; or the newest, if that is long ago. -1 if there is none.
    """
    for number in range(len(history) - 1, max(len(history) - 1 - _FAR, -1), -1):
        if history[number].role == "user":
            return number
    return len(history) - 1


def budget_of(context: ChatContext, history: Sequence[Message]) -> int:
    """Return how many tokens a prompt may take, by what the newest reply kept free for itself."""
    n_ctx = context.n_ctx or _UNKNOWN
    reply = context.reply_tokens
    if not reply:
        newest = newest_reply(history)
        kept = None if newest is None else history[newest].provenance.sampling.get("max_tokens")
        reply = kept if isinstance(kept, int) else 512
    return max(n_ctx - min(reply, n_ctx // 2), 1)


def newest_reply(history: Sequence[Message]) -> int | None:
    """Return the place of the newest reply of which it is known how large its prompt was."""
    places = range(len(history) - 1, -1, -1)
    return next((number for number in places if history[number].provenance.usage.get("prompt")), None)


def taken(context: ChatContext, history: Sequence[Message]) -> int | None:
    """Return about how many tokens the coming prompt takes, if it is as that of the newest reply; None if unknown."""
    newest = newest_reply(history)
    if newest is None:
        return None
    usage = history[newest].provenance.usage
    later = [message.text for message in history[newest + 1 :]]
    grown = sum(context.count_tokens(later)) if later else 0
    return usage.get("prompt", 0) + usage.get("generated", 0) + grown + _WEIGHT * (len(later) + 1)


def next_border(history: Sequence[Message], first: int, budget: int) -> int:
    """Return where the history will probably begin when more of it must go, if it begins at ``first`` now.

    Prompts cut a history at the first message of the user after each quarter of the budget, counted from its very
    beginning by lengths in bytes; see `airochat.prompt.budget`. At most all but the newest two go.
    """
    block = max(budget // 4, 1)
    passed, line = 0, block
    for number, message in enumerate(history):
        if message.role == "user" and passed >= line:
            if number > first:
                return min(number, max(len(history) - 2, first))
            line = (passed // block + 1) * block
        passed += _WEIGHT + -(-len(message.text.encode("utf-8", "surrogatepass")) // 4)
    return first


def late_room(
    context: ChatContext, history: Sequence[Message], late: tuple[str | None, int] | None
) -> int | None:
    """Return how many tokens fit before the newest message without more of the history leaving for them.

    ``late`` is what is known of the prompt of the newest reply: its horizon, and the tokens of what changes from turn
    to turn. None if it is unknown, or if more leaves anyway.
    """
    size = taken(context, history)
    if size is None or (late is not None and late[0] != context.horizon):
        return None
    room = budget_of(context, history) - size - _MARGIN + (late[1] if late else 0)
    return room if room > 0 else None
