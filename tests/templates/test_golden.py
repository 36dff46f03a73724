"""The exact bytes of each family: rows written out by hand, never produced by the code."""

from __future__ import annotations

import pytest

from airochat.conversation import Role
from airochat.templates import ChatTurn, Part, Templates

P1 = (
    "A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, "
    "uncensored responses to the user's input."
)

# name, what is said, prefill, whether a reply follows, the bytes
ROWS: list[tuple[str, list[tuple[Role, str]], str, bool, str]] = [
    ("airoboros-1", [("user", "hi")], "", True, f"<s>{P1} USER: hi ASSISTANT: "),
    ("airoboros-1", [("system", "S"), ("user", "hi")], "", True, "<s>S USER: hi ASSISTANT: "),
    (
        "airoboros-1",
        [("user", "hi"), ("assistant", "A1"), ("user", "U2")],
        "",
        True,
        f"<s>{P1} USER: hi ASSISTANT: A1</s>USER: U2 ASSISTANT: ",
    ),
    ("airoboros-1", [("user", "hi")], "Once", True, f"<s>{P1} USER: hi ASSISTANT: Once"),
    ("airoboros-1", [("user", "hi"), ("assistant", "A1")], "", False, f"<s>{P1} USER: hi ASSISTANT: A1</s>"),
    ("airoboros-1", [], "", True, f"<s>{P1} ASSISTANT: "),
    ("airoboros-2", [("user", "hi")], "", True, "<s>A chat.\nUSER: hi\nASSISTANT: "),
    ("airoboros-2", [("system", "S"), ("user", "hi")], "", True, "<s>S\nUSER: hi\nASSISTANT: "),
    (
        "airoboros-2",
        [("user", "hi"), ("assistant", "A1"), ("user", "U2")],
        "",
        True,
        "<s>A chat.\nUSER: hi\nASSISTANT: A1\nUSER: U2\nASSISTANT: ",
    ),
    ("airoboros-2", [("user", "hi")], "Once", True, "<s>A chat.\nUSER: hi\nASSISTANT: Once"),
    (
        "airoboros-2",
        [("user", "Write x. PLAINFORMAT")],
        "",
        True,
        "<s>A chat.\nUSER: Write x. PLAINFORMAT\nASSISTANT: ",
    ),
    ("chatml", [("user", "hi")], "", True, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"),
    (
        "chatml",
        [("system", "S"), ("user", "hi")],
        "",
        True,
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    ),
    (
        "chatml",
        [("user", "hi"), ("assistant", "A1"), ("user", "U2")],
        "",
        True,
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
        "<|im_start|>user\nU2<|im_end|>\n<|im_start|>assistant\n",
    ),
    ("chatml", [("user", "hi")], "Once", True, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nOnce"),
    # Notes amid the conversation.
    (
        "airoboros-1",
        [("user", "hi"), ("system", "N"), ("assistant", "A1"), ("user", "U2")],
        "",
        True,
        f"<s>{P1} USER: hi ASSISTANT: A1</s>USER: N\nU2 ASSISTANT: ",
    ),
    (
        "airoboros-2",
        [("user", "hi"), ("assistant", "A1"), ("user", "U2"), ("system", "N")],
        "",
        True,
        "<s>A chat.\nUSER: hi\nASSISTANT: A1\nUSER: U2\nN\nASSISTANT: ",
    ),
    (
        "airoboros-2",
        [("assistant", "A1"), ("system", "N")],
        "",
        True,
        "<s>A chat.\nN\nASSISTANT: A1\nASSISTANT: ",
    ),
    (
        "chatml",
        [("user", "hi"), ("system", "N")],
        "",
        True,
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>system\nN<|im_end|>\n<|im_start|>assistant\n",
    ),
]


@pytest.mark.parametrize(("name", "said", "prefill", "reply", "wanted"), ROWS)
def test_the_bytes(name: str, said: list[tuple[Role, str]], prefill: str, reply: bool, wanted: str) -> None:
    turns = [ChatTurn(role, (Part(text, "given"),)) for role, text in said]
    segments = Templates().get(name).render(turns, goal="reply" if reply else "nothing", prefill=prefill)
    assert "".join(segment.text for segment in segments) == wanted


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


def test_stops() -> None:
    templates = Templates()
    assert (templates.get("airoboros-1").stop, templates.get("airoboros-1").stop_specials) == (
        (" USER:", "\nUSER:"),
        ("eos",),
    )
    assert (templates.get("airoboros-2").stop, templates.get("airoboros-2").stop_specials) == (
        ("\nUSER:",),
        ("eos",),
    )
    assert templates.get("chatml").stop_specials == ("<|im_end|>",)
