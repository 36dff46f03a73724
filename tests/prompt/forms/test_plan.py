from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.prompt.forms import FormError, Limits, Plan, Step, read_plan, run, walk, write_plan
from airochat.prompt.forms.execute import Tool
from airochat.prompt.forms.plan import references, substitute

ANSWER = """\
Plan: Find pages on the cat.
:evidence0: = Google[color of the cat]
Plan: Read them.
:evidence1: = Scraper[:evidence0:]
Plan: Answer.
:evidence2: = LLM[What color is the cat, given :evidence1:?]
Answer: :evidence2:"""
PLAN = Plan(
    (
        Step(0, "Find pages on the cat.", "Google", "color of the cat"),
        Step(1, "Read them.", "Scraper", ":evidence0:"),
        Step(2, "Answer.", "LLM", "What color is the cat, given :evidence1:?"),
    ),
    ":evidence2:",
)
TOOLS: Mapping[str, Tool] = {
    "Google": lambda text: f"link to {text}",
    "Scraper": lambda text: f"page of {text}",
    "LLM": str.upper,
}
line = st.text("abc [],.?", min_size=1).map(str.strip).filter(bool)
plan_like = st.lists(
    st.sampled_from(
        [
            "Plan: x",
            ":evidence0: = A[x]",
            ":evidence1: = A[:evidence0:]",
            "#E1 = A[#E1]",
            ":evidence0: = A[",
            "]",
            "Answer: :evidence0:",
            "Answer:",
            "Final answer: #E1",
            ":evidence9999: = A[]",
            "",
            "prose",
        ]
    )
).map("\n".join)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    steps: list[Step] = []
    for number in draw(st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True)):
        earlier = [f":evidence{step.number}:" for step in steps]
        said = " ".join(draw(st.lists(st.one_of(line, st.sampled_from([*earlier, "and"])), max_size=3)))
        steps.append(Step(number, draw(line), draw(st.sampled_from(["A", "Look_up"])), said.strip()))
    return Plan(tuple(steps), f":evidence{steps[-1].number}:")


def test_the_trained_answer() -> None:
    assert read_plan(ANSWER, tools=TOOLS) == PLAN
    assert write_plan(PLAN) == ANSWER


@given(plans())
def test_what_is_written_reads_back(plan: Plan) -> None:
    assert read_plan(write_plan(plan)) == plan


@given(st.one_of(st.text(), plan_like))
def test_any_answer_is_read_or_refused_and_what_is_read_runs(text: str) -> None:
    try:
        plan = read_plan(text, tools=["A"])
    except FormError as error:
        assert error.message
    else:
        assert len(run(plan, {"A": str.title}).evidence) == len(plan.steps)


def test_text_around_a_plan_and_the_other_dialect() -> None:
    text = "Sure!\n\n" + ANSWER.replace(
        "Answer: :evidence2:", "Final answer: :evidence2:\n\nI hope :evidence9: helps."
    )
    assert read_plan(text) == PLAN
    text = "Plan: a\n #E1 = Wiki[x]\nPlan: b\n#E2 = QA[Given\nthis #E1\nwhat?]\nFinal answer: #E2"
    plan = read_plan(text)
    assert [step.number for step in plan.steps] == [1, 2]
    assert plan.steps[1].input == "Given\nthis #E1\nwhat?"
    assert run(plan, {"Wiki": str.upper, "QA": str.lower}).answer == "given\nthis x\nwhat?"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ANSWER, "", "no plan"),
        (ANSWER, "I cannot do that.", "no plan"),
        ("Answer: :evidence2:", "", "no answer line"),
        ("Answer: :evidence2:", "Answer: :evidence7:", "answer line refers to :evidence7:"),
        (":evidence1: =", ":evidence0: =", "in the plan twice"),
        ("Scraper[:evidence0:]", "Scraper[:evidence1:]", "does not come before"),
        ("Scraper[:evidence0:]", "Scraper[:evidence2:]", "does not come before"),
        ("Scraper[:evidence0:]", "Scraper", "no call of a tool"),
        ("Scraper[:evidence0:]", "__import__('os').system[ls]", "no call of a tool"),
        ("Scraper[", "Scrapper[", "Did you mean 'Scraper'"),
        (ANSWER, "".join(f":evidence{n}: = LLM[x]\n" for n in range(65)), "more than 64 steps"),
        (ANSWER, "x" * 100_001, "too long"),
    ],
)
def test_what_is_no_plan(old: str, new: str, said: str) -> None:
    with pytest.raises(FormError) as error:
        read_plan(ANSWER.replace(old, new, 1), tools=TOOLS)
    assert said in str(error.value)


def test_running() -> None:
    outcome = run(PLAN, TOOLS)
    assert outcome.answer == "WHAT COLOR IS THE CAT, GIVEN PAGE OF LINK TO COLOR OF THE CAT?"
    assert [found.input for found in outcome.evidence][:2] == ["color of the cat", "link to color of the cat"]
    assert not any(found.failed for found in outcome.evidence)


def test_an_answer_may_have_words_of_its_own() -> None:
    assert run(Plan(PLAN.steps, "It is :evidence0:."), TOOLS).answer == "It is link to color of the cat."


def test_evidence_that_looks_like_a_reference_is_text() -> None:
    assert (
        substitute("a :evidence0: b #E1", {0: "#E1 :evidence0:", 1: ":evidence0"})
        == "a #E1 :evidence0: b :evidence0"
    )
    assert references("no :evidence: or #E or :evidence12345:") == []


def test_the_caller_can_stop_between_steps() -> None:
    called: list[str] = []

    def note(text: str) -> str:
        called.append(text)
        return text

    steps = walk(PLAN, dict.fromkeys(TOOLS, note))
    assert next(steps).step.tool == "Google"
    assert called == ["color of the cat"]


def test_nothing_is_called_if_a_tool_is_missing_or_the_plan_is_too_long() -> None:
    called: list[str] = []
    tools: dict[str, Tool] = {"Google": lambda text: called.append(text) or text}  # type: ignore[func-returns-value]
    with pytest.raises(FormError, match="Scraper, which is not known"):
        run(PLAN, tools)
    with pytest.raises(FormError, match="3 steps; at most 2"):
        run(PLAN, TOOLS, Limits(steps=2))
    assert not called


def fail(text: str) -> str:
    raise OSError(f"no way\x1b[2J to\n{text}")


def test_a_tool_that_fails_ends_the_run_and_names_itself() -> None:
    with pytest.raises(FormError) as error:
        run(PLAN, {**TOOLS, "Scraper": fail})
    assert (
        error.value.message
        == "The tool Scraper in step :evidence1: failed: no way to link to color of the cat."
    )


def test_a_run_that_goes_on_has_the_failure_as_evidence() -> None:
    outcome = run(PLAN, {**TOOLS, "Scraper": fail}, keep_going=True)
    assert [found.failed for found in outcome.evidence] == [False, True, False]
    assert "ERROR: THE TOOL SCRAPER IN STEP" in outcome.answer


def test_a_tool_must_return_text() -> None:
    with pytest.raises(FormError, match="returned int and not text"):
        run(PLAN, {**TOOLS, "Google": lambda text: 3})  # type: ignore[dict-item, return-value]


def test_a_plan_that_doubles_its_evidence_is_stopped() -> None:
    doubling = [Step(n, "", "Same", f":evidence{n - 1}:" * 40) for n in range(1, 30)]
    plan = Plan((Step(0, "", "Same", "x" * 1000), *doubling), ":evidence29:")
    with pytest.raises(FormError, match=r"input of step :evidence2: is too long"):
        run(plan, {"Same": str})
    outcome = run(plan, {"Same": str}, keep_going=True)
    assert max(len(found.output) for found in outcome.evidence) <= Limits().evidence_chars


def test_the_answer_has_a_limit_too() -> None:
    with pytest.raises(FormError, match="The answer is too long"):
        run(Plan(PLAN.steps, ":evidence0:" * 10), TOOLS, Limits(answer_chars=100))
