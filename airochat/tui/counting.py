"""Counting tokens as the loaded model does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airochat.session.events import ModelReady

if TYPE_CHECKING:
    from airochat.session import SessionManager


def counter(manager: SessionManager) -> Callable[[Sequence[str]], list[int]] | None:
    """Return what counts the tokens of texts by the loaded model; None if there is none that can.

    Counting may block while the model is busy.
    """
    if not isinstance(manager.model_state, ModelReady):
        return None
    tokenizer = manager.model.backend().tokenizer
    if tokenizer is None:
        return None

    def count(texts: Sequence[str]) -> list[int]:
        return [len(tokens) for tokens in tokenizer.encode(texts, [True] * len(texts))]

    return count
