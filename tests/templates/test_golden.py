"""The exact bytes of each family: rows written out by hand, never produced by the code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airochat.conversation import Role
from airochat.errors import TemplateError
from airochat.templates import ChatTurn, Goal, Part, Templates, detect

P1 = (
    "A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, "
    "uncensored responses to the user's input."
)
P1R = f"{P1} The assistant never refuses to answer, regardless of the legality or morality of the request."
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the user's questions."
)
P3 = "You are a helpful, unbiased, uncensored assistant."
ALPACA = "Below is an instruction that describes a task. Write a response that appropriately completes the request."

Said = tuple[tuple[Role, str], ...]
HI: Said = (("user", "hi"),)
TWO: Said = (("user", "hi"), ("assistant", "A1"), ("user", "U2"))
# What is said, what the model is to write, how that begins.
CASES: dict[str, tuple[Said, Goal, str]] = {
    "no system": (HI, "reply", ""),
    "system": ((("system", "S"), *HI), "reply", ""),
    "one turn": (TWO[:2], "nothing", ""),
    "two turns": (TWO, "reply", ""),
    "prefill": (HI, "reply", "Once"),
    "continue": (TWO[:2], "continue", ""),
    "impersonate": (TWO[:2], "user", ""),
    "nothing said": ((), "reply", ""),
}


def one_line(preamble: str, space: str) -> dict[str, str]:
    """1.x and 2.0: single spaces, an end token after every reply."""
    return {
        "no system": f"<s>{preamble} USER: hi ASSISTANT:{space}",
        "system": f"<s>S USER: hi ASSISTANT:{space}",
        "one turn": f"<s>{preamble} USER: hi ASSISTANT: A1</s>",
        "two turns": f"<s>{preamble} USER: hi ASSISTANT: A1</s>USER: U2 ASSISTANT:{space}",
        "prefill": f"<s>{preamble} USER: hi ASSISTANT: Once",
        "continue": f"<s>{preamble} USER: hi ASSISTANT: A1",
        "impersonate": f"<s>{preamble} USER: hi ASSISTANT: A1</s>USER:",
        "nothing said": f"<s>{preamble} ASSISTANT:{space}",
    }


LINES = {
    "no system": "<s>A chat.\nUSER: hi\nASSISTANT: ",
    "system": "<s>S\nUSER: hi\nASSISTANT: ",
    "one turn": "<s>A chat.\nUSER: hi\nASSISTANT: A1\n",
    "two turns": "<s>A chat.\nUSER: hi\nASSISTANT: A1\nUSER: U2\nASSISTANT: ",
    "prefill": "<s>A chat.\nUSER: hi\nASSISTANT: Once",
    "continue": "<s>A chat.\nUSER: hi\nASSISTANT: A1",
    "impersonate": "<s>A chat.\nUSER: hi\nASSISTANT: A1\nUSER:",
    "nothing said": "<s>A chat.\nASSISTANT: ",
}


def brackets(space: str) -> dict[str, str]:
    """3.x: Llama 2's chat form, always with a system text."""
    return {
        "no system": f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nhi [/INST]{space}",
        "system": f"<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nhi [/INST]{space}",
        "one turn": f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nhi [/INST] A1 </s>",
        "two turns": f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nhi [/INST] A1 </s><s>[INST] U2 [/INST]{space}",
        "prefill": f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nhi [/INST] Once",
        "continue": f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nhi [/INST] A1",
        "impersonate": f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nhi [/INST] A1 </s><s>[INST]",
        "nothing said": f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nStart the conversation. [/INST]{space}",
    }


def headers(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


LLAMA_3 = {
    "no system": f"<|begin_of_text|>{headers('user')}hi<|eot_id|>{headers('assistant')}",
    "system": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "one turn": f"<|begin_of_text|>{headers('user')}hi<|eot_id|>{headers('assistant')}A1<|eot_id|>",
    "two turns": f"<|begin_of_text|>{headers('user')}hi<|eot_id|>{headers('assistant')}A1<|eot_id|>"
    f"{headers('user')}U2<|eot_id|>{headers('assistant')}",
    "prefill": f"<|begin_of_text|>{headers('user')}hi<|eot_id|>{headers('assistant')}Once",
    "continue": f"<|begin_of_text|>{headers('user')}hi<|eot_id|>{headers('assistant')}A1",
    "impersonate": f"<|begin_of_text|>{headers('user')}hi<|eot_id|>{headers('assistant')}A1<|eot_id|>{headers('user')}",
    "nothing said": f"<|begin_of_text|>{headers('assistant')}",
}

# Every version by a model of it, of each size that was trained in another way.
MODELS: dict[str, dict[str, str]] = {
    "airoboros-gpt-3.5-turbo-100k-7b": one_line(VICUNA, ""),
    "airoboros-13b": one_line(VICUNA, ""),
    "airoboros-13b-gpt4": one_line(P1, ""),
    "airoboros-65b-gpt4": one_line(P1, " "),
    "airoboros-7b-gpt4-1.1": one_line(P1, ""),
    "airoboros-33b-gpt4-1.1": one_line(P1, " "),
    "airoboros-13b-gpt4-1.2": one_line(P1, ""),
    "airoboros-33b-gpt4-1.2": one_line(P1, " "),
    "airoboros-13b-gpt4-1.3": one_line(P1, ""),
    "airoboros-65b-gpt4-1.3": one_line(P1, " "),
    "airoboros-7b-gpt4-1.4": one_line(P1R, ""),
    "airoboros-33b-gpt4-1.4": one_line(P1R, " "),
    "airoboros-mpt-30b-gpt4-1p4-five-epochs": one_line(P1R, " "),
    "airoboros-l2-13b-gpt4-1.4.1": one_line(P1R, ""),
    "airoboros-l2-70b-gpt4-1.4.1": one_line(P1R, " "),
    "airoboros-l2-7b-gpt4-2.0": one_line(P1R, ""),
    "airoboros-33b-gpt4-2.0": one_line(P1R, " "),
    "airoboros-l2-13b-gpt4-m2.0": one_line(P1R, ""),
    "airoboros-65b-gpt4-m2.0": one_line(P1R, " "),
    "airoboros-l2-13b-2.1": LINES,
    "airoboros-c34b-2.1": LINES,
    "spicyboros-70b-2.2": LINES,
    "airoboros-l2-7b-2.2": LINES,
    "airoboros-l2-70b-2.2.1": LINES,
    "airoboros-l2-13b-3.0": brackets(" "),
    "airoboros-l2-70b-3.1": brackets(" "),
    "airoboros-m-7b-3.1": brackets(" "),
    "airoboros-m-7b-3.0": brackets(""),
    "airoboros-3b-3p11": brackets(""),
    "airoboros-m-7b-3.1.2": brackets(""),
    "airoboros-34b-3.2": brackets(""),
    "airoboros-34b-3.3": brackets(""),
    "airoboros-70b-3.3": LLAMA_3,
    "airoboros-dpo-70b-3.3": LLAMA_3,
}
FORMS: dict[str, dict[str, str]] = {
    "airoboros-1.4:no-clause": one_line(P1, " "),
    "airoboros-1.4:no-space+no-clause": one_line(P1, ""),
    "vicuna-1.1": one_line(VICUNA, ""),
    "llama-3": LLAMA_3,
    "llama-2-chat": {
        "no system": "<s>[INST] hi [/INST]",
        "system": "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nhi [/INST]",
        "one turn": "<s>[INST] hi [/INST] A1 </s>",
        "two turns": "<s>[INST] hi [/INST] A1 </s><s>[INST] U2 [/INST]",
        "prefill": "<s>[INST] hi [/INST] Once",
        "continue": "<s>[INST] hi [/INST] A1",
        "impersonate": "<s>[INST] hi [/INST] A1 </s><s>[INST]",
        "nothing said": "<s>[INST] Start the conversation. [/INST]",
    },
    "mistral": {
        "no system": "<s>[INST] hi [/INST]",
        "system": "<s>[INST] S\n\nhi [/INST]",
        "one turn": "<s>[INST] hi [/INST] A1</s>",
        "two turns": "<s>[INST] hi [/INST] A1</s>[INST] U2 [/INST]",
        "prefill": "<s>[INST] hi [/INST] Once",
        "continue": "<s>[INST] hi [/INST] A1",
        "impersonate": "<s>[INST] hi [/INST] A1</s>[INST]",
        "nothing said": "<s>[INST] Start the conversation. [/INST]",
    },
    "chatml": {
        "no system": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
        "system": "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
        "one turn": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n",
        "two turns": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
        "<|im_start|>user\nU2<|im_end|>\n<|im_start|>assistant\n",
        "prefill": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nOnce",
        "continue": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nA1",
        "impersonate": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n<|im_start|>user\n",
        "nothing said": "<|im_start|>assistant\n",
    },
    "gemma": {
        "no system": "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n",
        "system": "<bos><start_of_turn>user\nS\n\nhi<end_of_turn>\n<start_of_turn>model\n",
        "one turn": "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\nA1<end_of_turn>\n",
        "two turns": "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\nA1<end_of_turn>\n"
        "<start_of_turn>user\nU2<end_of_turn>\n<start_of_turn>model\n",
        "prefill": "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\nOnce",
        "continue": "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\nA1",
        "impersonate": "<bos><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\nA1<end_of_turn>\n"
        "<start_of_turn>user\n",
        "nothing said": "<bos><start_of_turn>user\nStart the conversation.<end_of_turn>\n<start_of_turn>model\n",
    },
    "alpaca": {
        "no system": f"{ALPACA}\n\n### Instruction:\nhi\n\n### Response:\n",
        "system": "S\n\n### Instruction:\nhi\n\n### Response:\n",
        "one turn": f"{ALPACA}\n\n### Instruction:\nhi\n\n### Response:\nA1\n\n",
        "two turns": f"{ALPACA}\n\n### Instruction:\nhi\n\n### Response:\nA1\n\n### Instruction:\nU2\n\n"
        "### Response:\n",
        "prefill": f"{ALPACA}\n\n### Instruction:\nhi\n\n### Response:\nOnce",
        "continue": f"{ALPACA}\n\n### Instruction:\nhi\n\n### Response:\nA1",
        "impersonate": f"{ALPACA}\n\n### Instruction:\nhi\n\n### Response:\nA1\n\n### Instruction:\n",
        "nothing said": f"{ALPACA}\n\n### Response:\n",
    },
    # Without names, as long as nobody is known.
    "airoboros-2-roleplay": {
        "no system": "<s>hi\n",
        "system": "<s>S\nhi\n",
        "one turn": "<s>hi\nA1\n",
        "two turns": "<s>hi\nA1\nU2\n",
        "prefill": "<s>hi\nOnce",
        "continue": "<s>hi\nA1",
        "impersonate": "<s>hi\nA1\n",
        "nothing said": "<s>",
    },
    "story": {
        "no system": "hi\n\n",
        "system": "S\n\nhi\n\n",
        "one turn": "hi\n\nA1\n\n",
        "two turns": "hi\n\nA1\n\nU2\n\n",
        "prefill": "hi\n\nOnce",
        "continue": "hi\n\nA1",
        "impersonate": "hi\n\nA1\n\n",
        "nothing said": "",
    },
}
NOTES: list[tuple[str, list[tuple[Role, str]], str]] = [
    (
        "airoboros-1",
        [("user", "hi"), ("system", "N"), ("assistant", "A1"), ("user", "U2")],
        f"<s>{P1} USER: hi\nN ASSISTANT: A1</s>USER: U2 ASSISTANT: ",
    ),
    (
        "airoboros-2",
        [("user", "hi"), ("assistant", "A1"), ("user", "U2"), ("system", "N")],
        "<s>A chat.\nUSER: hi\nASSISTANT: A1\nUSER: U2\nN\nASSISTANT: ",
    ),
    (
        "airoboros-2",
        [("system", "S"), ("system", "N"), ("assistant", "A1"), ("user", "U2")],
        "<s>S\nN\nASSISTANT: A1\nUSER: U2\nASSISTANT: ",
    ),
    (
        "airoboros-2",
        [("assistant", "A1"), ("system", "N")],
        "<s>A chat.\nASSISTANT: A1\nUSER: N\nASSISTANT: ",
    ),
    (
        "airoboros-3",
        [("user", "hi"), ("assistant", "A1"), ("user", "U2"), ("system", "N")],
        f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nhi [/INST] A1 </s><s>[INST] U2\nN [/INST]",
    ),
    (
        "chatml",
        [("user", "hi"), ("system", "N")],
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>system\nN<|im_end|>\n<|im_start|>assistant\n",
    ),
    ("airoboros-1", [("user", "a"), ("user", "b")], f"<s>{P1} USER: a USER: b ASSISTANT: "),
    ("airoboros-1", [("user", "a"), ("assistant", "b")], f"<s>{P1} USER: a ASSISTANT: b</s>ASSISTANT: "),
    (
        "airoboros-3",
        [("assistant", "g"), ("user", "a"), ("user", "b"), ("assistant", "c")],
        f"<s>[INST] <<SYS>>\n{P3}\n<</SYS>>\n\nStart the conversation. [/INST] g </s><s>[INST] a\n\nb [/INST] c "
        "</s><s>[INST] Continue. [/INST]",
    ),
    (
        "airoboros-2",
        [("user", "Write x. PLAINFORMAT")],
        "<s>A chat.\nUSER: Write x. PLAINFORMAT\nASSISTANT: ",
    ),
]


def turns(said: Said | list[tuple[Role, str]]) -> list[ChatTurn]:
    return [ChatTurn(role, (Part(text, "given"),)) for role, text in said]


def rows() -> Iterator[tuple[str, str, str, str]]:
    for kind, table in (("model", MODELS), ("template", FORMS)):
        for name, texts in table.items():
            assert texts.keys() == CASES.keys()
            for case, wanted in texts.items():
                yield kind, name, case, wanted


@pytest.mark.parametrize(("kind", "name", "case", "wanted"), list(rows()))
def test_the_bytes(kind: str, name: str, case: str, wanted: str) -> None:
    templates = Templates()
    template = templates.get(name) if kind == "template" else detect(name, None, None, templates).template
    said, goal, prefill = CASES[case]
    segments = template.render(turns(said), goal=goal, prefill=prefill)
    assert "".join(segment.text for segment in segments) == wanted


def test_every_template_has_its_rows() -> None:
    known = Templates()
    found = {detect(name, None, None, known).template.name for name in MODELS} | set(FORMS)
    assert {name.partition(":")[0] for name in found} == set(known.names())
    named = {version for one in known.all() for version in (*one.versions, *one.inferred)}
    reasons = [detect(name, None, None, known).reasons[0] for name in MODELS]
    assert {version for version in named if not any(f" {version}." in reason for reason in reasons)} == set()


@pytest.mark.parametrize(("name", "said", "wanted"), NOTES)
def test_unusual_conversations(name: str, said: list[tuple[Role, str]], wanted: str) -> None:
    assert "".join(segment.text for segment in Templates().get(name).render(turns(said))) == wanted


@pytest.mark.parametrize(
    ("name", "said", "prefill", "wanted"),
    [
        ("airoboros-1", TWO[:2], "No", "A1</s>USER: No"),
        ("airoboros-2", TWO, "", "USER: U2\nUSER:"),
        ("airoboros-3", TWO, "", "[INST] U2\n\n"),
        ("airoboros-3", TWO, "No", "[INST] U2\n\nNo"),
        ("airoboros-3", (), "", "<</SYS>>\n\n"),
        ("chatml", TWO[:2], "No", "<|im_start|>user\nNo"),
    ],
)
def test_speaking_for_the_user(name: str, said: Said, prefill: str, wanted: str) -> None:
    segments = Templates().get(name).render(turns(said), goal="user", prefill=prefill)
    assert "".join(segment.text for segment in segments).endswith(wanted)


@pytest.mark.parametrize("name", Templates().names())
def test_nothing_can_be_continued_where_nothing_was_said(name: str) -> None:
    with pytest.raises(TemplateError, match="no message to continue"):
        Templates().get(name).render(turns([("system", "S")]), goal="continue")


def test_a_users_message_can_be_continued_too() -> None:
    segments = Templates().get("airoboros-2").render(turns(TWO), goal="continue")
    assert "".join(segment.text for segment in segments).endswith("\nUSER: U2")


def test_a_kept_reply_is_continued_by_its_ids() -> None:
    kept = ChatTurn("assistant", (Part(" Once", "message:2"),), tokens=(9038,))
    segments = Templates().get("airoboros-3").render([*turns(HI), kept], goal="continue")
    assert segments[-1].tokens == (9038,)
    assert "".join(segment.text for segment in segments).endswith(" [/INST] Once")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("airoboros-1", ["bos", None, None, None, None, "eos", None, None, None]),
        ("airoboros-2", ["bos", None, None, None, None, None, None, None]),
    ],
)
def test_control_tokens_are_segments_of_their_own(name: str, wanted: list[str | None]) -> None:
    turns = [
        ChatTurn("user", (Part("u", "1"),)),
        ChatTurn("assistant", (Part("a", "2"),)),
        ChatTurn("user", (Part("v", "3"),)),
    ]
    segments = Templates().get(name).render(turns)
    assert [segment.special for segment in segments] == wanted
    assert [segment.source for segment in segments if segment.source != "template"] == ["1", "2", "3"]


def test_every_part_keeps_its_source() -> None:
    parts = (Part("one", "card.description"), Part("\n\n", "template"), Part("two", "persona"))
    segments = (
        Templates()
        .get("airoboros-2")
        .render([ChatTurn("system", parts), ChatTurn("user", (Part("u", "m"),))])
    )
    assert [(segment.text, segment.source) for segment in segments][1:5] == [
        ("one", "card.description"),
        ("\n\n", "template"),
        ("two", "persona"),
        ("\nUSER: ", "template"),
    ]


@pytest.mark.parametrize(
    ("name", "raw", "wanted"),
    [
        ("airoboros-1", " Once upon ", "Once upon "),
        ("airoboros-1", "  Once", " Once"),
        ("airoboros-2", " Once upon\n", "Once upon"),
        ("airoboros-2", "Once\n\nupon \n", "Once\n\nupon"),
        ("chatml", "Once\n", "Once\n"),
    ],
)
def test_what_belongs_to_the_format_is_stripped_off_replies(name: str, raw: str, wanted: str) -> None:
    assert Templates().get(name).finish(raw) == wanted


def test_a_kept_reply_stands_after_the_reply_prefix_and_closes_once() -> None:
    two = Templates().get("airoboros-2")
    kept = ChatTurn("assistant", (Part(" Once.\n", "message:2"),), tokens=(9038, 29889, 13))
    asked = ChatTurn("user", (Part("hi", "message:1"),))
    first = "".join(segment.text for segment in two.render([asked]))
    segments = two.render([asked, kept, ChatTurn("user", (Part("more", "message:3"),))])
    text = "".join(segment.text for segment in segments)
    assert text == first + " Once.\nUSER: more\nASSISTANT: "
    assert [segment.tokens for segment in segments if segment.tokens] == [(9038, 29889, 13)]


@pytest.mark.parametrize(
    ("name", "stop", "user_stop", "specials"),
    [
        ("airoboros-gpt3.5", (" USER:", "\nUSER:"), (" ASSISTANT:", "\nASSISTANT:"), ("eos",)),
        ("airoboros-1", (" USER:", "\nUSER:"), (" ASSISTANT:", "\nASSISTANT:"), ("eos",)),
        ("airoboros-1.4:no-space", (" USER:", "\nUSER:"), (" ASSISTANT:", "\nASSISTANT:"), ("eos",)),
        ("airoboros-2.1", ("\nUSER:",), ("\nASSISTANT:",), ("eos",)),
        ("airoboros-2", ("\nUSER:",), ("\nASSISTANT:",), ("eos",)),
        ("airoboros-3.0", (), (" [/INST]", "[/INST]"), ("eos",)),
        ("airoboros-3", (), (" [/INST]", "[/INST]"), ("eos",)),
        (
            "llama-3",
            ("<|eot_id|>", "<|start_header_id|>"),
            ("<|eot_id|>", "<|start_header_id|>"),
            ("<|eot_id|>", "<|end_of_text|>"),
        ),
        (
            "chatml",
            ("<|im_end|>", "<|im_start|>"),
            ("<|im_end|>", "<|im_start|>"),
            ("<|im_end|>",),
        ),
        ("story", (), (), ("eos",)),
    ],
)
def test_stops(
    name: str, stop: tuple[str, ...], user_stop: tuple[str, ...], specials: tuple[str, ...]
) -> None:
    found = Templates().get(name)
    assert (found.stop, found.user_stop, found.stop_specials) == (stop, user_stop, specials)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("airoboros-3", "Llama 2 writes [INST] and [/INST] around it."),
        ("airoboros-1", "He logged in as SUPERUSER: then typed `USER:root`."),
        ("airoboros-2", "The prompt is A chat. USER: hello ASSISTANT: hi, on one line."),
        ("airoboros-2.1", "Write USER: before it, and SUPERUSER: never.\n USER: is no border."),
        ("airoboros-3", "It is USER: in old versions, and `[INST]` in new ones: <s>[INST] {prompt} [/INST]."),
        ("llama-3", "USER: hi\nUSER: there"),
        ("story", "USER: hi\nUSER: there"),
    ],
)
def test_what_only_looks_like_a_border_ends_no_reply(name: str, text: str) -> None:
    assert not [stop for stop in Templates().get(name).stop if stop in text]


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("airoboros-1", "Hello. USER: and you?"),
        ("airoboros-1", "Hello.\nUSER: and you?"),
        ("airoboros-2", "Hello.\nUSER: and you?"),
        ("alpaca", "Hello.\n\n### Instruction:\nAnd you?"),
    ],
)
def test_a_border_that_lost_its_end_token_ends_the_reply(name: str, raw: str) -> None:
    template = Templates().get(name)
    ends = min(raw.find(stop) for stop in template.stop if stop in raw)
    assert template.finish(raw[:ends]).rstrip() == "Hello."


@pytest.mark.parametrize(
    ("name", "begun", "raw", "wanted"),
    [
        ("airoboros-2", "Once", " upon\n", "Once upon"),
        ("airoboros-1", "Once", " upon\n", "Once upon\n"),
        ("airoboros-3", "Once ", " upon", "Once  upon"),
        ("chatml", "On", "ce", "Once"),
    ],
)
def test_what_follows_words_that_the_prompt_held_keeps_its_space(
    name: str, begun: str, raw: str, wanted: str
) -> None:
    assert Templates().get(name).finish(raw, begun) == wanted
