"""Who is who."""

from __future__ import annotations

from collections.abc import Iterable

from airochat.prompt.macros.call import Macro, Site


def _char(site: Site) -> str | None:
    return site.card.called if site.card else None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _group(site: Site) -> str | None:
    return _listed(card.called for card in site.scope.cards) or _char(site)


def _not_muted(site: Site) -> str | None:
    cards = [card for card in site.scope.cards if not {card.name, card.called} & site.scope.muted]
    return _listed(card.called for card in cards) if site.scope.cards else _char(site)


def _not_char(site: Site) -> str:
    mine = site.card.name if site.card else ""
    others = [card.called for card in site.scope.cards if card.name != mine]
    return _listed([*others, site.scope.user])


MACROS = (
    Macro(
        names=("user",),
        usage="{{user}}, <USER>",
        summary="the user's name",
        run=lambda site: site.scope.user,
    ),
    Macro(
        names=("char",),
        usage="{{char}}, <CHAR>, <BOT>",
        summary="the character's nickname, or else the name",
        run=_char,
    ),
    Macro(
        names=("group", "charIfNotGroup"),
        usage="{{group}}, <GROUP>",
        summary="the names of the cast, separated by commas",
        run=_group,
    ),
    Macro(
        names=("groupNotMuted",),
        usage="{{groupNotMuted}}",
        summary="the names of those in the cast who speak",
        run=_not_muted,
    ),
    Macro(
        names=("notChar",),
        usage="{{notChar}}",
        summary="the names of all others, the user last",
        run=_not_char,
    ),
    Macro(
        names=("model",),
        usage="{{model}}",
        summary="the model's name",
        run=lambda site: site.scope.model,
    ),
)
"""Macros about names."""
