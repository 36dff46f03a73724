"""Running a plan: calling its tools in order with the evidence so far. Nothing the model wrote is executed as code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from airochat.checks import did_you_mean
from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.plan import Plan, Step, references, substitute
from airochat.text import one_line

Tool = Callable[[str], str]
"""What a tool is: it takes the input of a step and returns its evidence."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a plan may do: the calls, and the characters of an input, of a piece of evidence and of the answer."""

    steps: int = 32
    input_chars: int = 50_000
    evidence_chars: int = 20_000
    answer_chars: int = 50_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a step was asked and what it found; after a failure the text of the error, if the run goes on."""

    step: Step
    input: str
    output: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a plan, and all evidence on the way to it."""

    answer: str
    evidence: tuple[Evidence, ...]


LIMITS = Limits()
"""The limits that hold unless others are given."""


def run(
    plan: Plan, tools: Mapping[str, Tool], limits: Limits = LIMITS, *, keep_going: bool = False
) -> Outcome:
    """Run a whole plan and return its answer; see `walk` for what may go wrong.

    >>> shout = Step(0, "shout", "Up", "hi")
    >>> again = Step(1, "shout again", "Up", ":evidence0: you")
    >>> run(Plan((shout, again), ":evidence1:"), {"Up": str.upper}).answer
    'HI YOU'
    """
    found = tuple(walk(plan, tools, limits, keep_going=keep_going))
    outputs = {evidence.step.number: evidence.output for evidence in found}
    return Outcome(_filled(plan.answer, outputs, limits.answer_chars, "The answer"), found)


def walk(
    plan: Plan, tools: Mapping[str, Tool], limits: Limits = LIMITS, *, keep_going: bool = False
) -> Iterator[Evidence]:
    """Run a plan step by step, so that the caller can show each and stop between any two.

    Before the first call `FormError` tells of too many steps or an unknown tool. A tool that fails, or an input over
    its limit, ends the run with `FormError`; with ``keep_going`` the failure becomes the evidence of its step. Longer
    evidence is cut.
    """
    _fits(plan, tools, limits)
    outputs: dict[int, str] = {}
    for step in plan.steps:
        try:
            said = _filled(
                step.input, outputs, limits.input_chars, f"The input of step :evidence{step.number}:"
            )
            evidence = Evidence(step, said, _call(step, said, tools[step.tool])[: limits.evidence_chars])
        except FormError as error:
            if not keep_going:
                raise
            evidence = Evidence(step, step.input, f"Error: {error.message}", failed=True)
        outputs[step.number] = evidence.output
        yield evidence


def _fits(plan: Plan, tools: Mapping[str, Tool], limits: Limits) -> None:
    if len(plan.steps) > limits.steps:
        raise FormError(f"The plan has {len(plan.steps)} steps; at most {limits.steps} are run.")
    for step in plan.steps:
        if step.tool not in tools:
            raise FormError(
                f"The plan calls the tool {step.tool}, which is not known.", did_you_mean(step.tool, tools)
            )


def _filled(text: str, outputs: Mapping[int, str], limit: int, what: str) -> str:
    # The length is known before the text is made: a plan could double its evidence in every step.
    length = len(text) + sum(len(outputs.get(number, "")) for number in references(text))
    if length > limit:
        raise FormError(f"{what} is too long: about {length:,} characters; at most {limit:,} are allowed.")
    return substitute(text, outputs)


def _call(step: Step, said: str, tool: Tool) -> str:
    where = f"The tool {step.tool} in step :evidence{step.number}:"
    try:
        found: object = tool(said)
    except Exception as error:
        reason = one_line(str(error)) or type(error).__name__
        raise FormError(f"{where} failed: {reason}.") from error
    if not isinstance(found, str):
        raise FormError(f"{where} returned {type(found).__name__} and not text.")
    return found
