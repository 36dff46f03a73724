"""Who speaks next: rules over cards and history, without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.characters import Card
from airochat.conversation import Message, Role
from airochat.errors import UsageError
from airochat.session.cast import NARRATOR, Cast, may_see, mentioned

MAYA, BRANN, OLD = (
    Card("Maya"),
    Card("Brann", talkativeness=1.0),
    Card("The Old Man", nickname="Grandfather Elm"),
)
EVERYBODY = (MAYA, BRANN, OLD)


def chat(*said: str) -> list[Message]:
    """Make a history from lines such as ``Maya: Hello``; ``I`` is the user."""
    history: list[Message] = []
    for number, line in enumerate(said):
        name, _, text = line.partition(": ")
        role: Role = "user" if name == "I" else "assistant"
        history.append(Message(f"m{number}", f"m{number - 1}" if number else None, role, name, text))
    return history


@pytest.mark.parametrize(
    ("order", "said", "due"),
    [
        ("mention", ["I: Hello."], ["Maya"]),
        ("mention", ["I: Brann, is Maya here?"], ["Brann", "Maya"]),
        ("mention", ["I: Brann, is Maya here?", "Brann: She is."], ["Maya"]),
        ("mention", ["I: brann?", "Brann: Ask Maya."], ["Maya"]),
        ("mention", ["I: brann?", "Brann: I, Brann, am here."], []),
        ("mention", ["I: Hello.", "Maya: Hi.", "I: Well?", "Brann: Well."], []),
        ("mention", ["I: Who is there?", "Maya: Me.", "I: And?"], ["Maya"]),
        ("mention", ["I: grandfather, speak!"], ["Grandfather Elm"]),
        ("mention", ["I: A mayan brannock."], ["Maya"]),
        ("round", ["I: Hello."], ["Maya"]),
        ("round", ["I: Hello.", "Maya: Hi."], []),
        ("round", ["I: Hello.", "Maya: Hi.", "I: Go on."], ["Brann"]),
        ("round", ["I: A", "Maya: B", "I: C", "Brann: D", "I: E", "Grandfather Elm: F", "I: G"], ["Maya"]),
        ("hand", ["I: Brann?"], []),
        ("mention", ["Maya: Welcome."], []),
        ("mention", [], []),
    ],
)
def test_who_answers_the_user(order: str, said: list[str], due: list[str]) -> None:
    assert Cast(EVERYBODY, order).due(chat(*said)) == due


def test_the_muted_wait_to_be_told() -> None:
    cast = Cast(EVERYBODY, "mention", frozenset(["Maya"]))
    assert cast.due(chat("I: Maya? Brann?")) == ["Brann"]
    assert cast.next(chat("I: Maya?")).called == "Brann"
    assert cast.find("maya") is MAYA


def test_talkative_characters_speak_up_and_the_dice_fall_the_same_way() -> None:
    quiet, loud = Card("Quiet", talkativeness=0.0), Card("Loud", talkativeness=1.0)
    cast = Cast((quiet, loud), "talkative")
    assert cast.due(chat("I: Anyone?"), "seed") == ["Loud"]
    assert cast.due(chat("I: Quiet, you?"), "seed") == ["Quiet", "Loud"]
    many = Cast(tuple(Card(f"N{number}") for number in range(8)), "talkative")
    first = many.due(chat("I: Anyone?"), "seed")
    assert first == many.due(chat("I: Anyone?"), "seed") != many.due(chat("I: Anyone?"), "other")
    assert first


@given(
    st.sampled_from(["mention", "talkative", "round", "hand"]),
    st.lists(st.sampled_from(["Maya", "Brann", "Grandfather Elm", "I"]), max_size=12),
    st.sets(st.sampled_from(["Maya", "Brann"])),
)
def test_a_chain_of_answers_ends_and_nobody_speaks_twice(
    order: str, names: list[str], muted: set[str]
) -> None:
    cast = Cast(EVERYBODY, order, frozenset(muted))
    history = chat(*(f"{name}: Maya, Brann and Grandfather Elm!" for name in names), "I: Well?")
    spoken = []
    while due := cast.due(history, "seed"):
        assert cast.next(history, "seed").called == due[0]
        spoken.append(due[0])
        history += [Message(f"r{len(spoken)}", history[-1].id, "assistant", due[0], "Maya! Brann!")]
    assert len(spoken) == len(set(spoken)) <= 3
    assert not muted & set(spoken)


def test_one_character_never_chains() -> None:
    cast = Cast((MAYA,))
    assert cast.due(chat("I: Hello.")) == []
    assert cast.next(chat("I: Hello.")).called == cast.next([]).called == "Maya"


def test_when_it_is_nobodys_turn_another_one_goes_on() -> None:
    history = chat("I: Brann?", "Brann: Here.")
    assert Cast(EVERYBODY).next(history).called == "Grandfather Elm"
    assert Cast(EVERYBODY, "hand").next(history + chat("I: Well?")).called == "Brann"


def test_names_are_found_in_any_case_and_the_narrator_always() -> None:
    cast = Cast(EVERYBODY)
    assert cast.find(" the OLD man ") is OLD
    assert cast.find("narrator").called == NARRATOR
    with pytest.raises(UsageError, match=r"Nobody here is called 'Mya'\. Did you mean 'Maya'"):
        cast.find("Mya")


def test_mentions_come_in_their_order() -> None:
    names = ["Maya", "Brann", "Dr. Vale", "A*B"]
    assert mentioned("brann saw MAYA; Brann left; a*b stayed", names) == ["Brann", "Maya", "A*B"]
    assert mentioned("Mayas Branns", names) == []


def test_a_whisper_is_known_to_its_audience_and_its_author() -> None:
    (message,) = chat("Maya: Hush.")
    assert may_see("Brann", message, ())
    assert not may_see("Brann", message, ("Grandfather Elm",))
    assert may_see("Maya", message, ("Grandfather Elm",))
