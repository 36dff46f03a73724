"""One reply while it is written: what the model said, what of it is shown, and the message that it becomes."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airochat.backends.base import Failed, Finished, ModelInfo, ReplyEnded, Usage
from airochat.conversation import Message, Provenance, State
from airochat.prompt.finish import finish_reply
from airochat.sampling import Sampling
from airochat.session.task import Task
from airochat.templates.voices import awaits_label, written_label

if TYPE_CHECKING:
    from airochat.session.prompts import Written
    from airochat.session.session import Session

_log = logging.getLogger(__name__)
_MARK = "\ue000"


@dataclass(frozen=True, slots=True)
class Origin:
    """What all replies of one turn are made of."""

    session: Session
    task: Task
    info: ModelInfo
    written: Written
    sampling: Sampling
    """With the seed of the first reply."""
    created: float
    """When the turn began to write, in seconds since 1970: by this, replies of one turn know each other."""


class Draft:
    """The reply number ``index`` of a turn; used by the turn's thread, but for `partial`."""

    def __init__(self, origin: Origin, index: int, message_id: str, name: str) -> None:
        self._origin = origin
        self._plan, self._template = origin.written.plan, origin.written.template
        self._index, self._id, self._name = index, message_id, name
        self._raw: list[str] = []
        self._text = self._plan.begun
        self._shown = False

    def add(self, text: str) -> str:
        """Take what the model wrote; return what of it is to be shown now."""
        self._raw.append(text)
        if not self._shown:
            written = "".join(self._raw)
            if not self._plan.begun and awaits_label(written, self._origin.written.labels):
                text = ""
            else:
                # The mark keeps the end from being stripped, since more text will follow.
                text = self._template.finish(written + _MARK, self._plan.begun).removesuffix(_MARK)
                text = text.removeprefix(self._plan.begun)
            self._shown = bool(text)
        self._text += text
        return text

    def partial(self) -> Message | None:
        """Return the reply as it stands, or None if nothing of it is shown yet."""
        return self._message(self._text, "running", (), Usage()) if self._shown else None

    def final(self, end: Finished | Failed | ReplyEnded | None) -> Message | None:
        """Return the message that the reply has become, or None if nothing was written."""
        raw, begun = "".join(self._raw), self._plan.begun
        if not raw.strip() and not self._is_whole(end):
            return None
        whole = self._template.finish(raw, begun)
        if not whole.strip():
            return None
        label = "" if begun else written_label(raw, self._origin.written.labels)
        self._name = label.removesuffix(":") or self._name
        session = self._origin.session
        changed = session.plugins.reply(session.context, self._tidied(whole, end))
        tokens: tuple[int, ...] = ()
        if isinstance(end, (Finished, ReplyEnded)) and changed == whole and (end.tokens or not raw):
            tokens = self._plan.reply_tokens(end.tokens)
        usage = end.usage if isinstance(end, (Finished, Failed)) else Usage()
        state, reason = _ending(end)
        message = self._message(changed, state, tokens, usage, reason)
        if changed == whole:
            return message
        return dataclasses.replace(message, provenance=dataclasses.replace(message.provenance, raw=whole))

    def _is_whole(self, end: Finished | Failed | ReplyEnded | None) -> bool:
        """Return whether the model found nothing to add to the tokens that its reply was to begin with."""
        return (
            bool(self._origin.task.begun) and isinstance(end, (Finished, ReplyEnded)) and end.reason != "user"
        )

    def _message(
        self, text: str, state: State, tokens: tuple[int, ...], usage: Usage, reason: str = ""
    ) -> Message:
        origin = self._origin
        provenance = Provenance(
            model=origin.info.name,
            fingerprint=origin.info.fingerprint,
            template=self._template.name,
            sampling=origin.sampling.numbered(self._index).stored(),
            stop_reason=reason,
            usage=dataclasses.asdict(usage),
        )
        return Message(
            id=self._id,
            parent=origin.task.parent,
            role=origin.task.role,
            name=self._name,
            text=text,
            created=origin.created,
            state=state,
            tokens=tokens,
            provenance=provenance,
        )

    def _tidied(self, text: str, end: Finished | Failed | ReplyEnded | None) -> str:
        """Return the reply as the roleplay options want it; without characters it stays as it is."""
        profile = self._origin.session.profile
        if not profile.cards:
            return text
        options = profile.effective_roleplay
        cut = not isinstance(end, (Finished, ReplyEnded)) or end.reason in ("length", "user")
        try:
            return finish_reply(
                text,
                speakers=self._origin.written.speakers,
                speaker=self._name,
                trim=options.trim_replies and cut,
                balance=options.balance_replies,
            )
        except Exception:
            # What the model wrote is worth more than its looks.
            _log.exception("A reply could not be tidied")
            return text


def _ending(end: Finished | Failed | ReplyEnded | None) -> tuple[State, str]:
    """Return the state of a reply, and why it ended."""
    match end:
        case None:
            return "stopped", "user"
        case Failed(reason):
            return "failed", reason
        case _:
            return ("stopped" if end.reason == "user" else "finished"), end.reason
