from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airochat.templates
from airochat.errors import TemplateError
from airochat.templates import Segment, Templates, parse_family
from airochat.templates.template import Marks
from airochat.templates.write import family_toml

SHIPPED = (
    "airoboros-1",
    "airoboros-1.4",
    "airoboros-2",
    "airoboros-2-roleplay",
    "airoboros-2.1",
    "airoboros-3",
    "airoboros-3.0",
    "airoboros-gpt3.5",
    "alpaca",
    "chatml",
    "gemma",
    "llama-2-chat",
    "llama-3",
    "mistral",
    "story",
    "vicuna-1.1",
)
GOOD = """
title = "Mine"
why = "Because."
bos = "model"
notes = "own"
[system]
default = ""
before = []
after = ["\\n"]
[user]
before = ["> "]
after = ["\\n"]
[assistant]
before = []
after = [{ special = "eos" }]
[reply]
before = []
stop = ["\\n>"]
stop_specials = []
strip_leading_space = false
strip_end = false
"""


def test_the_shipped_ones() -> None:
    templates = Templates()
    assert templates.names() == SHIPPED
    assert [template.name for template in templates.all()] == list(templates.names())
    assert not templates.problems


def test_a_good_file_is_read() -> None:
    family = parse_family("mine", GOOD, "mine.toml")
    assert (family.name, family.title, family.bos, family.stop) == ("mine", "Mine", "model", ("\n>",))
    assert (family.assistant.after[0].special, family.assistant.after[0].text) == ("eos", "</s>")


@pytest.mark.parametrize(
    ("old", "new", "says", "hint"),
    [
        ('title = "Mine"', "", "has no 'title'", "Add it"),
        ('title = "Mine"', "title = 3", "title = 3 is not a text", ""),
        ('title = "Mine"', 'titel = "Mine"', "has no 'title'", "is 'titel' meant"),
        ('bos = "model"', 'bos = "sometimes"', "'always' or 'model'", ""),
        ('before = ["> "]', 'befor = ["> "]', "has no 'user.before'", "'befor'"),
        ('before = ["> "]', 'before = ["> "]\nafterr = []', "unknown key 'user.afterr'", "'after'"),
        ('before = ["> "]', 'before = "> "', "user.before = '> ' is not a list", ""),
        ('before = ["> "]', 'before = ["> ", 4]', "user.before = 4 is not a text", ""),
        ('{ special = "eos" }', '{ specal = "eos" }', "assistant.after = {'specal': 'eos'}", ""),
        ('{ special = "eos" }', '{ special = "" }', "assistant.after", ""),
        ("strip_end = false", 'strip_end = "no"', "reply.strip_end = 'no' is not true or false", ""),
        ('stop = ["\\n>"]', 'stop = [""]', "reply.stop", ""),
        ("[reply]", "[replies]", "has no 'reply'", "'replies'"),
        ("[system]", "spelling = { boss = 1 }\n[system]", "unknown key 'spelling.boss'", "'bos'"),
        ("[system]", "[system", "is not valid TOML", ""),
        ("[system]", 'turns = "never"\n[system]', "'any' or 'alternate'", ""),
        ("[system]", 'names = "some"\n[system]', "'none' or 'replies' or 'all'", ""),
        ("[system]", "roleplay = 3\n[system]", "roleplay = 3 is not a text", ""),
        ("[system]", "scene = 3\n[system]", "scene = 3 is not a table", ""),
        ("[system]", "[scene]\nheadr = ''\n[system]", "unknown key 'scene.headr'", "'header'"),
        ("[system]", "[scene]\nheader = 3\n[system]", "scene.header = 3 is not a text", ""),
        ("[system]", "[scene]\ncharacter = 'x'\n[system]", "scene.character = 'x' is not a text with", ""),
        ("[system]", "[scene]\nlabels = 'some'\n[system]", "scene.labels = 'some'", ""),
        ("[system]", "[acquaint]\nlabels_if = 'x'\n[system]", "'always' or 'several'", ""),
        ("[assistant]", "[assistant]\njoint = 3", "assistant.joint = 3 is not a list", ""),
        ("[system]", "models = [3]\n[system]", "models = [3] is not a list", ""),
        ("[system]", "variants = 3\n[system]", "variants = 3 is not a table", ""),
        ("[system]", "variants.x = 3\n[system]", "variants.x = 3 is not a table", ""),
        ("[system]", "[variants.x]\n[system]", "has no 'variants.x.why'", "Add it"),
        ("[system]", "[variants.X]\n[system]", "a variant 'X'", "small letters"),
        ("[system]", '[variants.x]\nwhy = ""\nsizes = [true]\n[system]', "variants.x.sizes = [True]", ""),
        (
            "[system]",
            '[variants.x]\nwhy = ""\nreply.befor = []\n[system]',
            "(variant x) has an unknown key 'reply.befor'",
            "'before'",
        ),
        (
            "[system]",
            '[variants.x]\nwhy = ""\nreply = 1\n[system]',
            "(variant x): reply = 1 is not a table",
            "",
        ),
    ],
)
def test_a_broken_file_names_the_file_and_the_key(old: str, new: str, says: str, hint: str) -> None:
    assert old in GOOD
    with pytest.raises(TemplateError) as caught:
        parse_family("mine", GOOD.replace(old, new), "/somewhere/mine.toml")
    assert "/somewhere/mine.toml" in caught.value.message
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_the_users_own_files(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "chatml.toml").write_text(GOOD.replace("Mine", "My ChatML"))
    (tmp_path / "broken.toml").write_text("title = ")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    templates = Templates(tmp_path)
    assert templates.names() == tuple(sorted((*SHIPPED, "mine")))
    assert templates.get("chatml").title == "My ChatML"
    named = [problem.message for problem in templates.problems]
    assert len(named) == 3
    assert [
        file for file in ("binary.toml", "broken.toml", "folder.toml") if any(file in text for text in named)
    ] == [
        "binary.toml",
        "broken.toml",
        "folder.toml",
    ]
    with pytest.raises(TemplateError, match="valid TOML"):
        templates.get("broken")


def test_an_unknown_name_gets_the_closest(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        Templates(tmp_path / "missing").get("airobors-2.1")
    assert "'airobors-2.1'" in caught.value.message
    assert caught.value.hint == "Did you mean 'airoboros-2.1'?"


def test_variants_change_what_they_name_and_combine() -> None:
    templates = Templates()
    plain = templates.get("airoboros-1.4")
    both = templates.get("airoboros-1.4:no-space+no-clause")
    assert [one.name for one in plain.variants] == ["no-clause", "no-space"]
    assert both.name == "airoboros-1.4:no-clause+no-space"
    assert both.default_system != plain.default_system and both.reply[0].text == "ASSISTANT:"
    assert (both.user, both.stop) == (plain.user, plain.stop)
    assert "FastChat" in both.why and "no-clause, no-space" in both.title
    for name, hint in (("airoboros-1.4:no-claus", "'no-clause'"), ("airoboros-1.4:", ""), ("chatml:x", "")):
        with pytest.raises(TemplateError, match="has no variant") as caught:
            templates.get(name)
        assert hint in caught.value.hint


@pytest.mark.parametrize("name", SHIPPED)
def test_a_template_that_is_written_reads_the_same(name: str) -> None:
    family = dataclasses.replace(Templates().get(name), variants=())
    assert parse_family(name, family_toml(family), "again.toml") == family


any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(any_text, any_text.filter(lambda text: text not in ("bos", "eos", "eot")), any_text)
def test_any_text_survives_in_a_template_file(title: str, mark: str, stop: str) -> None:
    family = dataclasses.replace(
        Templates().get("chatml"),
        title=title,
        user=Marks((Segment(mark),), (Segment(mark, mark),)),
        stop=(stop,),
        variants=(),
    )
    again = parse_family("chatml", family_toml(family), "again.toml")
    assert (again.title, again.stop, again.user) == (title, (stop,), family.user)


def test_a_file_with_a_colon_in_its_name_is_a_problem_and_no_template(tmp_path: Path) -> None:
    shipped = (Path(airochat.templates.__file__).parent / "data" / "chatml.toml").read_text(encoding="utf-8")
    (tmp_path / "a:b.toml").write_text(shipped, encoding="utf-8")
    templates = Templates(tmp_path)
    assert "a:b" not in templates.names()
    assert ["colon" in str(problem) for problem in templates.problems] == [True]


def test_folders_of_plugins_stand_between_the_users_own_and_the_shipped(tmp_path: Path) -> None:
    own, first, second = (tmp_path / name for name in ("own", "first", "second"))
    for folder, names in ((own, "a"), (first, "abc"), (second, "b")):
        folder.mkdir()
        for name in (*names, "chatml"):
            (folder / f"{name}.toml").write_text(GOOD.replace("Mine", f"{name} of {folder.name}"))
    (first / "broken.toml").write_text("title = ")
    templates = Templates(own, [first, second, tmp_path / "missing"])
    assert [templates.get(name).title for name in "abc"] == ["a of own", "b of second", "c of first"]
    assert templates.get("chatml").title == "chatml of own"
    assert [templates.rank(name) for name in ("a", "c", "alpaca")] == [0, 1, 2]
    assert templates.own == {"a", "chatml"}
    assert "broken.toml" in templates.problems[0].message
