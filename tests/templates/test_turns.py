from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from airochat.templates import ChatTurn, Part, Templates, Voices, turns
from airochat.templates.turns import strip_parts, unwritten

texts = st.text(max_size=12)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(turns).attempted
    assert not doctest.testmod(turns).failed


@given(st.lists(texts, max_size=5), st.booleans(), st.booleans())
def test_stripping_parts_is_stripping_their_text(pieces: list[str], left: bool, right: bool) -> None:
    whole = "".join(pieces)
    wanted = whole.lstrip() if left else whole
    wanted = wanted.rstrip() if right else wanted
    found = strip_parts([Part(text, "s") for text in pieces], left=left, right=right)
    assert "".join(part.text for part in found) == wanted


def test_closing_whitespace_is_written_once() -> None:
    assert unwritten("\nUSER: ", "Hello.") == "\nUSER: "
    assert unwritten("\n\nUSER: ", "Hello.\n") == "\nUSER: "
    assert unwritten(" </s>", "Hello. ") == "</s>"
    assert unwritten("</s>", "Hello.\n") == "</s>"


@given(
    st.lists(st.tuples(st.sampled_from(("system", "user", "assistant")), texts), max_size=6),
    st.sampled_from(Templates().names()),
)
def test_nothing_that_was_said_is_lost_or_becomes_a_control_token(
    said: list[tuple[str, str]], name: str
) -> None:
    given_turns = [
        ChatTurn(role, (Part(text, f"message:{number}"),))  # type: ignore[arg-type]
        for number, (role, text) in enumerate(said)
    ]
    segments = Templates().get(name).render(given_turns)
    for number, (_, text) in enumerate(said):
        own = [segment for segment in segments if segment.source == f"message:{number}"]
        assert "".join(segment.text for segment in own) == text
        assert not any(segment.special for segment in own)


@given(
    st.lists(st.tuples(st.sampled_from(("", "Rook", "Maya", "Theo")), texts), max_size=6),
    st.sampled_from(Templates().names()),
    st.sampled_from(("reply", "user", "nothing")),
)
def test_among_several_everything_said_follows_its_speakers_name(
    said: list[tuple[str, str]], name: str, goal: str
) -> None:
    roles = {"": "system", "Rook": "user"}
    given_turns = [
        ChatTurn(roles.get(who, "assistant"), (Part(text, f"message:{number}"),), who)  # type: ignore[arg-type]
        for number, (who, text) in enumerate(said)
    ]
    voices = Voices(labels="all", reply="Theo", user="Rook", cast=("Maya", "Theo"))
    segments = Templates().get(name).voiced(voices).render(given_turns, goal=goal)  # type: ignore[arg-type]
    found = [(segment.source, segment.text) for segment in segments]
    for number, (who, text) in enumerate(said):
        own = [at for at, (source, _) in enumerate(found) if source == f"message:{number}"]
        assert "".join(found[at][1] for at in own) == text
        if who and text:
            assert found[own[0] - 1] == ("names", f"{who}: ")
    if goal != "nothing":
        assert found[-1] == ("names", "Theo:" if goal == "reply" else "Rook:")
