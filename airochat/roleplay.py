"""Roleplay options: how cards are written for the model, who speaks, and how replies are tidied."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from airochat import checks
from airochat.errors import SettingsError

FORMS = ("auto", "scene", "acquaint", "plain")
"""How a card can be written into the prompt."""

ORDERS = ("mention", "talkative", "round", "hand")
"""How it is decided who speaks next in a group."""

_CHOICES = {"card_form": FORMS, "speaker_label": ("prefill", "model"), "group_order": ORDERS}
_SWITCHES = ("trim_replies", "balance_replies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roleplay:
    """One set of roleplay options, checked when made.

    ``card_form``: ``scene`` is the layout that Airoboros was trained on, ``acquaint`` its "get to know me" form,
    ``plain`` fits every model; ``auto`` takes ``scene`` where the template has one. ``action_mark`` surrounds actions;
    empty says nothing about them. ``speaker_label``: whether the name before a reply is in the prompt (``prefill``) or
    is written by the ``model``. ``group_order``: who of a group answers: those who were named (``mention``), also those
    who feel like it (``talkative``), each in turn (``round``), or who is told to (``hand``). ``trim_replies`` cuts a
    reply that ran out of tokens back to its last whole sentence, ``balance_replies`` closes quotes and asterisks.
    """

    card_form: str = "auto"
    action_mark: str = "*"
    speaker_label: str = "prefill"
    group_order: str = "mention"
    trim_replies: bool = False
    balance_replies: bool = True

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            checks.choice(name, getattr(self, name), allowed)
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} = {getattr(self, name)!r} must be true or false.")
        mark = self.action_mark
        if (
            not isinstance(mark, str)
            or len(mark) > 3
            or any(sign.isalnum() or sign.isspace() for sign in mark)
        ):
            raise SettingsError(
                f"action_mark = {mark!r} is no sign.", 'It is usually "*" or "~"; "" is none.'
            )

    def replace(self, **changes: Any) -> Roleplay:
        """Return a copy with some fields changed; an unknown field is a `SettingsError`."""
        for name in sorted(changes.keys() - self.__dataclass_fields__.keys()):
            hint = checks.did_you_mean(name, self.__dataclass_fields__)
            raise SettingsError(f"There is no roleplay option {name!r}.", hint)
        return dataclasses.replace(self, **changes)
