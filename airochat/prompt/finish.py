"""Making a generated reply fit to be shown. The raw reply is kept elsewhere; nothing here changes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice, pairwise

from airochat.prompt.balance import balanced, fences

_WORD = re.compile(r"[^\W_]")
_CJK_END = "。！？｡"
_STOP = re.compile(
    # A sentence's end within a line; one in Chinese or Japanese, which needs no space; the end of a line that is no
    # letter, digit or mark after which more must come.
    r"[.!?…]+[\"“”’»)\]*_]*(?!\S)"
    rf"|[{_CJK_END}]+[\"“”’」』）)*]*"
    r"|(?:[^\w\s,;:\-—–(„‘\[{</\\&+=#@$%^|]|_)+(?=[ \t]*$)",
    re.MULTILINE,
)
_NO_END = re.compile(r"(?:mr|mrs|ms|dr|st|prof|vs|e\.g|i\.e|[a-hj-z])", re.IGNORECASE)
_OPENING = "\"“‘'(*_["
_CLOSING = '"”’»)]*_'
_LONGEST_WORD = 40
_NUMBER = re.compile(r"[0-9]+")


def finish_reply(
    text: str, *, speakers: Sequence[str] = (), speaker: str = "", trim: bool = False, balance: bool = True
) -> str:
    """Return a reply without its speaker's own labels, ended where another of ``speakers`` begins to speak.

    With ``trim`` it ends with its last finished sentence; with ``balance`` quotes, asterisks, parentheses and code
    blocks that are left open are closed. Doing it twice is doing it once, and a text with words keeps some.
    """
    text = _without_labels(_without_label(text, speaker), speaker)
    text = _one_speaker(text, [name for name in speakers if name.strip() and name != speaker])
    if trim:
        # What is closed early on must count as finished now as it would the second time.
        text = _trimmed(balanced(text, end=False) if balance else text)
    return balanced(text) if balance else text


def _without_label(text: str, speaker: str) -> str:
    if not speaker.strip():
        return text
    label = re.compile(rf"\s*(?:{re.escape(speaker)}[ \t]*[:：]\s*)+")
    found = label.match(text)
    return text[found.end() :] if found and _WORD.search(text, found.end()) else text


def _without_labels(text: str, speaker: str) -> str:
    """Drop the speaker's labels at the beginning of lines; what stands after them is the same speaker's."""
    if not speaker.strip():
        return text
    label = re.compile(rf"^[ \t]*(?:{re.escape(speaker)}[ \t]*[:：][ \t]*)+\n?", re.MULTILINE)
    if not _WORD.search(label.sub("", text)):
        return text
    code = [fence for fence in fences(text) if not fence.closing]
    starts = (0, *(fence.end for fence in code))
    ends = (*(fence.start for fence in code), len(text))
    found = [one for start, end in zip(starts, ends, strict=True) for one in label.finditer(text, start, end)]
    # Marks of code that began their line only by this would make code of what follows.
    found = [one for one in found if one[0].endswith("\n") or not text.startswith(("```", "~~~"), one.end())]
    if not found:
        return text
    stays = pairwise((0, *(edge for one in found for edge in one.span()), len(text)))
    return "".join(text[start:end] for start, end in islice(stays, 0, None, 2)).rstrip()


def _one_speaker(text: str, others: Sequence[str]) -> str:
    if not others:
        return text
    label = re.compile(rf"\n[ \t]*(?:{'|'.join(map(re.escape, others))})[ \t]*[:：]")
    first = _WORD.search(text)
    code = [fence for fence in fences(text) if not fence.closing]
    for found in label.finditer(text, first.end() if first else len(text)):
        if not any(fence.start <= found.start() < fence.end for fence in code):
            return text[: found.start()].rstrip()
    return text


def _trimmed(text: str) -> str:
    code = fences(text)
    if code and code[-1].closing:
        return text
    block = code[-1].end if code else 0
    stops = reversed(list(_STOP.finditer(text, block)))
    end = next((stop.end() for stop in stops if _ends_sentence(text, stop)), block)
    return text[:end] if _WORD.search(text, 0, end) and text[end:].strip() else text


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    if stop[0].strip(_CLOSING) != ".":
        return True
    before = text[max(0, stop.start() - _LONGEST_WORD) : stop.start()].rpartition("\n")[2]
    word = before.split()[-1] if before.strip() else ""
    listed = _NUMBER.fullmatch(before.strip())
    return not (listed or _NO_END.fullmatch(word.lstrip(_OPENING)))
