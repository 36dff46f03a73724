"""What a turn is to write, and where it will stand."""

from __future__ import annotations

from dataclasses import dataclass

from airochat.conversation import Message, Role
from airochat.errors import UsageError
from airochat.templates import Goal


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to write: a reply, the rest of one, or what the user says next."""

    parent: str | None
    """The message under which the result will stand."""
    goal: Goal = "reply"
    prefill: str = ""
    """Words that the result must start with."""
    speaker: str = ""
    """Who speaks; empty for the user, or where there are no characters."""
    continued: Message | None = None
    """The message whose rest is to be written; the result is a sibling of it that says all."""
    begun: tuple[int, ...] = ()
    """Token ids that the reply begins with, as the model wrote them or could have."""
    called: Message | None = None
    """The reply above, if calls in it are to be made first, as they were not before."""

    @property
    def after(self) -> str | None:
        """The last message of the history that the model sees."""
        return self.continued.id if self.continued else self.parent

    @property
    def role(self) -> Role:
        """Who speaks in the result."""
        return "user" if self.goal == "user" else "assistant"


def rest_of(message: Message) -> Task:
    """Return the task to write on where a reply ends; `UsageError` if the message is none."""
    if message.role != "assistant":
        raise UsageError(
            "The last message is not a reply, so there is nothing to continue.", "Send it instead."
        )
    return Task(message.parent, "continue", speaker=message.name, continued=message)


def cut_short(message: Message) -> bool:
    """Return whether a message is a reply that did not come to its own end."""
    unfinished = message.state != "finished" or message.provenance.stop_reason == "length"
    return message.role == "assistant" and unfinished


def may_call(message: Message) -> bool:
    """Return whether a message is a whole reply that a model wrote, in which calls can be looked for."""
    return message.role == "assistant" and bool(message.provenance.model) and not cut_short(message)
