"""The slop meter: which phrases the replies of a chat repeat, and a ban for the worst."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airochat.errors import SettingsError, UsageError
from airochat.hooks import ChatContext, Command, SamplingDraft, hookimpl
from airochat.sampling import Sampling

if TYPE_CHECKING:
    from .report import Phrase, Report

USAGE = "/slop [ban [N] | bans | clear [N]]"
KEY = "banned"
WORDS_SHOWN = 10


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/slop``."""
    register(Command("slop", "Tell which phrases the replies repeat, and ban them.", USAGE, slop))


@hookimpl
def transform_sampling(context: ChatContext, draft: SamplingDraft) -> None:
    """Add the banned phrases of this chat, as far as there is room for them."""
    for entry in banned(context):
        if entry not in draft.sampling.banned:
            try:
                draft.sampling = draft.sampling.replace(banned=(*draft.sampling.banned, entry))
            except SettingsError as error:
                context.log.info("%s is not banned: %s", entry, error)


def slop(context: ChatContext, words: str) -> str:
    """Run ``/slop``."""
    match words.split():
        case []:
            return show(context, look(context))
        case ["ban"]:
            return ban(context, 1)
        case ["ban", number]:
            return ban(context, whole(number))
        case ["bans"]:
            return bans(context)
        case ["clear"]:
            context.data.pop(KEY, None)
            return "Nothing is banned by /slop in this chat any more."
        case ["clear", number]:
            return clear(context, whole(number))
        case _:
            raise UsageError(f"/slop has no {words[:40]!r}.", USAGE)


def look(context: ChatContext) -> Report:
    """Return what the replies of this chat repeat, without phrases that are banned already."""
    import dataclasses

    from . import report

    names = [context.user_name, *(card.called for card in context.cards)]
    found = report.look(context.history, context.settings["replies"], names)
    left = tuple(phrase for phrase in found.phrases if phrase.ban not in banned(context))
    return dataclasses.replace(found, phrases=left)


def show(context: ChatContext, found: Report) -> str:
    """Return the report in words."""
    if not found.replies:
        return "There are no replies yet."
    lines = [f"{_many(found.replies, 'reply', 'replies')}, {_many(found.words, 'word', 'words')}:"]
    shown = found.phrases[: context.settings["shown"]]
    lines += [f"  {number}. {_phrase(phrase)}" for number, phrase in enumerate(shown, 1)]
    if len(found.phrases) > len(shown):
        lines.append(f"  … and {len(found.phrases) - len(shown):,} more")
    lines += [
        f'{len(places)} replies begin with "{text}": messages {_places(places)}'
        for text, places in found.openings[:3]
    ]
    if found.overused:
        told = [
            f"{one.word} {one.times}×" + (f" ({one.ratio:.0f} times as often as you)" if one.ratio else "")
            for one in found.overused[:WORDS_SHOWN]
        ]
        lines.append(f"Words that you use less, or not at all: {', '.join(told)}")
    if len(lines) == 1:
        return f"{lines[0]} nothing repeats itself."
    if shown:
        lines.append("/slop ban N bans the N worst phrases in this chat.")
    return "\n".join(lines)


def ban(context: ChatContext, count: int) -> str:
    """Ban the worst phrases; raises `SettingsError` where there is no room for more."""
    worst = look(context).phrases[:count]
    if not worst:
        raise UsageError("There is no phrase left to ban.", "/slop bans lists those that are.")
    entries = (*banned(context), *(phrase.ban for phrase in worst))
    Sampling(banned=entries)
    context.data[KEY] = list(entries)
    return f"Banned in this chat: {', '.join(phrase.text for phrase in worst)}."


def bans(context: ChatContext) -> str:
    """Return the banned phrases, as they are given to the model's sampler."""
    entries = banned(context)
    if not entries:
        return "Nothing is banned by /slop in this chat."
    return "\n".join(["Banned in this chat:", *(f"  {n}. {entry}" for n, entry in enumerate(entries, 1))])


def clear(context: ChatContext, number: int) -> str:
    """Allow one banned phrase again, by its number in the list."""
    entries = list(banned(context))
    if number > len(entries):
        raise UsageError(f"There is no ban {number}.", "/slop bans lists them.")
    gone = entries.pop(number - 1)
    context.data[KEY] = entries
    return f"{gone} is not banned any more."


def banned(context: ChatContext) -> tuple[str, ...]:
    """Return what this chat bans."""
    return tuple(context.data.get(KEY, ()))


def whole(text: str) -> int:
    """Return a number from 1 on; `UsageError` for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text)):
        raise UsageError(f"{text[:40]!r} is no number from 1 on.", USAGE)
    return int(text)


def _phrase(phrase: Phrase) -> str:
    kind = ", a cliché" if phrase.cliche else ""
    where = "messages" if len(phrase.places) > 1 else "message"
    return f'"{phrase.text}"{kind}: {_many(phrase.times, "time", "times")}, {where} {_places(phrase.places)}'


def _places(places: tuple[int, ...]) -> str:
    more = f" and {len(places) - 8} more" if len(places) > 8 else ""
    return ", ".join(map(str, places[:8])) + more


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
