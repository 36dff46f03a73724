from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from airochat.characters import Card
from airochat.errors import UsageError
from airochat.hooks import Block
from airochat.hooks.testing import PluginBench

FOLDER = Path(__file__).parents[1]
SLOW = r"/^(a|a)*(b|c)*(a|a)*$/"


def script(name: str, find: str, replacement: str = "", *places: int, **fields: Any) -> dict[str, Any]:
    return {
        "scriptName": name,
        "findRegex": find,
        "replaceString": replacement,
        "placement": list(places or (1, 2)),
        **fields,
    }


def bench(tmp_path: Path, *scripts: dict[str, Any], where: str = "", **chat: Any) -> PluginBench:
    made = PluginBench(FOLDER, **chat)
    if scripts:
        file = tmp_path / "scripts.json"
        file.write_text(json.dumps(scripts), encoding="utf-8")
        made.command(f"/regex add {file} {where}".strip())
    return made


@pytest.mark.parametrize(
    ("find", "replacement", "text", "wanted"),
    [
        (r"/\*([^*]+)\*/g", "$1", "*a* and *b*", "a and b"),
        (r"/\*([^*]+)\*/", "$1", "*a* and *b*", "a and *b*"),
        ("colou?r", "hue", "Color color color", "Color hue color"),
        ("/COLOR/i", "hue", "color", "hue"),
        ("/b+/g", "[{{match}}|$0]", "abba", "a[bb|bb]a"),
        (r"/(?<first>\w)(\w)\k<first>/", "$<first>-$2", "xox", "x-o"),
        ("/(a)(b)?/", "<$2$1>", "ac", "<a>c"),
        ("/(a)/", "$12 $5", "a", "a2 $5"),
        ("/a$/g", "!", "a\na", "a\n!"),
        ("/a$/gm", "!", "a\na", "!\n!"),
        ("/a$/", "!", "a\n", "a\n"),
        ("/a[^]b/", "!", "a\nb", "!"),
        ("/a.b/s", "!", "a\nb", "!"),
        (r"/\w+/g", "_", "é e", "é _"),
        ("/É/i", "e", "é", "e"),
        (r"/\p{L}+|\u{21}/gu", "_", "né!", "__"),
        ("/{{x}}{e}/", "!", "{{x}}{e}", "!"),
        ("/[[a]/g", "!", "[a", "!!"),
        (r"/\//g", "|", "a/b", "a|b"),
        ("/(?<=a+)b/", "!", "aab", "aa!"),
    ],
)
def test_replacements(tmp_path: Path, find: str, replacement: str, text: str, wanted: str) -> None:
    made = bench(tmp_path, script("one", find, replacement))
    assert made.reply(text) == made.user_message(text) == wanted


def test_trim_strings_are_taken_out_of_what_was_found(tmp_path: Path) -> None:
    made = bench(tmp_path, script("quiet", '/"(.*?)!"/', "$1 / {{match}}", trimStrings=['"', "!"]))
    assert made.reply('He said "Go!!"') == "He said Go / Go"


def test_placement_tells_what_is_changed(tmp_path: Path) -> None:
    made = bench(
        tmp_path, script("mine", "a", "1", 1), script("its", "a", "2", 2), script("lore", "a", "5", 5)
    )
    assert (made.user_message("a"), made.reply("a")) == ("1", "2")
    head, other = Block("plugin:lorebook/x", "a"), Block("system", "a")
    assert [block.text for block in made.changed_blocks([head, other])] == ["5", "a"]


def test_scripts_run_in_order_and_the_global_ones_first(tmp_path: Path) -> None:
    made = bench(tmp_path, script("second", "/b/g", "c"))
    file = tmp_path / "g.json"
    file.write_text(json.dumps(script("first", "/a/g", "b")))
    assert "in all chats: first" in made.command(f"/regex add {file} global")
    assert made.reply("a") == "c"
    lines = made.command("/regex").splitlines()
    assert lines[1:] == [
        "  1. first: in all chats; on what you say, replies",
        "  2. second: in this chat; on what you say, replies",
    ]


def test_on_off_remove_by_name_or_number(tmp_path: Path) -> None:
    made = bench(tmp_path, script("my script", "a", "b"), script("my", "x", "y"))
    assert made.command("/regex off my script") == "my script is switched off."
    assert made.reply("a x") == "a y"
    assert "1. my script: in this chat; switched off" in made.command("/regex")
    assert made.command("/regex on 1") == "my script is on."
    assert made.reply("a x") == "b y"
    made.command('/regex remove "MY"')
    assert made.reply("a x") == "b x"
    with pytest.raises(UsageError, match="no regex script 'my'"):
        made.command("/regex off my")


def test_test_shows_the_result_and_says_nothing(tmp_path: Path) -> None:
    made = bench(tmp_path, script("long name", "a", "b", disabled=True))
    assert made.command("/regex test long name a cat") == "b cat"
    assert made.command("/regex test long name dog") == "long name changes nothing in it."
    assert made.history == ()


def test_what_plugins_cannot_do_is_told_and_not_done(tmp_path: Path) -> None:
    made = bench(tmp_path, script("shown", "a", "b", markdownOnly=True), said=["a"])
    assert made.reply("a") == made.changed_history()[0].text == "a"
    assert "without effect: it changes only what is shown" in made.command("/regex")


def test_prompt_only_changes_lore_at_its_depths_and_drops_what_is_empty(tmp_path: Path) -> None:
    made = bench(tmp_path, script("lore", "/secret/g", "", 2, 5, promptOnly=True, minDepth=1, maxDepth=3))
    blocks = [Block("plugin:lorebook/x", "secret x", depth) for depth in (0, 1, 3, 4, None)]
    blocks.append(Block("plugin:lorebook/y", "secret", 2))
    changed = made.changed_blocks(blocks)
    assert [block.text for block in changed] == ["secret x", " x", " x", "secret x", " x"]
    assert made.reply("secret") == "secret"


def test_prompt_only_changes_messages_of_the_prompt_by_their_depth(tmp_path: Path) -> None:
    made = bench(
        tmp_path,
        script("stars", r"/\*/g", "", 2, promptOnly=True, minDepth=1),
        script("mine", "/o/g", "0", 1, promptOnly=True, maxDepth=2),
        said=["one *o*", "*two*", "three o", "*four* o"],
    )
    assert [message.text for message in made.changed_history()] == ["one *o*", "two", "three 0", "*four* o"]
    assert [message.text for message in made.history][1] == "*two*"
    assert (made.user_message("o"), made.reply("*o*")) == ("o", "*o*")
    assert made.command("/regex").splitlines()[1] == "  1. stars: in this chat; on replies in the prompt"


def test_a_message_of_which_nothing_is_left_is_not_in_the_prompt_but_the_newest_stays(
    tmp_path: Path,
) -> None:
    made = bench(tmp_path, script("all", "/^x+$/", "", 1, 2, promptOnly=True), said=["xx", "y", "x"])
    assert [message.text for message in made.changed_history()] == ["y", "x"]
    assert [message.text for message in made.history] == ["xx", "y", "x"]


def test_an_unchanged_message_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(tmp_path, script("stars", r"/\*/g", "", 2, promptOnly=True), said=["a", "*b*", "c", "*d*"])
    made.changed_history()
    pattern = importlib.import_module("airochat_plugin_regex_scripts.pattern")
    seen: list[str] = []
    plain = pattern.Ready.on

    def watched(self: Any, text: str, seconds: float) -> Any:
        seen.append(text)
        return plain(self, text, seconds)

    monkeypatch.setattr(pattern.Ready, "on", watched)
    made.add("e")
    made.add("*f*")
    assert [message.text for message in made.changed_history()] == ["a", "b", "c", "d", "e", "f"]
    assert seen == ["*f*"]
    made.command("/regex off stars")
    assert made.changed_history()[1].text == "*b*"


def test_a_slow_script_for_the_prompt_is_off_and_tried_anew_when_it_is_switched_on(tmp_path: Path) -> None:
    made = bench(
        tmp_path,
        script("bad", SLOW, "x", promptOnly=True),
        script("good", "!", "?", promptOnly=True),
        said=["a" * 40 + "!"],
    )
    assert made.changed_history()[0].text == "a" * 40 + "?"
    assert "bad: in this chat; switched off" in made.command("/regex")
    made.command("/regex on bad")
    assert made.changed_history()[0].text == "a" * 40 + "?"
    assert "bad: in this chat; switched off" in made.command("/regex")


def test_what_was_made_without_a_stopped_script_is_not_taken_for_its_work(tmp_path: Path) -> None:
    made = bench(tmp_path, script("bad", SLOW, "x", promptOnly=True), said=["aaa", "-", "a" * 40 + "!", "-"])
    assert [message.text for message in made.changed_history()] == ["aaa", "-", "a" * 40 + "!", "-"]
    made.history = made.history[:1]
    made.command("/regex on bad")
    assert [message.text for message in made.changed_history()] == ["x"]


def test_a_message_keeps_some_text(tmp_path: Path) -> None:
    made = bench(tmp_path, script("all", "/.*/gs", ""))
    assert made.reply("Hello.") == made.user_message("Hello.") == "Hello."
    assert "leaves nothing" in made.command("/regex test all Hello.")


def test_macros_are_expanded_but_not_those_that_were_said(tmp_path: Path) -> None:
    def expand(text: str) -> str:
        return text.replace("{{char}}", "A.B $1").replace("{{user}}", "You")

    scripts = [
        script("raw", "/{{user}}(.)/", "{{char}}$1", substituteRegex=1),
        script("escaped", "/^{{char}}/", "!", substituteRegex=2),
    ]
    made = bench(tmp_path, *scripts, expand=expand)
    assert made.command("/regex test raw You{") == "A.B $1{"
    assert made.command("/regex test raw xYou? {{char}}") == "xA.B $1? {{char}}"
    assert made.command("/regex test escaped A.B $1 x") == "! x"
    assert "changes nothing" in made.command("/regex test escaped AxB $1 x")


def test_a_catastrophic_pattern_is_named_and_off_and_the_turn_goes_on(tmp_path: Path) -> None:
    made = bench(tmp_path, script("bad", SLOW, "x"), script("good", "!", "?"))
    text = "a" * 40 + "!"
    assert made.reply(text) == "a" * 40 + "?"
    assert "1. bad: in this chat; switched off, since it took longer than 250 ms" in made.command("/regex")
    assert made.command("/regex on bad") == "bad is on."
    with pytest.raises(UsageError, match="bad would be switched off"):
        made.command(f"/regex test bad {text}")


def test_a_script_that_makes_too_much_is_off(tmp_path: Path) -> None:
    made = bench(tmp_path, script("much", "/./g", "x" * 50_000))
    assert made.reply("a" * 1_000) == "a" * 1_000
    assert "makes more than 1,000,000 characters" in made.command("/regex")


def test_scripts_of_a_card_run_only_when_allowed(tmp_path: Path) -> None:
    own = [script("card's", "a", "b")]
    made = bench(tmp_path, cards=(Card(name="Ada", extensions={"regex_scripts": own}),))
    assert made.reply("a") == "a"
    listed = made.command("/regex")
    assert "from the card of Ada, not allowed yet" in listed
    assert "/regex allow" in listed
    assert made.command("/regex allow") == "They run now: card's."
    assert made.reply("a") == "b"
    made.command("/regex off card's")
    assert made.reply("a") == "a"
    made.command("/regex on card's")
    with pytest.raises(UsageError, match="part of a card"):
        made.command("/regex remove card's")
    own[0]["replaceString"] = "c"
    assert made.reply("a") == "a"
    made.command("/regex allow")
    assert made.reply("a") == "c"
    made.command("/regex deny")
    assert made.reply("a") == "a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no JSON file"),
        ("[]", "has no regex script"),
        ('{"name": 1}', "has no regex script"),
        ('[{"findRegex": "/(/"}]', "is no regex"),
        ('[{"findRegex": "/a/q"}]', "flag q"),
        ('[{"findRegex": "(a{999}){999}"}]', "repeats too much"),
        ('[{"findRegex": "a(?R)?b"}]', "JavaScript does not know"),
        ("[" * 100_000, "is no JSON file"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    made = bench(tmp_path)
    with pytest.raises(UsageError) as caught:
        made.command(f"/regex add {file}")
    assert message in str(caught.value)
    assert "no regex scripts" in made.command("/regex")


def test_odd_fields_do_no_harm_and_adding_again_replaces(tmp_path: Path) -> None:
    odd = {"scriptName": 3, "findRegex": "a", "placement": ["x", True, 2], "trimStrings": 1, "minDepth": "x"}
    made = bench(tmp_path, odd, {"findRegex": 1}, script("b", "q", "r"))
    assert made.command("/regex").count("\n") == 2
    file = tmp_path / "again.json"
    file.write_text(json.dumps(script("B", "/q/", "s")))
    made.command(f'/regex add "{file}"')
    assert made.reply("q") == "s"
