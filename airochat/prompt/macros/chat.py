"""What was said. These texts are inserted as they are, whatever they contain."""

from __future__ import annotations

from collections.abc import Callable

from airochat.conversation import Role
from airochat.prompt.macros.call import Macro, Site


def _last(site: Site) -> str:
    history = site.scope.history
    return history[-1].text if history else ""


def _last_id(site: Site) -> str:
    return str(len(site.scope.history) - 1) if site.scope.history else ""


def _of(role: Role) -> Callable[[Site], str]:
    def run(site: Site) -> str:
        message = site.macros.newest(role)
        return message.text if message else ""

    return run


def _swipe(number: int) -> Callable[[Site], str]:
    return lambda site: str(site.scope.swipe[number] or "")


def _macro(names: tuple[str, ...], summary: str, run: Callable[[Site], str]) -> Macro:
    return Macro(names=names, usage=f"{{{{{names[0]}}}}}", summary=summary, run=run)


MACROS = (
    _macro(("lastMessage",), "the newest message", _last),
    _macro(("lastMessageId",), "its number, counted from 0", _last_id),
    _macro(("lastUserMessage",), "the user's newest message", _of("user")),
    _macro(("lastCharMessage",), "the newest reply", _of("assistant")),
    _macro(
        ("currentSwipeId",), "which alternative of the newest message is shown, counted from 1", _swipe(0)
    ),
    _macro(("lastSwipeId",), "how many alternatives it has", _swipe(1)),
    _macro(
        ("input",),
        "what the user is sending right now; nothing at other times",
        lambda site: site.scope.input,
    ),
    _macro(
        ("system", "systemPrompt", "defaultSystemPrompt", "instructSystem", "instructSystemPrompt"),
        "the system text in use",
        lambda site: site.scope.system,
    ),
    _macro(("maxPrompt",), "how many tokens the prompt may have", lambda site: str(site.scope.max_prompt)),
)
"""Macros about the chat."""
