"""From a message's Markdown to HTML that is safe to put into a page.

A notebook's page can run code in its kernel, so one hole here would give a model the user's machine. There are three
walls: HTML in the text stays text, the parser refuses script addresses, and an allow-list cleans what comes out.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from airochat.text import clean

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

_TAGS = (
    "p br hr h1 h2 h3 h4 h5 h6 em strong s del code pre blockquote ul ol li a span table thead tbody tr th td"
)
_SCHEMES = ("http", "https", "mailto")
_SPEECH = re.compile(r'"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»|»[^«»]+«')


def to_html(text: str) -> str:
    """Return the HTML of one message, with speech in quotation marks as ``<span class="speech">``.

    Single line breaks stay breaks and indented lines stay prose, since writers mean them so. Images become links, so
    that opening a chat asks no server for anything.
    """
    import nh3

    return nh3.clean(
        _parser().render(clean(text)),
        tags=set(_TAGS.split()),
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        allowed_classes={"span": {"speech"}},
        attribute_filter=_only_absolute_links,
        url_schemes=set(_SCHEMES),
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def plain_html(text: str) -> str:
    """Return ``text`` as escaped HTML that keeps its line breaks, for a reply that is still growing."""
    return f'<span style="white-space: pre-wrap">{html.escape(clean(text))}</span>'


def _only_absolute_links(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "href" and not value.startswith(tuple(f"{scheme}:" for scheme in _SCHEMES)):
        return None
    return value


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    parser.disable(["image", "code", "lheading", "reference", "html_block", "html_inline"])
    parser.core.ruler.push("speech", _mark_speech)
    return parser


def _mark_speech(state: StateCore) -> None:
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = list(_with_speech(block.children))


def _with_speech(tokens: list[Token]) -> Iterable[Token]:
    """Wrap the quoted parts of text tokens; a quotation may reach over emphasis, its marks never over an element."""
    spans = [match.span() for match in _SPEECH.finditer("".join(_letters(token) for token in tokens))]
    position = 0
    for token in tokens:
        if token.type == "text":
            yield from _split(token, position, spans)
        else:
            yield token
        position += len(_letters(token))


def _letters(token: Token) -> str:
    if token.type in ("text", "code_inline"):
        return token.content
    return "\n" if token.type in ("softbreak", "hardbreak") else ""


def _split(token: Token, start: int, spans: list[tuple[int, int]]) -> Iterable[Token]:
    end = start + len(token.content)
    done = start
    for left, right in spans:
        left, right = max(left, start), min(right, end)
        if left >= right:
            continue
        yield _text(token.content[done - start : left - start])
        yield _tag("speech_open", 1)
        yield _text(token.content[left - start : right - start])
        yield _tag("speech_close", -1)
        done = right
    yield _text(token.content[done - start :])


def _text(content: str) -> Token:
    from markdown_it.token import Token

    return Token("text", "", 0, content=content)


def _tag(kind: str, nesting: int) -> Token:
    from markdown_it.token import Token

    return Token(kind, "span", nesting, attrs={"class": "speech"} if nesting > 0 else {})  # type: ignore[arg-type]
