"""How the text of a message is styled: speech, actions, emphasis, code, headings, lists.

The marks that carry a style are taken out (``*nods*`` becomes italic), everything else stays as written. A mark that
is not closed on its own line is text, so a reply that is still being written never changes above its last line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Span = tuple[int, int, str]
"""From, to (characters of the shown text), and the style's name."""

STYLES = ("speech", "action", "strong", "code", "fence", "heading", "quote")
"""The names of all styles that `style` and `fence_text` give."""

LONG = 6000
"""Characters in a line above which it is laid out in pieces, since wrapping costs more than the line's length."""

_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_HEADING = re.compile(r"#{1,6} +(?=\S)")
_BULLET = re.compile(r"( *)[-*+] +(?=\S)")
_QUOTED = re.compile(r"> ?")
# No part may contain its own opening mark: otherwise a line of a hundred thousand quotes takes quadratic time.
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\*\*(?=\S)(?P<strong>[^*\n]+)(?<=\S)\*\*"
    r"|\*(?=[^\s*])(?P<action>[^*\n]+)(?<=\S)\*"
    r"|(?<!\w)_(?=[^\s_])(?P<underlined>[^_\n]+)(?<=\S)_(?!\w)"
    r'|(?P<speech>"[^"\n]+"|“[^“”\n]+”|„[^„“”\n]+[“”]|«[^«»\n]+»)'
)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a fence, laid out by itself so that a growing reply only lays out its last one."""

    text: str
    fence: bool = False
    joined: bool = False
    """Whether it goes on from the block before without an empty row between."""


def blocks(text: str) -> list[Block]:
    """Split a message into blocks: at empty lines, around fences, and where a line is very long."""
    found: list[Block] = []
    lines: list[str] = []
    fence = ""

    def close(is_fence: bool = False) -> None:
        if lines:
            found.extend(_pieces("\n".join(lines), is_fence))
            lines.clear()

    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            lines.append(line)
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
                close(is_fence=True)
        elif mark:
            close()
            fence = mark[1]
            lines.append(line)
        elif line.strip():
            lines.append(line)
        else:
            close()
    close(is_fence=bool(fence))
    return found


def _pieces(text: str, fence: bool) -> list[Block]:
    if len(text) <= LONG:
        return [Block(text, fence)]
    cuts = [0]
    while len(text) - cuts[-1] > LONG:
        start = cuts[-1]
        end = max(text.rfind("\n", start, start + LONG), text.rfind(" ", start, start + LONG)) + 1
        cuts.append(end if end > start else start + LONG)
    ends = [*cuts[1:], len(text)]
    return [
        Block(text[start:end].removesuffix("\n"), fence, joined=start > 0)
        for start, end in zip(cuts, ends, strict=True)
    ]


def style(block: Block) -> tuple[str, list[Span]]:
    """Return what a block shows and the styles in it."""
    if block.fence:
        shown = fence_text(block.text)
        return shown, [(0, len(shown), "fence")]
    out = _Styled()
    for number, line in enumerate(block.text.split("\n")):
        if number:
            out.add("\n")
        _style_line(out, line)
    return out.text, out.spans


def fence_text(text: str) -> str:
    """Return the lines of a fence without the marks around them."""
    lines = text.split("\n")
    if _FENCE.match(lines[0]):
        lines = lines[1:]
    if lines and _FENCE.match(lines[-1]):
        lines = lines[:-1]
    return "\n".join(lines) or " "


class _Styled:
    """Text and spans under construction."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.spans: list[Span] = []
        self.length = 0

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def mark(self, place: tuple[int, int], name: str) -> None:
        """Give what was added since `here` a style; what was styled within keeps its own, as the later one wins."""
        start, at = place
        self.spans.insert(at, (start, self.length, name))

    def here(self) -> tuple[int, int]:
        return self.length, len(self.spans)


def _style_line(out: _Styled, line: str) -> None:
    start = out.here()
    if heading := _HEADING.match(line):
        _inline(out, line[heading.end() :])
        out.mark(start, "heading")
    elif quoted := _QUOTED.match(line):
        out.add("│ ")
        _inline(out, line[quoted.end() :])
        out.mark(start, "quote")
    elif bullet := _BULLET.match(line):
        out.add(f"{bullet[1]}• ")
        _inline(out, line[bullet.end() :])
    else:
        _inline(out, line)


def _inline(out: _Styled, text: str, within: str = "") -> None:
    done = 0
    for found in _INLINE.finditer(text):
        out.add(text[done : found.start()])
        done = found.end()
        kind = found.lastgroup or ""
        name, inner = ("action" if kind == "underlined" else kind), found[kind]
        start = out.here()
        if name in ("code", within):
            out.add(inner)
        elif name == "speech":
            out.add(inner[0])
            _inline(out, inner[1:-1], name)
            out.add(inner[-1])
        else:
            _inline(out, inner, name)
        out.mark(start, name)
    out.add(text[done:])
