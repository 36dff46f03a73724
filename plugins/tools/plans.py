"""Plans in the manner of reWOO as a form: the model writes all steps at once, and gets the evidence of all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airochat.hooks.tools import LONGEST_RESULT, CallResult, ResultsDraft, Tool, ToolCall
from airochat.prompt.forms import FormError, Plan, Step, plan_prompt, read_plan, write_plan
from airochat.prompt.forms.plan import substitute
from airochat.prompt.forms.values import read_json, write_json

from .calls import MAX_CHARS, Found, aliases, fields, meaning, required, shortened, worded, wrote
from .forms import root
from .gbnf import quoted

ASK_SELF = "LLM"
"""The tool of every trained plan that answers questions; here the model itself, in its next reply."""
MAX_STEPS = 6
"""How many steps the grammar lets a plan have."""
_ASK_MEANING = (
    "Question answering language model. The input must be a text question that references an :evidence[n]: variable, "
    "e.g. What color is the cat, given :evidence1:?"
)


class PlanForm:
    """Airoboros models from 2.0 on: a plan of calls that refer to each other's results."""

    name = "plan"
    opening = "Plan:"
    trained = True

    def describe(self, tools: Sequence[Tool]) -> str:
        """Return the trained request without a question, and leave to answer otherwise."""
        head = plan_prompt("-", tools=_meanings(tools)).removesuffix("\n\nQuestion: -")
        return f"{head}\n\nIf no tool is needed, answer as always."

    def request(self, text: str, tools: Sequence[Tool]) -> str:
        """Return the trained request, byte for byte."""
        try:
            return plan_prompt(text, tools=_meanings(tools))
        except FormError:
            return text

    def write(self, calls: Sequence[ToolCall], tools: Sequence[Tool]) -> str:
        """Return a plan that makes the calls one after another."""
        names = {tool.name: name for name, tool in _named(tools).items()}
        known = {tool.name: tool for tool in tools}
        steps = tuple(
            Step(number, f"Use {names[call.tool]}.", names[call.tool], _input(call, known[call.tool]))
            for number, call in enumerate(calls)
        )
        return write_plan(Plan(steps, f":evidence{len(steps) - 1}:"))

    def read(self, text: str, tools: Sequence[Tool]) -> Found:
        """Return the first call of the plan in a reply; the others follow when its result is known."""
        named = _named(tools)
        plan = _plan(text)
        if plan is None:
            return Found()
        unknown = [step.tool for step in plan.steps if step.tool not in named and step.tool != ASK_SELF]
        call = None if unknown else _next(plan, named, [])
        return Found([call] if call else [], unknown)

    def answer(self, draft: ResultsDraft) -> None:
        """Make the next call of the plan, or tell all evidence and what is left to answer."""
        plan = _plan(wrote(draft.reply))
        if plan is None:
            draft.text = worded(draft.results)
            return
        call = _next(plan, _named(draft.tools), draft.results)
        if call is not None:
            draft.calls.append(call)
        draft.text = _told(plan, draft.results)

    def grammar(self, tools: Sequence[Tool], *, prose: bool, only: str = "") -> str:
        """Return the grammar of a plan whose steps refer only to evidence that comes before them."""
        wanted = [name for name, tool in _named(tools).items() if only in ("", tool.name)]
        names = " | ".join(quoted(name) for name in (wanted if only else [*wanted, ASK_SELF]))
        rules = ["call ::= step0\n", f"tool ::= {names}\n", "words ::= [^\\n\\[\\]:]{1,120}\n"]
        steps = 1 if only else MAX_STEPS
        for number in range(steps):
            behind = f"(step{number + 1} | answer{number})" if number + 1 < steps else f"answer{number}"
            evidence = f'"\\n:evidence{number}: = " tool "[" input{number} "]\\n"'
            known = f' | ":evidence" [0-{number - 1}] ":"' if number else ""
            rules.append(f'step{number} ::= "Plan: " words {evidence} {behind}\n')
            # A colon may stand before a blank or a digit, as in 18:30, so that other evidence cannot be named.
            rules.append(f'input{number} ::= ([^\\n\\[\\]:#] | ":" [ 0-9]{known})+\n')
            rules.append(f'answer{number} ::= "Answer: " words? ":evidence" [0-{number}] ":" "."?\n')
        # Nothing else is made of JSON here, but the base rules are small and always there.
        return root("".join(rules), "Plan:", prose=prose)


def _named(tools: Sequence[Tool]) -> dict[str, Tool]:
    return {name: tool for name, tool in aliases(tools, "A-Za-z0-9_-").items() if name != ASK_SELF}


def _meanings(tools: Sequence[Tool]) -> dict[str, str]:
    told = {name: _told_tool(tool) for name, tool in _named(tools).items()}
    return {**told, ASK_SELF: _ASK_MEANING}


def _told_tool(tool: Tool) -> str:
    needed, known = required(tool), fields(tool)
    description = " ".join(tool.description.split())
    if not known:
        return f"{description} The input is not used."
    told = {name: meaning(schema, name in needed) for name, schema in known.items()}
    if _single(tool) is not None:
        rest = [name for name in known if name != _single(tool)]
        also = f" Or JSON with {', '.join(rest)} as well." if rest else ""
        return f"{description} The input is: {told[str(_single(tool))]}.{also}"
    listed = ", ".join(f'"{name}": ({one})' for name, one in told.items())
    return f"{description} The input is JSON: {{{listed}}}"


def _single(tool: Tool) -> str | None:
    """Return the parameter that a plain text is meant for: the only one, or the only one that must be given."""
    known, needed = tuple(fields(tool)), required(tool)
    if len(known) == 1:
        return known[0]
    return needed[0] if len(needed) == 1 else None


def _plan(text: str) -> Plan | None:
    try:
        return read_plan(text[:MAX_CHARS])
    except FormError:
        return None


def _next(plan: Plan, named: Mapping[str, Tool], results: Sequence[CallResult]) -> ToolCall | None:
    """Return the call of the first step without a result; None at the end, after a failure, or for the model."""
    if len(results) >= len(plan.steps) or any(result.state != "done" for result in results):
        return None
    step = plan.steps[len(results)]
    tool = named.get(step.tool)
    if tool is None:
        return None
    return ToolCall(tool.name, _arguments(substitute(step.input, _evidence(plan, results)), tool))


def _evidence(plan: Plan, results: Sequence[CallResult]) -> dict[int, str]:
    return {step.number: result.text for step, result in zip(plan.steps, results, strict=False)}


def _told(plan: Plan, results: Sequence[CallResult]) -> str:
    share = LONGEST_RESULT // len(plan.steps)
    evidence = {number: shortened(text, share) for number, text in _evidence(plan, results).items()}
    lines = [
        f":evidence{step.number}: = {shortened(result.text, share) if result.state == 'done' else worded([result])}"
        for step, result in zip(plan.steps, results, strict=False)
    ]
    left = plan.steps[len(results) :]
    if left and left[0].tool == ASK_SELF:
        lines.append(f"Question: {substitute(left[0].input, evidence)}")
    else:
        lines.append(f"Answer: {substitute(plan.answer, evidence)}")
    return "\n".join(lines)


def _arguments(text: str, tool: Tool) -> dict[str, Any]:
    """Return the arguments that the text of a step means."""
    known = fields(tool)
    if text.startswith("{"):
        try:
            value, rest = read_json(text, "input")
        except (FormError, RecursionError):
            value, rest = None, ""
        if isinstance(value, dict) and not rest.strip() and value.keys() <= known.keys():
            return value
    name = _single(tool)
    if name is None:
        return {}
    return {name: _converted(text, known[name].get("type"))}


def _converted(text: str, kind: Any) -> Any:
    try:
        value = json.loads(text[:400]) if kind in ("integer", "number", "boolean") else text
    except (ValueError, RecursionError):
        return text
    return value


def _input(call: ToolCall, tool: Tool) -> str:
    name = _single(tool)
    if name is not None and set(call.arguments) == {name}:
        value = call.arguments[name]
        return value if isinstance(value, str) else write_json(value)
    return write_json(dict(call.arguments)) if call.arguments else "-"
