"""White space, notes to oneself, and reversed text."""

from __future__ import annotations

from collections.abc import Callable

from airochat.prompt.macros.call import Macro, Site

_MOST = 1_000


def _nothing(site: Site) -> str:
    return ""


def _repeated(character: str) -> Callable[[Site], str | None]:
    def run(site: Site) -> str | None:
        count = site.argument().strip() if site.parts else "1"
        plain = count.isascii() and count.isdigit() and len(count) <= len(str(_MOST))
        return character * int(count) if plain and int(count) <= _MOST else None

    return run


MACROS = (
    Macro(
        names=("newline",),
        usage="{{newline}}, {{newline::3}}",
        summary="one or more line breaks",
        run=_repeated("\n"),
        high=1,
    ),
    Macro(
        names=("space",),
        usage="{{space}}, {{space::3}}",
        summary="one or more spaces",
        run=_repeated(" "),
        high=1,
    ),
    Macro(
        names=("trim",),
        usage="{{trim}}",
        summary="nothing, and the line breaks around it go too; spaces stay",
        run=_nothing,
    ),
    Macro(names=("noop",), usage="{{noop}}", summary="nothing", run=_nothing),
    Macro(
        names=("//",),
        usage="{{// text}}, {{//}}text{{///}}",
        summary="nothing: a note to oneself, which may span lines",
        run=_nothing,
        high=1,
    ),
    Macro(
        names=("comment",),
        usage="{{comment: text}}",
        summary="nothing: a note to the reader of the card",
        run=_nothing,
        high=1,
    ),
    Macro(
        names=("hidden_key",),
        usage="{{hidden_key:text}}",
        summary="nothing: a word for lorebooks to find",
        run=_nothing,
        high=1,
    ),
    Macro(
        names=("reverse",),
        usage="{{reverse:text}}",
        summary="the text from its end to its beginning",
        run=lambda site: site.argument()[::-1],
        low=1,
        high=1,
    ),
)
"""Macros about layout."""
