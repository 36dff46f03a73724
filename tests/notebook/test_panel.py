"""The widget of a panel without a kernel: what it tells the page, and what it does when the page asks for something."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.scripted import ScriptedBackend
from airochat.errors import UsageError
from airochat.hooks import Button, Field, Meter, Row, Rows, Setting, Text, View
from airochat.hooks.watch import Limits
from airochat.notebook import PanelWidget, show, show_panel
from airochat.notebook.panel_state import MOST_PARTS, key_of, plain, row_of, typed, wire
from airochat.session import Session, SessionManager, open
from airochat.session.panels import panels
from airochat.text import clean
from tests.notebook.panels import ALL, hostile_code, manager_with, names_in

PATIENCE = 60.0


class Page:
    """Stands for a browser's page with one panel in it."""

    def __init__(self, widget: PanelWidget) -> None:
        self.widget = widget
        self.states: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._seq = 0
        widget.observe(self._take, "status")
        self.settle()

    def _take(self, change: dict[str, Any]) -> None:
        with self._changed:
            self.states.append(change["new"])
            self._changed.notify_all()

    def settle(self) -> None:
        assert self.widget.settle(PATIENCE)

    def wait_for(self, condition: Callable[[dict[str, Any]], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.status), PATIENCE), self.status

    def tell(self, **message: Any) -> None:
        self.widget._handle_custom_msg(json.loads(json.dumps({"at": self.shown["at"], **message})), [])

    def edit(self, **edits: Any) -> None:
        self._seq += 1
        self.tell(type="edit", edits=edits, page="p", seq=self._seq)
        self.settle()

    def press(self, button: str, row: str = "", at: int | None = None, **edits: Any) -> None:
        self._seq += 1
        place: dict[str, Any] = {} if at is None else {"at": at}
        self.tell(type="act", button=button, row=row, edits=edits, page="p", seq=self._seq, **place)

    def act(self, button: str, row: str = "", **edits: Any) -> None:
        self.press(button, row, **edits)
        self.settle()

    @property
    def shown(self) -> dict[str, Any]:
        return self.widget.shown

    @property
    def status(self) -> dict[str, Any]:
        return self.widget.status

    @property
    def line(self) -> tuple[str, str] | None:
        line = self.status["line"]
        return None if line is None else (line["kind"], line["text"])

    def part(self, name: str) -> dict[str, Any]:
        (found,) = [part for part in self.shown["parts"] if part.get("name") == name]
        return found  # type: ignore[no-any-return]

    @property
    def texts(self) -> list[str]:
        return [part["text"] for part in self.shown["parts"] if part["kind"] == "text"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[SessionManager]:
    with manager_with(tmp_path, a=ALL) as manager:
        yield manager


@pytest.fixture
def session(manager: SessionManager) -> Session:
    return manager.new(title="stage")


@pytest.fixture
def page(session: Session) -> Iterator[Page]:
    widget = PanelWidget(session, "all")
    yield Page(widget)
    widget.close()


def test_every_part_reaches_the_page(page: Page) -> None:
    assert page.shown["title"] == "All there is"
    kinds = [part["kind"] for part in page.shown["parts"]]
    assert kinds == ["text"] * 4 + ["meter"] + ["field"] * 6 + ["button"] * 3 + ["rows"] * 2
    tones = [part["tone"] for part in page.shown["parts"][:4]]
    assert tones == ["heading", "plain", "soft", "warning"]
    assert page.shown["parts"][4]["words"] == "350 of 1,000 words" and page.shown["parts"][4]["done"] == 0.35
    values = [part["value"] for part in page.shown["parts"] if part["kind"] == "field"]
    assert values == ["", "one\ntwo", "4", "0.5", False, 0]
    depth, weight = page.part("depth"), page.part("weight")
    assert (depth["least"], depth["most"]) == (0, 9) and "from 0 to 9" in depth["help"]
    assert (weight["least"], weight["most"]) == (0, None) and "at least 0" in weight["help"]
    table = page.part("lines")
    assert len(table["rows"]) == 3000 and table["rows"][1] == ["line 1", True, "line 1", "LINE 1"]
    assert table["buttons"][1]["confirm"] == "Drop it for good?"
    assert page.part("none")["empty"] == "There is nothing here."
    assert page.line is None and not page.status["busy"] and not page.status["back"]


def test_what_was_typed_reaches_the_plugin_with_the_next_button(page: Page, manager: SessionManager) -> None:
    page.act("save", word="ab\ud83d", story="a\n\nb", depth="9", weight="1e3", on=True, mood=1)
    (done,) = names_in(manager, "all")["done"]
    assert dict(done.values) == {
        "word": "ab\ufffd",
        "story": "a\n\nb",
        "depth": 9,
        "weight": 1000.0,
        "on": True,
        "mood": "wild",
    }
    assert isinstance(done.values["weight"], float)
    assert page.line == ("notice", "It is saved.")
    assert [page.part(name)["value"] for name in ("depth", "on", "mood")] == ["9", True, 1]
    assert page.status["edits"] == {}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("depth", "10", "It must be a whole number from 0 to 9."),
        ("depth", "", "It must be a whole number from 0 to 9."),
        ("depth", "4.5", "It must be a whole number from 0 to 9."),
        ("depth", "9" * 5000, "It must be a whole number from 0 to 9."),
        ("depth", None, "It must be a whole number from 0 to 9."),
        ("weight", "nan", "It must be a number of at least 0."),
        ("weight", "-1", "It must be a number of at least 0."),
        ("mood", 2, "calm, wild"),
        ("mood", "x", "calm, wild"),
        ("on", "yes", "not true or false"),
        ("word", 7, "not a text"),
        ("word", {"a": 1}, "not a text"),
    ],
)
def test_a_value_that_is_refused_is_told_beside_its_field_and_nothing_is_done(
    page: Page, manager: SessionManager, name: str, value: Any, words: str
) -> None:
    page.act("save", **{name: value})
    assert words in page.status["wrong"][name]
    assert page.line == ("error", "One value is not right yet.")
    assert names_in(manager, "all")["done"] == []
    assert page.status["edits"] == {name: value}, "what was typed is still there"
    fine: Any = {"depth": "3", "weight": "2", "mood": 1, "on": True, "word": "w"}[name]
    page.act("save", **{name: fine})
    assert page.status["wrong"] == {} and page.line == ("notice", "It is saved.")


def test_a_row_is_opened_and_there_is_a_way_back(page: Page) -> None:
    page.act("open", "line 7")
    assert page.shown["title"] == "line:line 7" and page.texts == ["All about line 7."]
    assert page.status["back"]
    page.tell(type="back")
    page.settle()
    assert page.shown["title"] == "All there is" and not page.status["back"]
    page.act("open", "line 8")
    page.act("keep", word="kept")
    assert page.shown["title"] == "All there is" and page.part("word")["value"] == "kept"
    assert not page.status["back"], "the way there is not made longer by going back to where one was"
    page.tell(type="back")
    page.settle()
    assert page.shown["title"] == "All there is"


def test_a_click_meant_for_another_place_does_nothing(page: Page, manager: SessionManager) -> None:
    old = page.shown["at"]
    page.act("open", "line 7")
    before = len(names_in(manager, "all")["done"])
    page.press("keep", at=old, word="x")
    page.tell(type="back", at=old)
    page.settle()
    assert len(names_in(manager, "all")["done"]) == before and page.shown["title"] == "line:line 7"


def test_a_row_that_is_gone_and_a_button_that_never_was(page: Page) -> None:
    page.act("drop", "line 3")
    assert page.line == ("notice", "line 3 is gone.") and len(page.part("lines")["rows"]) == 2999
    page.act("drop", "line 3")
    kind, words = page.line or ("", "")
    assert kind == "error" and "not there any more" in words
    page.act("burn")
    assert page.line is not None and "no button 'burn'" in page.line[1]
    assert page.part("depth")


def test_what_a_plugin_refuses_keeps_what_was_typed(page: Page) -> None:
    page.act("complain", word="abc")
    assert page.line == ("error", "That is too much. Do less.")
    assert page.status["edits"] == {"word": "abc"} and page.part("word")["value"] == ""


def test_a_panel_follows_the_chat_and_keeps_what_is_being_typed(page: Page, session: Session) -> None:
    assert page.texts[1].startswith("0 messages")
    page.edit(word="half a thou")
    session.send("Hello").wait(PATIENCE)
    page.settle()
    assert page.texts[1].startswith("2 messages")
    assert page.status["edits"] == {"word": "half a thou"} and page.status["seen"] == {"p": 1}
    session.narrate("It rains.")
    page.settle()
    assert page.texts[1].startswith("3 messages")


def test_an_act_that_takes_long_is_told_and_the_rest_waits_in_order(
    page: Page, manager: SessionManager
) -> None:
    names = names_in(manager, "all")
    page.press("wipe")
    page.wait_for(lambda status: status["busy"])
    page.press("save", word="later")
    page.press("drop", "line 0")
    names["gate"].set()
    page.settle()
    assert [act.button for act in names["done"]] == ["wipe", "save", "drop"]
    assert not page.status["busy"] and page.part("word")["value"] == "later"


def test_a_panel_that_fails_says_so_and_leaves_nothing_to_press(session: Session) -> None:
    widget = PanelWidget(session, "quiet")
    page = Page(widget)
    page.act("go")
    assert page.line is not None and page.line[0] == "error"
    assert "The plugin a failed in the panel quiet: ZeroDivisionError" in page.line[1]
    assert page.shown["parts"] == [] and page.shown["title"] == "Quiet"
    page.tell(type="refresh")
    page.settle()
    assert page.line is not None and "There is no panel 'quiet'" in page.line[1]
    session.send("Hello").wait(PATIENCE)
    widget.close()


@pytest.mark.parametrize("code", ["while True: threading.Event().wait()", "return 42", "raise SystemExit"])
def test_a_panel_that_hangs_or_shows_rubbish(tmp_path: Path, code: str) -> None:
    plugin = f"""
import threading

def show(context, place):
    {code}

@hookimpl
def register_panels(register):
    register(Panel("bad", "Bad", "", show, lambda context, act: Outcome()))
"""
    with manager_with(tmp_path, bad=plugin) as manager:
        manager.plugins.watch.limits = Limits(hook=0.2)
        page = Page(PanelWidget(manager.new(), "bad"))
        assert page.line is not None and page.line[0] == "error" and "The plugin bad failed" in page.line[1]
        page.widget.close()


def test_the_list_of_panels_opens_them(session: Session) -> None:
    page = Page(show_panel(session))
    rows = page.part("panels")["rows"]
    assert [row[0] for row in rows] == ["all", "quiet", "settings:a"]
    page.act("open", "settings:a")
    assert page.shown["title"] == "Settings of a" and page.status["back"]
    page.act("save", order="12")
    assert page.line == ("notice", "The settings are saved.") and page.part("order")["value"] == "12"
    page.tell(type="back")
    page.settle()
    assert page.shown["title"] == "Panels"
    page.act("open", "nothing")
    assert page.line is not None and "There is no panel 'nothing'" in page.line[1]
    page.tell(type="back")
    page.settle()
    assert page.line is None and page.part("panels")
    page.widget.close()


def test_a_panel_is_one_widget_until_it_is_closed(session: Session) -> None:
    chat = show(session)
    first = chat.panel("all")
    assert show_panel(session, "all") is first and chat.panel("a") is chat.panel("settings:a")
    assert first.shown["title"] == "All there is", "a cell waits for what there is to show"
    bundle, _ = first._repr_mimebundle_()
    assert "Words today: 350 of 1,000 words" in bundle["text/plain"]
    first.close()
    assert chat.panel("all") is not first
    with pytest.raises(UsageError, match="no panel 'nope'"):
        chat.panel("nope")
    chat.close()


def test_the_chat_shows_the_list_below_itself_and_puts_it_away(session: Session) -> None:
    chat = show(session)
    chat._handle_custom_msg({"type": "panels"}, [])
    assert chat.panels
    inner = chat._panels
    assert inner is not None and inner.settle(PATIENCE) and inner.shown["title"] == "Panels"
    chat._handle_custom_msg({"type": "panels"}, [])
    assert chat.panels == "" and inner.comm is None
    chat._handle_custom_msg({"type": "panels"}, [])
    last = chat._panels
    chat.close()
    assert last is not None and last.comm is None


def test_a_closed_widget_publishes_nothing_more_and_the_chat_goes_on(page: Page, session: Session) -> None:
    before = len(page.states)
    page.widget.close()
    assert session.send("Hello").wait(PATIENCE)
    assert not page.widget.settle(0.01) and len(page.states) == before


def test_what_is_still_being_done_when_a_widget_is_closed_publishes_nothing(
    page: Page, manager: SessionManager
) -> None:
    page.press("wipe")
    page.wait_for(lambda status: status["busy"])
    page.widget.close()
    names_in(manager, "all")["gate"].set()
    page.widget._bridge._thread.join(PATIENCE)
    assert page.status["busy"] and names_in(manager, "all")["done"]


def test_a_panel_of_a_closed_program_says_why_nothing_can_be_done(tmp_path: Path) -> None:
    manager = manager_with(tmp_path, a=ALL)
    page = Page(PanelWidget(manager.new(), "settings:a"))
    manager.close()
    page.act("save", order="3")
    assert page.line is not None
    page.widget.close()


def test_nonsense_from_the_page_changes_nothing(page: Page, manager: SessionManager) -> None:
    before = (page.shown, page.line)
    page.tell(type="act", button=7, row=None, edits=[1], page=3, seq="x", at="0")
    page.tell(type="edit", edits="x", page=None, seq=None)
    page.tell(type="back")
    page.tell(type="nothing")
    page.widget._handle_custom_msg("text", [])
    page.settle()
    assert (page.shown, page.line) == before and names_in(manager, "all")["done"] == []


def test_what_is_lost_is_sent_again(page: Page) -> None:
    sent: list[Any] = []
    page.widget.send_state = sent.append
    page.tell(type="resync")
    page.settle()
    assert sent[0] == ["shown", "status"]


def seen_texts(value: Any) -> Iterator[str]:
    """Yield all texts of a state that a page shows; names and keys it only hands back."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name != "name":
                yield from seen_texts([row[1:] for row in inner] if name == "rows" else inner)
    elif isinstance(value, list):
        for inner in value:
            yield from seen_texts(inner)


def test_texts_of_a_plugin_travel_as_they_are_and_names_come_back(tmp_path: Path) -> None:
    with manager_with(tmp_path, hostile=hostile_code()) as manager:
        page = Page(PanelWidget(manager.new(), "hostile"))
        told = "".join(seen_texts(page.shown))
        assert clean(told) == told and "<img src=x onerror=window.ran=1>" in told
        (table,) = [part for part in page.shown["parts"] if part["kind"] == "rows" and part["rows"]]
        page.act(table["buttons"][1]["name"], table["rows"][5][0])
        assert page.line is not None and page.line[0] == "notice", page.line
        page.widget.close()


# What the page is told


def test_a_table_that_is_too_large_is_cut_and_the_rest_counted() -> None:
    rows = tuple(Row(str(number), ("x" * 1000, "y" * 200)) for number in range(30_000))
    state = wire(View("x", (Rows("r", ("a", "b"), rows), Rows("s", ("a", "b"), rows[:5]))))
    first, second = state["parts"]
    assert len(first["rows"]) + first["more"] == 30_000 and first["more"] > 0
    assert len(first["rows"][0][2]) == 300
    assert len(json.dumps(state)) < 2_500_000
    assert second["more"] + len(second["rows"]) == 5


def test_a_panel_of_too_many_parts_is_cut() -> None:
    state = wire(View("x", (Text("a"),) * (MOST_PARTS + 7)))
    assert len(state["parts"]) == MOST_PARTS + 1
    assert state["parts"][-1]["text"] == "There are 7 more parts, which are not shown."


def test_plain_text_of_a_state() -> None:
    mood = Setting("mood", "choice", "calm", choices=("calm", "wild"))
    parts = (
        Text("Hello", "heading"),
        Meter("Words", 1, 4),
        Field(mood, "wild"),
        Field(Setting("on", "bool", True), True),
        Rows("r", ("a", "b"), (Row("1", ("x", "y"), True), *(Row(str(n), ("x", "y")) for n in range(50)))),
        Rows("s", ("a",), (), (), "Nothing."),
        Button("go", "Go"),
    )
    lines = plain(wire(View("Title", parts))).splitlines()
    assert lines[:6] == ["Title", "Hello", "Words: 1 of 4", "mood: wild", "on: on", "a  b"]
    assert lines[6:8] == ["* x  y", "- x  y"]
    assert lines[-3:] == ["… and 11 more", "Nothing.", "[Go]"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["text", "lines", "int", "float", "bool", "choice"]), json_values)
def test_whatever_the_page_says_is_a_checked_value_or_a_sentence(kind: str, raw: Any) -> None:
    default: Any = {"int": 1, "float": 1.0, "bool": True, "choice": "a"}.get(kind, "a")
    setting = Setting("s", kind, default, least=-5, most=5, choices=("a", "b"))
    values, wrong = typed(View("x", (Field(setting, default),)), {"s": raw})
    if values:
        assert wrong == {} and setting.checked(values["s"]) == values["s"]
    else:
        assert wrong["s"]


@given(st.text(st.characters(), min_size=1), st.text(st.characters()))
def test_any_key_of_a_row_comes_back(key: str, other: str) -> None:
    view = View("x", (Rows("r", ("a",), (Row(other, ("o",)), Row(key, ("k",))), (Button("b", "B"),)),))
    told = json.loads(json.dumps(wire(view), ensure_ascii=False).encode().decode())
    back = row_of(view, "b", told["parts"][0]["rows"][1][0])
    assert back == key or key_of(other) == key_of(key)


def test_every_bundled_panel_is_drawn(tmp_path: Path) -> None:
    with open(tmp_path, model=ScriptedBackend(["The bell rings."])) as manager:
        session = manager.new()
        session.send("Hello").wait(PATIENCE)
        for entry in panels(session):
            page = Page(PanelWidget(session, entry.name))
            assert page.line is None, entry
            assert page.shown["parts"] and page.shown["title"], entry
            page.widget.close()
