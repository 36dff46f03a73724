"""Whatever stands in a card, it is read or refused; what was read can be checked, edited, written and read again."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from airochat.characters import (
    Card,
    CardFile,
    as_text,
    from_text,
    parse_card,
    parse_card_file,
    picture,
    write_card,
)
from airochat.characters.lint import lint
from airochat.errors import CardError
from airochat.text import clean
from tests.characters import cards, files
from tests.characters.mutate import mutated

INPUTS, MANY_INPUTS = 300, 20_000


def use(file: CardFile) -> None:
    """Do with a card what programs do, and see that it stays the same."""
    card = file.card
    assert card.name and clean(card.name) == card.name and not set(card.name) & set("/\\\n")
    assert parse_card(card.fields(), "kept with this chat") == card
    assert from_text(as_text(card), card) is card
    assert lint(file).total >= 0
    picture(file)
    for form, version in (("json", 1), ("json", 3), ("yaml", 3)):
        assert same(parse_card_file(write_card(card, form, version=version), "card.x").card, card)


def same(first: Card, second: Card) -> bool:
    assert {name: getattr(first, name) for name in Card.__slots__ if name != "raw"} == {
        name: getattr(second, name) for name in Card.__slots__ if name != "raw"
    }
    return first == second


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(raw=cards.bent_cards)
def test_any_value_in_any_field(raw: dict[str, Any]) -> None:
    try:
        card = parse_card(raw, "cards/aria.json")
    except CardError as error:
        assert "no card" in error.message
        return
    use(CardFile(card, "json", b""))


@pytest.mark.parametrize("inputs", [INPUTS, pytest.param(MANY_INPUTS, marks=pytest.mark.slow)])
def test_damaged_files(inputs: int) -> None:
    seeds = [*files.good_files().values(), *files.salvageable_files().values()]
    rng = random.Random(f"cards {inputs}")
    read = 0
    for _ in range(inputs):
        content = mutated(rng.choice(seeds), seeds, rng)
        try:
            file = parse_card_file(content, "card.x")
        except CardError as error:
            assert "card.x" in error.message
            continue
        use(file)
        read += 1
    assert inputs * 0.2 < read < inputs
