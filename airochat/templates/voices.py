"""Who speaks: the names that stand before what is said, where a template or a chat wants them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from airochat.templates.segment import ChatTurn, Part

NAMES = "names"
"""The source of the names before what is said; they come from cards and users, unlike what templates write."""

Labels = Literal["none", "replies", "all"]
"""Whose turns begin with a name: nobody's, those of the characters, or also the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """Who speaks in a prompt, for the template that writes it."""

    labels: Labels = "none"
    reply: str = ""
    """Who writes the reply."""
    user: str = ""
    """Who the user is, for what the model writes in the user's place."""
    narrators: frozenset[str] = frozenset()
    """Names that are never written."""
    cast: tuple[str, ...] = ()
    """The names that a model may write before a reply."""
    own: bool = False
    """The model writes the name before its reply by itself; else the prompt ends with it."""
    opening: str = ""
    """The user's first words where a character speaks first; empty if these are not needed."""
    user_stop: tuple[str, ...] = ()
    """Further texts that end what the model writes in the user's place."""

    @property
    def named(self) -> bool:
        """Whether any turns begin with a name."""
        return self.labels != "none"

    def label(self, turn: ChatTurn) -> str:
        """Return the name that a turn begins with, and a colon; empty if it begins with none.

        >>> Voices(labels="replies").label(ChatTurn("assistant", (), "Maya"))
        'Maya:'
        """
        wanted = {"assistant": self.named, "user": self.labels == "all"}.get(turn.role, False)
        name = spoken_name(turn.name)
        return f"{name}:" if wanted and name and name not in self.narrators else ""

    def labelled(self, turn: ChatTurn) -> tuple[Part, ...]:
        """Return a turn's parts with its label before them."""
        label = self.label(turn)
        return (Part(f"{label} " if turn.text else label, NAMES), *turn.parts) if label else turn.parts

    def without_label(self, text: str) -> str:
        """Return a reply without the name that the model wrote before it."""
        label = written_label(text, self.cast) if self.own else ""
        return text.lstrip().removeprefix(label) if label else text

    def joined(self, one: Voices) -> Voices:
        """Return these voices for a template whose own are ``one``: it always writes the names that it must."""
        labels = one.labels if one.named else self.labels
        return dataclasses.replace(self, labels=labels, own=self.own and labels != "none")


NOBODY = Voices()
"""No names at all."""


def spoken_name(name: str) -> str:
    """Return a name as it stands in a prompt: on one line, without needless spaces."""
    return " ".join(name.split())


def written_label(text: str, names: Sequence[str]) -> str:
    """Return the label of one of these speakers that a text begins with; empty if it begins with none.

    >>> written_label(" Maya: hello", ["Theo", "Maya"])
    'Maya:'
    """
    labels = (f"{spoken_name(name)}:" for name in names if name.strip())
    return next((label for label in labels if text.lstrip().startswith(label)), "")


def awaits_label(text: str, names: Sequence[str]) -> bool:
    """Return whether what a model has written so far may become the label of one of these speakers.

    >>> awaits_label("Ma", ["Maya"]), awaits_label("Maybe", ["Maya"])
    (True, False)
    """
    begun = text.lstrip()
    return any(f"{spoken_name(name)}:".startswith(begun) for name in names if name.strip())


def voiced_name(name: str, voices: Voices, usual: Voices) -> str:
    """Return the name of a template that was bound to speakers: it tells what stands otherwise before a reply."""
    added = "+names" if voices.named and not usual.named else ""
    return name + added + ("+own-label" if voices.own else "")
