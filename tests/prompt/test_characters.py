from __future__ import annotations

from airochat.characters import Card
from airochat.prompt import greetings
from airochat.prompt.characters import card_texts
from airochat.prompt.macros import Macros, Scope

CARD = Card(
    name="Aria",
    first_mes="Welcome, <USER>.",
    alternate_greetings=("Oh, {{user}}!", "  "),
    group_only_greetings=("You all!", ""),
    mes_example="Before.\r\n<START>\n{{user}}: hi\n\n<start>\n <START>\n{{char}}: ho",
)


def test_greetings_are_those_of_the_card_and_in_a_group_those_for_groups() -> None:
    assert greetings(CARD) == ("Welcome, <USER>.", "Oh, {{user}}!")
    assert greetings(CARD, group=True) == ("You all!", "Welcome, <USER>.", "Oh, {{user}}!")
    assert greetings(Card("Aria")) == ()


def test_example_dialogue_is_parted_where_it_starts_anew() -> None:
    texts = card_texts(CARD, Macros(Scope(user="Sam", cards=(CARD,))), "", first=True)
    assert texts.examples == ("Before.", "<START>\nSam: hi", "<START>\nAria: ho")
    assert [source for source, _, _ in texts.examples_by_age()] == [
        "card.mes_example",
        "card.mes_example#2",
        "card.mes_example#3",
    ]
    priorities = [priority for _, _, priority in texts.examples_by_age()]
    assert priorities == sorted(priorities) and priorities[-1] < 0
