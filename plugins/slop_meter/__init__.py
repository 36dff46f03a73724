"""The slop meter: which phrases the replies of a chat repeat, and a ban for the worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airochat.errors import SettingsError, UsageError
from airochat.hooks import Act, ChatContext, Command, Outcome, Panel, SamplingDraft, View, hookimpl
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
def register_panels(register: Callable[[Panel], None]) -> None:
    """Offer the report as a panel."""
    summary = "Which phrases the replies repeat, and what is banned."
    register(Panel("slop_meter", "Slop meter", summary, show_panel, act_on_panel))


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
    lines = [f"{many(found.replies, 'reply', 'replies')}, {many(found.words, 'word', 'words')}:"]
    shown = found.phrases[: context.settings["shown"]]
    lines += [f"  {number}. {_phrase(phrase)}" for number, phrase in enumerate(shown, 1)]
    if len(found.phrases) > len(shown):
        lines.append(f"  … and {len(found.phrases) - len(shown):,} more")
    lines += [
        f'{len(places)} replies begin with "{text}": messages {message_numbers(places)}'
        for text, places in found.openings[:3]
    ]
    if found.overused:
        lines.append(f"Words that you use less, or not at all: {words_used(found)}")
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
    return ban_entries(context, worst)


def ban_entries(context: ChatContext, phrases: Sequence[Phrase]) -> str:
    """Ban these phrases; raises `SettingsError` where there is no room for more."""
    entries = (*banned(context), *(phrase.ban for phrase in phrases))
    Sampling(banned=entries)
    context.data[KEY] = list(entries)
    return f"Banned in this chat: {', '.join(phrase.text for phrase in phrases)}."


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


def words_used(found: Report) -> str:
    """Return the words that the model overuses, in one line."""
    return ", ".join(
        f"{one.word} {one.times}×" + (f" ({one.ratio:.0f} times as often as you)" if one.ratio else "")
        for one in found.overused[:WORDS_SHOWN]
    )


def show_panel(context: ChatContext, place: str) -> View:
    """Show the report and the bans."""
    from .panel import show

    return show(context, place)


def act_on_panel(context: ChatContext, done: Act) -> Outcome:
    """Ban a phrase, or allow one again."""
    from .panel import act

    return act(context, done)


def _phrase(phrase: Phrase) -> str:
    kind = ", a cliché" if phrase.cliche else ""
    where = "messages" if len(phrase.places) > 1 else "message"
    return f'"{phrase.text}"{kind}: {many(phrase.times, "time", "times")}, {where} {message_numbers(phrase.places)}'


def message_numbers(places: tuple[int, ...]) -> str:
    """Return the numbers of messages, of which few are named."""
    more = f" and {len(places) - 8} more" if len(places) > 8 else ""
    return ", ".join(map(str, places[:8])) + more


def many(count: int, one: str, more: str) -> str:
    """Return how many there are, in words."""
    return f"{count:,} {one if count == 1 else more}"
