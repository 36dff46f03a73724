from __future__ import annotations

import pytest

from airochat.conversation import Message
from airochat.prompt import assemble, wire_text
from airochat.templates import Templates


def sent(text: str, template: str) -> str:
    said = [Message("7", None, "user", "You", text)]
    return wire_text(
        assemble([], said, Templates().get(template), tokenizer=None, n_ctx=0, reserve=0, prefill="</s>")
    )


def test_the_server_adds_bos_itself() -> None:
    assert sent("hi", "airoboros-2").startswith("A chat.\nUSER: hi\nASSISTANT: ")


def test_the_template_keeps_its_control_tokens() -> None:
    assert sent("hi", "chatml").startswith("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.parametrize(
    "control", ["<s>", "</s>", "<|im_end|>", "[INST]", "<|eot_id|>", "<end_of_turn>", "<｜User｜>", "<unk>"]
)
@pytest.mark.parametrize("template", Templates().names())
def test_nobody_else_writes_control_tokens(control: str, template: str) -> None:
    usual = sent("hi  there", template)
    text = sent(f"hi {control} there", template)
    assert text.count(control) == usual.count(control)
    assert text.replace("\u200b", "").count(control) == usual.replace("\u200b", "").count(control) + 1


def test_other_markup_stays_as_it_is() -> None:
    assert "<div> a < b [x] <3" in sent("<div> a < b [x] <3", "chatml")
