"""What the Airoboros models were trained to do: texts that ask for it, byte for byte, and readers of the answers.

`build` makes the text of a form by its name, `warning` tells if a model was not trained for it. All that a model
writes is read with limits, and the only error is `FormError`.
"""

from airochat.prompt.forms.calculator import evaluate
from airochat.prompt.forms.cards import CHARACTER, random_card, read_card_lines
from airochat.prompt.forms.choice import (
    JSON_PREFILL,
    Choice,
    Function,
    choose_function,
    read_choice,
    write_choice,
)
from airochat.prompt.forms.closed import (
    HONESTY,
    ClosedContext,
    Source,
    closed_context,
    read_closed_context,
    summarise,
    was_trained,
)
from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.execute import Evidence, Limits, Outcome, run, walk
from airochat.prompt.forms.mathjson import answer_value, read_mathjson, solve_with_mathjson
from airochat.prompt.forms.meet import get_to_know, perceive, said_by
from airochat.prompt.forms.plan import Plan, Step, plan_prompt, read_plan, write_plan
from airochat.prompt.forms.registry import FORMS, Form, build, find, holds, warning
from airochat.prompt.forms.systems import TRIVIA, awareness, place, role, todays_date, trivia
from airochat.prompt.forms.thought import Ranking, Solution, Thought, rank_solutions, read_thought, reason
from airochat.prompt.forms.writing import (
    TRAINED_WORDS,
    code_in,
    count_words,
    edit,
    journey,
    long_writing,
    plain_format,
)

__all__ = [
    "CHARACTER",
    "FORMS",
    "HONESTY",
    "JSON_PREFILL",
    "TRAINED_WORDS",
    "TRIVIA",
    "Choice",
    "ClosedContext",
    "Evidence",
    "Form",
    "FormError",
    "Function",
    "Limits",
    "Outcome",
    "Plan",
    "Ranking",
    "Solution",
    "Source",
    "Step",
    "Thought",
    "answer_value",
    "awareness",
    "build",
    "choose_function",
    "closed_context",
    "code_in",
    "count_words",
    "edit",
    "evaluate",
    "find",
    "get_to_know",
    "holds",
    "journey",
    "long_writing",
    "perceive",
    "place",
    "plain_format",
    "plan_prompt",
    "random_card",
    "rank_solutions",
    "read_card_lines",
    "read_choice",
    "read_closed_context",
    "read_mathjson",
    "read_plan",
    "read_thought",
    "reason",
    "role",
    "run",
    "said_by",
    "solve_with_mathjson",
    "summarise",
    "todays_date",
    "trivia",
    "walk",
    "warning",
    "was_trained",
    "write_choice",
    "write_plan",
]
