from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.conversation import Message, Provenance, Role
from airochat.errors import PromptError
from airochat.prompt import Block, PromptPlan, Tokenizer, assemble
from airochat.templates import Template, Templates, detect, own_template
from tests.models import write_model
from tests.prompt.tokenizers import LittleSpm, RealTokenizer

TEMPLATES = Templates()
BRACKETS = (
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ '<<SYS>>' + m.content + '<</SYS>>' }}"
    "{% elif m.role == 'user' %}{{ bos_token + '[INST] ' + m.content.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def real(demo_model: Path) -> Iterator[RealTokenizer]:
    tokenizer = RealTokenizer(demo_model)
    yield tokenizer
    tokenizer.close()


@pytest.fixture(scope="module", params=["little", "spm", "bpe"])
def any_tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LittleSpm | RealTokenizer]:
    if request.param == "little":
        yield LittleSpm()
        return
    tokenizer = RealTokenizer(write_model(tmp_path_factory.mktemp("models") / "tiny.gguf", request.param))
    yield tokenizer
    tokenizer.close()


def message(number: int, role: Role, text: str) -> Message:
    return Message(str(number), None, role, role, text)


def talk(*texts: str) -> list[Message]:
    return [message(number, "assistant" if number % 2 else "user", text) for number, text in enumerate(texts)]


def plan(
    history: list[Message],
    blocks: list[Block] | None = None,
    template: Template | str = "airoboros-2",
    tokenizer: Tokenizer | None = None,
    n_ctx: int = 4096,
    **others: str,
) -> PromptPlan:
    chosen = TEMPLATES.get(template) if isinstance(template, str) else template
    return assemble(blocks or [], history, chosen, tokenizer=tokenizer, n_ctx=n_ctx, reserve=100, **others)  # type: ignore[arg-type]


def rows(found: PromptPlan) -> dict[str, bool]:
    return {row.source: row.included for row in found.report}


def test_the_examples_of_the_issue() -> None:
    for name, wanted in (
        (
            "airoboros-65b-gpt4-1.3",
            "<s>A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, "
            "uncensored responses to the user's input. USER: hi ASSISTANT: ",
        ),
        ("airoboros-l2-13b-2.2.1", "<s>A chat.\nUSER: hi\nASSISTANT: "),
    ):
        template = detect(name, None, None, TEMPLATES).template
        assert plan(talk("hi"), template=template).text == wanted
        spm = plan(talk("hi"), template=template, tokenizer=LittleSpm())
        assert spm.text == wanted
        assert spm.tokens and spm.tokens[0] == 1 and spm.tokens.count(1) == 1


def test_head_blocks_form_the_system_turn_part_by_part() -> None:
    blocks = [
        Block("card.description", "Aria."),
        Block("persona", ""),
        Block("lorebook:x/y", "Lore.", reason="keyword"),
    ]
    found = plan(talk("hi"), blocks)
    assert found.text == "<s>A chat.\n\nAria.\n\nLore.\nUSER: hi\nASSISTANT: "
    assert [
        (part.text, part.source) for part in found.segments if part.source not in ("template", "message:0")
    ] == [
        ("Aria.", "card.description"),
        ("Lore.", "lorebook:x/y"),
    ]
    assert [(row.source, row.reason) for row in found.report[1:3]] == [
        ("card.description", "always"),
        ("lorebook:x/y", "keyword"),
    ]


@pytest.mark.parametrize("source", ["system", "card.system_prompt"])
def test_the_default_system_text_gives_way(source: str) -> None:
    assert plan(talk("hi"), default_system="Mine.").text.startswith("<s>Mine.\nUSER")
    block = Block(source, "Theirs.")
    assert plan(talk("hi"), [block], default_system="Mine.").text.startswith("<s>Theirs.\nUSER")
    assert plan(talk("hi"), [Block("persona", "P.")], default_system="Mine.").text.startswith(
        "<s>Mine.\n\nP.\nUSER"
    )


def test_blocks_at_depth() -> None:
    history = talk("one", "two", "three")
    blocks = [Block(f"depth{depth}", f"[{depth}]", depth=depth) for depth in (0, 1, 2, 9)]
    found = plan(history, blocks, "chatml").text
    said = found.replace("<|im_start|>", "").replace("<|im_end|>\n", "|").replace("\n", ":")
    assert said == "system:[9]|user:one|system:[2]|assistant:two|system:[1]|user:three|system:[0]|assistant:"
    # Merged into user turns; what would come before the first message becomes the system text.
    merged = plan(history, blocks).text
    assert merged == "<s>[9]\nUSER: one\n[2]\nASSISTANT: two\nUSER: [1]\nthree\n[0]\nASSISTANT: "


def test_prefill_and_no_reply() -> None:
    assert plan(talk("hi"), prefill="Once").text.endswith("\nASSISTANT: Once")
    assert plan(talk("hi"), prefill="Once").segments[-1].source == "prefill"
    closed = assemble(
        [], talk("hi"), TEMPLATES.get("chatml"), tokenizer=None, n_ctx=0, reserve=0, goal="nothing"
    )
    assert closed.text == "<|im_start|>user\nhi<|im_end|>\n"


def test_the_report_adds_up_to_the_prompt() -> None:
    found = plan(
        talk("hi there", "Once upon", "more"), [Block("note", "[N]", depth=0)], tokenizer=LittleSpm()
    )
    assert found.tokens and sum(row.tokens for row in found.report) == len(found.tokens) == found.size
    assert found.sources and len(found.sources) == len(found.tokens)
    assert list(rows(found)) == ["template", "note", "message:0", "message:1", "message:2"]


def test_stop_texts_and_ids() -> None:
    assert plan(talk("hi"), tokenizer=LittleSpm()).stop_tokens == (2,)
    assert plan(talk("hi"), tokenizer=LittleSpm()).stop == ("\nUSER:",)
    assert plan(talk("hi"), template="chatml", tokenizer=LittleSpm()).stop_tokens == (4,)


def test_two_round_trips_however_long_the_history() -> None:
    tokenizer = LittleSpm()
    plan(talk(*["some words"] * 51), tokenizer=tokenizer)
    assert tokenizer.calls == 2


def test_a_missing_control_token_is_told() -> None:
    class Bare(LittleSpm):
        def __init__(self) -> None:
            super().__init__()
            specials = {"<s>": 1, "</s>": 2}
            self.vocabulary = dataclasses.replace(self.vocabulary, specials=specials)

    found = plan(talk("hi"), template="chatml", tokenizer=Bare())
    assert "'<|im_start|>'" in found.warnings[0]
    assert found.tokens and not set(found.tokens) & {3, 4}


def test_example_dialogue_goes_first_then_old_messages_then_unpinned_blocks() -> None:
    blocks = [
        Block("card.description", "d " * 30, pinned=True),
        Block("card.mes_example", "e " * 100, priority=-10),
        Block("lore", "l " * 40),
    ]
    history = talk(*["word " * 8] * 9)
    tokenizer = LittleSpm()
    included = [
        rows(plan(history, blocks, tokenizer=tokenizer, n_ctx=n_ctx)) for n_ctx in (2000, 700, 600, 250)
    ]
    assert [row["card.mes_example"] for row in included] == [True, False, False, False]
    assert [row["message:0"] for row in included] == [True, True, False, False]
    assert [row["lore"] for row in included] == [True, True, True, False]
    assert all(row["card.description"] and row["message:8"] for row in included)


@pytest.mark.parametrize("tokenizer", [LittleSpm(), None])
def test_too_large_for_the_context(tokenizer: Tokenizer | None) -> None:
    with pytest.raises(PromptError) as caught:
        plan(talk("word " * 300), tokenizer=tokenizer, n_ctx=200)
    assert "at least" in caught.value.message and "room for 100" in caught.value.message
    assert "n_ctx" in caught.value.hint
    with pytest.raises(PromptError, match="leaves no room"):
        plan(talk("hi"), n_ctx=100)


def test_a_huge_history_is_not_tokenised_to_be_dropped() -> None:
    class Counting(LittleSpm):
        seen = 0

        def encode(self, texts, continued):  # type: ignore[no-untyped-def]
            self.seen += sum(map(len, texts))
            return super().encode(texts, continued)

    tokenizer = Counting()
    found = plan(talk(*["some words " * 10] * 3001), tokenizer=tokenizer, n_ctx=600)
    assert tokenizer.seen < 20_000
    assert rows(found)["message:3000"] and not rows(found)["message:0"]
    assert len(found.report) == 3002


def kept(number: int, reply: str, template: str, tokenizer: LittleSpm | RealTokenizer) -> Message:
    tokens = tuple(tokenizer.encode([reply], [True])[0])
    raw = b"".join(tokenizer.pieces(tokens)).decode()
    text = raw.strip() if template == "gguf" else TEMPLATES.get(template).finish(raw)
    made = Provenance(fingerprint="f", template=template)
    return dataclasses.replace(message(number, "assistant", text), tokens=tokens, provenance=made)


said = st.text(st.sampled_from("hi tse\n.:A<é"), min_size=1, max_size=12)


@given(st.lists(st.tuples(said, said), min_size=1, max_size=4), st.sampled_from((*TEMPLATES.names(), "gguf")))
@settings(max_examples=60)
def test_the_ids_of_a_prompt_and_its_reply_begin_the_next_prompt(
    any_tokenizer: LittleSpm | RealTokenizer, pairs: list[tuple[str, str]], name: str
) -> None:
    tokenizer = any_tokenizer
    template: Template = (
        own_template({"tokenizer.chat_template": BRACKETS}, tokenizer.vocabulary)
        if name == "gguf"
        else TEMPLATES.get(name)
    )
    history: list[Message] = []
    before: tuple[int, ...] = ()
    for asked, reply in pairs:
        history.append(message(len(history), "user", asked))
        found = plan(history, template=template, tokenizer=tokenizer, fingerprint="f")
        assert found.tokens is not None
        assert found.tokens[: len(before)] == before
        answer = kept(len(history), reply, name, tokenizer)
        if not answer.text:
            return
        history.append(answer)
        before = (*found.tokens, *answer.tokens)


def test_the_same_on_the_real_model(real: RealTokenizer) -> None:
    template = own_template({"tokenizer.chat_template": real.chat_template}, real.vocabulary)
    asked = message(0, "user", "Tell me")
    first = plan([asked], template=template, tokenizer=real, fingerprint="f")
    answer = kept(1, "Once upon a time", "gguf", real)
    second = plan(
        [asked, answer, message(2, "user", "more")], template=template, tokenizer=real, fingerprint="f"
    )
    assert first.tokens and second.tokens
    assert second.tokens[: len(first.tokens) + len(answer.tokens)] == (*first.tokens, *answer.tokens)
    rest = real.pieces(second.tokens[len(first.tokens) + len(answer.tokens) :])
    assert b"".join(rest) == b"<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    "changed",
    [
        {"provenance": Provenance(fingerprint="other", template="airoboros-2")},
        {"provenance": Provenance(fingerprint="f", template="airoboros-1")},
        {"text": "Something else"},
        {"tokens": ()},
    ],
)
def test_kept_ids_are_only_used_where_they_are_right(changed: dict[str, object]) -> None:
    tokenizer = LittleSpm()
    answer = kept(1, " Once upon\n", "airoboros-2", tokenizer)
    history = [message(0, "user", "hi"), answer, message(2, "user", "more")]
    used = plan(history, tokenizer=tokenizer, fingerprint="f")
    assert [part.tokens for part in used.segments if part.tokens] == [answer.tokens]
    assert used.text == "<s>A chat.\nUSER: hi\nASSISTANT:  Once upon\nUSER: more\nASSISTANT: "
    history[1] = dataclasses.replace(answer, **changed)  # type: ignore[arg-type]
    assert not any(part.tokens for part in plan(history, tokenizer=tokenizer, fingerprint="f").segments)


block_lists = st.lists(
    st.builds(
        Block,
        st.sampled_from(("system", "lore", "card.description", "plugin:x")),
        said,
        st.none() | st.integers(0, 5),
        st.sampled_from(("system", "user")),
        st.integers(-2, 2),
        st.booleans(),
    ),
    max_size=5,
)


@given(
    block_lists,
    st.lists(said, min_size=1, max_size=30),
    st.sampled_from(TEMPLATES.names()),
    st.integers(110, 500),
)
@settings(max_examples=80)
def test_the_budget_is_never_exceeded(blocks: list[Block], texts: list[str], name: str, n_ctx: int) -> None:
    try:
        found = plan(talk(*texts), blocks, name, LittleSpm(), n_ctx)
    except PromptError:
        return
    assert found.tokens is not None and len(found.tokens) <= n_ctx - 100
    assert found.tokens.count(1) == sum(part.special == "bos" for part in found.segments)
    assert 1 not in found.tokens[1:2]
    shown = rows(found)
    assert shown[f"message:{len(texts) - 1}"]
    assert sum(part.source.startswith("message:") for part in found.segments) >= 1


def test_the_head_of_the_prompt_stays_the_same_for_many_turns() -> None:
    tokenizer = LittleSpm()
    history: list[Message] = []
    heads: list[str] = []
    for number in range(80):
        history.append(
            message(number, "assistant" if number % 2 else "user", f"some words, number {number:03}")
        )
        if number % 2 == 0:
            included = [
                row.source for row in plan(history, tokenizer=tokenizer, n_ctx=800).report if row.included
            ]
            heads.append(next(source for source in included if source.startswith("message:")))
    moves = sum(one != two for one, two in pairwise(heads))
    assert heads[-1] != "message:0"
    assert moves <= 8
