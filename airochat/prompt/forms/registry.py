"""What the Airoboros models were trained to do, each with the versions that can do it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from airochat.checks import did_you_mean
from airochat.prompt.forms import cards, choice, closed, mathjson, meet, plan, systems, thought, writing
from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.versions import rank

Place = Literal["user", "system", "text"]
"""Where a built text goes: a user's turn, the system text, or a text without roles that the model goes on with.

The last is the beginning of a reply in the template ``story`` without turns, which adds nothing to it.
"""

_SOMETIMES_DEAF = "2.1"
"""Its training left out the system texts by mistake, as its author found."""


@dataclass(frozen=True, slots=True)
class Form:
    """One thing the models were trained to do; ``since`` and ``until`` are the first and the last such version."""

    name: str
    title: str
    since: str
    builder: Callable[..., str]
    takes: str
    """What the text is that `build` gets, in a few words; empty if it takes none."""
    until: str | None = None
    place: Place = "user"

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that `build` takes for this form."""
        parameters = inspect.signature(self.builder).parameters.values()
        return tuple(found.name for found in parameters if found.kind is found.KEYWORD_ONLY)


_ALL = (
    Form("context", "Answer from given texts alone", "1.0", closed.closed_context, "the instruction"),
    Form("summary", "Summarise a text", "2.2", closed.summarise, "the text"),
    Form("code", "Code and nothing else", "1.2", writing.plain_format, "the task"),
    Form("function", "Choose a function and its parameters", "2.0", choice.choose_function, "the input"),
    Form("plan", "Plan calls of tools", "2.0", plan.plan_prompt, "the question"),
    Form("solutions", "Several solutions, ranked", "2.0", thought.rank_solutions, "the question"),
    Form("reasoning", "Reason step by step", "1.3", thought.reason, "the question"),
    Form("editor", "Improve and correct a text", "2.2", writing.edit, "the text"),
    Form("writing", "Write at length", "2.1", writing.long_writing, "what is required"),
    Form("journey", "An experience in the second person", "2.1", writing.journey, "the setting"),
    Form("role", "Answer in the style of a role", "2.1", systems.role, "the description", place="system"),
    Form("trivia", "Answer in a few words", "2.1", systems.trivia, "", place="system"),
    Form("awareness", "Know the date or the place", "2.2", systems.awareness, "the fact", place="system"),
    Form("meet", "Get to know a character", "2.2", meet.get_to_know, "the question", place="text"),
    Form("senses", "What a character perceives", "2.2", meet.perceive, "the question", place="text"),
    Form("card", "Invent a character card", "2.0", cards.random_card, "what the card is of"),
    Form("math", "Solve with MathJSON", "3.0", mathjson.solve_with_mathjson, "the problem", until="3.1.2"),
)
FORMS: Mapping[str, Form] = {form.name: form for form in _ALL}
"""Every form by its name."""


def find(name: str) -> Form:
    """Return a form by its name; `FormError` if there is none of that name."""
    if name not in FORMS:
        raise FormError(f"The form {name!r} is not known.", did_you_mean(name, FORMS))
    return FORMS[name]


def build(name: str, text: str = "", /, **options: object) -> str:
    """Return the text of a form; its `Form.place` tells where it goes.

    ``options`` are the keyword arguments of the form's own function. `FormError` tells what is missing or unknown.

    >>> build("summary", "The ferry left at dawn.", words=5).splitlines()[-2]
    'Summarize the input in around 5 words.'
    """
    form = find(name)
    unknown = next((option for option in options if option not in form.options), None)
    if unknown is not None:
        raise FormError(f"The form {name} has no option {unknown!r}.", did_you_mean(unknown, form.options))
    needed = inspect.signature(form.builder).parameters.values()
    missing = [
        found.name for found in needed if found.kind is found.KEYWORD_ONLY and found.default is found.empty
    ]
    for option in missing:
        if option not in options:
            raise FormError(f"The form {name} needs the option {option!r}.")
    return form.builder(text, **options)


def holds(form: Form | str, version: str) -> bool:
    """Tell whether a version of Airoboros was trained for a form.

    >>> holds("math", "3.11"), holds("math", "3.2"), holds("editor", "2.1"), holds("plan", "m2.0")
    (True, False, False, True)
    """
    form = find(form) if isinstance(form, str) else form
    place, first, last = rank(version), rank(form.since), rank(form.until or "3.3")
    return place is not None and first is not None and last is not None and first <= place <= last


def warning(form: Form | str, version: str) -> str | None:
    """Return why a model may not follow a form, or None; ``version`` is empty for a model that is no Airoboros.

    >>> warning("editor", "1.4.1")
    'This form was trained since Airoboros 2.2; this model is Airoboros 1.4.1 and may not follow it.'
    >>> warning("math", "")
    'This form was trained in Airoboros 3.0 to 3.1.2; this model is another and may not follow it.'
    >>> warning("summary", "3.2") is None
    True
    """
    form = find(form) if isinstance(form, str) else form
    if holds(form, version):
        if form.place == "system" and rank(version) == rank(_SOMETIMES_DEAF):
            return f"Airoboros {_SOMETIMES_DEAF} often ignores system texts: its training left them out."
        return None
    span = f"in Airoboros {form.since} to {form.until}" if form.until else f"since Airoboros {form.since}"
    model = f"Airoboros {version}" if rank(version) is not None else "another"
    return f"This form was trained {span}; this model is {model} and may not follow it."
