"""Plans in the manner of reWOO: every step first, as calls of tools that refer to the evidence of earlier steps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airochat.checks import did_you_mean
from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.given import given, given_line
from airochat.prompt.forms.sections import sections
from airochat.prompt.forms.values import checked

MAX_STEPS = 64
"""The longest plan that is read, in steps."""

_ASK = """\
Please create a step-by-step plan to generate an ideal response to the user instruction, making use of a set of \
available tools. Each plan will have a corresponding evidence value, which will be the output of one of the available \
functions given an input string that can be the user question, one or more previous evidence values, or a mixture of \
both.

Here are the tools available to be called:
{tools}

The input to each function should just be a plain string, without quotes or "+" to concatenate a string with an \
evidence variable, e.g. LLM[What is the capital of Michigan, given :evidence3:?]

Be sure to only include one evidence output per plan step.

The output should be in format:
Plan: first action to take based in input question
:evidence0: = function to call with input parameter
Plan: next action to take, based on result of :evidence0:
:evidence1: = [next function to call and input parameter, which may include reference to previous evidence, \
e.g. "Given context :evidence0"]
...
Answer: [:evidence[n]: containing the final answer.]

Question: {question}"""

_HEAD = re.compile(
    r"^[ \t]*(?:(Plan)[ \t]*:|(?::evidence([0-9]{1,4}):?|#E([0-9]{1,4}))[ \t]*=|((?:Final )?Answer)[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
_REFERENCE = re.compile(r":evidence([0-9]{1,4})(?![0-9]):?|#E([0-9]{1,4})(?![0-9])", re.IGNORECASE)
_TOOL = re.compile(r"[A-Za-z_][\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a tool; ``input`` and ``plan``, its purpose, may refer to evidence of earlier steps."""

    number: int
    plan: str
    tool: str
    input: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, and the text of the answer line, which refers to their evidence."""

    steps: tuple[Step, ...]
    answer: str


def plan_prompt(question: str, *, tools: Mapping[str, str]) -> str:
    """Return the user text that asks for a plan; ``tools`` says what each does.

    Training had five tools or more, one of which answers questions from given text, such as ``LLM``.

    >>> text = plan_prompt("Who leads Tesla?", tools={"Google": "Searches.", "LLM": "Answers questions."})
    >>> text.splitlines()[2:5]
    ['Here are the tools available to be called:', 'Google[input]: Searches.', 'LLM[input]: Answers questions.']
    """
    if not tools:
        raise FormError("A plan needs tools.", "Name at least one, and one that answers questions.")
    lines = [_tool_line(name, meaning) for name, meaning in tools.items()]
    return _ASK.format(tools="\n".join(lines), question=given(question, "question"))


def read_plan(answer: str, *, tools: Iterable[str] = ()) -> Plan:
    r"""Return the plan of an answer; both ``:evidence0:`` and ``#E1`` name evidence, and text around it is left out.

    `FormError` if the plan has no steps or no answer line, a step is no call of one of the ``tools`` (if any are
    given), or refers to evidence that does not come before it.

    >>> read_plan("Plan: search\n:evidence0: = Google[llamas]\nAnswer: :evidence0:").steps
    (Step(number=0, plan='search', tool='Google', input='llamas'),)
    """
    steps: list[Step] = []
    known = list(tools)
    purpose = ending = ""
    for head, body in sections(_HEAD, checked(answer, "plan")):
        if head[1]:
            purpose = body
        elif head[4]:
            ending = body.split("\n")[0].strip()
            break
        else:
            steps.append(_step(int(head[2] or head[3]), purpose, body, steps, known))
            purpose = ""
    if not steps:
        raise FormError("The answer holds no plan.", "A plan has lines such as :evidence0: = Tool[input]")
    if not ending:
        raise FormError("The plan has no answer line.", "It may be cut off: raise the limit of tokens.")
    _look_back(ending, {step.number for step in steps}, "The answer line")
    return Plan(tuple(steps), ending)


def write_plan(plan: Plan) -> str:
    """Return a plan as the models write it."""
    steps = [
        f"Plan: {step.plan}\n:evidence{step.number}: = {step.tool}[{step.input}]\n" for step in plan.steps
    ]
    return f"{''.join(steps)}Answer: {plan.answer}"


def references(text: str) -> list[int]:
    """Return the numbers of the evidence that a text refers to, in order.

    >>> references("Given :evidence0: and #E12, which?")
    [0, 12]
    """
    return [int(match[1] or match[2]) for match in _REFERENCE.finditer(text)]


def substitute(text: str, evidence: Mapping[int, str]) -> str:
    """Put evidence in the place of what refers to it; evidence itself is not looked at again.

    >>> substitute("What color, given :evidence1:?", {1: ":evidence1: is blue"})
    'What color, given :evidence1: is blue?'
    """
    return _REFERENCE.sub(lambda match: evidence.get(int(match[1] or match[2]), match[0]), text)


def _step(number: int, purpose: str, body: str, earlier: list[Step], tools: list[str]) -> Step:
    numbers = {step.number for step in earlier}
    where = f"Step :evidence{number}:"
    if number in numbers:
        raise FormError(f"{where} is in the plan twice.")
    if len(earlier) >= MAX_STEPS:
        raise FormError(f"The plan has more than {MAX_STEPS} steps.")
    tool, said = _call(body, where)
    if tools and tool not in tools:
        raise FormError(f"{where} calls the tool {tool}, which is not known.", did_you_mean(tool, tools))
    _look_back(said, numbers, where)
    return Step(number, purpose, tool, said)


def _call(body: str, where: str) -> tuple[str, str]:
    first = body.split("\n", 1)[0].rstrip()
    whole = first if first.endswith("]") else body
    tool, bracket, rest = whole.partition("[")
    end = rest.rfind("]")
    if not bracket or end < 0 or not _TOOL.fullmatch(tool.strip()):
        raise FormError(f"{where} is no call of a tool: {first[:60]!r}.", "It must look like Tool[input].")
    return tool.strip(), rest[:end].strip()


def _look_back(text: str, numbers: set[int], where: str) -> None:
    for number in references(text):
        if number not in numbers:
            raise FormError(f"{where} refers to :evidence{number}:, which does not come before it.")


def _tool_line(name: str, meaning: str) -> str:
    if not _TOOL.fullmatch(name):
        raise FormError(f"{name!r} is not the name of a tool.", "Use letters, digits, - and _.")
    return f"{name}[input]: {given_line(meaning, f'description of the tool {name}')}"
