"""Panels as the host hands them on: what is shown and done is checked, and nobody else pays for a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from airochat.errors import PluginError, SettingsError, UsageError
from airochat.hooks import Act, Button, Field, Meter, Outcome, Row, Rows, Text, View
from tests.hooks.helpers import MANIFEST, Bench, write_plugin

GOOD = """
DEPTH = Setting("depth", "int", 4, "How deep.", 0, 9)
NOTE = Setting("note", "lines", "")
kept = {"depth": 4, "note": "", "rows": ["a", "b"]}

def show(context, place):
    if place:
        return View(place, (Text("inside \\x1b[31mred"),))
    rows = tuple(Row(key, (key, key.upper())) for key in kept["rows"])
    table = Rows("lines", ("name", "value"), rows, (Button("open", "Open"), Button("drop", "Drop", "Really?")))
    fields = (Field(DEPTH, kept["depth"]), Field(NOTE, kept["note"]))
    return View("All", (Text("Head", "heading"), Meter("words", 3, 10), *fields, table, Button("save", "Save")))

def act(context, act):
    if act.button == "open":
        return Outcome(place=f"row:{act.row}")
    if act.button == "drop":
        kept["rows"].remove(act.row)
    else:
        kept.update(act.values)
    return Outcome(f"{act.button} done")

@hookimpl
def register_panels(register):
    register(Panel("a", "All", "Shows all.", show, act))
"""


def bench_with(tmp_path: Path, code: str, manifest: str = MANIFEST) -> Bench:
    write_plugin(tmp_path / "plugins", "a", code, manifest)
    return Bench(tmp_path / "plugins")


def test_a_panel_is_shown_and_acted_on(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, GOOD)
    assert list(bench.host.panels()) == ["a", "settings:a"]
    view = bench.host.show_panel("a", "", bench.context)
    assert view.title == "All"
    assert [type(part) for part in view.parts] == [Text, Meter, Field, Field, Rows, Button]
    done = bench.host.act_on_panel("a", Act("", "save", "", {"depth": 7}), bench.context)
    assert done == Outcome("save done")
    fields = [part for part in bench.host.show_panel("a", "", bench.context).parts if isinstance(part, Field)]
    # What was not typed keeps the value that it has.
    assert [field.value for field in fields] == [7, ""]
    assert bench.host.act_on_panel("a", Act("", "open", "b"), bench.context).place == "row:b"
    assert bench.host.show_panel("a", "row:b", bench.context) == View("row:b", (Text("inside red"),))
    bench.host.act_on_panel("a", Act("", "drop", "a"), bench.context)
    (table,) = (
        part for part in bench.host.show_panel("a", "", bench.context).parts if isinstance(part, Rows)
    )
    assert table.rows == (Row("b", ("b", "B")),)
    assert bench.told == []


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (Act("", "save", "", {"depth": 10}), SettingsError, "depth"),
        (Act("", "save", "", {"depth": "7"}), SettingsError, "depth"),
        (Act("", "burn"), UsageError, "no button 'burn'"),
        (Act("", "open", "z"), UsageError, "not there any more"),
        (Act("", "open"), UsageError, "Nothing is chosen"),
        (Act("row:a", "save"), UsageError, "no button"),
    ],
)
def test_what_a_panel_does_not_take_never_reaches_it(
    tmp_path: Path, act: Act, error: type[Exception], words: str
) -> None:
    bench = bench_with(tmp_path, GOOD)
    before = bench.host.show_panel("a", "", bench.context)
    with pytest.raises(error, match=words):
        bench.host.act_on_panel("a", act, bench.context)
    assert bench.host.show_panel("a", "", bench.context) == before
    assert bench.report("a").state == "on"


@pytest.mark.parametrize(
    "view",
    [
        "42",
        "View('x', 'text')",
        "View('x', (42,))",
        "View('x', (Text(42),))",
        "View('x', (Text('x', 'loud'),))",
        "View('x', (Meter('x', 'a', 2),))",
        "View('x', (Field(42, 1),))",
        "View('x', (Field(Setting('n', 'int', 1), 'one'),))",
        "View('x', (Rows('r', ('a', 'b'), (Row('k', ('only',)),)),))",
        "View('x', (Rows('r', ('a',), (42,)),))",
        "View('x', (Rows('r', ('a',), (Row('k', ('x',)), Row('k', ('y',)))),))",
        "View('x', (Rows('r', ('a',), (Row(1, ('x',)),)),))",
        "View('x', (Rows(2, ('a',), ()),))",
        "View('x', (Meter('x', 10 ** 400, 2),))",
        "View('x', (Meter('x', float('nan'), 2),))",
        "View('x', (Field(Setting(3, 'int', 1), 1),))",
        "View('x', (Button('b', 'B'), Button('b', 'B')))",
        "View('x', (Button('', 'B'),))",
        "1 / 0",
    ],
)
def test_a_panel_that_cannot_be_drawn_switches_its_plugin_off(tmp_path: Path, view: str) -> None:
    code = f"""
    @hookimpl
    def register_panels(register):
        register(Panel("a", "A", "", lambda context, place: {view}, lambda context, act: Outcome()))
    """
    bench = bench_with(tmp_path, code)
    with pytest.raises(PluginError, match="The plugin a failed in the panel a"):
        bench.host.show_panel("a", "", bench.context)
    assert bench.report("a").state == "failed"
    with pytest.raises(UsageError, match="There is no panel 'a'"):
        bench.host.show_panel("a", "", bench.context)


def test_an_outcome_is_checked_and_an_error_for_the_user_is_no_failure(tmp_path: Path) -> None:
    code = """
    from airochat.errors import UsageError

    def act(context, act):
        if act.button == "tell":
            raise UsageError("Not today.", "Come again.")
        return 42

    @hookimpl
    def register_panels(register):
        buttons = (Button("tell", "Tell"), Button("wrong", "Wrong"))
        register(Panel("a", "A", "", lambda context, place: View("A", buttons), act))
    """
    bench = bench_with(tmp_path, code)
    with pytest.raises(UsageError, match="Not today"):
        bench.host.act_on_panel("a", Act("", "tell"), bench.context)
    assert bench.report("a").state == "on"
    with pytest.raises(PluginError, match="must return an Outcome"):
        bench.host.act_on_panel("a", Act("", "wrong"), bench.context)


def test_of_two_panels_of_one_name_the_first_stays(tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "b", GOOD)
    bench = bench_with(tmp_path, GOOD)
    assert {name: owner for name, (owner, _) in bench.host.panels().items() if ":" not in name} == {"a": "a"}
    (told,) = bench.told
    assert told[0] == "The plugin b has no panel a: a already has one."


def test_settings_are_a_form(tmp_path: Path) -> None:
    schema = MANIFEST + (
        '[settings.depth]\ntype = "int"\ndefault = 4\nleast = 0\nmost = 9\nhelp = "How deep."\n'
        '[settings.style]\ntype = "choice"\ndefault = "plain"\nchoices = ["plain", "loud"]\nlabel = "The style"\n'
    )
    bench = bench_with(tmp_path, "@hookimpl\ndef on_idle(context): pass\n", schema)
    view = bench.host.show_panel("settings:a", "", bench.context)
    fields = [part for part in view.parts if isinstance(part, Field)]
    assert [(field.setting.title, field.value) for field in fields] == [
        ("depth", 4),
        ("The style", "plain"),
        ("order", 0),
    ]
    told = bench.host.act_on_panel("settings:a", Act("", "save", "", {"depth": 2}), bench.context)
    assert told.message == "The settings are saved."
    assert bench.context("a").settings["depth"] == 2
    with pytest.raises(SettingsError):
        bench.host.act_on_panel("settings:a", Act("", "save", "", {"style": "odd"}), bench.context)
    bench.host.act_on_panel("settings:a", Act("", "defaults"), bench.context)
    assert bench.context("a").settings["depth"] == 4
