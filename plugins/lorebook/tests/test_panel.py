"""The lorebook editor, in real sessions and on a bench."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import airochat
from airochat.characters import parse_card
from airochat.errors import AirochatError, UsageError
from airochat.hooks import Act, Field, Outcome, Rows, Text, View
from airochat.hooks.testing import PluginBench
from airochat.resources import resource_dir
from airochat.session import SessionManager
from plugins.lorebook.book import read_book
from plugins.lorebook.desk import Desk
from plugins.lorebook.entry import Entry
from plugins.lorebook.form import changed, inputs, shown
from plugins.lorebook.panel import show
from plugins.lorebook.tests.lore import v3, world

FOLDER = resource_dir("plugins") / "lorebook"
LAMP = {"keys": ["beacon"], "content": "It burns whale oil.", "name": "Lamp"}


def card(*entries: dict[str, Any]) -> airochat.Card:
    listed = [{"extensions": {}, "enabled": True, "insertion_order": 1, **entry} for entry in entries]
    book = {"name": "Coast", "extensions": {}, "entries": listed}
    data = {"name": "Aria", "first_mes": "The wind rises.", "character_book": book}
    return parse_card({"spec": "chara_card_v3", "spec_version": "3.0", "data": data}, "aria.json")


@pytest.fixture
def bench() -> PluginBench:
    return PluginBench(FOLDER, ["Hello.", "The wind rises.", "Where is the beacon?"], cards=(card(LAMP),))


def table(view: View) -> Rows:
    return next(part for part in view.parts if isinstance(part, Rows))


def cells(view: View) -> list[tuple[str, ...]]:
    return [row.cells for row in table(view).rows]


def form(view: View) -> dict[str, Any]:
    return {part.setting.name: part.value for part in view.parts if isinstance(part, Field)}


def press(bench: PluginBench, button: str, row: str = "", place: str = "", **values: Any) -> Outcome:
    return bench.act(button, row, place, **values)


def new_book(bench: PluginBench, name: str = "World") -> str:
    place = press(bench, "new", called=name).place
    assert place is not None
    return place


def test_the_books_of_a_chat_and_what_is_in_the_prompt(bench: PluginBench) -> None:
    assert cells(bench.panel()) == [("Coast", "1", "in the card", "1 in the prompt")]
    (row,) = table(bench.panel()).rows
    assert press(bench, "switch", row.key).message == "Coast is off in this chat."
    assert cells(bench.panel())[0][3] == "off"
    assert bench.blocks() == []
    press(bench, "switch", row.key)
    assert [block.text for block in bench.blocks()] == ["It burns whale oil."]


def test_a_card_s_book_is_shown_and_a_copy_can_be_changed(bench: PluginBench) -> None:
    (row,) = table(bench.panel()).rows
    place = press(bench, "open", row.key).place or ""
    view = bench.panel(place=place)
    assert "copy" in [getattr(part, "name", "") for part in view.parts]
    (entry,) = table(view).rows
    assert entry.marked and entry.cells[0] == "Lamp" and 'keyword "beacon" in message 3' in entry.cells[3]
    inside = bench.panel(place=press(bench, "edit", entry.key, place).place or "")
    assert not form(inside)
    with pytest.raises(UsageError, match="no button"):
        press(bench, "delete", entry.key, place)
    with pytest.raises(UsageError, match="part of a card"):
        press(bench, "remove", row.key)
    done = press(bench, "copy", place=place)
    assert done.message == "Coast (copy) is in this chat, and Coast is off in it."
    assert [block.source for block in bench.blocks()] == ["plugin:lorebook/Coast (copy)/Lamp"]
    copied = press(bench, "edit", "0", done.place or "").place or ""
    press(bench, "save", place=copied, content="It burns gas.")
    assert [block.text for block in bench.blocks()] == ["It burns gas."]


def test_an_entry_from_nothing_to_the_prompt_and_away_again(bench: PluginBench) -> None:
    book = new_book(bench)
    assert table(bench.panel(place=book)).empty == "It has no entries yet."
    place = press(bench, "new", place=book).place or ""
    values = {
        "title": "Sea",
        "keys": "BEACON\n\n /wav.s?/ ",
        "content": "It is grey.",
        "position": "at a depth",
    }
    press(bench, "save", place=place, **values, depth=2, role="user", order=7)
    block = next(block for block in bench.blocks() if block.text == "It is grey.")
    assert (block.source, block.depth, block.role) == ("plugin:lorebook/World/Sea", 2, "user")
    assert form(bench.panel(place=place))["keys"] == "BEACON\n/wav.s?/"
    again = press(bench, "duplicate", "0", book).place or ""
    press(bench, "save", place=again, title="Sky", enabled=False)
    assert [row[0] for row in cells(bench.panel(place=book))] == ["Sea", "Sky"]
    assert "is disabled" in cells(bench.panel(place=book))[1][3]
    assert press(bench, "switch", "1", book).message == "Sky is on, in all chats with this book."
    assert press(bench, "here", "0", book).message == "Sea is off in this chat."
    assert "plugin:lorebook/World/Sea" not in [block.source for block in bench.blocks()]
    assert press(bench, "delete", "1", book).message == "Sky is gone."
    with pytest.raises(UsageError, match="not there any more"):
        bench.panel(place=again)
    press(bench, "delete", "0", book)
    assert cells(bench.panel()) == [
        ("World", "0", "in this chat", "0 in the prompt"),
        ("Coast", "1", "in the card", "1 in the prompt"),
    ]
    press(bench, "remove", table(bench.panel()).rows[0].key)
    with pytest.raises(UsageError, match="no lorebook"):
        bench.panel(place=book)


def test_a_key_that_finds_nothing_is_told_when_it_is_saved(bench: PluginBench) -> None:
    place = press(bench, "new", place=new_book(bench)).place or ""
    told = press(bench, "save", place=place, title="Cat", keys="/cat[s/\n/(?<=a+)b(/\n/cats?/i\ncat").message
    assert told.startswith("The entry is saved.\n")
    assert "/cat[s/" in told and "/(?<=a+)b(/" in told and "/cats?/i" not in told
    assert press(bench, "save", place=place, keys="cat").message == "The entry is saved."


def test_the_form_says_why_and_what_decorators_say(bench: PluginBench) -> None:
    book = new_book(bench)
    place = press(bench, "new", place=book).place or ""
    press(bench, "save", place=place, title="Deep", keys="wind", content="@@depth 1\nCold.")
    texts = [part.text for part in bench.panel(place=place).parts if isinstance(part, Text)]
    assert texts[0] == "World/Deep: in the prompt"
    assert texts[1] == "What its text begins with counts before the fields: @@depth 1."
    assert 'because: keyword "wind" in message 2' in texts[-1]
    assert form(bench.panel(place=place))["position"] == "not said"
    assert next(block for block in bench.blocks() if block.text == "Cold.").depth == 1


def test_looking_for_a_word(bench: PluginBench) -> None:
    book = new_book(bench)
    for title in ("Sea", "Sky", "Salt"):
        press(bench, "save", place=press(bench, "new", place=book).place or "", title=title)
    found = press(bench, "find", place=book, wanted="s:a")
    assert cells(bench.panel(place=found.place or "")) == []
    found = press(bench, "find", place=book, wanted=" SA ")
    assert [row[0] for row in cells(bench.panel(place=found.place or ""))] == ["Salt"]
    assert press(bench, "delete", "2", found.place or "").message == "Salt is gone."


def test_a_file_is_added_for_everybody_and_a_bad_one_for_nobody(bench: PluginBench, tmp_path: Path) -> None:
    file = tmp_path / "My World.json"
    file.write_text(json.dumps({"entries": {"0": {"key": ["beacon"], "content": "x", "comment": "a:b/c"}}}))
    done = press(bench, "add", file=f'"{file}"', where="global")
    assert done.message == "My World is used in all chats."
    view = bench.panel(place=done.place or "")
    assert press(bench, "edit", table(view).rows[0].key, done.place or "").place == "entry:file:My World:0"
    for values in (
        {"file": str(tmp_path / "none")},
        {"file": " "},
        {"called": "my world"},
        {"called": "///"},
    ):
        with pytest.raises(AirochatError):
            press(bench, "add", **values)
    with pytest.raises(UsageError, match="no persona"):
        press(bench, "new", called="Mine", where="persona")


def test_why(bench: PluginBench) -> None:
    book = new_book(bench)
    for title, keys, chance in (("Never", "beacon", 0.0), ("Old", "hello", 100.0)):
        place = press(bench, "new", place=book).place or ""
        press(bench, "save", place=place, title=title, keys=keys, probability=chance)
    assert press(bench, "why").place == "why"
    shown_rows = {row[0]: row[1:] for row in cells(bench.panel(place="why"))}
    assert shown_rows["Coast/Lamp"][0].startswith("in the prompt, ")
    assert shown_rows["World/Never"][0] == "left out" and "the dice said" in shown_rows["World/Never"][1]
    assert shown_rows["World/Old"] == ("near miss", 'keyword "hello" in message 1, at depth 3')
    for row in table(bench.panel(place="why")).rows:
        assert press(bench, "open", row.key, "why").place == row.key
        bench.panel(place=row.key)


def test_settings_are_saved_for_all_chats_or_one(bench: PluginBench) -> None:
    press(bench, "here", place="settings", scan_depth=3, words="ascii", recursive=False)
    assert bench.command("/lore set scan_depth") == "scan_depth is 3."
    assert "settings" not in bench.context().storage("global")
    press(bench, "everywhere", place="settings", budget=40)
    assert bench.context().storage("global")["settings"] == {"budget": 40}
    for values in ({"budget": 101}, {"scan_depth": -1}, {"words": "latin"}):
        with pytest.raises(AirochatError):
            press(bench, "here", place="settings", **values)


@pytest.mark.parametrize(
    "place", ["book:file:none", "book:x", "entry:card:Coast:9", "nowhere", "book:card:a:b:c"]
)
def test_places_that_are_not_there(bench: PluginBench, place: str) -> None:
    try:
        view = bench.panel(place=place)
    except UsageError:
        return
    assert view.title == "Lorebooks"


def test_what_a_file_says_beyond_the_form_stays(bench: PluginBench, tmp_path: Path) -> None:
    entry = {
        "uid": 4, "key": ["beacon"], "keysecondary": [], "comment": "Lamp", "content": "x", "order": 5, "position": 0,
        "extensions": {"mine": {"deep": [1]}}, "vectorized": True, "automationId": "a", "odd": None, "selective": True,
    }  # fmt: skip
    file = tmp_path / "w.json"
    file.write_text(json.dumps({"entries": {"4": entry}, "name": "W", "mine": 1, "extensions": {"b": 2}}))
    book = press(bench, "add", file=str(file)).place or ""
    place = press(bench, "edit", table(bench.panel(place=book)).rows[0].key, book).place or ""
    (kept,) = (bench.context().folder / "books").iterdir()
    before = json.loads(kept.read_text())
    press(bench, "save", place=place, content="y", sticky=3)
    after = json.loads(kept.read_text())
    assert after["data"]["entries"][0].pop("content") == "y"
    assert after["data"]["entries"][0]["extensions"].pop("sticky") == 3
    assert before["data"]["entries"][0].pop("content") == "x"
    assert before["data"]["entries"][0]["extensions"].pop("sticky", None) is None
    assert after == before
    assert after["data"]["mine"] == 1 and after["data"]["entries"][0]["odd"] is None


def test_books_that_take_long_to_read_do_not_switch_the_panel_off(bench: PluginBench) -> None:
    class Slow(Desk):
        gate = threading.Event()

        def look(self, *args: Any, **kwargs: Any) -> Any:
            self.gate.wait(60)
            return super().look(*args, **kwargs)

    slow = Slow()
    with pytest.raises(UsageError, match="still being read"):
        show(slow, bench.context(), "", 0.01)
    slow.gate.set()
    assert cells(show(slow, bench.context(), "", 60))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    (
        *(
            "key",
            "keysecondary",
            "comment",
            "content",
            "order",
            "position",
            "disable",
            "constant",
            "selective",
        ),
        *(
            "selectiveLogic",
            "depth",
            "role",
            "probability",
            "useProbability",
            "group",
            "groupWeight",
            "sticky",
        ),
        *("groupOverride", "scanDepth", "caseSensitive", "matchWholeWords", "cooldown", "delay", "triggers"),
        *(
            "characterFilter",
            "outletName",
            "excludeRecursion",
            "delayUntilRecursion",
            "ignoreBudget",
            "other",
        ),
        "extensions",
    )
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, JSON, max_size=8), st.booleans())
def test_any_entry_can_be_shown_and_saving_it_unchanged_changes_nothing(
    fields: dict[str, Any], card: bool
) -> None:
    book = v3(fields) if card else world(fields)
    if not book.entries:
        return
    (entry,), (raw,) = book.entries, book.raw["entries"]
    values = shown(entry, raw)
    for one in inputs():
        one.setting.checked(values[one.setting.name])
    new = changed(entry, raw, values)
    assert read_book({"name": book.name, "extensions": {}, "entries": [new]}, "x")[0].entries == (entry,)
    assert {**raw, "position": 0} == {**new, "position": 0}


def test_every_field_of_the_form_changes_the_entry_and_comes_back() -> None:
    other: dict[str, Callable[[Any], Any]] = {
        "bool": lambda old: not old,
        "int": lambda old: old + 3,
        "float": lambda old: old / 2,
    }
    for one in inputs():
        book = v3({**LAMP, "secondary_keys": ["x"]})
        (entry,), (raw,) = book.entries, book.raw["entries"]
        old, kind = shown(entry, raw)[one.setting.name], one.setting.kind
        if kind == "choice":
            new = next(word for word in reversed(one.setting.choices) if word != old)
        else:
            new = other[kind](old) if kind in other else "fog"
        fields = changed(entry, raw, {one.setting.name: new})
        (after,) = read_book({"name": "B", "extensions": {}, "entries": [fields]}, "x")[0].entries
        assert shown(after, read_raw(fields))[one.setting.name] == new, one.setting.name
        assert isinstance(after, Entry) and after != entry


def read_raw(fields: dict[str, Any]) -> Any:
    return read_book({"name": "B", "extensions": {}, "entries": [fields]}, "x")[0].raw["entries"][0]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[SessionManager]:
    with airochat.open(home=tmp_path / "home", model="scripted") as opened:
        yield opened


def test_an_edit_is_in_the_next_prompt_of_a_session(manager: SessionManager) -> None:
    session = manager.new(card=card(LAMP))
    host = session.plugins

    def act(button: str, row: str = "", place: str = "", **values: Any) -> Outcome:
        return host.act_on_panel("lorebook", Act(place, button, row, values), session.context)

    book = act("new", called="World").place or ""
    place = act("new", place=book).place or ""
    act("save", place=place, title="Fog", keys="beacon", content="Nothing is to be seen.")
    prompt = session.prompt("The beacon?").text
    assert "Nothing is to be seen." in prompt and "It burns whale oil." in prompt
