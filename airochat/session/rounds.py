"""The calls in a reply: found, asked about, made, and recorded in a message that the model reads next."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airochat.conversation import TOOLS, Message, Provenance, new_id
from airochat.errors import AirochatError, StoreError
from airochat.hooks import CallResult, ChatContext, ContextFor, ResultsDraft, Tool, ToolCall
from airochat.hooks.tools import LONGEST_RESULT, CallState
from airochat.sampling import Sampling
from airochat.session.approval import PendingCall
from airochat.session.arguments import compact, plain, problem, shortened, spoken
from airochat.session.events import RoundEnded, ToolCalled, ToolState
from airochat.session.task import Task
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.session.session import Session
    from airochat.session.turn import Turn

ROUNDS = 8
"""How often the model may call tools in one turn."""
CALLS = 16
"""How many calls are made for one reply."""

_log = logging.getLogger(__name__)
_SHORTEST = 500
"""Characters of a result that are told at least, however many there are."""
_SLICE = 0.1
"""Seconds between two looks at the stop flag while the user is asked or a tool runs."""
_NOT_ASKED = "The user was not asked, so the call was not made."
_HOW_TO_ALLOW = "Allow it with `--allow-tools {tool}`, in Python with `session.allow({tool!r})`."
_DENIED = {
    "no": "The user did not allow this call.",
    "never": "The user does not allow this tool.",
    "stopped": "The turn was stopped before this call was made.",
}
_LEFT = "The turn was stopped while this call was being made; whether it was is not known."


@dataclass(frozen=True, slots=True)
class Calls:
    """What a reply calls for."""

    reply: Message
    task: Task
    tools: Mapping[str, tuple[str, Tool]]
    """All tools of the chat by name, each with its plugin."""
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class _Made:
    """A call that is over."""

    result: CallResult
    approved: str
    ran: bool = False
    """Whether the tool was begun."""

    def stored(self) -> dict[str, Any]:
        """Return what is kept of it; see `Provenance.calls`."""
        result, call = self.result, self.result.call
        return {
            "id": call.id,
            "tool": call.tool,
            "arguments": dict(call.arguments),
            "state": result.state,
            "text": result.text,
            "seed": call.seed,
            "seconds": round(result.seconds, 3),
            "approved": self.approved,
        }


class Rounds:
    """The rounds of calls of one turn; used by the turn's thread."""

    def __init__(self, session: Session, turn: Turn, sampling: Sampling) -> None:
        self._session = session
        self._turn = turn
        self._sampling = sampling
        self._number = 0

    def find(self, reply: Message, task: Task) -> Calls | None:
        """Return what a stored reply calls for, or None if it calls for nothing, or may not."""
        plugins = self._session.plugins
        if not plugins.offers("contribute_tools"):
            return None
        context_for = self._context_for(reply, task)
        tools = plugins.tools(context_for)
        if not tools:
            return None
        found = plugins.calls(context_for, reply, [tool for _, tool in tools.values()], self._number)
        if found and self._number >= ROUNDS:
            self._session.notice(
                f"The model wants to call tools a {ROUNDS + 1}th time in one turn, which is not done.",
                "Send an empty message to let it go on.",
            )
            return None
        return Calls(reply, task, tools, tuple(found)) if found else None

    def make(self, wanted: Calls) -> Message | None:
        """Make calls and store their results under the reply; return that message if the model is to write on.

        If the turn is stopped before a tool was begun, nothing is stored, so that the calls can be made later.
        """
        self._number += 1
        made, draft = self._all_made(wanted)
        if self._turn.stopping and not any(one.ran for one in made):
            return None
        message = Message(
            id=new_id(),
            parent=wanted.reply.id,
            role="system",
            name=TOOLS,
            text=draft.text,
            created=time.time(),
            provenance=Provenance(calls=tuple(one.stored() for one in made)),
        )
        session = self._session
        try:
            session.keep_results(message)
        except StoreError as error:
            session.notice(error.message, error.hint)
            return None
        session.publish(RoundEnded(session.id, self._turn.id, wanted.reply, message))
        return message if draft.again else None

    # -- inside -------------------------------------------------------------------------------------------------

    def _context_for(self, reply: Message, task: Task) -> ContextFor:
        session = self._session
        branch = session.tree.path(reply.id)
        history = session.group.seen_by(task.speaker, branch)
        return lambda plugin: session.context(
            plugin,
            history,
            branch,
            purpose=task.goal,
            speaker=task.speaker,
            reply_tokens=self._sampling.max_tokens,
        )

    def _all_made(self, wanted: Calls) -> tuple[list[_Made], ResultsDraft]:
        """Make the calls, then those that plugins want to be made with the results, and so on."""
        context_for = self._context_for(wanted.reply, wanted.task)
        tools = tuple(tool for _, tool in wanted.tools.values())
        made: list[_Made] = []
        todo: Sequence[ToolCall] = wanted.calls
        left = 0
        while True:
            numbered = self._numbered(wanted.reply, todo[: CALLS - len(made)], len(made))
            left += len(todo) - len(numbered)
            made += [self._made(wanted, call, context_for) for call in numbered]
            results = tuple(one.result for one in made)
            draft = ResultsDraft(wanted.reply, tools, results, _lines(results, left))
            changed = self._session.plugins.results(context_for, draft)
            todo = changed.calls
            if not todo or not numbered or self._turn.stopping:
                break
        if left or todo:
            self._session.notice(f"A reply makes more than {CALLS} calls; the others were not made.")
        text = changed.text if changed.text.strip() else draft.text
        try:
            changed.text = _fitting(text, context_for(next(iter(wanted.tools.values()))[0]))
        except Exception:
            # What has been done must be kept in any case.
            _log.exception("The results of calls could not be measured")
            changed.text = text
        return made, changed

    def _numbered(self, reply: Message, calls: Iterable[ToolCall], first: int) -> list[ToolCall]:
        """Give calls an id, and a seed that depends on nothing but their place in the chat."""
        return [
            replace(call, id=f"{reply.id}.{number}", seed=self._seed(reply, number))
            for number, call in enumerate(calls, first)
        ]

    def _seed(self, reply: Message, number: int) -> int:
        place = f"{self._session.id}:{reply.parent or ''}:{number}"
        return int.from_bytes(hashlib.sha256(place.encode()).digest()[:4], "big")

    def _made(self, wanted: Calls, call: ToolCall, context_for: ContextFor) -> _Made:
        """Make one call, or find out why it is not made."""
        plugin, tool = wanted.tools[call.tool]
        try:
            call = replace(call, arguments=plain(call.arguments))
            wrong = problem(tool.parameters, call.arguments)
        except ValueError as error:
            call, wrong = replace(call, arguments={}), f"{error}."
        if wrong:
            return self._over(tool, call, "failed", f"The arguments are wrong: {wrong}", "no")
        try:
            approved, refused = self._approved(plugin, tool, call)
        except Exception as error:
            # Whatever went wrong, what was called before must be kept.
            _log.exception("The user could not be asked about a call")
            if isinstance(error, AirochatError):
                self._session.notice(error.message, error.hint)
            approved, refused = "no", _NOT_ASKED
        if refused:
            return self._over(tool, call, "denied", refused, approved)
        self._tell(tool, call, "running")
        context = context_for(plugin)
        # Arguments of its own, since what it does to them is not what was called.
        own = replace(call, arguments=plain(call.arguments))
        result = self._run(call, lambda: self._session.plugins.run_tool(plugin, tool, context, own))
        result = replace(result, call=call)
        self._tell(tool, call, result.state, result.text)
        return _Made(result, approved, ran=True)

    def _over(self, tool: Tool, call: ToolCall, state: CallState, text: str, approved: str) -> _Made:
        self._tell(tool, call, state, text)
        return _Made(CallResult(call, state, text), approved)

    def _approved(self, plugin: str, tool: Tool, call: ToolCall) -> tuple[str, str]:
        """Return by what a call is allowed, and the sentence for the model if it is not."""
        session = self._session
        if self._turn.stopping:
            return "no", _DENIED["stopped"]
        standing = session.approvals.standing(session.id, plugin, tool.name, tool.identity)
        if standing == "never":
            return "no", _DENIED["never"]
        if tool.approval == "free":
            return "free", ""
        if standing is not None:
            return standing, ""
        if (approver := session.approver) is None:
            return self._not_asked(tool)
        pending = PendingCall(session, plugin, tool, call)
        approver(pending)
        return self._asked(pending, tool, call)

    def _asked(self, pending: PendingCall, tool: Tool, call: ToolCall) -> tuple[str, str]:
        """Wait for the user, keep what is to hold for later, and return what `_approved` does."""
        session = self._session
        if not pending.over:
            self._tell(tool, call, "asked")
        while not pending.wait(_SLICE):
            if self._turn.stopping:
                pending.withdraw()
        decision = pending.decision
        if decision is None:
            return ("no", _DENIED["stopped"]) if self._turn.stopping else self._not_asked(tool)
        if decision in ("chat", "always", "never"):
            try:
                plugin = pending.question.plugin
                session.approvals.keep(session.id, plugin, tool.name, decision, tool.identity)
            except StoreError as error:
                session.notice(error.message, error.hint)
        return (decision, "") if decision in ("once", "chat", "always") else ("no", _DENIED[decision])

    def _not_asked(self, tool: Tool) -> tuple[str, str]:
        title = one_line(tool.title or tool.name, 100)
        self._session.notice(
            f"The model wanted to use {title}, and nobody could be asked.",
            _HOW_TO_ALLOW.format(tool=tool.name),
        )
        return "no", _NOT_ASKED

    def _run(self, call: ToolCall, run: Callable[[], CallResult]) -> CallResult:
        """Run a tool; one that goes on when the turn is stopped is left behind."""
        results: list[CallResult] = []
        over = threading.Event()
        begun = time.monotonic()

        def work() -> None:
            try:
                results.append(run())
            except BaseException as error:
                text = f"The call failed: {one_line(str(error) or type(error).__name__, 300)}"
                results.append(CallResult(call, "failed", text))
            finally:
                over.set()

        threading.Thread(target=work, name="airochat-tool", daemon=True).start()
        while not over.wait(_SLICE):
            if self._turn.stopping:
                return CallResult(call, "failed", _LEFT, time.monotonic() - begun)
        return results[0]

    def _tell(self, tool: Tool, call: ToolCall, state: ToolState, text: str = "") -> None:
        title = one_line(tool.title or tool.name, 100)
        session, arguments = self._session, compact(call.arguments)
        session.publish(
            ToolCalled(session.id, self._turn.id, call.id, call.tool, title, arguments, state, clean(text))
        )


def _lines(results: Sequence[CallResult], left: int) -> str:
    """Return what the model is told of results if no plugin says it otherwise."""
    share = max(_SHORTEST, LONGEST_RESULT // max(1, len(results)))
    lines = [
        f"{one.call.tool}({spoken(one.call.arguments)}) → {shortened(one.text, share)}" for one in results
    ]
    if left:
        lines.append(f"({left} more calls were not made: at most {CALLS} are made at once.)")
    return clean("\n".join(lines))


def _fitting(text: str, context: ChatContext) -> str:
    """Return what is told of results, cut to the half of the prompt's room; the whole is kept with the calls."""
    room = (context.n_ctx - min(context.reply_tokens, context.n_ctx // 2)) // 2
    while room and (tokens := context.count_tokens([text])[0]) > room:
        limit = int(len(text) * room / tokens * 0.9)
        text = f"{text[:limit]}\n[cut here: the results are too long for the context]"
        if limit < _SHORTEST:
            break
    return text
