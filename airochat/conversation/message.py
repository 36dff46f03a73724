"""One utterance of a conversation, and where it came from."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
"""Who speaks; a character's replies are ``assistant``, whatever its name."""

State = Literal["finished", "stopped", "failed", "running"]
"""How a message ended; ``running`` in a loaded conversation means that its program was killed while writing it."""

TOOLS = "tools"
"""The name under which the results of calls stand in a conversation, in a message of the role ``system``."""

_id_lock = threading.Lock()
_last_id = 0


def new_id() -> str:
    """Return a new identifier of 26 hexadecimal digits that sorts by the time it was made, also across programs."""
    global _last_id
    with _id_lock:
        _last_id = max(_last_id + 1, time.time_ns() // 1000)
        stamp = _last_id
    return f"{stamp:014x}{os.urandom(6).hex()}"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a generated message was made with; everything empty for a message that a person wrote."""

    model: str = ""
    """The model's name."""
    fingerprint: str = ""
    """The model's fingerprint; token ids are only reused under the same one."""
    template: str = ""
    """The template's name; token ids are only reused under the same one."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """The sampling fields used, with the seed that was drawn."""
    stop_reason: str = ""
    """Why the reply ended: ``eos``, ``stop``, ``length``, ``user``, or the sentence of an error."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """Token counts: prompt, reused, evaluated, generated."""
    raw: str = ""
    """What the model wrote, where the message's text is a tidied version of it."""
    calls: tuple[Mapping[str, Any], ...] = ()
    """In a message with results: each call as JSON values.

    These are ``id``, ``tool``, ``arguments``, ``state`` (``done``, ``denied`` or ``failed``), ``text``, ``seed``,
    ``seconds`` and ``approved``: ``free``, ``once``, ``chat`` or ``always`` for those that were made, else ``no``.
    """


@dataclass(frozen=True, slots=True)
class Message:
    """One message. It never changes: an edit makes a sibling, so that nothing a person wrote is lost."""

    id: str
    parent: str | None
    role: Role
    name: str
    """The author's name as shown, for instance the persona's or the character's."""
    text: str
    created: float = 0.0
    """Seconds since 1970, UTC."""
    state: State = "finished"
    tokens: tuple[int, ...] = ()
    """The token ids as generated, if their text is exactly the raw reply; the next prompt reuses them."""
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_results(self) -> bool:
        """Whether this message holds the results of the calls in the reply above it."""
        return self.role == "system" and self.name == TOOLS
