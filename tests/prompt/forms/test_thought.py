from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.prompt.forms import FormError, Ranking, Solution, Thought, read_thought

ANSWER = """\
Solution 1:
One shirt dries in 48 minutes.

So 20 take 16 hours.

Final answer: 16 hours.

Solution 2:
They dry side by side.

Final answer: 4 hours.

Ranking of solutions from best to worst:
1. Solution 2: It asks for the least.
2. Solution 1: It dries one after the other.

Best and final answer: 4 hours, if there is room."""
THOUGHT = Thought(
    (
        Solution(1, "One shirt dries in 48 minutes.\n\nSo 20 take 16 hours.", "16 hours."),
        Solution(2, "They dry side by side.", "4 hours."),
    ),
    (Ranking(2, "It asks for the least."), Ranking(1, "It dries one after the other.")),
    "4 hours, if there is room.",
)
words = st.text("abc .\n", min_size=1).map(str.strip).filter(bool)
heads = st.sampled_from(
    [
        "Solution 1:",
        "**Solution 2:**",
        "Final answer: x",
        "Ranking of solutions from best to worst:",
        "1. Solution 1: y",
        "2) Solution 9",
        "Best and final answer:",
        "Best and final answer: z",
        "prose",
        "",
    ]
)


def test_the_trained_answer() -> None:
    assert read_thought(ANSWER) == THOUGHT
    assert read_thought(f"Let me think.\n\n{ANSWER}") == THOUGHT


def test_bold_heads() -> None:
    bold = ANSWER
    for head in ("Solution 1:", "Solution 2:", "Final answer:", "Best and final answer:"):
        bold = bold.replace(f"\n{head}", f"\n**{head}**")
    assert read_thought("**" + bold.replace("Solution 1:", "Solution 1:**", 1)).best == THOUGHT.best
    assert [solution.answer for solution in read_thought(bold).solutions] == ["16 hours.", "4 hours."]


@given(st.lists(st.tuples(words, words), min_size=1, max_size=4), words, st.randoms())
def test_parts_read_back(found: list[tuple[str, str]], best: str, random: object) -> None:
    parts = [Solution(number, *texts) for number, texts in enumerate(found, 1)]
    order = [Ranking(part.number, "why") for part in reversed(parts)]
    text = "".join(f"Solution {p.number}:\n{p.reasoning}\n\nFinal answer: {p.answer}\n\n" for p in parts)
    text += "Ranking of solutions from best to worst:\n"
    text += "".join(f"{place}. Solution {r.solution}: {r.reason}\n" for place, r in enumerate(order, 1))
    assert read_thought(f"{text}\nBest and final answer: {best}") == Thought(tuple(parts), tuple(order), best)
    assert read_thought(text).best == parts[-1].answer


@given(st.one_of(st.text(), st.lists(heads).map("\n".join)))
def test_any_answer_is_read_or_refused(text: str) -> None:
    try:
        found = read_thought(text)
    except FormError as error:
        assert error.message
    else:
        assert found.best


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no solutions"),
        ("It is 4 hours.", "no solutions"),
        ("Final answer: 4", "no solutions"),
        (ANSWER.split("Ranking")[0], "ends before its best answer"),
        ("Solution 1:\nx\nRanking of solutions:\n1. Solution 3: y", "ends before its best answer"),
        (ANSWER * 1000, "too long"),
    ],
)
def test_what_is_no_chain_of_thought(text: str, said: str) -> None:
    with pytest.raises(FormError, match=said):
        read_thought(text)
