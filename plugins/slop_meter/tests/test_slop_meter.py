from __future__ import annotations

import sys
from pathlib import Path

import pytest

from airochat.characters import Card
from airochat.errors import AirochatError, SettingsError, UsageError
from airochat.hooks import Rows
from airochat.hooks.testing import PluginBench
from airochat.sampling import Sampling, ban_regex

FOLDER = Path(__file__).parents[1]


def bench(*replies: str, said: str = "Go on.", **chat: object) -> PluginBench:
    texts = [text for reply in replies for text in (said, reply)]
    return PluginBench(FOLDER, texts, **chat)


def phrases(made: PluginBench) -> list[str]:
    return [line.strip() for line in made.command("/slop").splitlines() if line.startswith("  ")]


def test_repeated_phrases_are_told_with_counts_and_places() -> None:
    made = bench(
        "The lantern flickers low, again.",
        "Outside, the lantern flickers low.",
        "Then the lantern flickers low; the lantern flickers low.",
        "All is well.",
    )
    assert phrases(made) == ['1. "the lantern flickers low": 4 times, messages 2, 4, 6']
    assert made.command("/slop").startswith("4 replies, 22 words:")


def test_a_part_is_told_only_where_it_comes_more_often() -> None:
    made = bench("A crooked iron gate creaks.", "A crooked iron gate creaks.", "One crooked iron gate, open.")
    assert phrases(made) == [
        '1. "crooked iron gate": 3 times, messages 2, 4, 6',
        '2. "a crooked iron gate creaks": 2 times, messages 2, 4',
    ]


def test_a_long_phrase_is_told_once_and_banned_as_far_as_a_ban_may_reach() -> None:
    words = " ".join(f"wonderful{number}" for number in range(20))
    made = bench(f"{words}.", f"{words}.")
    assert phrases(made) == [f'1. "{words}": 2 times, messages 2, 4']
    made.command("/slop ban")
    (ban,) = made.sampling().banned
    assert words.startswith(f"{ban} ")
    assert 180 < len(ban) <= 200
    assert phrases(made) == []


def test_small_words_punctuation_and_one_reply_alone_make_no_phrase() -> None:
    made = bench("And then it was on the green hill of the.", "And then it was on the. Green, hill, house.")
    assert phrases(made) == []
    assert phrases(bench("Dark green hill. Dark green hill. Dark green hill.")) == []


def test_cliches_count_from_the_first_on_whatever_their_endings() -> None:
    made = bench("It SHIVERED down her long spine.", "Her breath… she didn’t know. Orbs absorbs.")
    found = phrases(made)
    assert '"shiver~ down * spine", a cliché: 1 time, message 2' in found[0] + found[1] + found[2]
    assert any(line.endswith('"breath~ * didn\'t know", a cliché: 1 time, message 4') for line in found)
    assert any(line.endswith('"orbs", a cliché: 1 time, message 4') for line in found)
    assert len(found) == 3


def test_openings_and_overused_words() -> None:
    made = bench(
        '"She looks up," he said; ember, ember.',
        "She looks up. An ember for Maya.",
        "She looks up! Ember. Maya, tea.",
        "Tea for Maya, tea for Maya: tea.",
        said="Some tea, please.",
        cards=(Card(name="Maya"),),
    )
    told = made.command("/slop")
    assert '3 replies begin with "she looks up": messages 2, 4, 6' in told
    assert told.splitlines()[-1].startswith("Words that you use less, or not at all: ember 4×")
    assert "maya" not in told.splitlines()[-1]
    assert "tea" not in told.splitlines()[-1]


def test_a_ban_is_added_to_the_sampling_of_this_chat() -> None:
    made = bench(
        "The silver bell rings twice. It is palpable.", "Now the silver bell rings twice. Palpable, palpable."
    )
    assert made.sampling().banned == ()
    assert made.command("/slop ban") == "Banned in this chat: palpable."
    assert "1. " in made.command("/slop")
    assert "palpable" not in made.command("/slop")
    made.command("/slop ban 5")
    mine = Sampling(banned=("mine", "the silver bell rings twice"))
    assert made.sampling(mine).banned == ("mine", "the silver bell rings twice", r"/\bpalpable\b/i")
    assert made.command("/slop bans").splitlines()[1:] == [
        r"  1. /\bpalpable\b/i",
        "  2. the silver bell rings twice",
    ]
    with pytest.raises(UsageError, match="no phrase left"):
        made.command("/slop ban")
    made.command("/slop clear 1")
    assert made.sampling().banned == ("the silver bell rings twice",)
    made.command("/slop clear")
    assert made.sampling().banned == ()
    assert "Nothing is banned" in made.command("/slop bans")


def test_bans_that_find_no_room_beside_the_users_own_are_left_out() -> None:
    made = bench("The silver bell rings.", "The silver bell rings.")
    made.command("/slop ban")
    full = Sampling(banned=tuple(f"text {number}" for number in range(500)))
    assert made.sampling(full) == full


def test_more_regexes_than_fit_are_refused_and_nothing_changes() -> None:
    made = bench("Palpable.", "Orbs.")
    made.context().data["banned"] = [f"/x{number}/" for number in range(50)]
    with pytest.raises(SettingsError, match="51 regexes"):
        made.command("/slop ban")
    assert len(made.sampling().banned) == 50


def test_every_cliche_of_the_list_finds_itself_and_can_be_banned() -> None:
    made = bench("Hello.")
    made.command("/slop")
    words = sys.modules["airochat_plugin_slop_meter.words"]
    listed = words.cliches()
    assert len({one.written for one in listed}) == len(listed) > 50
    for one in listed:
        text = one.written.replace("~", "").replace("*", "some thing")
        assert one.pattern.search(text), one.written
        assert Sampling(banned=(one.ban,)).banned
        regex = ban_regex(one.ban)
        assert regex.search(text) if regex else one.ban == text


def test_nothing_to_tell() -> None:
    assert PluginBench(FOLDER).command("/slop") == "There are no replies yet."
    assert bench("Hello there.").command("/slop") == "1 reply, 2 words: nothing repeats itself."


@pytest.mark.parametrize(
    "line", ["/slop frob", "/slop ban 0", "/slop ban x", "/slop clear ²", "/slop clear 9"]
)
def test_wrong_words_are_refused(line: str) -> None:
    with pytest.raises(AirochatError):
        bench("Palpable.").command(line)


def test_the_panel_bans_the_chosen_phrase_and_allows_it_again() -> None:
    made = bench(*["A crooked iron gate creaks. The lamp went out early."] * 2, "A crooked iron gate creaks.")
    phrases_, bans = (part for part in made.panel().parts if isinstance(part, Rows))
    assert [row.cells for row in phrases_.rows] == [
        ("a crooked iron gate creaks", "", "3", "2, 4, 6"),
        ("the lamp went out early", "", "2", "2, 4"),
    ]
    assert bans.rows == ()
    second = phrases_.rows[1].key
    assert made.act("ban", second).message == "Banned in this chat: the lamp went out early."
    assert made.sampling().banned == (second,)
    phrases_, bans = (part for part in made.panel().parts if isinstance(part, Rows))
    assert [row.key for row in phrases_.rows] == ["a crooked iron gate creaks"]
    with pytest.raises(UsageError, match="not there any more"):
        made.act("ban", second)
    made.act("allow", bans.rows[0].key)
    assert made.sampling().banned == ()


def test_the_panel_of_a_chat_without_replies() -> None:
    phrases_, _ = (part for part in bench().panel().parts if isinstance(part, Rows))
    assert (phrases_.rows, phrases_.empty) == ((), "There are no replies yet.")
