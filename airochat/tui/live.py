"""A reply while it is being made, as the events of its turn tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from airochat.session.events import PromptRead, PromptReady, TextAdded, TurnStarted
from airochat.tui import words


@dataclass(slots=True)
class Live:
    """The state of one running turn."""

    start: TurnStarted
    created: float = field(default_factory=time.time)
    text: str = ""
    tokens: int = 0
    prompt: int = 0
    """Tokens of the prompt; 0 until it is known."""
    read: PromptRead | None = None
    stopping: bool = False
    _first: float = 0.0
    _rate: float = 0.0

    def apply(self, event: PromptReady | PromptRead | TextAdded) -> None:
        """Take in one event of the turn."""
        match event:
            case PromptReady(plan=plan):
                self.prompt = plan.size
            case PromptRead(total=total):
                self.read, self.prompt = event, total
            case TextAdded(text=text, tokens=tokens, index=0):
                self._add(text, tokens)

    def _add(self, text: str, tokens: int) -> None:
        now = time.monotonic()
        if not self._first:
            # The first piece says when writing began, not how fast it goes.
            self._first = now
        elif now > self._first:
            self._rate = self.tokens / (now - self._first)
        self.text += text
        self.tokens += tokens

    @property
    def doing(self) -> str:
        """What is being done, in words."""
        if self.stopping:
            return "stopping"
        if self.text:
            return f"writing · {words.rate(self._rate)}" if self._rate else "writing"
        if self.read is not None and self.read.done < self.read.total:
            return f"reading the prompt · {self.read.done:,} of {self.read.total:,} tokens"
        return "thinking" if self.prompt else "waiting for the model"
