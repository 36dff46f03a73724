from __future__ import annotations

from typing import Any

from airochat.conversation import Message
from airochat.formats import to_markdown


def said(name: str, text: str, **fields: Any) -> Message:
    return Message("id", None, fields.pop("role", "user"), name, text, **fields)


def test_a_chat_reads_as_a_document() -> None:
    history = [
        said("You", "Hello.\n\n- one\n- two\n"),
        said("Aria", "*waves* Hi, `you`.", role="assistant"),
    ]
    assert to_markdown("The Mill", history) == (
        "# The Mill\n\n**You**\n\nHello.\n\n- one\n- two\n\n**Aria**\n\n*waves* Hi, `you`.\n"
    )


def test_an_unfinished_reply_says_so() -> None:
    assert "\n\nOnce\n\n*(stopped here)*\n" in to_markdown("t", [said("Aria", "Once", state="stopped")])
    assert "\n\nOnce\n\n*(broke off here)*\n" in to_markdown("t", [said("Aria", "Once", state="failed")])


def test_names_and_titles_cannot_change_the_document() -> None:
    text = to_markdown("a\n# *b*", [said("**x**\n<b>", "t\x1b[31mext\x07")])
    assert text == "# a \\# \\*b\\*\n\n**\\*\\*x\\*\\* \\<b\\>**\n\ntext\n"


def test_what_is_empty_has_a_name() -> None:
    assert to_markdown("", [said("", "", role="assistant")]) == "# Conversation\n\n**assistant**\n"
