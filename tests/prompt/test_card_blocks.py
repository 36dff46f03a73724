from __future__ import annotations

from airochat.characters import Card, Persona
from airochat.prompt import card_blocks, greetings

CARD = Card(
    name="Aria",
    description="{{char}} is a smith.\r\n",
    personality="kind to {{user}}",
    scenario="A forge.",
    first_mes="Welcome, <USER>.",
    alternate_greetings=("Oh, {{user}}!", "  "),
    mes_example="<START>\n{{user}}: hi",
    system_prompt="Play {{char}}. {{original}}",
    post_history_instructions="Stay {{char}}.",
    creator_notes="secret",
)


def test_the_blocks_of_a_card() -> None:
    blocks = card_blocks(CARD, Persona("Sam", "{{user}} is tall."), "You", original="Be good.")
    assert [(block.source, block.text) for block in blocks] == [
        ("card.system_prompt", "Play Aria. Be good."),
        ("card.description", "Aria is a smith."),
        ("card.personality", "Aria's personality: kind to Sam"),
        ("card.scenario", "Scenario: A forge."),
        ("card.mes_example", "<START>\nSam: hi"),
        ("card.post_history_instructions", "Stay Aria."),
        ("persona", "Sam is tall."),
    ]
    assert {block.source: block.depth for block in blocks if block.depth is not None} == {
        "card.post_history_instructions": 0
    }
    assert [block.source for block in blocks if block.pinned] == ["card.system_prompt", "card.description"]
    assert [block.source for block in blocks if block.priority < 0] == ["card.mes_example"]


def test_empty_fields_give_no_blocks() -> None:
    assert card_blocks(Card("Aria", description=" "), None, "You") == []
    assert card_blocks(None, None, "You") == []


def test_without_a_card_its_name_is_unknown() -> None:
    assert (
        card_blocks(None, Persona("Sam", "{{char}} knows {{user}}."), "You")[0].text == "{{char}} knows Sam."
    )


def test_greetings() -> None:
    assert greetings(CARD, None, "You") == ("Welcome, You.", "Oh, You!")
    assert greetings(CARD, Persona("Sam"), "You")[0] == "Welcome, Sam."
