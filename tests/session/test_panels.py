"""Panels as front ends get them: in a chat, and without one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.errors import SettingsError, UsageError
from airochat.hooks import Act, Field, Meter, Setting, Text
from airochat.session import SessionManager, panels
from tests.hooks.helpers import write_plugin

CODE = """
def show(context, place):
    kept = context.storage("chat").get("kept", 0)
    name = context.cards[0].name if context.cards else "nobody"
    text = Text(f"{context.title}, {len(context.history)}, {name}")
    return View("A", (text, Field(Setting("kept", "int", 0, least=0), kept), Button("save", "Save")))

def act(context, act):
    context.storage("chat")["kept"] = act.values["kept"]
    return Outcome("kept")

@hookimpl
def register_panels(register):
    register(Panel("a", "A", "Shows A.", show, act))
"""
MANIFEST = (
    'name = "{name}"\nversion = "1"\nsummary = "S."\napi = 1\n[settings.depth]\ntype = "int"\ndefault = 4\n'
)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionManager]:
    monkeypatch.setenv("AIROCHAT_PLUGINS", "a,b")
    for name, code in (("a", CODE), ("b", "@hookimpl\ndef register_commands(register): pass\n")):
        write_plugin(tmp_path / "plugins", name, code, MANIFEST)
    with airochat.open(tmp_path, model=ScriptedBackend(["Yes."])) as manager:
        yield manager


def test_panels_are_listed_with_what_they_need(manager: SessionManager) -> None:
    found = panels.panels(manager)
    assert [(entry.name, entry.plugin, entry.needs_chat) for entry in found] == [
        ("a", "a", True),
        ("settings:a", "a", False),
        ("settings:b", "b", False),
    ]
    assert panels.panels(manager.new()) == found


def test_a_plugin_without_a_panel_means_its_settings(manager: SessionManager) -> None:
    assert panels.find(manager, "a").name == "a"
    assert panels.find(manager, "b").name == "settings:b"
    with pytest.raises(UsageError, match="There is no panel 'c'"):
        panels.find(manager, "c")


def test_a_panel_is_about_its_chat(manager: SessionManager) -> None:
    one, other = manager.new(title="One"), manager.new(title="Other")
    one.send("Hi").wait()
    assert panels.act(one, "a", Act("", "save", "", {"kept": 7})).message == "kept"
    view = panels.show(one, "a")
    assert view.parts[0] == Text("One, 2, nobody")
    assert isinstance(view.parts[1], Field) and view.parts[1].value == 7
    assert isinstance(second := panels.show(other, "a").parts[1], Field) and second.value == 0
    with pytest.raises(SettingsError):
        panels.act(one, "a", Act("", "save", "", {"kept": -1}))


def test_without_a_chat_only_the_settings_are_shown(manager: SessionManager) -> None:
    with pytest.raises(UsageError, match="about a chat"):
        panels.show(manager, "a")
    with pytest.raises(UsageError, match="no panel"):
        panels.show(manager, "c")
    for where in (manager, manager.new()):
        panels.act(where, "settings:b", Act("", "save", "", {"depth": 5}))
        assert manager.plugins.settings("b")[0][1] == 5
        panels.act(where, "settings:b", Act("", "defaults"))
        field = panels.show(where, "settings:b").parts[1]
        assert isinstance(field, Field) and field.value == 4


def test_what_may_run_is_kept_in_the_settings(manager: SessionManager) -> None:
    reports = {report.name: report for report in manager.plugins.reports()}
    mine, bundled = reports["a"], reports["lorebook"]
    assert not panels.is_allowed(manager, mine) and panels.is_allowed(manager, bundled)
    for allowed in (True, False, True):
        for plugin in (mine, bundled):
            panels.allow(manager, plugin, allowed)
            assert panels.is_allowed(manager, plugin) is allowed
    assert manager.settings.plugins_enabled == ("a",) and manager.settings.plugins_disabled == ()
    again = airochat.settings.Settings.load(manager.home.settings)
    assert (again.plugins_enabled, again.plugins_disabled) == (("a",), ())


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (Setting("n", "int", 1, least=0, most=9), "a whole number from 0 to 9"),
        (Setting("n", "int", 1, most=1000), "a whole number of at most 1,000"),
        (Setting("n", "float", 1.0, least=0.25), "a number of at least 0.25"),
        (Setting("n", "float", 1.0), "a number"),
        (Setting("n", "text", ""), ""),
    ],
)
def test_limits_are_said_in_words(setting: Setting, said: str) -> None:
    assert panels.limits(setting) == said
    told = panels.help_of(setting)
    assert told == (said[:1].upper() + said[1:] + "." if said else "")


@given(st.sampled_from(["int", "float"]), st.text(max_size=8), st.floats(-9, 0), st.floats(0, 9))
def test_whatever_is_typed_is_taken_or_refused_in_words(
    kind: str, text: str, least: float, most: float
) -> None:
    setting = Setting("n", kind, 0, least=least, most=most)
    refused = panels.refusal(setting, text)
    if refused:
        assert refused.startswith("It must be a ") and refused.endswith(".")
    else:
        assert least <= setting.parsed(text) <= most


@given(st.one_of(st.floats(), st.integers(-(10**18), 10**18)))
def test_numbers_read_well(value: float) -> None:
    text = panels.amount(value)
    if math.isfinite(value):
        assert abs(float(text.replace(",", "")) - value) <= max(0.006, abs(value) * 1e-5)
        assert not text.endswith(".") and text != "-0" and len(text) < 30
    assert 0 <= panels.share(Meter("m", value, 10)) <= 1
    assert 0 <= panels.share(Meter("m", 10, value)) <= 1


def test_numbers_beyond_all_reason_are_no_reason_to_stop() -> None:
    assert panels.amount(10**400) == "?" and panels.share(Meter("m", 10**400, 10**401)) == 0
    assert panels.written(Setting("n", "int", 0), 10**5000) == "?"
    assert panels.limits(Setting("n", "int", 0, most=10**400)) == "a whole number"
