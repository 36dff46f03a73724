"""Lore for one chat: its books, the scan of the moment, what fired before, and what was frozen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airochat.conversation import Message
from airochat.hooks import Block, ChatContext

from . import place
from .entry import Book, Entry
from .keyring import Keyring
from .library import Library, Shelf
from .options import Options, made
from .order import sorted_entries
from .scan import Scan
from .scene import Found, Said, Scene
from .timed import Record, Timed, effects, lasting

if TYPE_CHECKING:
    from airochat.characters import Card

REPLY: Final = 512
"""Tokens that a reply is taken to have where what is kept for it is not known."""
PATIENCE: Final = 3.5
"""Seconds for which a prompt waits for its lore; a hook that takes 5 is switched off."""
_Value = TypeVar("_Value")
_RECORD: Final = "fired:"
"""Begins the keys under which a chat keeps what fired; the id of the newest message follows."""
_KEPT: Final = 8
"""How many chats' keyrings are remembered."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """An entry's text that stays where it fired: below a message."""

    key: str
    name: str
    message: str
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """All that is known of the lore of a chat at one moment."""

    context: ChatContext
    options: Options
    shelf: Shelf
    ring: Keyring
    scene: Scene
    found: Found
    frozen: tuple[Frozen, ...]

    @property
    def count(self) -> int:
        """How many messages there are."""
        return len(self.scene.said)


class Desk:
    """Makes the looks of all chats. May be used from any thread."""

    def __init__(self) -> None:
        self.library = Library()
        self._rings: dict[str, tuple[Any, Keyring, Shelf]] = {}
        self._outlets: dict[str, Mapping[str, str]] = {}
        self._lock = threading.RLock()

    def options(self, context: ChatContext) -> Options:
        """Return the settings of a chat: its own, then those of all chats."""
        shared, own = context.storage("global").get("settings"), context.data.get("settings")
        return made(
            {**(shared if isinstance(shared, dict) else {}), **(own if isinstance(own, dict) else {})}
        )

    def look(
        self, context: ChatContext, history: Sequence[Message] | None = None, reply: Message | None = None
    ) -> Look:
        """Scan a chat as it is, or as it was with these messages, when ``reply`` was written."""
        with self._lock:
            options = self.options(context)
            shelf = self.library.shelf(context, options)
            messages = tuple(one for one in (context.history if history is None else history) if one.text)
            frozen = frozen_in(context, messages)
            used = shelf.used
            entries = sorted_entries(used, options)
            ring = self._ring(context, entries, options, shelf)
            scene = self._scene(context, messages, entries, frozen, trigger_of(context, messages, reply))
            books: dict[str, Book] = {}
            for found in used.values():
                for book in found:
                    books.setdefault(book.name, book)
            scan = Scan(ring, books, scene, context.count_tokens, context.expand)
            return Look(context, options, shelf, ring, scene, scan.run(), frozen)

    def blocks(self, context: ChatContext) -> list[Block]:
        """Return what lore adds to the prompt, and keep what stands at outlets for their macros."""
        look = self.look(context)
        with self._lock:
            self._outlets[context.session_id] = place.outlets(look.found.fired)
        return [*frozen_blocks(look), *place.blocks(look.found.fired, look.options, look.count)]

    def blocks_in_time(self, context: ChatContext, seconds: float = PATIENCE) -> list[Block]:
        """Return the same, or nothing if that takes longer: books of tens of thousands of entries are read once.

        What has begun goes on, so that the next prompt has its lore.
        """
        found = in_time(lambda: self.blocks(context), seconds)
        if found is None:
            context.log.warning("The lorebooks of this chat are still being read; a prompt is without them.")
        return found or []

    def around_note(self, context: ChatContext, blocks: list[Block]) -> list[Block]:
        """Return the blocks of a prompt with the entries of the author's note where that stands."""
        return place.around_note(blocks, self.options(context))

    def outlet(self, session_id: str, name: str) -> str:
        """Return what stands at an outlet of a chat, as of its newest prompt."""
        with self._lock:
            return self._outlets.get(session_id, {}).get(name.strip(), "")

    def remember(self, context: ChatContext, message: Message) -> None:
        """Keep which entries with a lasting effect were in the prompt of a reply."""
        parent = message.parent
        look = self.look(context, context.tree.path(parent), message)
        lasting_ones = [
            [fired.entry.key, fired.entry.digest] for fired in look.found.fired if lasting(fired.entry)
        ]
        key = f"{_RECORD}{parent or ''}"
        if lasting_ones or key in context.data:
            context.data[key] = lasting_ones

    def _ring(
        self, context: ChatContext, entries: Sequence[Entry], options: Options, shelf: Shelf
    ) -> Keyring:
        books = tuple(id(book) for _, book in shelf.every())
        names = context.user_name, context.card.called if context.card else ""
        state = (books, shelf.off, options, names)
        known = self._rings.get(context.session_id)
        if known is None or known[0] != state:
            # The books are kept, too, so that no other one can have the identity of one of them.
            ring = Keyring(entries, options, context.expand)
            if len(self._rings) >= _KEPT:
                self._rings.pop(next(iter(self._rings)))
            known = self._rings[context.session_id] = state, ring, shelf
        return known[1]

    def _scene(
        self,
        context: ChatContext,
        messages: Sequence[Message],
        entries: Sequence[Entry],
        frozen: Sequence[Frozen],
        trigger: str,
    ) -> Scene:
        card = speaking(context)
        off = context.data.get("off")
        held = {one.key: f"is frozen {_below(one, messages)}" for one in frozen}
        for name in off if isinstance(off, list) else ():
            held.setdefault(name, "is switched off in this chat")
        timed = _timed(context, messages, entries)
        return Scene(
            said=tuple(Said(one.id, one.name, one.text) for one in messages),
            extras=_extras(context),
            names=(card.name, card.called) if card else (),
            tags=card.tags if card else (),
            greeting=_greeting(context, messages),
            replies=sum(one.role == "assistant" for one in messages),
            seed=f"{context.session_id}\n{messages[-1].id if messages else ''}",
            trigger=trigger,
            room=max(context.n_ctx - (context.reply_tokens or REPLY), context.n_ctx // 2),
            timed=timed,
            held_back=held,
        )


def in_time(work: Callable[[], _Value], seconds: float) -> _Value | None:
    """Return what ``work`` returns, or None if that takes longer; it goes on then. Raises what it raises."""
    made: list[_Value] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            made.append(work())
        except Exception as error:
            errors.append(error)

    worker = threading.Thread(target=run, name="airochat-lore", daemon=True)
    worker.start()
    worker.join(seconds)
    if errors:
        raise errors[0]
    return made[0] if made else None


def speaking(context: ChatContext) -> Card | None:
    """Return the character that is to speak; where that is not known, the chat's own one."""
    named = (card for card in context.cards if context.speaker in (card.name, card.called))
    return next(named, context.card) if context.speaker else context.card


def trigger_of(context: ChatContext, messages: Sequence[Message], reply: Message | None = None) -> str:
    """Return how a reply was or is asked for, in the words of `TRIGGERS`.

    A reply beside another one is a swipe, whatever key was pressed for it.
    """
    if context.purpose != "reply":
        return {"continue": "continue", "user": "impersonate"}.get(context.purpose, "normal")
    if not messages:
        return "normal"
    tree = context.tree
    found = [tree[one] for one in tree.children.get(messages[-1].id, ())]
    others = [one.id for one in found if one.role == "assistant"]
    if reply is not None:
        others = others[: others.index(reply.id)] if reply.id in others else []
    return "swipe" if others else "normal"


def frozen_in(context: ChatContext, messages: Sequence[Message]) -> tuple[Frozen, ...]:
    """Return what is frozen on a branch."""
    there = {one.id for one in messages}
    kept = context.data.get("frozen")
    found = [
        Frozen(*(str(one.get(key) or "") for key in ("key", "name", "message", "text")))
        for one in (kept if isinstance(kept, list) else ())
        if isinstance(one, dict)
    ]
    return tuple(one for one in found if one.text and (one.message in there or not one.message))


def frozen_blocks(look: Look) -> list[Block]:
    """Return the blocks of what is frozen, each below the message that was the newest when it fired."""
    made = []
    for one in look.frozen:
        depth = _depth(one, look.scene.said)
        number = look.count - depth
        name = f"plugin:lorebook/frozen/{one.name.replace('/', '-')[:60]}"
        made.append(
            Block(name, one.text, depth, priority=place.PRIORITY, reason=f"frozen below message {number}")
        )
    return made


def _depth(one: Frozen, said: Sequence[Said]) -> int:
    numbers = {message.id: number for number, message in enumerate(said, 1)}
    return len(said) - numbers.get(one.message, 0)


def _below(one: Frozen, messages: Sequence[Message]) -> str:
    numbers = {message.id: number for number, message in enumerate(messages, 1)}
    return f"below message {numbers[one.message]}" if one.message in numbers else "above the first message"


def _timed(context: ChatContext, messages: Sequence[Message], entries: Sequence[Entry]) -> Timed:
    wanted = {entry.key: entry for entry in entries if lasting(entry)}
    if not wanted:
        return Timed({}, {})
    records = []
    for count, message_id in enumerate(["", *(one.id for one in messages)]):
        kept = context.data.get(f"{_RECORD}{message_id}")
        for one in kept if isinstance(kept, list) else ():
            if isinstance(one, list) and len(one) == 2:
                records.append(Record(count, str(one[0]), str(one[1])))
    return effects(records, wanted, len(messages))


def _greeting(context: ChatContext, messages: Sequence[Message]) -> int | None:
    """Return which of the alternatives the first message is, if the character says it."""
    if not messages or messages[0].role != "assistant":
        return None
    siblings: Callable[[str], Sequence[str]] = context.tree.siblings
    try:
        return list(siblings(messages[0].id)).index(messages[0].id)
    except (KeyError, ValueError):
        return None


def _extras(context: ChatContext) -> dict[str, str]:
    card, persona = speaking(context), context.persona
    found = {"match_persona_description": persona.description if persona else ""}
    if card is not None:
        note = card.extensions.get("depth_prompt")
        found |= {
            "match_character_description": card.description,
            "match_character_personality": card.personality,
            "match_character_depth_prompt": str(note.get("prompt") or "") if isinstance(note, dict) else "",
            "match_scenario": card.scenario,
            "match_creator_notes": card.creator_notes,
        }
    return {key: text for key, text in found.items() if text}
