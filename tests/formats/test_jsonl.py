from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from airochat.conversation import Message, Provenance
from airochat.formats import to_jsonl

texts = st.text(st.characters(exclude_categories=()))


@given(st.lists(st.tuples(texts, texts)))
def test_every_message_is_one_line_that_gives_it_back(contents: list[tuple[str, str]]) -> None:
    messages = [
        Message(
            id=f"m{number}",
            parent=f"m{number - 1}" if number else None,
            role="assistant",
            name=name,
            text=text,
            created=1.5,
            state="stopped",
            provenance=Provenance("model", "f", "chatml", {"seed": 7, "stop": [text]}, "user", {"prompt": 3}),
        )
        for number, (name, text) in enumerate(contents)
    ]
    lines = to_jsonl(messages).splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        record = json.loads(line)
        assert Message(**{**record, "provenance": Provenance(**record["provenance"])}) == message


def test_lines_are_plain_ascii_without_tokens() -> None:
    text = to_jsonl([Message("a", None, "user", "You", "caf\u00e9 \x1b[2J\u2028\x9b", tokens=(1, 2))])
    assert text.isascii()
    assert text.isprintable() or text.removesuffix("\n").isprintable()
    assert "tokens" not in json.loads(text)
    assert to_jsonl([]) == ""
