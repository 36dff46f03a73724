"""The page side of a panel, alone in a real Chromium: no kernel, a model object that the test drives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

import airochat.notebook
from airochat.hooks import Button, Field, Meter, Row, Rows, Setting, Text, View
from airochat.notebook.panel_state import wire
from tests.notebook.canaries import CANARIES
from tests.notebook.lab import chromium_page

pytestmark = pytest.mark.browser

ROOM = Path(airochat.notebook.__file__).parent
SCRIPT = ROOM / "panel.js"
ORIGIN = "http://page.test/"
LOAD = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const widget = (await import(url)).default();
    const listeners = {};
    window.sent = [];
    window.traits = {};
    window.model = {
        get: (name) => window.traits[name],
        send: (message) => {
            if (window.gone) throw new Error('Cannot send');
            window.sent.push(structuredClone(message));
        },
        on: (name, call) => { listeners[name] = call; },
        off: () => {},
    };
    window.tell = (traits) => {
        Object.assign(window.traits, traits);
        for (const name of Object.keys(traits)) listeners[`change:${name}`]();
    };
    window.lose = () => listeners['comm_live_update']();
    widget.initialize({ model: window.model, signal: new AbortController().signal });
    window.views = [0, 1].map(() => document.body.appendChild(document.createElement('div')));
    window.views.forEach((el) => widget.render({ model: window.model, el }));
}"""

WORD = Setting("word", "text", "", "One word.")
DEPTH = Setting("depth", "int", 4, "How deep.", 0, 9)
TABLE_BUTTONS = (Button("open", "Open"), Button("drop", "Drop", "Really?"), Button("up", "Up"))


def table(count: int, *marked: int) -> Rows:
    rows = tuple(
        Row(f"k{number}", (f"row {number}", f"{number:05}"), number in marked) for number in range(count)
    )
    return Rows("t", ("Name", "Number"), rows, TABLE_BUTTONS, "Nothing yet.")


class Panel:
    """Two views of one panel."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rev = 0
        self.first = page.locator(".airochat-panel").first
        self.second = page.locator(".airochat-panel").nth(1)

    def show(self, *parts: Any, at: int = 0, **status: Any) -> None:
        self.rev += 1
        shown = {"at": at, **wire(View("Title", parts))}
        self.page.evaluate("window.tell", {"shown": shown, "status": self.status(**status)})

    def status(self, **fields: Any) -> dict[str, Any]:
        empty: dict[str, Any] = {
            "busy": False,
            "back": False,
            "line": None,
            "wrong": {},
            "edits": {},
            "seen": {},
        }
        return {"rev": self.rev, **empty, **fields}

    def answer(self, **fields: Any) -> None:
        self.rev += 1
        self.page.evaluate("window.tell", {"status": self.status(**fields)})

    def sent(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate("window.sent")
        return [one for one in found if one["type"] == kind]

    def acts(self) -> list[tuple[str, str]]:
        return [(one["button"], one["row"]) for one in self.sent("act")]

    def row(self, text: str) -> Locator:
        return self.first.get_by_role("row").filter(has=self.page.get_by_text(text, exact=True))


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with chromium_page() as page:
        yield page


@pytest.fixture
def panel(browser_page: Page) -> Panel:
    browser_page.unroute_all()
    browser_page.route(
        "**/*", lambda route: route.fulfill(body="<!doctype html><title>t</title>", content_type="text/html")
    )
    browser_page.goto(ORIGIN)
    for name in ("chat_widget.css", "panel.css"):
        browser_page.add_style_tag(path=ROOM / name)
    browser_page.evaluate(LOAD, SCRIPT.read_text(encoding="utf-8"))
    return Panel(browser_page)


def test_what_is_typed_is_told_once_and_goes_with_the_button(panel: Panel) -> None:
    panel.show(Field(WORD, ""), Field(DEPTH, 4), Button("save", "Save"))
    panel.first.get_by_label("word").click()
    panel.page.keyboard.type("hello")
    expect(panel.second.get_by_label("word")).to_have_value("hello")
    panel.page.wait_for_function("window.sent.some((m) => m.type === 'edit')")
    (edit,) = panel.sent("edit")
    assert edit["edits"] == {"word": "hello"} and edit["seq"] == 1
    panel.first.get_by_label("depth").fill("7")
    panel.first.get_by_role("button", name="Save").click()
    (act,) = panel.sent("act")
    assert act["edits"] == {"word": "hello", "depth": "7"} and act["button"] == "save"


def test_a_second_click_waits_for_the_answer(panel: Panel) -> None:
    panel.show(Button("go", "Go"))
    button = panel.first.get_by_role("button", name="Go")
    button.dblclick()
    expect(button).to_be_disabled()
    expect(panel.first).to_have_attribute("data-busy", "true")
    panel.answer(busy=True)
    expect(button).to_be_disabled()
    panel.answer(line={"kind": "notice", "text": "Done."})
    expect(button).to_be_enabled()
    expect(panel.second.get_by_role("status")).to_have_text("Done.")
    assert panel.acts() == [("go", "")]


def test_an_older_word_of_the_kernel_does_not_undo_what_is_typed(panel: Panel) -> None:
    panel.show(Field(WORD, "old"), Text("first"))
    box = panel.first.get_by_label("word")
    box.fill("ab")
    panel.page.wait_for_function("window.sent.some((m) => m.type === 'edit')")
    page_id = panel.sent("edit")[0]["page"]
    box.press_sequentially("c")
    panel.show(Field(WORD, "old"), Text("second"), edits={"word": "ab"}, seen={page_id: 1})
    expect(panel.first.get_by_text("second")).to_be_visible()
    expect(box).to_have_value("abc")
    panel.page.wait_for_function("window.sent.filter((m) => m.type === 'edit').length === 2")
    panel.answer(edits={"word": "ab"}, seen={page_id: 1})
    expect(box).to_have_value("abc")
    panel.answer(edits={}, seen={page_id: 2})
    expect(box).to_have_value("old")


def test_a_refresh_keeps_focus_selection_filter_and_the_chosen_row(panel: Panel) -> None:
    panel.show(Text("one"), Field(WORD, "some words"), table(50))
    box = panel.first.get_by_label("word")
    box.evaluate("(box) => { box.focus(); box.setSelectionRange(2, 4); }")
    panel.first.get_by_label("Filter").evaluate(
        "(f) => { f.value = 'row 3'; f.dispatchEvent(new Event('input')); }"
    )
    panel.show(Text("two"), Field(WORD, "some words"), table(40, 31))
    expect(panel.first.get_by_text("two")).to_be_visible()
    assert box.evaluate(
        "(box) => [box === document.activeElement, box.selectionStart, box.selectionEnd]"
    ) == [True, 2, 4]
    expect(panel.first.get_by_text("13 of 40")).to_be_visible()
    panel.first.get_by_label("Filter").press("Enter")
    for _ in range(3):
        panel.page.keyboard.press("ArrowDown")
    expect(panel.row("row 30")).to_have_attribute("aria-selected", "true")
    rows = table(40).rows
    panel.show(
        Text("two"), Field(WORD, "some words"), Rows("t", ("Name", "Number"), rows[20:], TABLE_BUTTONS)
    )
    expect(panel.row("row 30")).to_have_attribute("aria-selected", "true")


def test_a_row_is_chosen_by_keys(panel: Panel) -> None:
    panel.show(table(3000))
    panel.first.get_by_role("grid").focus()
    for key in ("ArrowDown", "ArrowDown", "PageDown", "ArrowUp", "Enter"):
        panel.page.keyboard.press(key)
    panel.answer()
    panel.page.keyboard.press("End")
    expect(panel.row("row 2999")).to_be_in_viewport()
    panel.page.keyboard.press("Enter")
    panel.answer()
    panel.page.keyboard.press("Tab")
    expect(panel.row("row 2999").get_by_role("button", name="Drop")).to_be_focused()
    panel.page.keyboard.press("Tab")
    panel.page.keyboard.press("Enter")
    panel.answer()
    panel.page.keyboard.press("Home")
    panel.page.keyboard.press("Enter")
    first, *rest = panel.acts()
    assert first[0] == "open" and first[1] in {f"k{number}" for number in range(5, 14)}
    assert rest == [("open", "k2999"), ("up", "k2999"), ("open", "k0")]


def test_a_click_does_the_first_and_each_row_has_the_others(panel: Panel) -> None:
    panel.show(table(3, 1))
    panel.row("row 1").get_by_text("00001").click()
    panel.answer()
    panel.row("row 2").get_by_role("button", name="Up").click()
    panel.answer()
    panel.row("row 0").get_by_role("button", name="Drop").click()
    expect(panel.first.get_by_role("alertdialog")).to_contain_text("Really?")
    panel.page.keyboard.press("Escape")
    expect(panel.first.get_by_role("alertdialog")).to_be_hidden()
    expect(panel.first.get_by_role("grid")).to_be_focused()
    assert panel.acts() == [("open", "k1"), ("up", "k2")]
    panel.row("row 0").get_by_role("button", name="Drop").click()
    panel.first.get_by_role("alertdialog").get_by_role("button", name="Drop").click()
    assert panel.acts()[-1] == ("drop", "k0")


def test_text_of_a_row_can_be_marked_without_doing_anything(panel: Panel) -> None:
    panel.show(table(3))
    cell = panel.row("row 1").get_by_text("00001")
    cell.evaluate("(cell) => getSelection().selectAllChildren(cell)")
    cell.dispatch_event("click")
    assert panel.acts() == []
    panel.row("row 2").get_by_text("00002").dispatch_event("click")
    assert panel.acts() == [("open", "k2")]


def test_only_what_is_in_view_is_drawn(panel: Panel) -> None:
    panel.show(table(20_000))
    assert panel.first.get_by_role("row").count() < 60
    expect(panel.row("row 11")).to_be_in_viewport()
    panel.first.get_by_label("Filter").fill("19999")
    expect(panel.first.get_by_text("1 of 20,000")).to_be_visible()
    expect(panel.row("row 19999")).to_be_visible()
    panel.first.get_by_label("Filter").fill("")
    panel.first.get_by_role("grid").evaluate("(grid) => { grid.scrollTop = 28 * 10000; }")
    expect(panel.row("row 10005")).to_be_visible()


def test_enter_in_a_field_presses_the_next_button_unless_that_one_asks(panel: Panel) -> None:
    panel.show(Button("other", "Other"), Field(WORD, ""), Button("save", "Save"))
    panel.first.get_by_label("word").press("Enter")
    assert panel.acts() == [("save", "")]
    panel.show(Field(WORD, ""), Button("wipe", "Wipe", "Sure?"), Button("save", "Save"), at=1)
    panel.first.get_by_label("word").press("Enter")
    assert panel.acts() == [("save", "")]


def test_another_place_forgets_what_was_typed_and_asked(panel: Panel) -> None:
    panel.show(Field(WORD, "one"), Button("wipe", "Wipe", "Sure?"))
    panel.first.get_by_label("word").fill("typed")
    panel.first.get_by_role("button", name="Wipe").click()
    expect(panel.first.get_by_role("alertdialog")).to_be_visible()
    panel.show(Field(WORD, "two"), Button("wipe", "Wipe", "Sure?"), at=1, back=True)
    expect(panel.first.get_by_role("alertdialog")).to_be_hidden()
    expect(panel.first.get_by_label("word")).to_have_value("two")
    panel.first.get_by_role("button", name="Back").click()
    assert panel.sent("back") == [{"type": "back", "at": 1}]
    assert panel.sent("edit") == []


def test_no_key_leaves_the_panel(panel: Panel) -> None:
    panel.show(Field(WORD, ""), table(20), Button("go", "Go"))
    panel.page.evaluate("document.addEventListener('keydown', () => { window.leaked = true })")
    panel.first.get_by_label("word").press("Shift+Enter")
    panel.first.get_by_role("grid").press("a")
    panel.first.get_by_role("button", name="Go").press("d")
    assert panel.page.evaluate("window.leaked") is None
    assert panel.page.locator("[data-lm-suppress-shortcuts=true].airochat-panel").count() == 2


@pytest.mark.parametrize("loss", ["window.lose()", "window.gone = true"])
def test_a_lost_kernel_is_told(panel: Panel, loss: str) -> None:
    panel.show(Field(WORD, ""), Button("go", "Go"), table(3))
    panel.page.evaluate(loss)
    if "gone" in loss:
        panel.first.get_by_role("button", name="Go").click()
    expect(panel.first.get_by_role("status")).to_contain_text("The kernel is gone.")
    expect(panel.first.get_by_role("button", name="Go")).to_be_disabled()
    panel.row("row 1").get_by_text("00001").click()
    assert panel.acts() == []


def test_a_part_that_changes_its_kind_is_drawn_anew(panel: Panel) -> None:
    choice = Setting("word", "choice", "a", choices=("a", "b"))
    panel.show(Field(WORD, "x"), Meter("m", 1, 2))
    panel.show(Field(choice, "b"), Text("t", "warning"))
    assert panel.first.get_by_label("word").evaluate("(node) => node.tagName") == "SELECT"
    panel.show(Field(Setting("word", "choice", "c", choices=("c", "d", "e")), "e"))
    assert panel.first.get_by_label("word").locator("option").all_inner_texts() == ["c", "d", "e"]
    expect(panel.first.get_by_label("word")).to_have_value("2")
    panel.show()
    expect(panel.first.locator(".airochat-body > *:not(.airochat-sure)")).to_have_count(0)


@pytest.mark.parametrize("text", CANARIES)
def test_nothing_that_a_plugin_writes_runs(panel: Panel, text: str) -> None:
    asked: list[str] = []
    panel.page.on("request", lambda request: asked.append(request.url))
    setting = Setting(text, "choice", text, text, choices=(text, "x"), label=text)
    buttons = (Button("a" + text, text, text), Button("b" + text, text))
    rows = Rows(
        text,
        (text,),
        (Row(text, (text,), True),),
        buttons,
        text,
    )
    line = {"kind": "error", "text": text}
    parts = (
        Text(text, "heading"),
        Meter(text, 1, 2, text),
        Field(setting, text),
        Button(text, text, text),
        rows,
    )
    panel.show(*parts, line=line, wrong={text: text})
    panel.first.locator(".airochat-body > button").click()
    expect(panel.first.get_by_role("alertdialog")).to_be_visible()
    assert panel.page.evaluate("window.ran") is None
    assert [url for url in asked if "leak.test" in url] == []
    assert panel.page.url == ORIGIN
    assert (
        panel.first.locator("script, img, svg, iframe, a, form, style, object, video, details").count() == 0
    )
