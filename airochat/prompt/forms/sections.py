"""Dividing an answer at its headings."""

from __future__ import annotations

import re


def sections(heading: re.Pattern[str], text: str) -> list[tuple[re.Match[str], str]]:
    r"""Return every match of ``heading`` with the text up to the next one, without white space around it.

    >>> [(head.group(), body) for head, body in sections(re.compile(r"[AB]:"), "so A: one B: two")]
    [('A:', 'one'), ('B:', 'two')]
    """
    heads = list(heading.finditer(text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    return [(head, text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True)]
