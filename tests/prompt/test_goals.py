"""What a prompt asks for: a reply with its first words given, more of the last message, the user's next words."""

from __future__ import annotations

import dataclasses
import doctest

import pytest

from airochat.conversation import Message, Provenance, Role
from airochat.errors import PromptError
from airochat.prompt import Block, PromptPlan, assemble, assembly, speaker_stops
from airochat.templates import Goal, Templates
from tests.prompt.tokenizers import LittleSpm

TEMPLATES = Templates()


def message(number: int, role: Role, text: str) -> Message:
    return Message(str(number), None, role, role, text)


ASKED = message(0, "user", "hi")
ANSWERED = message(1, "assistant", "Once")


def plan(
    history: list[Message],
    goal: Goal,
    template: str = "airoboros-2",
    blocks: list[Block] | None = None,
    tokenizer: LittleSpm | None = None,
    **others: str | list[str],
) -> PromptPlan:
    return assemble(
        blocks or [],
        history,
        TEMPLATES.get(template),
        tokenizer=tokenizer,
        n_ctx=2000,
        reserve=100,
        fingerprint="f",
        goal=goal,
        **others,  # type: ignore[arg-type]
    )


def kept(raw: str, tokenizer: LittleSpm, template: str = "airoboros-2") -> Message:
    tokens = tuple(tokenizer.encode([raw], [True])[0])
    text = TEMPLATES.get(template).finish(raw)
    made = Provenance(fingerprint="f", template=template)
    return dataclasses.replace(ANSWERED, text=text, tokens=tokens, provenance=made)


def test_a_message_is_continued_by_its_own_ids() -> None:
    tokenizer = LittleSpm()
    first = plan([ASKED], "reply", tokenizer=tokenizer)
    answer = kept(" Once upon", tokenizer)
    more = plan([ASKED, answer], "continue", tokenizer=tokenizer)
    assert first.tokens is not None
    assert more.tokens == (*first.tokens, *answer.tokens)
    assert (more.begun, more.begun_tokens) == ("Once upon", answer.tokens)
    assert more.reply_tokens((7, 8)) == (*answer.tokens, 7, 8)


def test_what_was_continued_is_kept_in_the_next_prompt() -> None:
    tokenizer = LittleSpm()
    answer = kept(" Once", tokenizer)
    more = plan([ASKED, answer], "continue", tokenizer=tokenizer)
    generated = tuple(tokenizer.encode([" upon a\n"], [True])[0])
    raw = b"".join(tokenizer.pieces(generated)).decode()
    whole = dataclasses.replace(
        answer,
        text=TEMPLATES.get("airoboros-2").finish(raw, more.begun),
        tokens=more.reply_tokens(generated),
    )
    assert whole.text == "Once upon a"
    after = plan([ASKED, whole, message(2, "user", "more")], "reply", tokenizer=tokenizer)
    assert more.tokens is not None and after.tokens is not None
    assert after.tokens[: len(more.tokens) + len(generated)] == (*more.tokens, *generated)


def test_the_newline_that_ended_a_reply_is_not_continued() -> None:
    tokenizer = LittleSpm()
    answer = kept(" Once upon\n\n", tokenizer)
    more = plan([ASKED, answer], "continue", tokenizer=tokenizer)
    assert more.text == "<s>A chat.\nUSER: hi\nASSISTANT:  Once upon"
    assert more.begun_tokens and set(more.begun_tokens) < set(answer.tokens)


@pytest.mark.parametrize(
    ("template", "ends"),
    [
        ("airoboros-1", "USER: hi ASSISTANT: Once"),
        ("airoboros-3", "hi [/INST] Once"),
        ("story", "hi\n\nOnce"),
    ],
)
def test_a_message_without_ids_is_continued_by_its_text(template: str, ends: str) -> None:
    more = plan([ASKED, ANSWERED], "continue", template, tokenizer=LittleSpm())
    assert more.text.endswith(ends)
    assert (more.begun, more.begun_tokens, more.reply_tokens((7,))) == ("Once", (), ())


def test_notes_stand_before_the_message_that_is_continued() -> None:
    blocks = [Block("note", "[N]", depth=0), Block("deep", "[D]", depth=9)]
    more = plan([ASKED, ANSWERED], "continue", "chatml", blocks)
    said = more.text.replace("<|im_start|>", "").replace("<|im_end|>\n", "|").replace("\n", ":")
    assert said == "system:[D]|user:hi|system:[N]|assistant:Once"
    assert plan([ASKED, ANSWERED], "continue", "airoboros-2", blocks).text.endswith(
        "hi\n[N]\nASSISTANT: Once"
    )


def test_nothing_to_continue() -> None:
    for history in ([], [message(0, "user", "")]):
        with pytest.raises(PromptError, match="no message to continue"):
            plan(history, "continue")


def test_a_prefill_begins_the_reply() -> None:
    found = plan([ASKED], "reply", "airoboros-3", prefill="Once")
    assert found.text.endswith("hi [/INST] Once")
    assert (found.begun, found.reply_tokens((7,))) == ("Once", ())
    assert [row.source for row in found.report if row.source == "prefill"] == ["prefill"]
    assert plan([ASKED, ANSWERED], "continue", prefill="x").text.endswith("ASSISTANT: Once")
    assert plan([ASKED], "reply").reply_tokens((7,)) == (7,)


def test_the_users_words_end_where_a_reply_begins() -> None:
    found = plan([ASKED, ANSWERED], "user", prefill="No")
    assert found.text.endswith("ASSISTANT: Once\nUSER: No")
    assert (found.stop, found.begun) == (("\nASSISTANT:",), "No")
    assert plan([ASKED], "continue").stop == ("\nASSISTANT:",)
    assert plan([ASKED, ANSWERED], "continue").stop == ("\nUSER:",)


def test_speakers_end_a_reply_at_the_start_of_a_line() -> None:
    found = plan([ASKED], "reply", speakers=["Rowan", "USER"])
    assert found.stop == ("\nUSER:", "\nRowan:")
    assert speaker_stops(["Mr\n Fox ", "", "  "]) == ("\nMr Fox:",)
    assert doctest.testmod(assembly).attempted and not doctest.testmod(assembly).failed


@pytest.mark.parametrize("goal", ["reply", "continue", "user", "nothing"])
@pytest.mark.parametrize("name", TEMPLATES.names())
def test_every_goal_fits_the_budget_and_adds_up(name: str, goal: Goal) -> None:
    history = [
        message(number, "assistant" if number % 2 else "user", "the user " * 9) for number in range(40)
    ]
    found = assemble(
        [], history, TEMPLATES.get(name), tokenizer=LittleSpm(), n_ctx=500, reserve=100, goal=goal
    )
    assert found.tokens is not None and len(found.tokens) <= 400
    assert sum(row.tokens for row in found.report if row.included) == len(found.tokens)
    assert found.report[-1].included
