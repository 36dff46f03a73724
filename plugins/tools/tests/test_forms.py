"""The forms: what the model is told, byte for byte, what is read from its replies, and what it is told of results."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat import grammar
from airochat.conversation import Message
from airochat.hooks import CallResult, ResultsDraft, Tool, ToolCall
from airochat.prompt.forms import Function, choose_function, plan_prompt
from plugins.tools import gbnf
from plugins.tools.calls import aliases
from plugins.tools.forms import ChoiceForm, Form, JsonForm, only_prose
from plugins.tools.plans import PlanForm

TEXT = {"type": "string"}


def tool(name: str, description: str = "Does it.", needed: tuple[str, ...] = (), /, **fields: Any) -> Tool:
    schema = {"type": "object", "properties": fields, "required": list(needed)}
    return Tool(name, description, schema, lambda context, call: "")


ANALYTICS = tool(
    "file_analytics",
    "This tool performs various operations on a text file.",
    ("action", "filters"),
    action={"type": "string", "description": "The operation we want to perform on the data."},
    filters={
        "type": "object",
        "properties": {
            "keyword": {"type": "string", "description": "The word or phrase we want to search for."}
        },
        "required": ["keyword"],
    },
)
NOW = tool("time.now", "Tells the time.")
COUNT = tool("count", "Counts.", ("text",), text=TEXT, times={"type": "integer"}, loud={"type": "boolean"})
TOOLS = (ANALYTICS, NOW, COUNT)
FORMS: tuple[Form, ...] = (JsonForm(), ChoiceForm(), PlanForm())


def results(form: Form, reply: str, *found: CallResult) -> ResultsDraft:
    draft = ResultsDraft(Message("1", None, "assistant", "A", reply), TOOLS, found, "default")
    form.answer(draft)
    return draft


# -- bytes --------------------------------------------------------------------------------------------------------


def test_a_request_for_a_choice_is_the_trained_one() -> None:
    wanted = (
        "As an AI assistant, please select the most suitable function and parameters from the list of available "
        "functions below, based on the user's input. Provide your response in JSON format.\n\n"
        "Input: I want to know how many times 'Python' is mentioned in my text file.\n\n"
        "Available functions:\nfile_analytics:\n"
        "  description: This tool performs various operations on a text file.\n"
        "  params:\n"
        "    action: The operation we want to perform on the data\n"
        "    filters:\n"
        "      keyword: The word or phrase we want to search for"
    )
    asked = "I want to know how many times 'Python' is mentioned in my text file."
    assert ChoiceForm().request(asked, [ANALYTICS]) == wanted
    head = ChoiceForm().describe([ANALYTICS])
    assert head.startswith(wanted.replace(f"Input: {asked}\n\n", ""))
    assert head.endswith(
        "\n\nIf no function is suitable, answer as always. Results of functions follow later."
    )


def test_a_request_for_a_plan_is_the_trained_one() -> None:
    told = {
        "time_now": "Tells the time. The input is not used.",
        "count": "Counts. The input is: a text. Or JSON with times, loud as well.",
        "LLM": "Question answering language model. The input must be a text question that references an "
        ":evidence[n]: variable, e.g. What color is the cat, given :evidence1:?",
    }
    assert PlanForm().request("How late is it?", [NOW, COUNT]) == plan_prompt("How late is it?", tools=told)
    head, _, _ = plan_prompt("?", tools=told).partition("\n\nQuestion: ")
    assert PlanForm().describe([NOW, COUNT]) == f"{head}\n\nIf no tool is needed, answer as always."


def test_other_models_are_told_of_tools_in_plain_words() -> None:
    assert JsonForm().describe([NOW, COUNT]).splitlines()[-5:] == [
        "time.now: Tells the time.",
        "count: Counts.",
        "  text: a text",
        "  times: a whole number; may be left out",
        "  loud: true or false; may be left out",
    ]
    assert JsonForm().request("How late is it?", TOOLS) == "How late is it?"


def test_descriptions_of_strangers_cannot_break_the_list() -> None:
    odd = tool(
        "2.odd",
        "One.\n\nAvailable functions:\nnix:",
        **{"a: b": TEXT, "ok": {"type": "string", "description": "x\ny"}},
    )
    assert "\nnix" not in ChoiceForm().describe([odd])
    assert (
        "_2.odd:\n  description: One.  Available functions: nix:\n  params:\n    ok: x y; may be left out"
        in (ChoiceForm().describe([odd]))
    )
    assert "\nnix" not in PlanForm().describe([odd])
    assert "\nnix" not in JsonForm().describe([odd])


# -- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        '{"tool": "count", "arguments": {"text": "a"}}',
        'Let me see.\n```json\n{"tool": "count",\n "arguments": {"text": "a"}}\n```\nThere.',
        '{"name": "count", "parameters": {"text": "a"}} and so on }',
        '{"tool": "count", "arguments": "{\\"text\\": \\"a\\"}"}',
        'The set {1, 2} … {"x": 1} {"function": "count", "args": {"text": "a"}}',
        '{"calls": [{"tool": "count", "arguments": {"text": "a"}}]}',
        '{ { {"tool": "count", "arguments": {"text": "a"}}',
    ],
)
def test_calls_are_found_whatever_is_around_them(reply: str) -> None:
    for form in (JsonForm(), ChoiceForm()):
        assert form.read(reply, TOOLS).calls == [ToolCall("count", {"text": "a"})]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Hello.",
        "{'tool': 'count', 'arguments': {}}",
        '{"tool": "count", "arguments": {"text": ',
        '{"name": "Maya", "age": 3}',
        "{" * 5000,
    ],
)
def test_other_replies_hold_no_call(reply: str) -> None:
    for form in FORMS:
        found = form.read(reply, TOOLS)
        assert found.calls == []
        assert found.unknown == []


def test_several_calls_are_read_in_order_and_unknown_tools_are_named() -> None:
    reply = '{"tool": "count", "arguments": {"text": "a"}}\n{"tool": "nix", "arguments": {}}\n{"tool": "time.now"}'
    found = JsonForm().read(reply, TOOLS)
    assert [call.tool for call in found.calls] == ["count", "time.now"]
    assert found.unknown == ["nix"]
    inside = '{"tool": "count", "arguments": {"text": "a", "x": {"tool": "time.now", "arguments": {}}}}'
    assert [call.tool for call in JsonForm().read(inside, TOOLS).calls] == ["count"]
    many = JsonForm().read('{"tool": "time.now"}\n' * 30, TOOLS)
    assert len(many.calls) == 8


def test_a_choice_may_be_yaml() -> None:
    found = ChoiceForm().read("Sure.\nfunction: count\nparams:\n  text: a\n  times: 2\n\nDone.", TOOLS)
    assert found.calls == [ToolCall("count", {"text": "a", "times": 2})]
    assert ChoiceForm().read("function: nix\nparams:\n  text: a", TOOLS).unknown == ["nix"]


def test_names_that_a_form_cannot_write_get_others_and_are_found_again() -> None:
    twins = (tool("time.now"), tool("time_now"), tool("2x"))
    assert list(aliases(twins, "A-Za-z0-9_-")) == ["time_now", "time_now_2", "_2x"]
    reply = "Plan: look\n:evidence0: = time_now_2[-]\nAnswer: :evidence0:"
    assert PlanForm().read(reply, twins).calls == [ToolCall("time_now", {})]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=10), JSON, max_size=4), min_size=1, max_size=4),
    st.text(max_size=30),
)
def test_calls_are_read_as_they_were_written(arguments: list[dict[str, Any]], around: str) -> None:
    calls = [ToolCall("count", one) for one in arguments]
    before = around.replace("{", "")
    for form in (JsonForm(), ChoiceForm()):
        assert form.read(f"{before}\n{form.write(calls, TOOLS)}\n", TOOLS).calls == calls


PLAIN = st.text(
    st.characters(codec="ascii", exclude_characters="[]{}:#\r\n", categories=("L", "N", "P", "Zs")),
    min_size=1,
    max_size=30,
)


@given(PLAIN.filter(lambda text: text.strip() == text))
def test_plans_are_read_as_they_were_written(text: str) -> None:
    form, calls = (
        PlanForm(),
        [ToolCall("count", {"text": text}), ToolCall("count", {"text": "b", "times": 2})],
    )
    reply = form.write(calls, TOOLS)
    assert form.read(reply, TOOLS).calls == calls[:1]
    draft = results(form, reply, CallResult(calls[0], "done", "5"))
    assert draft.calls == calls[1:]


PIECES = (
    *('{"tool": ', '"count"', ', "arguments": ', "{", "}", "[", "]", '"', "\\", "\n", "```", "-1e999", "a"),
    *("Plan: x\n", ":evidence0: = ", "count[", "Answer: ", "function: ", "params:\n"),
)
FUZZ = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(FUZZ)
def test_no_reply_breaks_a_form(reply: str) -> None:
    for form in FORMS:
        found = form.read(reply, TOOLS)
        for call in found.calls:
            assert call.tool in {tool.name for tool in TOOLS}
            results(form, reply, CallResult(call, "done", reply))


# -- results ------------------------------------------------------------------------------------------------------


def test_results_are_told_by_the_name_of_their_tool() -> None:
    one = CallResult(ToolCall("count", {}), "done", "5")
    two = CallResult(ToolCall("time.now", {}), "failed", "The call failed: no clock.")
    for form in (JsonForm(), ChoiceForm()):
        draft = results(form, "{}", one, two)
        assert draft.text == "Result of count: 5\ntime.now: The call failed: no clock."
        assert draft.again
        assert not draft.calls


PLAN = (
    "Plan: count\n:evidence0: = count[a b]\nPlan: the time\n:evidence1: = time_now[-]\n"
    "Plan: both\n:evidence2: = count[:evidence0: at :evidence1:]\nAnswer: It is :evidence2:."
)


def test_the_steps_of_a_plan_are_made_one_after_another_with_the_evidence_before_them() -> None:
    form = PlanForm()
    (first,) = form.read(PLAN, TOOLS).calls
    assert first == ToolCall("count", {"text": "a b"})
    done = [CallResult(first, "done", "2")]
    draft = results(form, PLAN, *done)
    assert draft.calls == [ToolCall("time.now", {})]
    done.append(CallResult(draft.calls[0], "done", "noon :evidence0:"))
    draft = results(form, PLAN, *done)
    assert draft.calls == [ToolCall("count", {"text": "2 at noon :evidence0:"})]
    done.append(CallResult(draft.calls[0], "done", "9"))
    draft = results(form, PLAN, *done)
    assert draft.calls == []
    assert draft.text == ":evidence0: = 2\n:evidence1: = noon :evidence0:\n:evidence2: = 9\nAnswer: It is 9."


def test_a_plan_ends_with_the_first_step_that_fails_and_with_a_question_for_the_model() -> None:
    form, call = PlanForm(), ToolCall("count", {"text": "a b"})
    draft = results(form, PLAN, CallResult(call, "denied", "It was not allowed."))
    assert draft.calls == []
    assert draft.text.startswith(":evidence0: = count: It was not allowed.\n")
    asking = "Plan: count\n:evidence0: = count[a]\nPlan: think\n:evidence1: = LLM[Is :evidence0: much?]"
    asking = f"{asking}\nAnswer: :evidence1:"
    draft = results(form, asking, CallResult(call, "done", "1"))
    assert draft.calls == []
    assert draft.text == ":evidence0: = 1\nQuestion: Is 1 much?"


def test_the_input_of_a_step_becomes_arguments() -> None:
    form = PlanForm()

    def arguments(text: str, *tools: Tool) -> Any:
        return (
            form.read(f"Plan: x\n:evidence0: = {tools[0].name}[{text}]\nAnswer: :evidence0:", tools)
            .calls[0]
            .arguments
        )

    assert arguments('{"text": "a", "times": 3}', COUNT) == {"text": "a", "times": 3}
    assert arguments('{"nix": 1}', COUNT) == {"text": '{"nix": 1}'}
    number = tool("double", n={"type": "integer"})
    assert arguments("21", number) == {"n": 21}
    assert arguments("many", number) == {"n": "many"}
    assert arguments("x", tool("two", "Both.", ("a", "b"), a=TEXT, b=TEXT)) == {}
    unknown = form.read("Plan: x\n:evidence0: = nix[a]\nAnswer: :evidence0:", TOOLS)
    assert unknown.calls == []
    assert unknown.unknown == ["nix"]


# -- grammars -----------------------------------------------------------------------------------------------------

SIMPLE: tuple[dict[str, Any], ...] = (
    *({"type": kind} for kind in ("string", "number", "boolean", "null", "nix", ["string", "null"])),
    *({"type": "string", "maxLength": 5}, {"type": "integer", "minimum": 0}, {}, {"not": {}}),
    *({"enum": ["a", 'b"\\', 3, None]}, {"const": "x\n"}),
)


def larger(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    sizes = {"minItems": st.integers(0, 3), "maxItems": st.just(3)}
    fields = st.dictionaries(st.text(max_size=6), inner, max_size=4)
    closed = {"type": st.just("object"), "additionalProperties": st.just(False)}
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, **sizes}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"properties": fields, "required": st.just([]), **closed}),
        fields.flatmap(
            lambda made: st.just({"type": "object", "properties": made, "required": list(made)[:2]})
        ),
    )


SCHEMAS = st.recursive(st.sampled_from(SIMPLE), larger, max_leaves=10)


@given(st.dictionaries(st.text(min_size=1, max_size=6), SCHEMAS, max_size=4), st.booleans())
def test_every_schema_makes_a_grammar_that_passes(fields: dict[str, Any], prose: bool) -> None:
    odd = tool("odd", **fields)
    for form in FORMS:
        text = form.grammar((*TOOLS, odd), prose=prose)
        grammar.check(text)
        assert len(text) <= gbnf.MAX_TEXT + 4000
        grammar.check(form.grammar((*TOOLS, odd), prose=False, only="odd"))
        grammar.check(only_prose(form.opening))


def test_schemas_that_are_too_large_take_any_arguments() -> None:
    huge = [
        tool(f"t{number}", **{f"f{n}": {"enum": [f"{n}-{c}" for c in range(150)]} for n in range(30)})
        for number in range(20)
    ]
    made = JsonForm().grammar(huge, prose=True)
    grammar.check(made)
    assert len(made) < 10_000
    assert '"\\"t19\\"" "," ws "\\"arguments\\"" ":" ws object' in made
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(50):
        deep = {"type": "object", "properties": {"x": deep}, "required": ["x"]}
    grammar.check(JsonForm().grammar([tool("deep", x=deep)], prose=True))


def test_the_example_of_the_training_data_is_read() -> None:
    answer = (
        '{\n  "function": "file_analytics",\n  "params": {\n    "action": "count_occurrences",\n'
        '    "filters": {\n      "keyword": "Python"\n    }\n  }\n}'
    )
    (call,) = ChoiceForm().read(answer, TOOLS).calls
    jsonschema.validate(call.arguments, ANALYTICS.parameters)
    assert call.arguments == {"action": "count_occurrences", "filters": {"keyword": "Python"}}
    assert ChoiceForm().write([call], TOOLS) == answer
    assert json.loads(JsonForm().write([call], TOOLS)) == {
        "tool": "file_analytics",
        "arguments": call.arguments,
    }
    assert choose_function("x", functions=[Function("f", "d")])
