"""Conversations of several speakers as token ids: what stays the same while they grow, and while others speak."""

from __future__ import annotations

import dataclasses
import doctest
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.conversation import Message, Provenance
from airochat.prompt import Block, PromptPlan, Staged, assemble
from airochat.templates import Template, awaits_label, own_template, scenes, voices
from tests.models import write_model
from tests.prompt.stages import BARE, INES, NARRATOR, ROOK, TEMPLATES, THEO, said, staged
from tests.prompt.test_assembly import BRACKETS
from tests.prompt.tokenizers import LittleSpm, RealTokenizer

Tokens = LittleSpm | RealTokenizer
NAMES = (*TEMPLATES.names(), "gguf")
CAST = (BARE, THEO, INES)
SPEAKERS = {card.called: card for card in (*CAST, NARRATOR)}


@pytest.fixture(scope="module", params=["little", "spm", "bpe"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    if request.param == "little":
        yield LittleSpm()
        return
    real = RealTokenizer(write_model(tmp_path_factory.mktemp("models") / "tiny.gguf", request.param))
    yield real
    real.close()


def template(name: str, tokenizer: Tokens) -> Template:
    if name == "gguf":
        return own_template({"tokenizer.chat_template": BRACKETS}, tokenizer.vocabulary)
    return TEMPLATES.get(name)


def plan(found: Staged, history: list[Message], tokenizer: Tokens) -> PromptPlan:
    return assemble(
        found.blocks,
        history,
        found.template,
        tokenizer=tokenizer,
        n_ctx=100_000,
        reserve=100,
        fingerprint="f",
        speakers=found.speakers,
    )


def replied(found: Staged, name: str, raw: str, number: int, tokenizer: Tokens) -> Message:
    """Return a message as a session keeps it: the ids that were generated, and their text without the format's."""
    tokens = tuple(tokenizer.encode([raw], [True])[0])
    text = found.template.finish(b"".join(tokenizer.pieces(tokens)).decode())
    made = Provenance(fingerprint="f", template=found.template.name)
    return dataclasses.replace(said(name, text, number), role="assistant", tokens=tokens, provenance=made)


words = st.text(st.sampled_from("hi tse\n.:A<é"), min_size=1, max_size=12)
lines = st.lists(st.tuples(st.sampled_from(("Rook", *SPEAKERS)), words), min_size=1, max_size=6)


@given(lines, st.sampled_from(NAMES), st.sampled_from(("prefill", "model")), st.integers(1, 3))
@settings(max_examples=120)
def test_what_was_read_and_written_begins_the_next_prompt(
    tokenizer: Tokens, said_by: list[tuple[str, str]], name: str, label: str, size: int
) -> None:
    own = template(name, tokenizer)
    cast = CAST[:size]
    # A model's own template writes a reply after the user's words; what stands before a first one is not known.
    history = [said("Rook", "hi")] if name == "gguf" else []
    before: tuple[int, ...] = ()
    for number, (who, text) in enumerate(said_by):
        if who == "Rook":
            history.append(said("Rook", text, number))
            continue
        if who not in {card.called for card in cast} or (history and history[-1].role == "assistant"):
            # Two replies in a row are another test.
            continue
        found = staged(own, cast, SPEAKERS[who], label=label, persona=ROOK)
        asked = plan(found, history, tokenizer)
        assert asked.tokens is not None
        assert asked.tokens[: len(before)] == before
        raw = f"{who}: {text}" if found.template.name.endswith("+own-label") else f" {text}"
        answer = replied(found, who, raw, number, tokenizer)
        if not answer.text:
            return
        history.append(answer)
        before = (*asked.tokens, *answer.tokens)


ROW = ("airoboros-2", "airoboros-2.1", "airoboros-3", "airoboros-3.0", "airoboros-1.4", "gemma", "chatml")


@given(
    st.lists(st.tuples(st.sampled_from(("Maya", "Theo")), words), min_size=2, max_size=5),
    st.sampled_from(ROW),
    st.sampled_from(("prefill", "model")),
)
@settings(max_examples=120)
def test_replies_in_a_row_keep_their_ids(
    tokenizer: Tokens, said_by: list[tuple[str, str]], name: str, label: str
) -> None:
    history = [said("Rook", "hi")]
    before: tuple[int, ...] = ()
    for number, (who, text) in enumerate(said_by):
        found = staged(name, CAST, SPEAKERS[who], label=label)
        asked = plan(found, history, tokenizer)
        assert asked.tokens is not None and asked.tokens[: len(before)] == before
        answer = replied(found, who, f"{who}: {text}" if label == "model" else f" {text}", number, tokenizer)
        if not answer.text:
            return
        history.append(answer)
        before = (*asked.tokens, *answer.tokens)
    last = plan(staged(name, CAST, INES, label=label), history, tokenizer)
    assert [one.tokens for one in last.segments if one.tokens] == [
        one.tokens for one in history if one.tokens
    ]


@pytest.mark.parametrize("name", ["airoboros-2", "airoboros-2.1", "airoboros-3", "airoboros-1.4"])
@pytest.mark.parametrize("raw", [" hi", " hi\n", " hi\n\n"])
def test_two_replies_in_a_row_are_parted_by_one_empty_line(name: str, raw: str) -> None:
    tokenizer = LittleSpm()
    found = staged(name, CAST, THEO)
    history = [said("Rook", "hi"), replied(found, "Maya", raw, 1, tokenizer)]
    assert plan(found, history, tokenizer).text.endswith("Maya: hi\n\nTheo:")


@given(lines, st.sampled_from(NAMES))
@settings(max_examples=80)
def test_another_speaker_changes_the_end_alone(
    tokenizer: Tokens, said_by: list[tuple[str, str]], name: str
) -> None:
    own = template(name, tokenizer)
    history = [said(who, text, number) for number, (who, text) in enumerate(said_by)]
    plans = [plan(staged(own, CAST, speaker), history, tokenizer) for speaker in CAST]
    assert len({one.template for one in plans}) == 1
    texts = [one.text.removesuffix(f"{card.called}:") for one, card in zip(plans, CAST, strict=True)]
    assert len(set(texts)) == 1 and all(one.text != text for one, text in zip(plans, texts, strict=True))
    found = [one.tokens or () for one in plans]
    labels = [len(one.sources or ()) - _last_names(one) for one in plans]
    assert {ids[: len(ids) - size] for ids, size in zip(found, labels, strict=True)} == {
        found[0][: len(found[0]) - labels[0]]
    }


order = st.lists(st.tuples(st.sampled_from(("Rook", "Maya", "Theo", "")), words), min_size=1, max_size=6)


@given(order, st.sampled_from(NAMES), st.integers(1, 2), st.sampled_from(("prefill", "model")))
@settings(max_examples=150)
def test_a_note_at_the_end_changes_nothing_before_the_last_message(
    tokenizer: Tokens, said_by: list[tuple[str, str]], name: str, size: int, label: str
) -> None:
    own = template(name, tokenizer)
    # A strict template strips the white space off what is said.
    spoken = enumerate([("Rook", ""), *said_by])
    history = [said(who, f"a{text}b", number) for number, (who, text) in spoken]
    found = staged(own, CAST[:size], label=label)
    noted = dataclasses.replace(found, blocks=[*found.blocks, Block("plugin:note", "Be brief.", depth=0)])
    without, added = plan(found, history, tokenizer), plan(noted, history, tokenizer)
    last = f"message:{history[-1].id}"
    # Where the last message is the user's, or told, the note may stand in its turn.
    same = _ids_before(without, last)
    assert same and _ids_before(added, last) == same
    assert len(_ids_before(added, "plugin:note")) > len(same)


def _ids_before(found: PromptPlan, source: str) -> tuple[int, ...]:
    return (found.tokens or ())[: (found.sources or ()).index(source)]


@given(
    st.lists(st.tuples(st.sampled_from(("Maya", "Theo")), words), min_size=1, max_size=4),
    st.sampled_from(NAMES),
    st.booleans(),
)
@settings(max_examples=150)
def test_a_note_after_replies_leaves_their_ids(
    tokenizer: Tokens, said_by: list[tuple[str, str]], name: str, alone: bool
) -> None:
    own = template(name, tokenizer)
    cast = CAST[:1] if alone else CAST
    history = [said("Rook", "hi")]
    for number, (who, text) in enumerate(said_by):
        who = "Maya" if alone else who
        answer = replied(staged(own, cast, SPEAKERS[who]), who, f" {text}", number, tokenizer)
        if not answer.text:
            return
        history.append(answer)
    found = staged(own, cast)
    noted = dataclasses.replace(found, blocks=[*found.blocks, Block("plugin:note", "Be brief.", depth=0)])
    without, added = plan(found, history, tokenizer), plan(noted, history, tokenizer)
    last = f"message:{history[-1].id}"
    end = len(without.sources or ()) - (without.sources or ())[::-1].index(last)
    assert (added.tokens or ())[:end] == (without.tokens or ())[:end]
    assert "plugin:note" in (added.sources or ())[end:]


def _last_names(found: PromptPlan) -> int:
    """Return where the name that the prompt ends with begins, counted in tokens, with the token before it."""
    sources = list(found.sources or ())
    while sources and sources[-1] == "names":
        sources.pop()
    return max(len(sources) - 1, 0)


def test_the_names_in_the_examples_of_docstrings() -> None:
    for module in (voices, scenes):
        assert doctest.testmod(module).attempted and not doctest.testmod(module).failed


def test_a_name_that_the_model_wrote_is_no_part_of_the_reply() -> None:
    own = staged("airoboros-2", (BARE, THEO), label="model").template
    assert own.name == "airoboros-2-roleplay+own-label"
    assert own.finish("Theo: *nods*\n") == "*nods*"
    assert own.finish(" Maya:*nods*\n") == "*nods*"
    assert own.finish("Mayan: *nods*") == "Mayan: *nods*"
    assert own.finish(" and on\n", "*nods*") == "*nods* and on"
    given_name = staged("airoboros-2").template
    assert given_name.finish(" *nods*\n") == "*nods*"
    assert given_name.finish("Maya: no") == "Maya: no"
    assert staged("airoboros-2.1", label="model").template.name == "airoboros-2.1"
    assert staged("airoboros-2", (BARE, THEO), label="model").labels == ("Maya", "Theo")
    assert not staged("airoboros-2").labels and not staged("airoboros-2.1", label="model").labels
    assert awaits_label("", ["Maya"]) and not awaits_label("Maya: ", ["Maya"])


def test_ids_are_not_used_where_another_text_stands_before_the_reply() -> None:
    tokenizer = LittleSpm()
    model: dict[str, Any] = {"label": "model"}
    plain: dict[str, Any] = {"form": "plain"}
    for one, other in (({}, model), ({}, plain), (plain, {})):
        found = staged("airoboros-2", (BARE,), **one)
        answer = replied(found, "Maya", " hi", 1, tokenizer)
        history = [said("Rook", "hi"), answer]
        assert any(part.tokens for part in plan(found, history, tokenizer).segments)
        changed = plan(staged("airoboros-2", (BARE,), **other), history, tokenizer)
        assert not any(part.tokens for part in changed.segments)
    alone, group = staged("chatml"), staged("chatml", CAST)
    history = [said("Rook", "hi"), replied(alone, "Maya", "hi", 1, tokenizer)]
    assert not any(part.tokens for part in plan(group, history, tokenizer).segments)


@pytest.mark.parametrize("label", ["prefill", "model"])
@pytest.mark.parametrize("name", ["airoboros-2", "airoboros-2.1", "airoboros-3", "chatml", "gguf"])
def test_a_reply_is_continued_by_its_ids_after_its_name(name: str, label: str) -> None:
    tokenizer = LittleSpm()
    found = staged(template(name, tokenizer), CAST, label=label)
    raw = "Maya: the user" if label == "model" else " the user"
    first = plan(found, [said("Rook", "hi")], tokenizer)
    answer = replied(found, "Maya", raw, 1, tokenizer)
    more = assemble(
        found.blocks,
        [said("Rook", "hi"), answer],
        found.template,
        tokenizer=tokenizer,
        n_ctx=100_000,
        reserve=100,
        fingerprint="f",
        goal="continue",
    )
    assert more.tokens == (*(first.tokens or ()), *answer.tokens)
    assert (more.begun, more.begun_tokens) == ("the user", answer.tokens)
