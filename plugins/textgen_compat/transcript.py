"""A chat as scripts know it, and what a script has put into the prompt, as blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

from airochat.conversation import Message
from airochat.hooks import Block

from .standing import standing

UNASKED = "<|BEGIN-VISIBLE-CHAT|>"
"""Stands for the user's words before a greeting."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text that a script has put before the ``depth`` newest messages; into the head if that is None."""

    depth: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A text of the head that a script has replaced; by nothing, if it took it away."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Lines:
    """The chat as lines, each with the depth of the message it belongs to; None for those of the head.

    ``begins`` says of each whether something may be put before it: it is not in the middle of a message.
    """

    texts: tuple[str, ...]
    depths: tuple[int | None, ...]
    begins: tuple[bool, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.texts)

    def place(self, index: int) -> int | None:
        """Return the depth of what is put before a line."""
        if index == 0 or self.depths[index - 1] is None:
            return None
        return self.depths[index] if index < len(self.depths) else 0

    def parts(self) -> list[int]:
        """Return where each message begins, and where the last one ends: before the name of who speaks next."""
        last = len(self.texts) - 1
        said = [n for n in range(last) if self.depths[n] is not None and self.begins[n]]
        return [*said, last]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a script has made of the lines; ``lost`` says that it changed messages otherwise than as rows."""

    insertions: tuple[Insertion, ...] = ()
    edits: tuple[Edit, ...] = ()
    lost: bool = False


def split(messages: Sequence[Message]) -> tuple[str, dict[str, Any]]:
    """Return what the user has said last, if nobody has answered, and the history before it."""
    spoken = [message for message in messages if message.role != "system"]
    asked = spoken.pop().text if spoken and spoken[-1].role == "user" else ""
    rows: list[list[str]] = []
    for message in spoken:
        if message.role == "user":
            rows.append([message.text, ""])
        elif rows and not rows[-1][1]:
            rows[-1][1] = message.text
        else:
            rows.append([UNASKED, message.text])
    return asked, {"internal": rows, "visible": [list(row) for row in rows], "metadata": {}}


def render(user_input: str, state: Mapping[str, Any], history: Mapping[str, Any] | None = None) -> str:
    """Return a chat as plain text: context, what was said line by line, and the name of who speaks next."""
    rows = (history or state["history"])["internal"]
    lines = [state["context"].strip(), ""] if state["context"].strip() else []
    for said, answered in rows:
        lines += [_line(state["name1"], said)] if said and said != UNASKED else []
        lines += [_line(state["name2"], answered)] if answered else []
    lines += [_line(state["name1"], user_input)] if user_input else []
    return "\n".join([*lines, f"{state['name2']}:"])


def lines_of(messages: Sequence[Message], state: Mapping[str, Any]) -> Lines:
    """Return the same as `render` makes of an untouched chat, with the place of every line."""
    found: list[tuple[str, int | None, bool]] = []
    if state["context"].strip():
        found += [(line, None, True) for line in [*state["context"].strip().split("\n"), ""]]
    spoken = [message for message in messages if message.text]
    for index, message in enumerate(spoken):
        if message.role != "system":
            name = state["name1"] if message.role == "user" else state["name2"]
            lines = _line(name, message.text).split("\n")
            found += [(line, len(spoken) - index, number == 0) for number, line in enumerate(lines)]
    found.append((f"{state['name2']}:", 0, True))
    return _lines(found)


def compare(before: Lines, after: str, names: Sequence[str]) -> Difference:
    """Return what was put into the text of ``before``, and what of its head was changed."""
    insertions: list[Insertion] = []
    edits: list[Edit] = []
    lost = False
    for kind, start, end, texts in _differences(before, after):
        gone, come = "\n".join(before.texts[start:end]), "\n".join(texts)
        kept = ("", come) if kind == "insert" else _around(gone, come, names)
        if kept is not None:
            above = before.place(start) if kind == "insert" else before.depths[start]
            insertions += [Insertion(above, kept[0]), Insertion(before.place(end), kept[1])]
        elif all(depth is None for depth in before.depths[start:end]):
            edits.append(Edit(gone.strip("\n"), come.strip("\n")))
        else:
            lost = lost or bool(gone.strip())
    return Difference(tuple(one for one in insertions if one.text.strip()), tuple(edits), lost)


def placed(before: Lines, after: str) -> Lines:
    """Return a changed text as lines, those that are new with the depth of where they stand."""
    old = list(zip(before.texts, before.depths, before.begins, strict=True))
    made: list[tuple[str, int | None, bool]] = []
    done = 0
    for _, start, end, texts in _differences(before, after):
        depth = before.place(start) if start == end else before.depths[start]
        made += [*old[done:start], *((text, depth, True) for text in texts)]
        done = end
    return _lines([*made, *old[done:]])


def _lines(lines: Sequence[tuple[str, int | None, bool]]) -> Lines:
    return Lines(
        tuple(text for text, _, _ in lines),
        tuple(depth for _, depth, _ in lines),
        tuple(begins for _, _, begins in lines),
    )


def _differences(before: Lines, after: str) -> Iterator[tuple[str, int, int, list[str]]]:
    """Yield what kind of difference there is, between which lines, and the lines that stand there now.

    Where all messages are still there, what is new is what stands between them. To compare line by line might take
    a line of one message for that of another, and what is there for lost.
    """
    new = after.split("\n")
    bounds = before.parts()
    spans = list(pairwise(bounds))
    places = standing([before.texts[start:end] for start, end in spans], new, bounds[0], 1)
    done, late = 0, 0
    for (start, end), place in zip(spans, places or (), strict=False):
        yield from _compared(before.texts[done:start], new[late:place], done)
        done, late = end, place + end - start
    yield from _compared(before.texts[done:], new[late:], done)


def _compared(old: Sequence[str], new: list[str], offset: int) -> Iterator[tuple[str, int, int, list[str]]]:
    """Yield the differences of lines that are compared one by one."""
    shared = alike(old, new)
    # The rest is compared apart: comparing takes the square of the length.
    matcher = SequenceMatcher(None, old[shared:], new[shared:], autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind != "equal":
            start = offset + shared
            yield kind, i1 + start, i2 + start, new[j1 + shared : j2 + shared]


def edited(blocks: Sequence[Block], edits: Sequence[Edit]) -> tuple[list[Block], bool]:
    """Return the blocks with the texts of the head changed, and whether all could be."""
    result, done = list(blocks), True
    for edit in edits:
        found = next(
            (i for i, block in enumerate(result) if block.depth is None and edit.old in block.text), -1
        )
        if not edit.old or found < 0:
            done = done and not edit.old
            continue
        text = result[found].text.replace(edit.old, edit.new, 1)
        result[found : found + 1] = [dataclasses.replace(result[found], text=text)] if text.strip() else []
    return result, done


def as_blocks(insertion: Insertion, source: str, names: tuple[str, str], reason: str) -> Iterator[Block]:
    """Return an insertion as blocks: lines that begin with a name are said by that person."""
    speakers = {f"{names[0]}:": "user", f"{names[1]}:": "assistant"} if insertion.depth is not None else {}
    pieces: list[tuple[Any, list[str]]] = []
    for line in insertion.text.split("\n"):
        start = next((name for name in speakers if line.startswith(name)), "")
        if start or not pieces:
            pieces.append((speakers[start] if start else "system", []))
        pieces[-1][1].append(line[len(start) :].strip() if start else line)
    for role, lines in pieces:
        text = "\n".join(lines).strip()
        if text:
            yield Block(source, text, insertion.depth, role, reason=reason)


def alike(old: Sequence[Any], new: Sequence[Any]) -> int:
    """Return how many are the same at the beginning."""
    count = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        count += 1
    return count


def _line(name: str, text: str) -> str:
    return f"{name}: {text}"


def _around(old: str, new: str, names: Sequence[str]) -> tuple[str, str] | None:
    """Return what a new text has before and after the old one; None if that is not in it."""
    for start in (f"{name}: " for name in names):
        if old.startswith(start) and new.startswith(start) and old != start:
            old, new = old[len(start) :], new[len(start) :]
    if not old.strip() or old not in new:
        return None
    before, _, after = new.partition(old)
    return before, after
