"""The settings that a plugin declares: what it gets, what the user may set, and the order of the plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from airochat.errors import SettingsError, UsageError
from tests.hooks.helpers import MANIFEST, Bench, write_plugin

SCHEMA = """
order = 3
[settings.depth]
type = "int"
default = 4
least = 0
most = 100
help = "How deep."
[settings.share]
type = "float"
default = 1
[settings.loud]
type = "bool"
default = false
[settings.style]
type = "choice"
default = "plain"
choices = ["plain", "ornate"]
[settings.words]
type = "text"
default = ""
"""
CODE = "@hookimpl\ndef transform_reply(context, draft): draft.text = repr(dict(context.settings))"
DEFAULTS = {"depth": 4, "share": 1, "loud": False, "style": "plain", "words": ""}


def make(place: Path, values: str = "", schema: str = SCHEMA) -> Bench:
    write_plugin(place, "a", CODE, MANIFEST + schema)
    if values:
        (place / "settings.toml").write_text(values, encoding="utf-8")
    return Bench(place, enabled=("a",))


def seen(bench: Bench) -> object:
    return eval(bench.host.reply(bench.context, "x"))


def test_defaults_and_values_reach_the_plugin(tmp_path: Path) -> None:
    assert seen(make(tmp_path)) == DEFAULTS
    bench = make(tmp_path, '[a]\ndepth = 7\nloud = true\nshare = 2\n[other]\nx = "kept"\n')
    assert seen(bench) == {**DEFAULTS, "depth": 7, "loud": True, "share": 2.0}
    bench.host.set("a", {"style": "ornate", "depth": None})
    assert seen(bench) == {**DEFAULTS, "loud": True, "share": 2.0, "style": "ornate"}
    again = make(tmp_path)
    assert seen(again) == seen(bench)
    assert 'x = "kept"' in (tmp_path / "settings.toml").read_text(encoding="utf-8")
    assert again.told == []


def test_what_is_wrong_in_the_file_is_told_and_the_default_counts(tmp_path: Path) -> None:
    bench = make(tmp_path, '[a]\ndepth = 101\nloud = "yes"\ncolour = 1\norder = "first"\nwords = "mine"\n')
    assert seen(bench) == {**DEFAULTS, "words": "mine"}
    told = " ".join(message for message, _ in bench.told)
    for words in (
        "depth = 101 is out of range",
        "loud = 'yes' is not true or false",
        "'colour'",
        "order = 'first'",
    ):
        assert words in told
    assert bench.report("a").state == "on"
    broken = make(tmp_path, "[a\n")
    assert seen(broken) == DEFAULTS
    assert "settings.toml cannot be read" in broken.told[0][0]
    with pytest.raises(SettingsError, match="cannot be read"):
        broken.host.set("a", {"depth": 1})
    assert (tmp_path / "settings.toml").read_text(encoding="utf-8") == "[a\n"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"depth": 101}, "out of range"),
        ({"depth": True}, "not a whole number"),
        ({"depth": 1.5}, "not a whole number"),
        ({"share": "x"}, "not a number"),
        ({"style": "loud"}, "must be one of: plain, ornate"),
        ({"words": 3}, "not a text"),
        ({"dept": 3}, "Did you mean 'depth'"),
        ({"depth": 5, "order": 2000}, "out of range"),
    ],
)
def test_wrong_values_are_refused_and_change_nothing(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    bench = make(tmp_path)
    with pytest.raises(UsageError, match=reason):
        bench.host.set("a", changes)
    assert seen(bench) == DEFAULTS
    assert not (tmp_path / "settings.toml").exists()


def test_settings_are_known_without_running_the_plugin(tmp_path: Path) -> None:
    write_plugin(tmp_path, "a", "raise SystemExit", MANIFEST + SCHEMA)
    bench = Bench(tmp_path)
    found = {setting.name: (setting.kind, value, setting.help) for setting, value in bench.host.settings("a")}
    assert found["depth"] == ("int", 4, "How deep.")
    assert list(found) == [*DEFAULTS, "order"] and found["order"][1] == 3
    with pytest.raises(UsageError, match=r"There is no plugin 'b'\. Known: a|Did you mean"):
        bench.host.settings("b")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("[settings]\ndepth = 4", "depth in plugin.toml is not a table"),
        ("[settings.depth]\ndefault = 4", "has type = None"),
        ('[settings.depth]\ntype = "colour"\ndefault = 4', "It takes one of: text, lines, int"),
        ('[settings.depth]\ntype = "int"', "has no default"),
        ('[settings.depth]\ntype = "int"\ndefault = "4"', "does not take its own default"),
        ('[settings.depth]\ntype = "int"\ndefault = 4\nleast = 5', "does not take its own default"),
        ('[settings.depth]\ntype = "int"\ndefault = 4\nleast = "0"', "least or most that is not a number"),
        ('[settings.depth]\ntype = "int"\ndefault = 4\nmaximum = 9', "has 'maximum'"),
        ('[settings.style]\ntype = "choice"\ndefault = "a"\nchoices = "a"', "not a list of texts"),
        ('[settings.depth]\ntype = "int"\ndefault = 4\nhelp = 3', "help or a label that is not a text"),
        ('[settings."a b"]\ntype = "int"\ndefault = 4', "a name that cannot be used"),
        ('[settings.order]\ntype = "int"\ndefault = 4', "a name that cannot be used"),
    ],
)
def test_a_wrong_schema_is_refused_with_the_reason(tmp_path: Path, schema: str, reason: str) -> None:
    bench = make(tmp_path, schema=f"\n{schema}\n")
    assert bench.host.reply(bench.context, "x") == "x"
    assert reason in bench.report("a").error


def test_the_order_is_that_of_the_manifests_and_the_user_s_is_above_it(tmp_path: Path) -> None:
    for name, order in (("a", 5), ("b", 0), ("c", -5), ("d", 0)):
        code = f"@hookimpl\ndef transform_reply(draft): draft.text += '{name}'"
        write_plugin(tmp_path, name, code, f"{MANIFEST}order = {order}\n")
    bench = Bench(tmp_path, enabled=("a", "b", "c", "d"))
    assert bench.host.reply(bench.context, "") == "cbda"
    bench.host.set("a", {"order": -6})
    again = Bench(tmp_path, enabled=("a", "b", "c", "d"))
    assert again.host.reply(again.context, "") == "acbd"
    own = [(report.name, report.order) for report in again.host.reports() if report.source == "user"]
    assert own == [("a", -6), ("c", -5), ("b", 0), ("d", 0)]
