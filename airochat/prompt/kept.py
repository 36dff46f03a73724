"""Token ids of earlier replies that a prompt uses again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from airochat.conversation import Message
from airochat.prompt.tokens import Tokenizer
from airochat.templates.template import Template


@dataclass(frozen=True, slots=True)
class Kept:
    """The ids of a reply as they were generated, and their text."""

    tokens: tuple[int, ...]
    text: str


def kept_replies(
    messages: Sequence[Message],
    template: Template,
    tokenizer: Tokenizer | None,
    fingerprint: str,
    *,
    last_open: bool = False,
) -> dict[str, Kept]:
    """Return the replies whose token ids are reused, by message id.

    They were made by this model and template, and their text is what the message says; a plugin may have changed it.
    With ``last_open`` the last message is to be continued, so that whitespace at its end is left out.
    """
    if tokenizer is None or not fingerprint:
        return {}
    same = [
        message
        for message in messages
        if message.role == "assistant"
        and message.tokens
        and (message.provenance.fingerprint, message.provenance.template) == (fingerprint, template.name)
    ]
    pieces = iter(tokenizer.pieces([token for message in same for token in message.tokens]))
    found: dict[str, Kept] = {}
    for message in same:
        written = list(itertools.islice(pieces, len(message.tokens)))
        if last_open and message is messages[-1]:
            written = _without_last_blanks(written, template)
        text = _decoded(written)
        if text and template.finish(text) == message.text:
            found[message.id] = Kept(message.tokens[: len(written)], text)
    return found


def _without_last_blanks(pieces: list[bytes], template: Template) -> list[bytes]:
    wanted = template.finish(_decoded(pieces))
    size = len(pieces)
    while size and not pieces[size - 1].strip() and template.finish(_decoded(pieces[: size - 1])) == wanted:
        size -= 1
    return pieces[:size]


def _decoded(pieces: Sequence[bytes]) -> str:
    return b"".join(pieces).decode("utf-8", "replace")
