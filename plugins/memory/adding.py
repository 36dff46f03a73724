"""Adding a document: at once if that is quick, else in the background with a word at the end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from airochat.errors import AirochatError, UsageError
from airochat.hooks import ChatContext

from .desk import Desk
from .documents import Document, Reach

WAIT: Final = 3.0
"""Seconds for which the user waits for a document."""
_BELONGS: Final = {"chat": "for this chat", "character": "for this character", "always": "for all chats"}


def add(desk: Desk, context: ChatContext, path: str, reach: Reach, seconds: float = WAIT) -> str:
    """Begin to read a document and return what to tell the user; raises what goes wrong while they wait."""
    if not path.strip():
        raise UsageError("Which file?", "/memory add FILE [chat|character|always]; by itself for this chat.")
    try:
        place = Path(path.strip().strip("\"'")).expanduser()
    except RuntimeError:
        place = Path(path.strip())
    made: list[Document] = []
    failed: list[AirochatError] = []
    waiting = threading.Event()

    def work() -> None:
        try:
            made.append(desk.library.add(context, place, reach))
        except AirochatError as error:
            failed.append(error)
        except Exception as error:
            context.log.exception("A document was not read")
            failed.append(AirochatError(f"{place.name} was not read: {type(error).__name__}."))
        if waiting.is_set():
            if made:
                context.notify(told(made[0]), "")
            else:
                context.notify(failed[0].message, failed[0].hint)

    worker = threading.Thread(target=work, name="airochat-memory", daemon=True)
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        waiting.set()
    if made:
        return told(made[0])
    if failed:
        raise failed[0]
    return f"{place.name} is being read; you will be told when it is there."


def told(one: Document) -> str:
    """Return what is said about a document that was added."""
    many = "part" if one.parts == 1 else "parts"
    return f"{one.name} is used {_BELONGS[one.reach]}: {one.parts:,} {many}."
