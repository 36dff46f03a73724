"""The replies of a turn while they are being made, as its events tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from airochat.session.events import AlternativeEnded, PromptRead, PromptReady, TextAdded, TurnStarted
from airochat.text import one_line
from airochat.tui import words
from airochat.tui.entries import Beside

_BEGINNING = 400
"""Characters of a reply from which the line about it is made."""


@dataclass(slots=True)
class Writing:
    """One reply that is being written."""

    text: str = ""
    tokens: int = 0
    ended: bool = False
    """Whether it is known to be complete."""

    @property
    def beginning(self) -> str:
        """How it begins, on one line."""
        return one_line(self.text[:_BEGINNING], _BEGINNING)

    @property
    def state(self) -> str:
        """How far it is, in words."""
        if not self.text:
            return "nothing" if self.ended else "waiting"
        return words.count(len(self.text.split()), "word") + ("" if self.ended else " …")


@dataclass(slots=True)
class Live:
    """The state of one running turn."""

    start: TurnStarted
    created: float = field(default_factory=time.time)
    prompt: int = 0
    """Tokens of the prompt; 0 until it is known."""
    read: PromptRead | None = None
    stopping: bool = False
    shown: int = 0
    """Which of the replies is looked at: 0 for the first."""
    replies: list[Writing] = field(default_factory=list)
    _first: float = 0.0
    _rate: float = 0.0

    def __post_init__(self) -> None:
        self.replies = [Writing() for _ in self.ids]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that the replies will have."""
        return (self.start.message, *self.start.alternatives)

    @property
    def several(self) -> bool:
        """Whether more than one reply is written."""
        return len(self.replies) > 1

    @property
    def text(self) -> str:
        """The text of the reply that is looked at."""
        return self.replies[self.shown].text

    @property
    def tokens(self) -> int:
        """How many tokens the reply has that is looked at."""
        return self.replies[self.shown].tokens

    def apply(self, event: PromptReady | PromptRead | TextAdded | AlternativeEnded) -> None:
        """Take in one event of the turn."""
        match event:
            case PromptReady(plan=plan):
                self.prompt = plan.size
            case PromptRead(total=total):
                self.read, self.prompt = event, total
            case TextAdded(text=text, tokens=tokens, index=index):
                self._add(text, tokens, self.replies[index])
            case AlternativeEnded(index=index):
                self.replies[index].ended = True

    def look(self, by: int) -> bool:
        """Look at another of the replies, so many after the present one; false if there is none."""
        if not 0 <= self.shown + by < len(self.replies):
            return False
        self.shown += by
        return True

    def beside(self) -> tuple[Beside, ...]:
        """Return a line about each reply, if there are several."""
        if not self.several:
            return ()
        return tuple(
            Beside(number, reply.beginning, reply.state, number == self.shown + 1)
            for number, reply in enumerate(self.replies, 1)
        )

    def _add(self, text: str, tokens: int, reply: Writing) -> None:
        if tokens:
            # What a reply begins with by request was not written now.
            now, written = time.monotonic(), sum(each.tokens for each in self.replies)
            if not self._first:
                # The first piece says when writing began, not how fast it goes.
                self._first = now
            elif now > self._first:
                self._rate = written / (now - self._first)
        reply.text += text
        reply.tokens += tokens

    @property
    def doing(self) -> str:
        """What is being done, in words."""
        if self.stopping:
            return "stopping"
        if self._first:
            now = "the others are being written" if self.replies[self.shown].ended else "writing"
            return f"{now} · {words.rate(self._rate)}" if self._rate else now
        if self.read is not None and self.read.done < self.read.total:
            return f"reading the prompt · {self.read.done:,} of {self.read.total:,} tokens"
        return "thinking" if self.prompt else "waiting for the model"
