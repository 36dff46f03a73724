"""The slop meter as a panel: what the replies repeat, with a button that bans it, and what is banned."""

from __future__ import annotations

from airochat.errors import UsageError
from airochat.hooks import Act, Button, ChatContext, Outcome, Row, Rows, Text, View

from . import ban_entries, banned, clear, look, many, message_numbers, words_used


def show(context: ChatContext, place: str) -> View:
    """Return the report and the bans."""
    found = look(context)
    rows = {
        phrase.ban: Row(
            phrase.ban,
            (
                phrase.text,
                "cliché" if phrase.cliche else "",
                f"{phrase.times:,}",
                message_numbers(phrase.places),
            ),
        )
        for phrase in reversed(found.phrases)
    }
    said = f"{many(found.replies, 'reply', 'replies')}, {many(found.words, 'word', 'words')}."
    openings = [
        Text(f'{len(places)} replies begin with "{text}": messages {message_numbers(places)}')
        for text, places in found.openings[:3]
    ]
    overused = (
        [Text(f"Words that you use less, or not at all: {words_used(found)}")] if found.overused else []
    )
    bans = tuple(Row(str(number), (entry,)) for number, entry in enumerate(banned(context), 1))
    return View(
        "Slop meter",
        (
            Text(said, "soft"),
            Rows(
                "phrases",
                ("phrase", "", "times", "messages"),
                tuple(rows.values())[::-1],
                (Button("ban", "Ban in this chat"),),
                "Nothing repeats itself." if found.replies else "There are no replies yet.",
            ),
            *openings,
            *overused,
            Text("Banned in this chat", "heading"),
            Rows("bans", ("phrase",), bans, (Button("allow", "Allow again"),), "Nothing is banned by /slop."),
        ),
    )


def act(context: ChatContext, done: Act) -> Outcome:
    """Ban a phrase, or allow one again."""
    if done.button == "allow":
        return Outcome(clear(context, int(done.row)))
    found = next((phrase for phrase in look(context).phrases if phrase.ban == done.row), None)
    if found is None:
        raise UsageError("This phrase is banned already, or not there any more.")
    return Outcome(ban_entries(context, [found]))
