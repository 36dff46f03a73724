"""Forms of writing: code alone, corrections, texts of a given length, and journeys."""

from __future__ import annotations

import re

from airochat.prompt.forms.given import given, given_words
from airochat.prompt.forms.values import checked

TRAINED_WORDS = 4000
"""About the longest text that the models were trained to write at once."""

_OPENING = re.compile(r"^```[^\n`]*\n", re.MULTILINE)
_CLOSING = re.compile(r"^```[ \t]*$", re.MULTILINE)


def plain_format(task: str) -> str:
    """Return the user text that asks for code and nothing else: one space and ``PLAINFORMAT`` at the very end.

    >>> plain_format("Write a websocket server in python.")
    'Write a websocket server in python. PLAINFORMAT'
    """
    return f"{given(given(task, 'task').removesuffix('PLAINFORMAT'), 'task')} PLAINFORMAT"


def code_in(answer: str) -> str:
    r"""Return the code of an answer to `plain_format`.

    Training had code alone. If there is a fenced block after at most one line of words, it is taken for the code.

    >>> code_in("Here it is:\n```python\nprint(1)\n```\nEnjoy.")
    'print(1)\n'
    """
    text = checked(answer, "answer")
    start = _OPENING.search(text)
    end = _CLOSING.search(text, start.end()) if start else None
    if not start or not end or "\n" in text[: start.start()].strip():
        return text
    return text[start.end() : end.start()]


def edit(text: str) -> str:
    r"""Return the user text that asks to improve and correct a text; the answer is the corrected text alone.

    >>> edit("She go home.")
    'Rewrite the following text to improve/correct it.\n\nText: She go home.'
    """
    return f"Rewrite the following text to improve/correct it.\n\nText: {given(text, 'text')}"


def long_writing(requirements: str, *, words: int = TRAINED_WORDS) -> str:
    r"""Return the user text that asks for a text of a length; ``requirements`` lists what must be in it.

    >>> long_writing("Write the opening chapter of a novel.", words=1500)
    'Write the opening chapter of a novel.\n\nYour response should be approximately 1500 words.'
    """
    ending = f"Your response should be approximately {given_words(words)} words."
    return f"{given(requirements, 'list of requirements')}\n\n{ending}"


def count_words(text: str) -> int:
    """Return the length of a text as the training data counted it: what single spaces divide.

    >>> count_words("one two three")
    3
    """
    return len(text.split(" "))


def journey(setting: str) -> str:
    r"""Return the user text that asks for a long story in the second person, set as ``setting`` tells.

    >>> journey("A lighthouse in a storm.")
    'A lighthouse in a storm.\n\nTake me through this journey'
    """
    return f"{given(setting, 'setting')}\n\nTake me through this journey"
