from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.tui.widgets.markup import LONG, Block, blocks, style


def styled(text: str) -> list[tuple[str, str]]:
    """Return what each style covers, in order."""
    (block,) = blocks(text)
    shown, spans = style(block)
    return [(name, shown[start:end]) for start, end, name in spans]


def shown(text: str) -> str:
    return "\n\n".join(style(block)[0] for block in blocks(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Hello," she said.', [("speech", '"Hello,"')]),
        ("*nods* Yes.", [("action", "nods")]),
        ("_nods_ Yes.", [("action", "nods")]),
        ("**Stop!**", [("strong", "Stop!")]),
        ("“Hello,” she said. «Non.»", [("speech", "“Hello,”"), ("speech", "«Non.»")]),
        ("Use `rm -rf *` and `*`.", [("code", "rm -rf *"), ("code", "*")]),
        ('*She says "hi" softly.*', [("action", 'She says "hi" softly.'), ("speech", '"hi"')]),
        ('"I *do* care."', [("speech", '"I do care."'), ("action", "do")]),
        ("# The *Gate*", [("heading", "The Gate"), ("action", "Gate")]),
        ("2 * 3 * 4 = 24", []),
        ("snake_case_name and __init__", []),
        ('an open "quote\nthat never closes', []),
        ("an open *action\nthat closes later*", []),
    ],
)
def test_styles(text: str, expected: list[tuple[str, str]]) -> None:
    assert styled(text) == expected


def test_marks_go_and_everything_else_stays() -> None:
    assert shown('*She looks up.* "Well?" **Now.**') == 'She looks up. "Well?" Now.'
    assert shown("- one\n* two\n> three") == "• one\n• two\n│ three"
    assert shown("<START> [/bold] {{user}} \\n & <b>") == "<START> [/bold] {{user}} \\n & <b>"


def test_fences_are_whole_and_unstyled() -> None:
    text = "See:\n```python\na = '*x*'\n\nb = 1\n```\nDone."
    assert [(block.fence, style(block)[0]) for block in blocks(text)] == [
        (False, "See:"),
        (True, "a = '*x*'\n\nb = 1"),
        (False, "Done."),
    ]


def test_an_open_fence_is_one_already() -> None:
    (block,) = blocks("```\nlet x = 1;")
    assert block.fence
    assert style(block)[0] == "let x = 1;"


@given(st.text(alphabet='ab "*_`“”«»\n#->~', max_size=200))
def test_a_growing_reply_never_changes_above_its_last_block(text: str) -> None:
    before: list[Block] = []
    for end in range(len(text) + 1):
        now = blocks(text[:end])
        # Two, because a line of backticks may turn out to open a fence once it is longer.
        settled = max(0, len(before) - 2)
        assert now[:settled] == before[:settled]
        before = now


@given(st.text(alphabet='ab "*_`“”«»\n#->~', max_size=300))
def test_spans_lie_within_what_is_shown(text: str) -> None:
    for block in blocks(text):
        content, spans = style(block)
        assert all(0 <= start <= end <= len(content) for start, end, _ in spans)


@pytest.mark.parametrize("mark", ['"', "*", "**", "_", "`", "“", "«", "[", "> ", "*a _b ", "“«"])
def test_a_hundred_kilobytes_of_marks_are_cut_into_pieces(mark: str) -> None:
    text = (mark * 100_000)[:100_000]
    parts = blocks(text)
    assert max(len(part.text) for part in parts) <= LONG
    assert "".join(part.text for part in parts) == text
    assert all(part.joined for part in parts[1:])
    assert sum(len(style(part)[0]) for part in parts) > 0
