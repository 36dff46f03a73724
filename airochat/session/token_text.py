"""The tokens of a reply as plain text: how likely each one was, and what could have stood in its place."""

from __future__ import annotations

import json
from collections.abc import Sequence

from airochat.backends.base import Scored
from airochat.errors import UsageError
from airochat.prompt import Tokenizer

SHOWN = 40
"""How many tokens are listed unless all are asked for: those that were the least likely."""


def listing(scored: Sequence[Scored], *, everything: bool = False) -> str:
    """Return a line for each token, numbered from 1, and what was likelier in its place."""
    if not scored:
        return "The reply has no tokens."
    places: Sequence[int] = range(len(scored))
    lines = [f"The reply has {len(scored)} tokens; this is how likely each one was."]
    if len(scored) > SHOWN and not everything:
        places = sorted(sorted(places, key=lambda place: scored[place].probability)[:SHOWN])
        lines = [f"The {SHOWN} least likely of {len(scored)} tokens; /tokens all lists every one."]
    return "\n".join(lines + [_line(place + 1, scored[place]) for place in places])


def place(scored: Sequence[Scored], number: int) -> str:
    """Return one token, and numbered below it what else could have stood there; raises `UsageError`."""
    one = chosen(scored, number)
    lines = [f"Token {number} of {len(scored)}, {quoted(one.piece)}: {percent(one.probability)}."]
    for rank, other in enumerate(one.others, 1):
        mark = ", as written" if other.token == one.token else ""
        lines.append(f"{rank}. {quoted(other.piece)} {percent(other.probability)}{mark}")
    return "\n".join(
        [*lines, f"/steer {number} with a number of this list, or with a text, goes on from there."]
    )


def chosen(scored: Sequence[Scored], number: int) -> Scored:
    """Return the token number ``number`` of a reply, from 1; raises `UsageError` if there is none."""
    if not 1 <= number <= len(scored):
        raise UsageError(
            f"The reply has no token {number}.", f"It has {len(scored)}, from 1; /tokens lists them."
        )
    return scored[number - 1]


def wanted_token(one: Scored, wanted: str, tokenizer: Tokenizer) -> int:
    """Return the token that a number in the list of `place`, or a text, means; raises `UsageError`.

    A text in quotation marks is taken as it is; any other begins with a space where the written token does.
    """
    if wanted.isascii() and wanted.isdigit():
        if not 1 <= int(wanted) <= len(one.others):
            raise UsageError(
                f"There is no number {wanted} in the list.", f"It goes from 1 to {len(one.others)}."
            )
        return one.others[int(wanted) - 1].token
    text = _unquoted(wanted)
    if text is None:
        text = f" {wanted}" if one.piece[:1].isspace() else wanted
    known = next((other.token for other in one.others if other.piece == text.encode()), None)
    if known is not None:
        return known
    tokens = tokenizer.encode([text], [True])[0]
    if len(tokens) != 1:
        parts = ", ".join(quoted(piece) for piece in tokenizer.pieces(tokens))
        raise UsageError(
            f"{json.dumps(text, ensure_ascii=False)} is {len(tokens)} tokens: {parts}.", "Give one of them."
        )
    return tokens[0]


def percent(probability: float) -> str:
    """Return a probability as a person would say it.

    >>> percent(0.41), percent(0.034), percent(0.0002)
    ('41%', '3.4%', 'under 0.1%')
    """
    if probability >= 0.0995:
        return f"{probability:.0%}"
    return f"{probability:.1%}" if probability >= 0.001 else "under 0.1%"


def quoted(piece: bytes) -> str:
    r"""Return the text of a token in quotation marks, or its bytes if they are no whole characters.

    >>> quoted(b" lamp"), quoted(b"\n"), quoted(b"\xe2\x80")
    ('" lamp"', '"\\n"', 'bytes e2 80')
    """
    try:
        return json.dumps(piece.decode(), ensure_ascii=False)
    except UnicodeDecodeError:
        return f"bytes {piece.hex(' ')}"


def _line(number: int, one: Scored) -> str:
    line = f"{number}. {quoted(one.piece)} {percent(one.probability)}"
    if not one.others or one.others[0].probability <= one.probability:
        return line
    best = one.others[0]
    return f"{line}, likelier {quoted(best.piece)} {percent(best.probability)}"


def _unquoted(text: str) -> str | None:
    if len(text) < 3 or not text.startswith('"') or not text.endswith('"'):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return text[1:-1]
    return found if isinstance(found, str) else None
