"""Chain of thought: several solutions, their ranking, and the best answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.given import given
from airochat.prompt.forms.sections import sections
from airochat.prompt.forms.values import checked

_ASK = (
    "Give several possible answers to the question, ensuring you provide step-by-step reasoning for each.  "
    "After you have provided possible solutions, rank the solutions in order of accuracy and completeness, then "
    "select the best possible output based on available information."
)
_HEAD = re.compile(
    r"^[ \t*#]*(?:Solution (\d{1,3})|(Final answer)|(Ranking of solutions[^:\n]{0,60})|(Best and final answer))\**:\**",
    re.IGNORECASE | re.MULTILINE,
)
_RANKED = re.compile(r"^[ \t]*(\d{1,3})[.)][ \t]*\**Solution (\d{1,3})\**:?\**", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Solution:
    """One way to an answer."""

    number: int
    reasoning: str
    answer: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The place of a solution, best first, and why it has it."""

    solution: int
    reason: str


@dataclass(frozen=True, slots=True)
class Thought:
    """What a model thought of: its solutions, their ranking, and the answer it gives."""

    solutions: tuple[Solution, ...]
    ranking: tuple[Ranking, ...]
    best: str


def rank_solutions(question: str) -> str:
    """Return the user text that asks for several solutions, a ranking, and the best answer.

    >>> rank_solutions("How many sisters has Jackie?")[:79]
    'How many sisters has Jackie?  Give several possible answers to the question, en'
    """
    return f"{given(question, 'question')}  {_ASK}"


def reason(question: str) -> str:
    """Return the user text that asks for the reasoning first and the answer last.

    >>> reason("What is 12 times 12?")
    'What is 12 times 12? Reason step-by-step.'
    """
    return f"{given(question, 'question')} Reason step-by-step."


def read_thought(answer: str) -> Thought:
    r"""Return the parts of an answer to `rank_solutions`; `FormError` if it has no solution or no best answer.

    Without a line for the best answer, that of the solution ranked first stands for it.

    >>> text = "Solution 1:\n2 + 2\n\nFinal answer: 4\n\nRanking of solutions from best to worst:\n1. Solution 1: Sums."
    >>> read_thought(text).best
    '4'
    """
    solutions: list[Solution] = []
    ranking: tuple[Ranking, ...] = ()
    best = ""
    for head, body in sections(_HEAD, checked(answer, "chain of thought")):
        number, final, ranked, chosen = head.groups()
        if number:
            solutions.append(Solution(int(number), body, ""))
        elif final and solutions:
            solutions[-1] = Solution(solutions[-1].number, solutions[-1].reasoning, body)
        elif ranked:
            ranking = tuple(Ranking(int(line[2]), why) for line, why in sections(_RANKED, body))
        elif chosen:
            best = body
    if not solutions:
        raise FormError("The answer has no solutions.", "A chain of thought has lines such as Solution 1:")
    return Thought(tuple(solutions), ranking, best or _first(solutions, ranking))


def _first(solutions: list[Solution], ranking: tuple[Ranking, ...]) -> str:
    answers = {solution.number: solution.answer for solution in solutions}
    best = answers.get(ranking[0].solution, "") if ranking else ""
    if not best:
        raise FormError(
            "The answer ends before its best answer.", "Raise the limit of tokens and generate again."
        )
    return best
