"""The tokens of a reply: how likely they were, and writing on from one of them with another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airochat
from airochat.backends.base import Scored
from airochat.backends.scripted import N_VOCAB, SPECIALS, ScriptedBackend
from airochat.characters import Card
from airochat.errors import UsageError
from airochat.session import Session, Turn
from airochat.session.commands import run_command
from airochat.session.events import TextAdded
from airochat.session.token_text import SHOWN, listing, wanted_token
from tests.session.desk import Desk, done

FIRST = "The lamp burns low tonight."
REPLIES = (FIRST, " out at sea.", " on the pier.", " again.")
MAYA = Card("Maya", description="A keeper.")
BRANN = Card("Brann", description="A smith.")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, ScriptedBackend(REPLIES))
    yield made
    made.manager.close()


def token(desk: Desk, text: str) -> int:
    (found,) = desk.backend.tokenizer.tokens(text)
    return found


def place(session: Session, backend: ScriptedBackend, text: str) -> int:
    """Return the number of the token of the last reply with which ``text`` begins."""
    pieces = [one.piece for one in session.alternatives()]
    return next(at for at in range(len(pieces)) if b"".join(pieces[at:]).startswith(text.encode()))


def steered(desk: Desk, text: str, instead: str, **options: Any) -> Turn:
    session = desk.session
    assert session.head is not None
    return done(
        session.steer(session.head, place(session, desk.backend, text), token(desk, instead), **options)
    )


def test_what_stands_before_is_kept_and_what_follows_is_new(desk: Desk) -> None:
    old = done(desk.session.send("Hello")).messages[0]
    turn = steered(desk, " low", " hi")
    assert turn.text == "The lamp burns hi out at sea."
    assert desk.beside() == [FIRST, turn.text] and desk.session.swipe_position() == (2, 2)
    number = desk.backend.tokenizer.tokens("The lamp burns").__len__()
    new = turn.messages[0]
    assert new.tokens[:number] == old.tokens[:number] and new.tokens[number] == token(desk, " hi")
    assert b"".join(desk.backend.tokenizer.pieces(new.tokens)).decode() == new.text
    assert desk.session.tree[old.id] == old


def test_only_the_new_token_is_read(desk: Desk) -> None:
    done(desk.session.send("Hello, this is a message that is long enough to be read in several tokens."))
    assert steered(desk, " low", " hi").usage.evaluated == 1


def test_the_text_is_told_from_its_beginning(desk: Desk) -> None:
    done(desk.session.send("Hello"))
    turn = steered(desk, " low", " hi")
    told = [event.text for event in turn if isinstance(event, TextAdded)]
    assert told[0] == "The lamp burns hi" and "".join(told) == turn.text


def test_a_steered_reply_can_be_steered_again(desk: Desk) -> None:
    done(desk.session.send("Hello"))
    steered(desk, " low", " hi")
    assert steered(desk, " sea", " ai").text == "The lamp burns hi out at ai on the pier."


def test_several_ways_on_from_one_token(desk: Desk) -> None:
    done(desk.session.send("Hello"))
    turn = steered(desk, " low", " hi", n=2, seed=7)
    assert turn.texts == ("The lamp burns hi out at sea.", "The lamp burns hi on the pier.")
    assert [message.provenance.sampling["seed"] for message in turn.messages] == [7, 8]


def test_steering_is_one_step(desk: Desk) -> None:
    done(desk.session.send("Hello"))
    steered(desk, " low", " hi")
    assert desk.session.undo() and desk.texts() == ["Hello", FIRST]
    assert desk.session.redo() and desk.texts()[1] == "The lamp burns hi out at sea."


def test_the_first_token_can_be_another(desk: Desk) -> None:
    done(desk.session.send("Hello"))
    assert steered(desk, "The", "Oh").text == "Oh out at sea."


def test_an_earlier_reply_can_be_steered(desk: Desk) -> None:
    first = done(desk.session.send("Hello")).messages[0]
    done(desk.session.send("More"))
    turn = done(desk.session.steer(first.id, 1, token(desk, " hi")))
    assert turn.text == "The hi on the pier." and desk.texts() == ["Hello", turn.text]
    assert turn.messages[0].parent == first.parent


def test_a_model_that_has_nothing_to_add_leaves_what_was_chosen(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend([FIRST, ""]))
    done(desk.session.send("Hello"))
    turn = steered(desk, " low", "!")
    assert turn.text == "The lamp burns!" and turn.reason == "eos"
    assert desk.backend.tokenizer.pieces(turn.messages[0].tokens)[-1] == b"!"
    assert desk.texts() == ["Hello", "The lamp burns!"]
    desk.manager.close()


def test_stopping_before_the_first_new_token_leaves_the_old_reply(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(REPLIES, gated=True))
    desk.backend.allow(100)
    old = done(desk.session.send("Hello")).messages[0]
    desk.backend.allow(-desk.backend._allowed)
    turn = desk.session.steer(old.id, 1, token(desk, " hi"))
    turn.stop()
    assert done(turn).message is None and desk.session.head == old.id
    desk.manager.close()


def test_a_stop_text_within_a_token_leaves_no_wrong_ids(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend([FIRST, " ab|cd"]))
    done(desk.session.send("Hello"))
    turn = steered(desk, " low", " hi", stop=("b|",))
    message = turn.messages[0]
    assert turn.reason == "stop" and message.text == "The lamp burns hi a"
    assert message.tokens == (), "those known are not those of the text"
    desk.manager.close()


def test_a_reply_with_given_words_has_tokens_too(desk: Desk) -> None:
    reply = done(desk.session.send("Hello", prefill="Well: ")).messages[0]
    assert reply.tokens == () and reply.text == f"Well: {FIRST}"
    assert b"".join(one.piece for one in desk.session.alternatives()).decode() == reply.text
    turn = steered(desk, " low", " hi")
    assert turn.text == "Well: The lamp burns hi out at sea."
    assert b"".join(desk.backend.tokenizer.pieces(turn.messages[0].tokens)).decode() == turn.text


def test_an_edited_reply_has_tokens_too(desk: Desk) -> None:
    reply = done(desk.session.send("Hello")).messages[0]
    edited = desk.session.edit(reply.id, "The sea is calm, Grüße ☕.")
    assert edited.tokens == ()
    assert b"".join(one.piece for one in desk.session.alternatives()).decode() == edited.text
    assert steered(desk, " calm", " hi").text == "The sea is hi out at sea."


def test_a_reply_that_was_changed_is_steered_as_the_model_wrote_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.session.plugins, "reply", lambda context, text: text.upper())
    done(desk.session.send("Hello"))
    assert desk.texts()[1] == FIRST.upper()
    assert b"".join(one.piece for one in desk.session.alternatives()).decode() == FIRST
    assert steered(desk, " low", " hi").text == "THE LAMP BURNS HI OUT AT SEA."


def test_a_reply_of_another_model_is_cut_into_this_ones_tokens(desk: Desk) -> None:
    reply = done(desk.session.send("Hello")).messages[0]
    desk.backend._model = dataclasses.replace(desk.backend._model, fingerprint="another")
    tree = desk.session.tree
    foreign = dataclasses.replace(reply, tokens=(17, 17))
    desk.session._ledger.tree = tree.replace(foreign)
    assert b"".join(one.piece for one in desk.session.alternatives()).decode() == FIRST


@pytest.mark.parametrize("label", ["prefill", "model"])
def test_in_a_group_the_name_stays(tmp_path: Path, label: str) -> None:
    own = "Maya: " if label == "model" else ""
    backend = ScriptedBackend([f"{own}{FIRST}", " out at sea.", "Brann: never"])
    with airochat.open(tmp_path, backend, {"speaker_label": label, "template": "airoboros-2"}) as manager:
        session = manager.new(card=[MAYA, BRANN])
        reply = done(session.send("Hello, Maya.")).messages[0]
        assert (reply.name, reply.text) == ("Maya", FIRST)
        number = place(session, backend, " low")
        turn = done(session.steer(reply.id, number, backend.tokenizer.tokens(" hi")[0]))
        assert (turn.messages[0].name, turn.text) == ("Maya", "The lamp burns hi out at sea.")
        assert turn.messages[0].tokens[:number] == reply.tokens[:number]
        plan = session.prompt(speaker="Brann")
        assert plan.text.count("The lamp burns hi out at sea.") == 1
        assert session.group.audience(turn.message_id) == ()


def test_a_whispered_answer_stays_a_whisper(tmp_path: Path) -> None:
    backend = ScriptedBackend(REPLIES)
    with airochat.open(tmp_path, backend) as manager:
        session = manager.new(card=[MAYA, BRANN])
        reply = done(session.send("Psst.", to=["Maya"])).messages[0]
        turn = done(session.steer(reply.id, 1, backend.tokenizer.tokens(" hi")[0], n=2))
        assert [session.group.audience(message.id) for message in turn.messages] == [("Maya",)] * 2


@pytest.mark.parametrize("position", [-1, 10, 10_000])
def test_a_place_that_is_not_there_changes_nothing(desk: Desk, position: int) -> None:
    reply = done(desk.session.send("Hello")).messages[0]
    assert len(reply.tokens) == 10
    with pytest.raises(UsageError, match="no token"):
        desk.session.steer(reply.id, position, token(desk, " hi"))
    assert desk.beside() == [FIRST] and desk.session.turn is None


@pytest.mark.parametrize("wrong", [-1, N_VOCAB, True, "x", 1.0])
def test_a_token_that_does_not_exist_changes_nothing(desk: Desk, wrong: Any) -> None:
    reply = done(desk.session.send("Hello")).messages[0]
    with pytest.raises(UsageError, match="no token of this model"):
        desk.session.steer(reply.id, 1, wrong)
    assert desk.beside() == [FIRST] and desk.session.turn is None


@pytest.mark.parametrize("special", ["</s>", "<|im_end|>", "<s>"])
def test_a_token_that_is_no_text_cannot_be_put_there(desk: Desk, special: str) -> None:
    reply = done(desk.session.send("Hello")).messages[0]
    with pytest.raises(UsageError, match="no text"):
        desk.session.steer(reply.id, 1, SPECIALS[special])
    assert desk.beside() == [FIRST] and desk.session.turn is None


def test_only_replies_have_tokens_to_look_at(desk: Desk) -> None:
    with pytest.raises(UsageError, match="no reply yet"):
        desk.session.alternatives()
    done(desk.session.send("Hello"))
    said = desk.session.history[0].id
    for act in (lambda: desk.session.alternatives(said), lambda: desk.session.steer(said, 0, 20)):
        with pytest.raises(UsageError, match="Only replies"):
            act()
    with pytest.raises(UsageError, match="'nobody'"):
        desk.session.alternatives("nobody")


def test_a_backend_that_cannot_tell_says_so(desk: Desk) -> None:
    reply = done(desk.session.send("Hello")).messages[0]
    desk.backend._model = dataclasses.replace(desk.backend._model, abilities=frozenset({"prepare"}))
    for act in (desk.session.alternatives, lambda: desk.session.steer(reply.id, 0, token(desk, " hi"))):
        with pytest.raises(UsageError, match="does not tell the tokens"):
            act()


def test_nothing_is_looked_at_while_a_reply_is_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(REPLIES, gated=True))
    desk.backend.allow(10)
    reply = done(desk.session.send("Hello")).messages[0]
    turn = desk.session.swipe()
    for act in (desk.session.alternatives, lambda: desk.session.steer(reply.id, 1, token(desk, " hi"))):
        with pytest.raises(UsageError, match="being written"):
            act()
    turn.stop()
    done(turn)
    desk.manager.close()


def test_every_token_is_told_with_what_else_fits(desk: Desk) -> None:
    reply = done(desk.session.send("Hello")).messages[0]
    scored = desk.session.alternatives(reply.id, top=3)
    assert tuple(one.token for one in scored) == reply.tokens
    assert all(0 < one.probability <= 1 and one.others for one in scored)
    assert desk.session.tree[reply.id] == reply and desk.beside() == [FIRST]


def test_the_commands_list_and_steer(desk: Desk) -> None:
    done(desk.session.send("Hello"))
    lines = str(run_command(desk.session, "/tokens")).splitlines()
    assert lines[0] == "The reply has 10 tokens; this is how likely each one was."
    assert lines[1] == '1. "The" 25%, likelier " a" 38%' and len(lines) == 11
    detail = str(run_command(desk.session, "/tokens 2")).splitlines()
    assert detail[0] == 'Token 2 of 10, " la": 25%.' and detail[2] == '2. " la" 25%, as written'
    turn = run_command(desk.session, "/steer 2 1", seed=3)
    assert isinstance(turn, Turn) and done(turn).text == "The a out at sea."
    assert turn.messages[0].provenance.sampling["seed"] == 3
    for line, text in (("/steer 2 hi", "The hi on the pier."), ('/steer 2 "is"', "Theis again.")):
        answer = run_command(desk.session, line)
        assert isinstance(answer, Turn) and done(answer).text == text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/tokens 0", "no token 0"),
        ("/tokens 99", "no token 99"),
        ("/tokens every", "'every' is no number"),
        ("/steer", "'' is no number"),
        ("/steer 2", "What shall stand there"),
        ("/steer 0 1", "no token 0"),
        ("/steer 2 99", "no number 99 in the list"),
        ("/steer 2 0", "no number 0 in the list"),
        ("/steer 2 lighthouse", "4 tokens: \" li\", \"ght\", \"hou\", \"se\""),
        ("/steer two 1", "'two' is no number"),
    ],
)  # fmt: skip
def test_what_the_commands_cannot_do_is_told(desk: Desk, line: str, words: str) -> None:
    done(desk.session.send("Hello"))
    with pytest.raises(UsageError) as told:
        run_command(desk.session, line)
    assert words in str(told.value)
    assert desk.beside() == [FIRST] and desk.session.turn is None


def test_a_long_list_shows_the_least_likely_in_their_order() -> None:
    scored = [Scored(number, b"x", 0.9 if number % 2 else 0.1) for number in range(4 * SHOWN)]
    scored[3] = Scored(3, b"\xe2\x80", 0.0001)
    short = listing(scored).splitlines()
    assert len(short) == SHOWN + 1 and short[0].startswith(f"The {SHOWN} least likely of {4 * SHOWN} tokens")
    numbers = [int(line.partition(".")[0]) for line in short[1:]]
    assert (
        numbers == sorted(numbers) and 4 in numbers and len([one for one in numbers if one % 2]) == SHOWN - 1
    )
    assert "4. bytes e2 80 under 0.1%" in short
    assert len(listing(scored, everything=True).splitlines()) == 4 * SHOWN + 1


def test_a_text_in_quotation_marks_is_taken_as_it_is(desk: Desk) -> None:
    one = Scored(1, b" la", 0.5, ())
    tokenizer = desk.backend.tokenizer
    for wanted, text in (("hi", " hi"), ('"hi"', "hi"), ('" 7"', " 7"), ('"\\n"', "\n"), ('"', ' "')):
        assert wanted_token(one, wanted, tokenizer) == tokenizer.tokens(text)[0]
