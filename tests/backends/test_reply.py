from __future__ import annotations

from airochat.backends.base import TextDelta, Timings
from airochat.backends.reply import FLUSH_S, Reply

PIECES = {1: b"Hello", 2: b" wor", 3: b"ld", 4: "é".encode()[:1], 5: "é".encode()[1:], 6: b""}


def add(reply: Reply, *tokens: int, every: float = 1.0) -> list[TextDelta]:
    deltas = [reply.add(token, 10 + every * number) for number, token in enumerate(tokens)]
    return [delta for delta in [*deltas, reply.finish()] if delta is not None]


def test_a_slow_model_sends_every_token_and_a_fast_one_bundles() -> None:
    assert add(Reply(PIECES, (), 9.0), 1, 2, 3) == [
        TextDelta("Hello", 1),
        TextDelta(" wor", 1),
        TextDelta("ld", 1),
    ]
    fast = add(Reply(PIECES, (), 9.0), 1, 2, 3, every=FLUSH_S / 8)
    assert fast == [TextDelta("Hello", 1), TextDelta(" world", 2)]


def test_tokens_without_text_are_counted_with_the_text_that_follows() -> None:
    assert add(Reply(PIECES, (), 0.0), 6, 4, 5) == [TextDelta("é", 3)]


def test_the_tokens_are_those_of_the_text_that_was_sent() -> None:
    reply = Reply(PIECES, ("ld",), 0.0)
    add(reply, 1, 2, 3)
    assert reply.stopped
    assert reply.exact_tokens() == (1, 2)


def test_a_text_that_ends_inside_a_token_has_no_tokens() -> None:
    reply = Reply(PIECES, ("or",), 0.0)
    add(reply, 1, 2)
    assert reply.exact_tokens() == ()


def test_a_character_cut_by_the_length_limit_is_neither_text_nor_token() -> None:
    reply = Reply(PIECES, (), 0.0)
    assert add(reply, 1, 4) == [TextDelta("Hello", 1)]
    assert reply.exact_tokens() == (1,)


def test_invalid_bytes_have_no_tokens() -> None:
    reply = Reply(PIECES, (), 0.0)
    add(reply, 5, 1)
    assert reply.exact_tokens() == ()


def test_times_are_those_of_the_first_token_and_the_steps_after_it() -> None:
    reply = Reply(PIECES, (), 9.5)
    assert reply.timings() == Timings()
    add(reply, 1, 2, 3, every=0.5)
    assert reply.timings() == Timings(0.5, 2.0)
