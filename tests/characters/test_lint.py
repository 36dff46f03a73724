from __future__ import annotations

from typing import Any

import pytest

from airochat.characters import Card, CardFile, edited, parse_card, parse_card_file
from airochat.characters.dropped import REPLY
from airochat.characters.lint import CONTEXTS, CardReport, estimate, lint
from airochat.conversation import Message
from airochat.errors import PromptError
from airochat.prompt import assemble
from tests.characters import files
from tests.prompt.stages import staged


def report(card: Card) -> CardReport:
    return lint(CardFile(card, "json", b""), lambda text: len(text.split()))


def codes(**fields: Any) -> list[str]:
    known = {"description": "D", "first_mes": "F", **fields}
    return [finding.code for finding in report(Card(name="Maya", **known)).findings]


def with_entry(**entry: Any) -> list[str]:
    full = {
        "keys": ["sea"],
        "content": "Salt.",
        "extensions": {},
        "enabled": True,
        "insertion_order": 1,
        **entry,
    }
    return codes(character_book={"extensions": {}, "entries": [full]})


def test_tokens_of_the_fields_that_are_sent() -> None:
    book = {
        "entries": [
            {
                "keys": [],
                "content": "@@depth 1\nalways here",
                "constant": True,
                "extensions": {},
                "enabled": True,
            },
            {"keys": ["a"], "content": "only sometimes", "extensions": {}, "enabled": True},
            {"keys": [], "content": "never", "constant": True, "extensions": {}, "enabled": False},
        ]
    }
    card = Card(
        name="Maya",
        description="one two three",
        first_mes="hello you",
        creator_notes="not sent at all",
        tags=("x",),
        alternate_greetings=("neither",),
        character_book=book,
    )
    found = report(card)
    assert [(field.field, field.tokens) for field in found.fields] == [
        ("description", 3),
        ("first_mes", 2),
        ("character_book", 2),
    ]
    assert found.total == 7
    assert found.shares == tuple(7 / size for size in CONTEXTS)
    assert found.fields[0].shares == (3 / 2048, 3 / 4096, 3 / 8192)
    assert not found.estimated
    assert [finding.code for finding in found.findings] == ["entry-disabled"]


def test_the_characters_note_counts_as_sent() -> None:
    card = Card(name="Maya", description="D", first_mes="F", extensions={"depth_prompt": {"prompt": "a b c"}})
    found = report(card)
    assert [(field.field, field.tokens) for field in found.fields] == [
        ("description", 1),
        ("depth_prompt", 3),
        ("first_mes", 1),
    ]
    for note in ("a b c", {"prompt": None}, {}, ["a"]):
        assert report(Card(name="Maya", extensions={"depth_prompt": note})).total == 0


def words(count: int) -> str:
    """Return a text that takes as many tokens by the estimate of lint and of the prompt."""
    return "abc " * count


DROPPED: list[tuple[dict[str, Any], list[list[str] | None]]] = [
    ({"personality": words(900), "mes_example": words(300)}, [[], [], []]),
    ({"description": words(900), "mes_example": words(900)}, [["mes_example"], [], []]),
    (
        {"description": words(900), "mes_example": "<START>\n".join(["", *map(words, (100, 500, 500))])},
        [["mes_example (2 of 3 examples)"], [], []],
    ),
    (
        {"description": words(900), "mes_example": words(500), "first_mes": words(300)},
        [["mes_example"], [], []],
    ),
    ({"description": words(900), "first_mes": words(900)}, [["first_mes"], [], []]),
    (
        {
            "description": words(1000),
            "personality": words(300),
            "scenario": words(1700),
            "mes_example": words(500),
            "extensions": {"depth_prompt": {"prompt": words(400)}},
            "post_history_instructions": words(400),
        },
        [
            ["mes_example", "post_history_instructions", "depth_prompt", "scenario"],
            ["mes_example", "post_history_instructions"],
            [],
        ],
    ),
    ({"description": words(4000), "personality": words(100), "first_mes": words(10)}, [None, None, []]),
]


@pytest.mark.parametrize(("fields", "expected"), DROPPED)
def test_what_the_prompt_leaves_out_is_named(
    fields: dict[str, Any], expected: list[list[str] | None]
) -> None:
    card = Card(**{"name": "Maya", "description": words(20), "first_mes": words(10), **fields})
    found = [
        one
        for one in lint(CardFile(card, "json", b"")).findings
        if one.code in ("fields-dropped", "card-does-not-fit")
    ]
    wanted = []
    for size, names in zip(CONTEXTS, expected, strict=True):
        context = f"a context of {size:,} with 512 kept for the reply"
        if names is None:
            wanted.append(f"No prompt fits {context}: description cannot be left out.")
        elif names:
            wanted.append(f"The prompt in {context} leaves out {', '.join(names)}.")
    assert [one.message for one in found] == wanted


@pytest.mark.parametrize("template", ["chatml", "airoboros-l2-70b-2.2.1"])
@pytest.mark.parametrize(("fields", "expected"), DROPPED)
def test_the_prompt_leaves_out_what_is_named(
    fields: dict[str, Any], expected: list[list[str] | None], template: str
) -> None:
    card = Card(**{"name": "Maya", "description": words(20), "first_mes": words(10), **fields})
    scene = staged(template, [card], persona=None)
    history = [
        Message("greeting", None, "assistant", "Maya", card.first_mes),
        Message("hi", None, "user", "Rook", "Hi"),
    ]
    for size, names in zip(CONTEXTS, expected, strict=True):
        if names is None:
            with pytest.raises(PromptError):
                assemble(scene.blocks, history, scene.template, tokenizer=None, n_ctx=size, reserve=REPLY)
            continue
        plan = assemble(scene.blocks, history, scene.template, tokenizer=None, n_ctx=size, reserve=REPLY)
        gone = {row.source for row in plan.report if not row.included}
        fields_gone = {
            source.removeprefix("card.").partition("#")[0] for source in gone - {"message:greeting"}
        }
        early = {"first_mes"} if "message:greeting" in gone else set()
        assert fields_gone | early == {name.partition(" ")[0] for name in names}


def test_tokens_are_estimated_without_a_model() -> None:
    found = lint(CardFile(Card(name="Maya", description="x" * 400, first_mes="日本語"), "json", b""))
    assert ([field.tokens for field in found.fields], found.estimated) == ([100, 3], True)
    assert estimate("") == 0


def test_warnings_of_the_file_are_findings() -> None:
    file = parse_card_file(files.salvageable_files()["two-differ.png"], "maya.png")
    assert file.warnings[0] in lint(file).findings


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"description": " "}, ["no-description"]),
        ({"description": "", "system_prompt": "You are Maya."}, []),
        ({"first_mes": ""}, ["no-greeting"]),
        ({"mes_example": "{{char}}: Hi"}, ["examples-without-start"]),
        ({"description": "x " * 1100}, ["card-too-large"]),
        ({"mes_example": "<START>\n" + "x " * 1100}, ["examples-too-large"]),
        ({"first_mes": "x " * 600}, ["greeting-too-large"]),
    ],
)
def test_texts(fields: dict[str, Any], expected: list[str]) -> None:
    assert codes(**fields) == expected


def test_the_size_that_is_too_small_is_named() -> None:
    found = {
        finding.code: finding.message for finding in report(Card(name="M", description="x " * 3000)).findings
    }
    assert "4,096" in found["card-too-large"]
    examples = report(Card(name="M", description="x", first_mes="F", mes_example="<START>" + " x" * 3000))
    assert "4,096 or less" in examples.findings[0].message


@pytest.mark.parametrize(
    ("turn", "leaks"),
    [
        ("{{char}}: *{{user}} nods.*", True),
        ("{{char}}: She smiles as {{user}} slowly opens the door.", True),
        ("Maya: Hello. {{user}} laughed.", True),
        ("{{char}}: Hello.\nIt is late. <USER> sighs.", True),
        ('{{char}}: Hello. {{user}}: "Hi."', True),
        ("{{char}}: {{user}} is her brother. {{user}} has time.", False),
        ("{{char}}: *She looks at {{user}} and smiles.*", False),
        ("{{char}}: I trust {{user}}'s words.", False),
        ("{{user}}: *{{user}} nods.*", False),
        ("{{char}}: Hello.\n{{user}}: *{{user}} nods.*\n{{char}}: Bye.", False),
    ],
)
def test_examples_that_act_for_the_user(turn: str, leaks: bool) -> None:
    assert codes(mes_example=f"<START>\n{turn}") == (["example-acts-for-user"] if leaks else [])


def test_greetings_that_act_for_the_user() -> None:
    card = Card(
        name="M",
        description="D",
        first_mes="*{{user}} walks in.* Hi!",
        alternate_greetings=("Hi {{user}}!", "{{user}}: Hi"),
    )
    assert [finding.message for finding in report(card).findings] == [
        "In greeting 0 the user acts (“{{user}} walks”); the model will do the same.",
        "In greeting 2 the user speaks; the model will do the same.",
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, []),
        ({"keys": []}, ["entry-without-keys"]),
        ({"keys": [], "constant": True}, []),
        ({"keys": [], "content": "@@activate\nSalt."}, []),
        ({"keys": [], "content": "@@depth 2\n@@@additional_keys sea\nSalt."}, []),
        ({"content": ""}, ["entry-empty"]),
        ({"content": "@@depth 3\n"}, ["entry-empty"]),
        ({"enabled": False, "keys": []}, ["entry-disabled"]),
        ({"keys": ["/(sea/"]}, ["key-bad-regex"]),
        ({"keys": ["/sea/x"]}, ["key-bad-regex"]),
        ({"keys": ["/sea"], "use_regex": True}, ["key-bad-regex"]),
        ({"keys": ["/sea"]}, []),
        ({"keys": [r"/(?<a>sea|\p{L}+)[^]/iu", "/[[a]/", "/(?<=a+)b/"]}, []),
        ({"keys": ["/" + "(" * 5000 + "/"]}, ["key-bad-regex"]),
        ({"secondary_keys": ["a"]}, ["secondary-without-selective"]),
        ({"secondary_keys": ["a"], "selective": True}, []),
        ({"secondary_keys": ["a"], "selective": True, "use_regex": True}, ["secondary-with-regex"]),
    ],
)
def test_lorebook_entries_without_effect(entry: dict[str, Any], expected: list[str]) -> None:
    assert with_entry(**entry) == expected


def test_entries_are_named() -> None:
    entry = {"keys": [], "content": "x", "extensions": {}, "enabled": True, "comment": "The sea"}
    found = report(
        Card(name="M", description="D", first_mes="F", character_book={"entries": [entry]})
    ).findings
    assert found[0].message.startswith("Lorebook entry 1 (The sea) has no keys")
    assert codes(character_book={"entries": []}) == ["book-empty"]


def test_an_edited_card_is_judged_by_its_edits() -> None:
    card = edited(parse_card(files.V1, "maya.json"), {"first_mes": ""})
    assert "no-greeting" in [finding.code for finding in report(card).findings]


def test_long_texts_of_one_kind_take_no_time() -> None:
    for unit in ("\n", " ", "*", "{{user}} ", "<START>", "a"):
        text = unit * (400_000 // len(unit))
        assert report(Card(name="M", description="D", first_mes=text, mes_example=text)).total >= 1
