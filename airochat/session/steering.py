"""Looking at the tokens of a reply, and writing on from one of them with another word."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from airochat.backends.base import ModelInfo, Scored
from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.prompt import PromptPlan, Tokenizer
from airochat.session.task import Task
from airochat.templates import Template
from airochat.templates.segment import Segment

if TYPE_CHECKING:
    from airochat.session.session import Session

_MARK = "\ue000"


class Steering:
    """Tells how likely each token of a reply was, and what else could have stood there."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def tokens(self, message_id: str) -> tuple[int, ...]:
        """Return the token ids of a reply as the loaded model wrote them, or as it would write the same text."""
        message = self._reply(message_id)
        info, tokenizer = self._model()
        if message.tokens and message.provenance.fingerprint == info.fingerprint:
            return message.tokens
        return tuple(tokenizer.encode([message.provenance.raw or message.text], [False])[0])

    def begin(self, message_id: str, position: int, token: int) -> tuple[int, ...]:
        """Return the tokens of a reply up to the place ``position``, from 0, and another one there."""
        kept = self.tokens(message_id)
        if not 0 <= position < len(kept):
            raise UsageError(f"The reply has no token {position}.", f"It has {len(kept)}, from 0.")
        info, tokenizer = self._model()
        known = isinstance(token, int) and not isinstance(token, bool)
        if not known or not 0 <= token < (info.n_vocab or token + 1):
            raise UsageError(
                f"{token!r} is no token of this model.", "Take the number of one of the alternatives."
            )
        vocabulary = tokenizer.vocabulary
        if token in (vocabulary.bos, vocabulary.eos, vocabulary.eot):
            raise UsageError("That token ends a reply and is no text.", "To end it here, edit it.")
        return (*kept[:position], token)

    def score(self, message_id: str, top: int) -> list[Scored]:
        """Return every token of a reply with its probability, and the ``top`` likeliest ones in its place.

        Waits for the model, which reads the reply anew.
        """
        reply = self.tokens(message_id)
        info, _ = self._model()
        session = self._session
        plan = session.write(self.task(message_id), info, session.profile.effective_sampling()).plan
        if plan.tokens is None or not reply:
            raise UsageError("There are no tokens to look at.")
        return session.backend.score(plan.tokens, reply, top)

    def task(self, message_id: str, begun: tuple[int, ...] = ()) -> Task:
        """Return the task of writing another alternative of a reply, which begins with these tokens."""
        message = self._reply(message_id)
        return Task(message.parent, speaker=self._session.speaker_of(message), begun=begun)

    def _reply(self, message_id: str) -> Message:
        message = self._session.tree[message_id]
        if message.role != "assistant":
            raise UsageError("Only replies of the model can be looked at by their tokens.", "Choose a reply.")
        return message

    def _model(self) -> tuple[ModelInfo, Tokenizer]:
        info = self._session.wait_for_model()
        tokenizer = self._session.backend.tokenizer
        if "score" not in info.abilities or tokenizer is None:
            raise UsageError(
                "This backend does not tell the tokens of a reply.", "Load the model file itself for that."
            )
        return info, tokenizer


def begun_with(
    plan: PromptPlan, tokens: tuple[int, ...], template: Template, tokenizer: Tokenizer
) -> PromptPlan:
    """Return a prompt for a reply that begins with these tokens."""
    if plan.tokens is None or plan.sources is None:
        return plan
    written = b"".join(tokenizer.pieces(tokens)).decode("utf-8", "replace")
    source = "reply"
    return dataclasses.replace(
        plan,
        segments=(*plan.segments, Segment(written, source=source, tokens=tokens)),
        tokens=(*plan.tokens, *tokens),
        sources=(*plan.sources, *(source for _ in tokens)),
        # The mark keeps the end from being stripped, since more text will follow.
        begun=template.finish(written + _MARK).removesuffix(_MARK),
        begun_tokens=tokens,
    )
