"""What the screens write about cards: rows of lists, and the page about one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.content import Content

from airochat.language import user_language
from airochat.text import clean, one_line
from airochat.tui import words

if TYPE_CHECKING:
    from airochat.characters import Card
    from airochat.characters.read import CardFile
    from airochat.store.library import CardEntry

_LONG = 6_000
"""Characters of one text that are shown; the editor has all of it."""


def row(entry: CardEntry, width: int, marked: bool) -> list[Content]:
    """Return the rows of a list for one card: its name, then what it is."""
    mark = ("● " if marked else "", "$rp-accent")
    star = " ★" if entry.favourite else ""
    name = one_line(entry.name, 80)
    if entry.error:
        return [
            Content.assemble(mark, (name, "$rp-error")),
            Content.styled(one_line(entry.error, 200), "$rp-faint"),
        ]
    room = width - len(star) - (2 if marked else 0)
    shown = Content.styled(name, "bold").truncate(max(4, room), ellipsis=True)
    about = " · ".join(filter(None, (*_tags(entry.tags, 4), one_line(entry.creator, 24))))
    title = Content.assemble(mark, shown, (star, "$rp-accent"))
    return [title, Content.styled(about or one_line(entry.notes, 80), "$rp-faint")]


def facts(entry: CardEntry, file: CardFile | None) -> Content:
    """Return what stands beside the picture."""
    lines = [Content.styled(one_line(entry.name, 80), "bold $rp-ink")]
    nickname = one_line(file.card.nickname, 60) if file else ""
    if nickname:
        lines.append(Content.styled(f"called {nickname}", "$rp-soft"))
    version = one_line(file.card.character_version, 20) if file else ""
    by = " · ".join(filter(None, (f"by {one_line(entry.creator, 40)}" if entry.creator else "", version)))
    marks = ("favourite" if entry.favourite else "", "edited by you" if entry.edited else "")
    persona = f"you are {one_line(entry.persona, 40)}" if entry.persona else ""
    size = f"{one_line(entry.id, 60)}, {max(1, entry.size // 1024):,} KB"
    lines += [Content.styled(by, "$rp-soft")] if by else []
    lines += [Content.styled(line, "$rp-accent") for line in (*marks, persona) if line]
    lines.append(Content.styled(size, "$rp-faint"))
    if tags := " · ".join(_tags(entry.tags, 20)):
        lines += [Content.styled(tags, "$rp-faint")]
    return Content("\n").join(lines)


def page(entry: CardEntry, file: CardFile | None) -> Content:
    """Return everything about a card: what is wrong with it, its creator's notes, then its texts."""
    if entry.error:
        return Content.styled(clean(entry.error), "$rp-error")
    parts: list[Content] = []
    if file is None:
        return _section("From its creator", entry.notes) if entry.notes.strip() else Content("")
    card = file.card
    notes = card.notes(user_language()).strip()
    parts += [_section("From its creator", notes)] if notes else []
    parts += [_warnings(file)] if file.warnings else []
    parts += [_section("Greeting", card.first_mes)] if card.first_mes.strip() else []
    more = len(card.alternate_greetings)
    parts += [Content.styled(f"and {words.count(more, 'other greeting')}", "$rp-faint")] if more else []
    parts += [_section(title, text) for title, text in _texts(card) if text.strip()]
    parts += [Content.styled(line, "$rp-faint") for line in _carries(card)]
    return Content("\n\n").join(parts)


def preview(text: str, lines: int, width: int) -> list[str]:
    """Return the beginning of a text in a few lines of at most ``width`` characters."""
    folded = one_line(text, max(1, lines * width))
    rows: list[str] = []
    for word in folded.split(" "):
        if rows and len(rows[-1]) + 1 + len(word) <= width:
            rows[-1] += f" {word}"
        else:
            rows.append(word[:width])
    if len(rows) > lines:
        rows = [*rows[: lines - 1], rows[lines - 1][: max(0, width - 1)].rstrip("… ") + "…"]
    return rows


def _texts(card: Card) -> Iterable[tuple[str, str]]:
    yield "Description", card.description
    yield "Personality", card.personality
    yield "Scenario", card.scenario


def _carries(card: Card) -> Iterable[str]:
    if card.character_book is not None:
        entries = card.character_book.get("entries")
        count = len(entries) if isinstance(entries, (list, dict)) else 0
        yield f"Has a lorebook of {count:,} {'entry' if count == 1 else 'entries'}."
    if card.assets:
        yield f"Has {words.count(len(card.assets), 'asset')}."


def _warnings(file: CardFile) -> Content:
    lines = [one_line(str(warning), 300) for warning in file.warnings[:12]]
    left = len(file.warnings) - len(lines)
    lines += [f"and {left:,} more: l shows them"] if left > 0 else []
    return Content.assemble(("What is odd about the file", "bold $rp-error"), "\n", "\n".join(lines))


def _section(title: str, text: str) -> Content:
    shown = clean(text).strip().expandtabs(4)
    more = "" if len(shown) <= _LONG else f"\n… and {len(shown) - _LONG:,} more characters; e shows all"
    return Content.assemble((title, "bold $rp-soft"), "\n", shown[:_LONG], (more, "$rp-faint"))


def _tags(tags: Iterable[str], count: int) -> list[str]:
    shown = [one_line(tag, 24) for tag in tags]
    return [tag for tag in shown if tag][:count]
