"""Chats that were trained as plain text without roles: getting to know a character, and what it can perceive."""

from __future__ import annotations

from collections.abc import Sequence

from airochat.prompt.forms.given import given, given_line
from airochat.prompt.forms.systems import staying
from airochat.prompt.forms.values import checked


def get_to_know(
    question: str,
    *,
    name: str,
    description: str,
    stay: str = "",
    user_name: str = "David",
    turns: Sequence[tuple[str, str]] = (),
) -> str:
    r"""Return the text of a chat up to a question, for a model to go on with ``{name}: {answer}``.

    ``turns`` are the questions and answers so far, without names. Training had up to about 2,500 words of them, and
    a common English first name as ``user_name``.

    >>> text = get_to_know("And now?", name="Maya", description="A smith.", turns=[("Busy?", "Always.")])
    >>> print(text, end="")
    A chat between Maya and David.
    Description of Maya:
    A smith.
    <BLANKLINE>
    <BLANKLINE>
    Always stay in character, responding the way Maya would.
    <BLANKLINE>
    David: Busy?
    Maya: Always.
    David: And now?
    """
    name, user_name = given_line(name, "name"), given_line(user_name, "name of the user")
    head = f"A chat between {name} and {user_name}.\nDescription of {name}:\n{given(description, 'description')}\n\n\n"
    said = [f"{user_name}: {asked.strip()}\n{name}: {answer.strip()}\n" for asked, answer in turns]
    return f"{head}{staying(name, stay)}\n\n{''.join(said)}{user_name}: {given(question, 'question')}\n"


def perceive(question: str, *, name: str, description: str, user_name: str = "David") -> str:
    """Return the text of a question on body, senses or place, for a model to answer without a name before it.

    >>> print(perceive("Is it warm?", name="Maya", description="A smith at her forge."), end="")
    A chat between Maya and David.
    Maya:
    A smith at her forge.
    David: Is it warm?
    """
    name, user_name = given_line(name, "name"), given_line(user_name, "name of the user")
    head = f"A chat between {name} and {user_name}.\n{name}:\n{given(description, 'description')}\n"
    return f"{head}{user_name}: {given(question, 'question')}\n"


def said_by(answer: str, *, name: str, user_name: str = "David") -> str:
    r"""Return what a character said, without its name before it and without a next question that the model made up.

    >>> said_by(" Maya: Always.\nDavid: Good.", name="Maya")
    'Always.'
    """
    text = checked(answer, "answer")
    return f"\n{text}".split(f"\n{user_name}:")[0].strip().removeprefix(f"{name}:").strip()
