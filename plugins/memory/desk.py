"""What a prompt has from each layer, and what is done in the background after a turn."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from airochat.conversation import Message
from airochat.errors import AirochatError
from airochat.hooks import Block, ChatContext

from . import documents, facts, forms, horizon, ranking, recall, summary
from .lane import Lane
from .vectors import Vectors

PATIENCE: Final = 1.0
"""Seconds for which a prompt waits until older messages are indexed; what is indexed until then counts."""
_LONG: Final = 200
"""Messages of a chat from which on it is indexed when it is opened."""
_KEPT: Final = 64
_SHARE: Final = 8
"""A layer takes at most this part of the prompt, so that a small context is not filled by what is past."""
_QUESTION: Final = 2_000
"""Characters of a message that are looked at."""
_NO_FTS: Final = (
    "This Python's SQLite has no FTS5, so memory finds nothing by words: no recall and no documents."
)


@dataclass(frozen=True, slots=True)
class Look:
    """What the layers put into a prompt."""

    summary: summary.Summary | None = None
    facts: tuple[facts.Chosen, ...] = ()
    excerpts: tuple[recall.Excerpt, ...] = ()
    parts: tuple[documents.Part, ...] = ()
    blocks: tuple[Block, ...] = ()
    left: int = 0
    """How many messages have left the context."""
    limits: dict[str, int] = field(default_factory=dict)
    """Tokens that each layer may take."""


class Desk:
    """The memory of all chats. May be used from any thread."""

    def __init__(self) -> None:
        self.recall = recall.Recall()
        self.vectors = Vectors()
        self.library = documents.Library()
        self.lane = Lane()
        self.model = ""
        """The name of the loaded model, as far as it is known."""
        self._lock = threading.Lock()
        self._late: OrderedDict[tuple[str, str], tuple[str | None, int]] = OrderedDict()
        self._memo: OrderedDict[Any, Any] = OrderedDict()
        self._told = False

    # -- the prompt ---------------------------------------------------------------------------------------------

    def blocks(self, context: ChatContext) -> list[Block]:
        """Return the blocks of a prompt, and note how large those are that change from turn to turn."""
        look = self.look(context)
        history = horizon.spoken(context.history)
        if history:
            late = [block.text for block in look.blocks if block.depth is not None]
            tokens = sum(context.count_tokens(late)) + 8 * len(late) if late else 0
            self._keep(self._late, (context.session_id, history[-1].id), (context.horizon, tokens))
        return list(look.blocks)

    def look(self, context: ChatContext) -> Look:
        """Return what the prompt of a chat has; the same for the same messages, horizon and memory."""
        history = horizon.spoken(context.history)
        if not history:
            return Look()
        at = horizon.anchor(history)
        depth = len(history) - at
        left = horizon.place_of(history, context.horizon) or 0
        limits = self.limits(context, history)
        room = _Room(self._room(context, history))
        made = self._summary(context, history, depth, limits["summary"])
        room.take(context, [one for one in made[1] if one.depth is not None])
        found = self._facts(context, history, at, limits["facts"])
        told = facts.block(found, depth)
        room.take(context, [told] if told else [])
        parts = self._parts(context, history, at, limits["documents"])
        from_documents = self._document_blocks(context, parts, depth)
        room.take(context, from_documents)
        # What was not asked for takes only the room that is left, so that no older messages leave for it in one turn
        # and come back in the next, to be read again.
        excerpts = self._excerpts(context, history, at, left, room.part(limits["recall"]))
        blocks = [
            *made[1],
            *([told] if told else []),
            *(one.block(depth) for one in excerpts),
            *from_documents,
        ]
        return Look(made[0], tuple(found), tuple(excerpts), tuple(parts), tuple(blocks), left, limits)

    def limits(self, context: ChatContext, history: Sequence[Message]) -> dict[str, int]:
        """Return the tokens that each layer may take."""
        share = horizon.budget_of(context, history) // _SHARE
        wanted = {name: context.settings[f"{name}_tokens"] for name in ("summary", "facts", "recall")}
        limits = {name: min(tokens, share) for name, tokens in wanted.items()}
        return {**limits, "documents": min(context.settings["documents_tokens"], share * 2)}

    def question(self, context: ChatContext) -> Message | None:
        """Return the user's message that is written as an instruction on documents, or None.

        Only where the form is exactly what the model was trained on: no names before messages, nothing beside it.
        """
        history = horizon.spoken(context.history)
        if not history or context.cards or not forms.knows(context.template):
            return None
        at = horizon.anchor(history)
        if history[at].role != "user" or not self._have_documents(context):
            return None
        look = self.look(context)
        asked = forms.instruction(history[at].text, context.settings["cite"]) if look.parts else None
        return None if asked is None else replace(history[at], text=asked)

    def _summary(
        self, context: ChatContext, history: Sequence[Message], depth: int, tokens: int
    ) -> tuple[summary.Summary | None, list[Block]]:
        if not context.settings["summary"]:
            return None, []
        one = summary.adopted(context, history)
        place = context.settings["summary_place"]
        block = None if one is None else summary.block(one, place, depth, tokens, context.count_tokens)
        return (None, []) if block is None else (one, [block])

    def _facts(
        self, context: ChatContext, history: Sequence[Message], at: int, tokens: int
    ) -> list[facts.Chosen]:
        known = facts.every(context) if context.settings["facts"] and tokens > 0 else []
        if not known:
            return []
        ranked: Sequence[tuple[int, Sequence[str]]] = ()
        if ranking.has_fts5():
            threshold = context.settings["threshold"] / 200
            asked = "\n".join(one.text[:_QUESTION] for one in history[max(at - 1, 0) : at + 1])
            ranked = ranking.rank(tuple(one.text for one in known), asked, threshold)
        return facts.choose(known, ranked, tokens, context.count_tokens)

    def _excerpts(
        self, context: ChatContext, history: Sequence[Message], at: int, left: int, tokens: int
    ) -> list[recall.Excerpt]:
        settings = context.settings
        if not settings["recall"] or not left or tokens <= 0 or not self._fts5(context):
            return []
        index = self.recall.index(context.session_id)
        older = [one for one in history[:left] if not one.is_results]
        complete = index.update(older, PATIENCE)
        places = {one.id: number for number, one in enumerate(history[:left]) if not one.is_results}
        asked = history[at].text[:_QUESTION]
        before = history[at - 1].text[:_QUESTION] if at else ""
        threshold = settings["threshold"] / 100
        key = (context.session_id, context.horizon, history[at].id, asked, before, threshold)

        def find() -> list[tuple[int, str]]:
            texts = (
                {key: index.pieces[key - 1].text for key in index.keys_of(places)} if context.embed else {}
            )
            alike = self.vectors.alike(context, asked, texts) if texts else []
            return recall.search(index, asked, before, places, threshold, alike)

        # Kept, so that a prompt which is assembled again is the same even if a vector has come meanwhile.
        found = self._once(key, find) if complete else find()
        most = settings["recall_excerpts"]
        return recall.excerpts(index, found, history, places, most, tokens, context.count_tokens)

    def _parts(
        self, context: ChatContext, history: Sequence[Message], at: int, tokens: int
    ) -> list[documents.Part]:
        settings = context.settings
        if not settings["documents"] or tokens <= 0 or not self._have_documents(context):
            return []
        asked = history[at].text[:_QUESTION]
        threshold = settings["threshold"] / 100
        try:
            state = tuple((one.id, one.added) for one in self.library.every(context))
            key = (context.session_id, history[at].id, asked, threshold, state)

            def find() -> list[documents.Part]:
                alike: Callable[[dict[int, str]], Sequence[int]] = lambda texts: ()  # noqa: E731
                if context.embed is not None:
                    alike = lambda texts: self.vectors.alike(context, asked, texts)  # noqa: E731
                return self.library.search(context, asked, threshold, alike)

            found = self._once(key, find)
        except AirochatError as error:
            context.log.warning("Documents are left out of a prompt: %s", error)
            return []
        form = forms.form_for(context.template)
        room = tokens - context.count_tokens([forms.reminder(settings["cite"])])[0]
        return documents.chosen(found, settings["documents_parts"], room, context.count_tokens, form=form)

    def _document_blocks(
        self, context: ChatContext, parts: Sequence[documents.Part], depth: int
    ) -> list[Block]:
        if not parts:
            return []
        made = documents.blocks(parts, depth, forms.form_for(context.template))
        if not context.cards and forms.knows(context.template):
            return made
        told = forms.reminder(context.settings["cite"])
        reason = "how to use the documents"
        return [*made, Block("plugin:memory/documents", told, depth, priority=14, reason=reason, order=2)]

    def _have_documents(self, context: ChatContext) -> bool:
        try:
            if not (context.folder / documents.FILE).exists() or not self._fts5(context):
                return False
            return bool(self.library.every(context))
        except AirochatError:
            return False

    def _fts5(self, context: ChatContext) -> bool:
        if ranking.has_fts5():
            return True
        if not self._told:
            self._told = True
            context.notify(_NO_FTS, "Install a Python whose SQLite has it. Summary and facts work without.")
        return False

    def _room(self, context: ChatContext, history: Sequence[Message]) -> int | None:
        newest = horizon.newest_reply(history)
        late = None
        if newest:
            with self._lock:
                late = self._late.get((context.session_id, history[newest - 1].id))
        return horizon.late_room(context, history, late)

    def _once(self, key: Any, find: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._memo:
                return self._memo[key]
        found = find()
        self._keep(self._memo, key, found)
        return found

    def _keep(self, table: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        with self._lock:
            table[key] = value
            table.move_to_end(key)
            if len(table) > _KEPT:
                table.popitem(last=False)

    # -- the background -----------------------------------------------------------------------------------------

    def opened(self, context: ChatContext) -> None:
        """Begin to index a long chat."""
        history = horizon.spoken(context.history)
        if context.settings["recall"] and len(history) > _LONG and ranking.has_fts5():
            self.recall.index(context.session_id).update([one for one in history if not one.is_results], 0)

    def closed(self, session_id: str) -> None:
        """Give up what is done for a chat."""
        self.lane.stop(session_id)
        self.recall.forget(session_id)

    def after_turn(self, context: ChatContext) -> None:
        """Do what is due: the next summary, then facts, vectors meanwhile."""
        self._learn(context)
        self._work(context)

    def redo(self, context: ChatContext) -> bool:
        """Begin to write the summary in the prompt anew; False if one is being written already."""
        history = horizon.spoken(context.history)
        one = summary.adopted(context, history)
        until = one.count if one else horizon.place_of(history, context.horizon) or 0
        if not until:
            raise summary.NoSummary(
                "Nothing has left the context yet.", "The model still sees every message."
            )
        return self._summarise(context, history, until)

    def _work(self, context: ChatContext) -> None:
        if self.lane.busy(context.session_id):
            return
        history = horizon.spoken(context.history)
        until = self._due(context, history) if context.settings["summary"] else None
        if until is not None:
            self._summarise(context, history, until)
        elif context.settings["facts"] and context.settings["find_facts"]:
            fresh = facts.unlooked(context, history)
            if fresh:
                what = "The facts of this chat could not be looked for"
                self.lane.start(context, facts.job(context, fresh), what, lambda: self._work(context))

    def _due(self, context: ChatContext, history: Sequence[Message]) -> int | None:
        """Return up to which message a summary is to be written now, if one is."""
        left = horizon.place_of(history, context.horizon) or 0
        budget = horizon.budget_of(context, history)
        size = horizon.taken(context, history) or 0
        share = context.settings["summary_ahead"]
        near = share < 100 and size * 100 >= budget * share
        ahead = horizon.next_border(history, left, budget) if near else None
        return summary.wanted_until(summary.stored(context, history), left, ahead)

    def _summarise(self, context: ChatContext, history: Sequence[Message], until: int) -> bool:
        job = summary.job(
            context,
            history,
            until,
            tokens=self.limits(context, history)["summary"],
            reach=context.settings["summary_reach"],
            model=self.model,
        )
        what = "The summary of this chat could not be written"
        return self.lane.start(context, job, what, lambda: self._work(context))

    def _learn(self, context: ChatContext) -> None:
        if context.embed is None or not ranking.has_fts5():
            return
        history = horizon.spoken(context.history)
        left = horizon.place_of(history, context.horizon) or 0
        index = self.recall.index(context.session_id)
        keys = index.keys_of({one.id: number for number, one in enumerate(history[:left])})
        texts = [index.pieces[key - 1].text for key in keys] if context.settings["recall"] else []
        try:
            texts += self.library.texts(context) if context.settings["documents"] else []
        except AirochatError as error:
            context.log.info("Documents have no vectors: %s", error)
        self.vectors.learn(context, texts)


class _Room:
    """Tokens that are left before more of the history would leave; unlimited where nothing is known."""

    def __init__(self, tokens: int | None) -> None:
        self._left = tokens

    def part(self, limit: int) -> int:
        """Return what a layer with a limit may take now."""
        return limit if self._left is None else min(limit, self._left)

    def take(self, context: ChatContext, blocks: Sequence[Block]) -> None:
        """Note what a layer has taken."""
        if self._left is not None and blocks:
            self._left -= sum(context.count_tokens([one.text for one in blocks])) + 8 * len(blocks)
