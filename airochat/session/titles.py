"""Letting the model find the title of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from airochat.conversation import Message
from airochat.errors import AirochatError

if TYPE_CHECKING:
    from airochat.session.session import Session


def retitle(session: Session, asked: Future[str], changed: Callable[[], None]) -> Future[str]:
    """Give a session the title that the model finds, and then call ``changed``; returns at once."""

    def take(done: Future[str]) -> None:
        if done.cancelled():
            return
        if isinstance(error := done.exception(), AirochatError):
            session.notice(f"There is no new title: {error.message}", error.hint)
        elif error is None and done.result():
            session.set(title=done.result())
            changed()

    asked.add_done_callback(take)
    return asked


def is_new(history: Sequence[Message]) -> bool:
    """Return whether one thing was said and answered, with whatever was called for that."""
    return sum(-1 if message.is_results else 1 for message in history) == 2
