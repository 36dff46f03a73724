from __future__ import annotations

import io

from rich.console import Console

from airochat.conversation import Message
from airochat.prompt import Block, PromptPlan, assemble
from airochat.prompt.show import shown
from airochat.templates import Templates


def plan(text: str, template: str = "airoboros-1") -> PromptPlan:
    message = Message("1", None, "user", "You", text)
    blocks = [Block("card.description", "Kind.")]
    return assemble(blocks, [message], Templates().get(template), tokenizer=None, n_ctx=0, reserve=0)


def test_every_stretch_has_its_kind_and_the_last_one_is_the_replys() -> None:
    found = shown(plan("hi"))
    assert [kind for kind, _, _ in found] == ["special", "template", "card", "template", "message", "reply"]
    assert [text for _, text, _ in found][2:] == ["Kind.", " USER: ", "hi", " ASSISTANT:·"]


def test_a_terminal_shows_the_prompt_in_colour() -> None:
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=400).print(plan("hi \x1b[2J[red]there"))
    written = out.getvalue()
    assert "\x1b[2J" not in written and "hi [red]there" in written
    assert "\x1b[1;33m ASSISTANT:·" in written


def test_a_notebook_shows_the_prompt_in_colour_and_no_html_of_others() -> None:
    written = plan("<script>alert(1)</script>")._repr_html_()
    assert "<script" not in written and "&lt;script&gt;alert(1)" in written
    assert 'title="card.description"' in written
    assert "<b>airoboros-1</b> · " in written and "estimated" in written
