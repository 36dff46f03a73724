"""The tools that come with the plugin."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.errors import AirochatError, UsageError
from airochat.hooks.testing import PluginBench
from airochat.hooks.tools import ToolCall
from plugins.tools import calculate, clock, dice, files, names, oracle, search

FOLDER = Path(__file__).parents[1]
SAID = ("Where is the brass key?", "Under the lantern, she says.", "The KEY is of brass?", "No key here.")


def bench(*said: str, **chat: Any) -> PluginBench:
    made = PluginBench(FOLDER, said, **chat)
    made.command("/tools on")
    return made


def run(made: PluginBench, tool: str, /, **arguments: Any) -> str:
    jsonschema.validate(arguments, made.tools()[tool].parameters)
    result = made.run_tool(ToolCall(tool, arguments, 7))
    assert result.state == "done", result.text
    return result.text


# -- dice ---------------------------------------------------------------------------------------------------------


def test_a_throw_tells_every_die_and_is_the_same_for_the_same_seed() -> None:
    told = dice.throw(" 4D6kh3 + 2 ", 1).told
    match = re.fullmatch(r"4d6kh3\+2: \[(.*)\] \+ 2 = (\d+)", told)
    assert match
    kept = [int(die) for die in match[1].split(", ") if die.isdecimal()]
    dropped = [int(die.strip("()")) for die in match[1].split(", ") if not die.isdecimal()]
    assert len(kept) == 3
    assert len(dropped) == 1
    assert dropped[0] <= min(kept)
    assert sum(kept) + 2 == int(match[2])
    assert dice.throw("4d6kh3+2", 1).told == told
    assert len({dice.throw("4d6kh3+2", seed).told for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("notation", "low", "high"),
    [
        ("d20", 1, 20),
        ("d%", 1, 100),
        ("2d4-3", -1, 5),
        ("-1d4", -4, -1),
        ("3d6kl1", 1, 6),
        ("3d6dh2", 1, 6),
        ("7", 7, 7),
    ],
)
def test_throws_stay_within_what_the_dice_have(notation: str, low: int, high: int) -> None:
    totals = {dice.throw(notation, seed).total for seed in range(400)}
    assert low <= min(totals)
    assert max(totals) <= high
    assert len(totals) > (high - low) // 2


def test_a_die_explodes_as_long_as_it_shows_its_highest_number() -> None:
    throws = [dice.throw("1d2!", seed) for seed in range(200)]
    assert max(throw.total for throw in throws) > 6
    for throw in throws:
        shown = [int(die) for die in throw.told.split("[")[1].split("]")[0].split(", ")]
        assert shown[:-1] == [2] * (len(shown) - 1)
        assert shown[-1] == 1


@pytest.mark.parametrize(
    "notation", ["", "d", "d0", "101d6", "2x6", "1d1!", "2d6kh", "d20;", "1d6" + "+1d6" * 10, "²d6"]
)
def test_what_is_no_throw_is_refused_with_an_example(notation: str) -> None:
    with pytest.raises(UsageError) as told:
        dice.throw(notation, 0)
    assert told.value.hint


@given(st.text(alphabet="0123456789d%!khl+- ", max_size=30), st.integers(0, 2**32))
def test_no_notation_does_anything_but_throw_or_complain(notation: str, seed: int) -> None:
    try:
        throw = dice.throw(notation, seed)
    except UsageError:
        return
    assert throw.told.endswith(f"= {throw.total}")
    assert len(throw.told) < 10_000


# -- calculator ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 * (3 + 4)^2 / 7", "14"),
        ("-2^2", "-4"),
        ("2**3**2", "512"),
        ("2^-1", "0.5"),
        ("8/2/2", "2"),
        ("8 - 2 - 2", "4"),
        ("10 // 3 * 3", "9"),
        ("17 % 5", "2"),
        ("200 × 15%", "30"),
        ("1,234.5 * 2", "2469"),
        ("max(1,200)", "200"),
        ("5! + sqrt(16)", "124"),
        ("round(2.567, 1)", "2.6"),
        ("0.1 + 0.2", "0.3"),
        ("sin(π/2)", "1"),
        (" + ".join(["1"] * 120), "120"),
    ],
)
def test_arithmetic_is_read_as_people_mean_it(expression: str, value: str) -> None:
    assert calculate.calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 +",
        "(1",
        "2(3)",
        "1/0",
        "9^9^9",
        "import os",
        "x",
        "1" * 600,
        "(" * 60 + "1" + ")" * 60,
        "nix(1)",
        "2 $ 3",
    ],
)
def test_what_has_no_value_is_told(expression: str) -> None:
    with pytest.raises(UsageError):
        calculate.calculate(expression)


@given(
    st.recursive(
        st.integers(0, 1000).map(str),
        lambda part: st.tuples(part, st.sampled_from("+-*"), part).map(lambda three: f"({''.join(three)})"),
        max_leaves=8,
    )
)
def test_whole_numbers_are_worked_out_as_python_does(expression: str) -> None:
    assert calculate.calculate(expression) == str(eval(expression))


@given(st.text(alphabet="0123456789.,+-*/^%!() episqrtmaxe", max_size=40))
def test_no_expression_does_anything_but_give_a_value_or_complain(expression: str) -> None:
    try:
        value = calculate.calculate(expression)
    except AirochatError:
        return
    assert math.isfinite(float(value))


# -- names and oracles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", names.styles())
@pytest.mark.parametrize("kind", ["person", "family", "full", "place"])
def test_every_style_has_many_names_of_every_kind(style: str, kind: str) -> None:
    made = names.make_names(style, 20, kind, 3)
    assert len(set(made)) == 20
    assert all(name[0].isalpha() and (" " in name) >= (kind == "full") for name in made)
    assert made == names.make_names(style, 20, kind, 3)
    assert made != names.make_names(style, 20, kind, 4)


def test_an_oracle_says_yes_as_often_as_the_odds_are() -> None:
    for odds, percent in oracle.ODDS.items():
        yes = sum(oracle.ask(odds, seed).startswith("Yes") for seed in range(2000))
        assert abs(yes / 20 - percent) < 5
    assert {oracle.ask("even", seed) for seed in range(200)} == {
        "Yes.", "No.", "Yes, but.", "No, but.", "Yes, and more than that.", "No, and more than that.",
    }  # fmt: skip
    with pytest.raises(UsageError):
        oracle.ask("dunno", 1)


def test_tables_of_the_user_are_drawn_from_by_weight_without_repeats(tmp_path: Path) -> None:
    (tmp_path / "weather.txt").write_text("# the sky\n8x rain\nfog\n\n1x sun\x1b[2J\n", encoding="utf-8")
    (tmp_path / "more.toml").write_text('loot = ["a coin", "3x nothing"]\nbad = 3\n', encoding="utf-8")
    (tmp_path / "note.md").write_text("no table")
    known, problems = oracle.tables(tmp_path)
    assert known["weather"].entries == ("rain", "fog", "sun")
    assert known["weather"].weights == (8, 1, 1)
    assert problems == ["The table bad is no list of texts."]
    first = [oracle.draw(known["weather"], 1, seed)[0] for seed in range(300)]
    assert 0.7 < first.count("rain") / 300 < 0.9
    assert sorted(oracle.draw(known["weather"], 3, 5)) == ["fog", "rain", "sun"]
    assert len(oracle.draw(known["weather"], 7, 5)) == 7


def test_broken_tables_are_left_out_and_told(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "link.txt").symlink_to(outside)
    (folder / "empty.txt").write_text("\n# nothing\n")
    (folder / "broken.toml").write_text("loot = [")
    (folder / "huge.txt").write_text("x\n" * 200_000)
    (folder / "folder.txt").mkdir()
    known, problems = oracle.tables(folder)
    assert known == {}
    assert len(problems) == 5
    assert oracle.tables(tmp_path / "nowhere") == ({}, [])


def test_the_tool_draw_comes_with_the_first_table() -> None:
    made = bench()
    assert "draw" not in made.tools()
    tables = made.context().folder / "tables"
    tables.mkdir()
    (tables / "Weather.txt").write_text("rain\n")
    assert made.tools()["draw"].parameters["properties"]["table"]["enum"] == ["weather"]
    assert run(made, "draw", table="weather") == "rain"


# -- the clock ----------------------------------------------------------------------------------------------------


def test_the_clock_of_the_story_is_set_advanced_and_kept_by_branch() -> None:
    made = bench("Hello.", "Hello to you.")
    assert run(made, "story_time") == "The clock of the story is not set."
    assert made.run_tool(ToolCall("story_time", {"advance": "1 hour"})).state == "failed"
    assert run(made, "story_time", set="1347-06-24 23:30") == "Sunday, 24 June 1347, 23:30 (night)".replace(
        "Sunday", f"{datetime(1347, 6, 24):%A}"
    )
    made.add("Later.")
    assert "25 June 1347, 01:45" in run(made, "story_time", advance="2 hours and 15 minutes")
    assert "09:05 (morning)" in made.command("/clock 09:05")
    assert "24 June 1347, 09:05" in made.command("/clock - 1 day")
    earlier = made.history
    made.history = made.history[:2]
    assert "24 June 1347, 23:30" in made.command("/clock")
    made.history = earlier
    assert "not set" in made.command("/clock off")
    assert "not set" in made.command("/clock")
    with pytest.raises(UsageError, match="not a date"):
        made.command("/clock tomorrow")


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0)
    assert clock.read_moment(clock.written(moment)) == moment


@given(st.text(max_size=40))
def test_no_span_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        span = clock.read_span(text)
        clock.later(datetime(2000, 1, 1), span)
    except UsageError:
        return
    assert isinstance(span, timedelta)


# -- notes, search, words -----------------------------------------------------------------------------------------


def test_notes_are_written_read_and_deleted_in_their_chat() -> None:
    made = bench()
    assert run(made, "read_notes") == "There are no notes."
    assert (
        run(made, "write_note", name="  The\nkey ", text="Under the \x1b[31mlantern.")
        == "The note The key is kept."
    )
    assert run(made, "write_note", name="Aria", text="Hates rain.") == "The note Aria is kept."
    assert run(made, "read_notes") == "The key: Under the lantern.\nAria: Hates rain."
    assert made.command("/notes") == run(made, "read_notes")
    assert run(made, "delete_note", name="Aria") == "The note Aria is deleted."
    assert made.run_tool(ToolCall("delete_note", {"name": "Aria"})).state == "failed"
    made.command("/notes add Sea: It is rough.")
    assert made.command("/notes delete The key") == "The note The key is deleted."
    assert made.command("/notes") == "Sea: It is rough."
    for number in range(60):
        made.run_tool(ToolCall("write_note", {"name": f"n{number}", "text": "x" * 5000}))
    assert len(made.context().data["notes"]) == 50
    assert max(map(len, made.context().data["notes"].values())) == 2000
    assert made.command("/notes clear") == "All notes of this chat are deleted."


def test_search_tells_the_newest_place_first_and_the_exact_words_before_scattered_ones() -> None:
    made = bench(*SAID, "What of the brass key?")
    assert run(made, "search_chat", text="brass KEY").splitlines() == [
        "Message 1, You: Where is the brass key?",
        "Message 3, You: The KEY is of brass?",
    ]
    assert run(made, "search_chat", text="dragon") == "Nobody has said 'dragon'."
    assert made.run_tool(ToolCall("search_chat", {"text": "?!"})).state == "failed"
    long = bench("a " * 300 + "needle" + " b" * 300, "ok", "end")
    (line,) = run(long, "search_chat", text="needle").splitlines()
    assert "needle" in line
    assert line.count("…") == 2
    assert len(line) < 260


@given(st.text(max_size=60), st.text(max_size=20))
def test_a_search_for_any_text_in_any_text_ends(said: str, wanted: str) -> None:
    made = PluginBench(FOLDER, [said])
    with contextlib.suppress(UsageError):
        assert search.find(made.history, wanted)


def test_words_are_counted() -> None:
    made = bench(*SAID)
    assert run(made, "word_count") == "The chat has 18 words in 4 messages; 8 are in replies."
    assert run(made, "word_count", of="last") == "The last reply has 3 words."


# -- files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("Ahoy \x1b[2Jé", encoding="utf-8")
    (folder / "deep" / "b.txt").write_text("b")
    (folder / "raw.bin").write_bytes(b"\0\1\2")
    (folder / "latin.txt").write_bytes(b"\xe9\xe8" * 50)
    (folder / "big.txt").write_text("x" * 70_000)
    (folder / ".secret").write_text("s")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "inner.txt").symlink_to(folder / "a.txt")
    return folder


def test_text_files_of_the_allowed_folder_are_read(allowed: Path) -> None:
    assert files.read(str(allowed), "a.txt") == "Ahoy é"
    assert files.read(str(allowed), "/deep/b.txt") == "b"
    assert files.read(str(allowed), "inner.txt") == "Ahoy é"
    assert files.read(str(allowed), "").splitlines() == [
        "a.txt",
        "big.txt",
        "deep/",
        "inner.txt",
        "latin.txt",
        "raw.bin",
    ]
    big = files.read(str(allowed), "big.txt")
    assert big.startswith("x" * 65_536 + "\n…")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "link.txt",
        "deep/../../outside.txt",
        ".secret",
        "nix.txt",
        "raw.bin",
        "latin.txt",
        "a\0b",
        "x" * 5000,
        "~/x",
    ],
)
def test_nothing_else_is_read(allowed: Path, path: str) -> None:
    with pytest.raises(UsageError):
        files.read(str(allowed), path)


def test_without_a_folder_nothing_is_read_and_the_way_out_is_told() -> None:
    made = bench()
    result = made.run_tool(ToolCall("read_file", {}))
    assert result.state == "failed"
    assert "airochat plugins settings tools folder=PATH" in result.text
    assert made.tools()["read_file"].approval == "ask"
    assert all(tool.approval == "free" for name, tool in made.tools().items() if name != "read_file")


def test_every_tool_has_a_schema_that_is_one_and_the_real_date_is_told() -> None:
    made = bench()
    for tool in made.tools().values():
        jsonschema.Draft202012Validator.check_schema(dict(tool.parameters))
        assert tool.description.endswith(".")
    assert re.fullmatch(r"\w+, \d{4}-\d\d-\d\d, \d\d:\d\d", run(made, "date_time"))
    assert run(made, "names", style="norse", kind="place", count=2) == ", ".join(
        names.make_names("norse", 2, "place", 7)
    )
    assert run(made, "roll", notation="2d6") == dice.throw("2d6", 7).told
    assert run(made, "oracle", question="Does it rain?", odds="likely") == oracle.ask("likely", 7)
    assert run(made, "calculate", expression="6*7") == "42"
