"""How the tools are described to a model, how it writes calls, and how it is told the results: one class a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from airochat.hooks.tools import ResultsDraft, Tool, ToolCall
from airochat.prompt.forms import Choice, FormError, Function, choose_function, read_choice, write_choice
from airochat.prompt.forms.choice import Params
from airochat.prompt.forms.values import Value, write_json

from .calls import Found, aliases, fields, meaning, read_calls, required, worded
from .gbnf import BASE, MAX_TEXT, Rules, literal, not_beginning

MAX_NESTED = 4
"""How deep the parameters of parameters are described."""


class Form(Protocol):
    """A way to call tools by text."""

    name: str
    opening: str
    """What a reply begins with that is a call."""
    trained: bool
    """Whether it has a request of its own, which models were trained on."""

    def describe(self, tools: Sequence[Tool]) -> str:
        """Return the text at the head of the prompt that offers the tools."""
        ...

    def request(self, text: str, tools: Sequence[Tool]) -> str:
        """Return what the user said as a request for a call, where the form has one."""
        ...

    def write(self, calls: Sequence[ToolCall], tools: Sequence[Tool]) -> str:
        """Return calls as the model writes them."""
        ...

    def read(self, text: str, tools: Sequence[Tool]) -> Found:
        """Return the calls in a reply; those that may be made first, where they depend on each other."""
        ...

    def answer(self, draft: ResultsDraft) -> None:
        """Tell the results to the model, or make further calls first."""
        ...

    def grammar(self, tools: Sequence[Tool], *, prose: bool, only: str = "") -> str:
        """Return the GBNF of a call of one of the tools, or with ``prose`` of any text that begins otherwise.

        ``only`` names the one tool that may be called.
        """
        ...


class JsonForm:
    """Any model: an object with the tool's name and its arguments."""

    name = "json"
    opening = "{"
    trained = False

    def describe(self, tools: Sequence[Tool]) -> str:
        """Return the instruction and the list of tools."""
        lines = [line for tool in tools for line in _listed(tool)]
        return (
            "You can use the tools below. To use one, reply with one line of JSON and nothing else:\n"
            '{"tool": "NAME", "arguments": {"ARGUMENT": "VALUE"}}\n'
            "You are then told the result and go on. Use a tool only where it helps; otherwise reply as always.\n\n"
            "Tools:\n" + "\n".join(lines)
        )

    def request(self, text: str, tools: Sequence[Tool]) -> str:
        """Return the text as it is."""
        return text

    def write(self, calls: Sequence[ToolCall], tools: Sequence[Tool]) -> str:
        """Return one line for each call."""
        return "\n".join(write_json({"tool": call.tool, "arguments": _plain(call)}) for call in calls)

    def read(self, text: str, tools: Sequence[Tool]) -> Found:
        """Return all calls in a reply."""
        return read_calls(text, {tool.name: tool for tool in tools})

    def answer(self, draft: ResultsDraft) -> None:
        """Tell each result in a line."""
        draft.text = worded(draft.results)

    def grammar(self, tools: Sequence[Tool], *, prose: bool, only: str = "") -> str:
        """Return the grammar of one call."""
        named = {tool.name: tool for tool in tools if only in ("", tool.name)}
        return json_grammar(named, "tool", "arguments", prose=prose)


class ChoiceForm:
    """Airoboros models from 2.0 on: the function choice that they were trained on."""

    name = "choice"
    opening = "{"
    trained = True

    def describe(self, tools: Sequence[Tool]) -> str:
        """Return the trained request without an input, and leave to answer otherwise."""
        head, _, rest = choose_function("-", functions=_functions(tools)).partition("\n\nInput: -\n\n")
        return f"{head}\n\n{rest}\n\nIf no function is suitable, answer as always. Results of functions follow later."

    def request(self, text: str, tools: Sequence[Tool]) -> str:
        """Return the trained request, byte for byte."""
        try:
            return choose_function(text, functions=_functions(tools))
        except FormError:
            return text

    def write(self, calls: Sequence[ToolCall], tools: Sequence[Tool]) -> str:
        """Return the calls as the models were trained to write one."""
        names = {tool.name: name for name, tool in aliases(tools).items()}
        return "\n".join(
            write_choice(Choice(names.get(call.tool, call.tool), _plain(call))) for call in calls
        )

    def read(self, text: str, tools: Sequence[Tool]) -> Found:
        """Return the calls in a reply, in JSON or as a choice in YAML."""
        named = aliases(tools)
        found = read_calls(text, named)
        if found.calls or found.unknown:
            return found
        try:
            choice = read_choice(text, style="yaml")
        except (FormError, RecursionError):
            return found
        if choice.function in named:
            found.calls.append(ToolCall(named[choice.function].name, choice.params))
        else:
            found.unknown.append(choice.function)
        return found

    def answer(self, draft: ResultsDraft) -> None:
        """Tell each result in a line."""
        draft.text = worded(draft.results)

    def grammar(self, tools: Sequence[Tool], *, prose: bool, only: str = "") -> str:
        """Return the grammar of one choice."""
        named = {name: tool for name, tool in aliases(tools).items() if only in ("", tool.name)}
        return json_grammar(named, "function", "params", prose=prose)


def json_grammar(named: Mapping[str, Tool], name_key: str, arguments_key: str, *, prose: bool) -> str:
    """Return the grammar of an object that calls one of the tools; with ``prose``, other text may come instead."""
    made = _calls(named, name_key, arguments_key, exact=True)
    if len(made) > MAX_TEXT:
        made = _calls(named, name_key, arguments_key, exact=False)
    return root(made, "{", prose=prose)


def root(rules: str, opening: str, *, prose: bool) -> str:
    """Return a whole grammar from rules among which is ``call``; text beside it does not begin with ``opening``."""
    if not prose:
        return f"root ::= lead call\nlead ::= [ \\n]?\n{rules}{BASE}"
    other = not_beginning(opening).replace("[^", "[^ \\t\\r\\n", 1)
    return f"root ::= lead (call | prose)\nlead ::= [ \\n]{{0,2}}\nprose ::= {other}\n{rules}{BASE}"


def only_prose(opening: str) -> str:
    """Return the grammar of text that is no call."""
    return root('call ::= "-"\n', opening, prose=True).replace("(call | prose)", "prose")


def _calls(named: Mapping[str, Tool], name_key: str, arguments_key: str, *, exact: bool) -> str:
    rules = Rules()
    parts = []
    for name, tool in named.items():
        arguments = rules.value(dict(tool.parameters) | {"type": "object"}, name) if exact else "object"
        pair = f'{literal(arguments_key)} ":" ws {arguments}'
        parts.append(rules.add(f"call-{name}", f'{literal(name)} "," ws {pair}'))
    return f'call ::= "{{" ws {literal(name_key)} ":" ws ({" | ".join(parts)}) ws "}}"\n{rules.text}'


def _plain(call: ToolCall) -> dict[str, Value]:
    return dict(call.arguments)


def _listed(tool: Tool) -> list[str]:
    needed = required(tool)
    lines = [f"  {name}: {meaning(schema, name in needed)}" for name, schema in fields(tool).items()]
    return [f"{tool.name}: {' '.join(tool.description.split())}", *lines]


def _functions(tools: Sequence[Tool]) -> list[Function]:
    return [
        Function(name, tool.description, _params(tool.parameters, 0)) for name, tool in aliases(tools).items()
    ]


def _params(schema: Mapping[str, object], depth: int) -> Params:
    """Return what each parameter means; those whose names the form cannot write are left out."""
    found, needed = schema.get("properties"), schema.get("required")
    made: dict[str, str | Params] = {}
    for name, one in found.items() if isinstance(found, Mapping) else ():
        if not isinstance(name, str) or not _can_be_written(name) or not isinstance(one, Mapping):
            continue
        nested = _params(one, depth + 1) if depth < MAX_NESTED and one.get("type") == "object" else {}
        made[name] = nested or meaning(one, isinstance(needed, (list, tuple)) and name in needed)
    return made


def _can_be_written(name: str) -> bool:
    try:
        choose_function("-", functions=[Function("f", "-", {name: "-"})])
    except FormError:
        return False
    return True
