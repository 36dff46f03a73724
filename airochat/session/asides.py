"""Questions to the model beside the conversation, answered while nobody waits: titles, summaries."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from airochat.backends.base import Event, Failed, Finished, Request, TextDelta
from airochat.conversation import Message, new_id
from airochat.errors import AirochatError, BackendError, UsageError
from airochat.prompt import PromptPlan, assemble, wire_text
from airochat.sampling import Sampling
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager
    from airochat.session.session import Session

_LARGEST = 4096
"""Tokens that a question may take at most, with its answer: background work has a small context."""
_EXCERPT, _MESSAGES, _TITLE = 400, 6, 60
_ASK_TITLE = "Give this conversation a title of at most six words. Write the title only.\n\n"


class Asides:
    """Asks the model beside the conversations, without touching them or their cache."""

    def __init__(self, manager: SessionManager) -> None:
        self._manager = manager

    def ask(
        self, question: str, *, system: str = "", template: str = "", sampling: Sampling | None = None
    ) -> Future[str]:
        """Ask something and return the answer as a future; it is written when the model has nothing else to do.

        The future raises `AirochatError` if there is no answer. Cancelling it ends the work.
        """
        request_id = new_id()
        answer: Future[str] = Future()
        wanted = sampling or Sampling(temperature=0.3, max_tokens=128)

        def work() -> None:
            try:
                written = self._answer(request_id, question, system, template, wanted)
            except AirochatError as error:
                failure: Exception = error
            except Exception as error:
                failure = BackendError(f"The question failed: {type(error).__name__}: {error}")
            else:
                if answer.set_running_or_notify_cancel():
                    answer.set_result(written)
                return
            if answer.set_running_or_notify_cancel():
                answer.set_exception(failure)

        def stop(done: Future[str]) -> None:
            if done.cancelled() and (backend := self._manager.model.current) is not None:
                backend.stop(request_id)

        answer.add_done_callback(stop)
        threading.Thread(target=work, name="airochat-aside", daemon=True).start()
        return answer

    def title(self, session: Session) -> Future[str]:
        """Ask for a title of a conversation; see `ask`."""
        said = [message for message in session.history if message.role != "system"][:_MESSAGES]
        if not said:
            raise UsageError("Nothing was said yet that could have a title.")
        lines = (f"{message.name}: {one_line(message.text, _EXCERPT)}" for message in said)
        sampling = Sampling(temperature=0.3, max_tokens=24, stop=("\n\n",))
        asked = self.ask(_ASK_TITLE + "\n".join(lines), template=session.template_name, sampling=sampling)
        found: Future[str] = Future()

        def pass_on(done: Future[str]) -> None:
            if done.cancelled() or found.cancelled():
                found.cancel()
            elif error := done.exception():
                found.set_exception(error)
            else:
                found.set_result(plain_title(done.result()))

        asked.add_done_callback(pass_on)
        return found

    def _answer(self, request_id: str, question: str, system: str, template: str, sampling: Sampling) -> str:
        model = self._manager.model
        info = model.wait()
        backend = model.backend()
        choice = model.choose(template or self._manager.settings.template, info)
        asked = Message(new_id(), None, "user", self._manager.settings.user_name, question)
        n_ctx = min(info.n_ctx or _LARGEST, _LARGEST)
        plan = assemble(
            [],
            [asked],
            choice.template,
            tokenizer=backend.tokenizer,
            n_ctx=n_ctx,
            reserve=min(sampling.max_tokens, n_ctx // 2),
            default_system=system,
        )
        request = _request(request_id, plan, sampling)
        return choice.template.finish(_text(backend.generate(request))).strip()


def plain_title(written: str) -> str:
    r"""Return what a model wrote as a title: one line, without quotes or the word itself before it.

    >>> plain_title(' Title: "The Lamp at the Ferry".\nIt is')
    'The Lamp at the Ferry'
    """
    lines = [line for line in clean(written).splitlines() if line.strip()]
    line = one_line(lines[0], _TITLE) if lines else ""
    head, colon, rest = line.partition(":")
    if colon and head.strip().lower() == "title":
        line = rest.strip()
    return line.strip(" .\"'“”*#")


def _request(request_id: str, plan: PromptPlan, sampling: Sampling) -> Request:
    stop = tuple(dict.fromkeys((*plan.stop, *sampling.stop)))
    prompt = wire_text(plan) if plan.tokens is None else plan.tokens
    return Request(request_id, prompt, sampling, stop, plan.stop_tokens, purpose="background")


def _text(events: Iterable[Event]) -> str:
    """Return the text of a request that ends well, else raise `BackendError`."""
    texts: list[str] = []
    end: Event | None = None
    # To its end in any case: a request that is left in the middle holds up those after it.
    for event in events:
        if isinstance(event, TextDelta):
            texts.append(event.text)
        end = event
    match end:
        case Failed(message, hint):
            raise BackendError(message, hint)
        case Finished("user"):
            raise BackendError("The question was stopped.")
    return "".join(texts)
