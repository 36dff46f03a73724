"""The widget's page side, alone in a real Chromium: no kernel, a model object that the test drives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route

import airochat.notebook
from airochat.notebook.markdown import to_html
from tests.notebook.canaries import CANARIES
from tests.notebook.lab import chromium_page

pytestmark = pytest.mark.browser

STYLE = Path(airochat.notebook.__file__).with_name("chat_widget.css")
SCRIPT = Path(airochat.notebook.__file__).with_name("chat_widget.js")
ORIGIN = "http://page.test/"
LOAD = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const widget = (await import(url)).default();
    const listeners = {};
    window.sent = [];
    window.model = {
        get: (name) => window.snapshot,
        send: (message) => { if (window.gone) throw new Error('Cannot send'); window.sent.push(message); },
        on: (name, call) => { listeners[name] = call; },
        off: () => {},
    };
    window.tell = (message) => listeners['msg:custom'](message);
    window.keep = (kept) => { window.snapshot = kept; listeners['change:snapshot'](); };
    window.lose = () => listeners['comm_live_update']();
    widget.initialize({ model: window.model, signal: new AbortController().signal });
    window.views = [0, 1].map(() => document.body.appendChild(document.createElement('div')));
    window.views.forEach((el) => widget.render({ model: window.model, el }));
}"""


def state(**changes: Any) -> dict[str, Any]:
    empty = {"messages": [], "earlier": 0, "running": None, "swipe": None, "line": None, "progress": None}
    return {**empty, "model": "", "why": "", "partner": "Mira", "activity": "", **changes}


def message(number: int, html: str, role: str = "assistant", note: str = "") -> dict[str, Any]:
    return {"id": str(number), "role": role, "name": "Mira", "html": html, "note": note}


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with chromium_page() as page:
        yield page


@pytest.fixture
def page(browser_page: Page) -> Page:
    browser_page.unroute_all()
    browser_page.route(
        "**/*", lambda route: route.fulfill(body="<!doctype html><title>t</title>", content_type="text/html")
    )
    browser_page.goto(ORIGIN)
    browser_page.evaluate("window.snapshot = " + json.dumps({"rev": 0, "state": state()}))
    browser_page.evaluate(LOAD, SCRIPT.read_text())
    return browser_page


def sent(page: Page, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("window.sent")
    return [one for one in found if one["type"] == kind]


def tell(page: Page, **fields: Any) -> None:
    page.evaluate("window.tell", fields)


def grow(page: Page, rev: int, text: str) -> None:
    tell(page, type="change", rev=rev, text=text)


def start_reply(page: Page, rev: int = 1) -> None:
    tell(page, type="change", rev=rev, set={"running": {"id": "7", "name": "Mira", "text": ""}})


def test_a_growing_reply_is_text_in_every_view(page: Page) -> None:
    start_reply(page)
    grow(page, 2, "<img src=x onerror=window.ran=1>")
    grow(page, 3, " and more")
    texts = page.locator(".airochat-growing .airochat-text").all_text_contents()
    assert texts == ["<img src=x onerror=window.ran=1> and more"] * 2
    assert page.evaluate("window.ran") is None


def test_a_lost_change_is_asked_for_once_and_later_ones_are_kept(page: Page) -> None:
    tell(page, type="full", rev=0, state=state(), draft="")
    start_reply(page)
    grow(page, 2, "one ")
    grow(page, 4, "three ")
    grow(page, 5, "four ")
    assert len(sent(page, "resync")) == 2, "one at the start, one for the gap"
    full = state(running={"id": "7", "name": "Mira", "text": "one two "})
    tell(page, type="full", rev=3, state=full, draft="")
    assert page.locator(".airochat-growing .airochat-text").first.text_content() == "one two three four "
    assert page.locator(".airochat").first.get_attribute("data-rev") == "5"


def test_an_old_full_state_changes_nothing(page: Page) -> None:
    start_reply(page)
    grow(page, 2, "new")
    tell(page, type="full", rev=1, state=state(), draft="")
    assert page.locator(".airochat-growing .airochat-text").first.text_content() == "new"


def test_a_kept_state_repairs_a_lost_last_change(page: Page) -> None:
    start_reply(page)
    page.evaluate("window.keep", {"rev": 9, "state": state(messages=[message(1, "<p>all of it</p>")])})
    assert page.locator(".airochat-text").all_text_contents() == ["all of it"] * 2
    assert page.locator(".airochat").first.get_attribute("data-busy") == "false"


def test_messages_are_spliced_and_unchanged_ones_keep_their_element(page: Page) -> None:
    tell(
        page,
        type="change",
        rev=1,
        splice=[0, [message(1, "<p>first</p>", "user"), message(2, "<p>second</p>")]],
    )
    page.evaluate("window.first = window.views[0].querySelector('.airochat-message')")
    tell(page, type="change", rev=2, splice=[1, [message(3, "<p>other</p>", note="stopped")]])
    texts = page.locator("div:first-of-type > .airochat-log .airochat-text").all_text_contents()
    assert texts[:2] == ["first", "other"]
    assert page.evaluate("window.first.isConnected")
    assert page.locator(".airochat-note").first.text_content() == "stopped"


def test_enter_sends_and_shift_enter_does_not(page: Page) -> None:
    box = page.locator(".airochat textarea").first
    box.click()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    assert sent(page, "send") == [{"type": "send", "text": "one\ntwo"}]
    assert box.input_value() == ""


def test_no_key_leaves_the_composer(page: Page) -> None:
    page.evaluate("document.addEventListener('keydown', () => { window.leaked = true })")
    page.locator(".airochat textarea").first.press("Shift+Enter")
    assert page.evaluate("window.leaked") is None
    assert page.locator("[data-lm-suppress-shortcuts=true] textarea").count() == 2


def test_while_a_reply_grows_enter_keeps_the_draft_and_escape_stops(page: Page) -> None:
    start_reply(page)
    box = page.locator(".airochat textarea").first
    box.fill("next")
    box.press("Enter")
    box.press("Escape")
    assert sent(page, "send") == []
    assert sent(page, "stop") == [{"type": "stop"}]
    assert box.input_value() == "next"


def test_refused_text_comes_back_with_the_reason(page: Page) -> None:
    box = page.locator(".airochat textarea").first
    box.fill("precious")
    box.press("Enter")
    line = {"kind": "error", "text": "The message could not be saved.", "hint": "Free some space."}
    tell(page, type="change", rev=1, set={"line": line}, back="precious")
    assert box.input_value() == "precious"
    assert (
        page.locator(".airochat-line").first.text_content()
        == "The message could not be saved. Free some space."
    )


def test_the_draft_survives_a_reload(page: Page) -> None:
    page.locator(".airochat textarea").first.fill("half a thou")
    page.wait_for_function("window.sent.some((m) => m.type === 'draft')")
    assert sent(page, "draft")[-1] == {"type": "draft", "text": "half a thou"}
    page.goto(ORIGIN)
    page.evaluate("window.snapshot = " + json.dumps({"rev": 0, "state": state(), "draft": "an older one"}))
    page.evaluate(LOAD, SCRIPT.read_text())
    tell(page, type="full", rev=3, state=state(), draft="half a thou")
    assert page.locator(".airochat textarea").first.input_value() == "half a thou"


def test_swipes_are_turned_by_buttons_and_by_arrows_in_an_empty_composer(page: Page) -> None:
    tell(page, type="change", rev=1, splice=[0, [message(1, "<p>x</p>")]], set={"swipe": [2, 3]})
    assert page.locator(".airochat-count").first.text_content() == "2 of 3"
    box = page.locator(".airochat textarea").first
    box.press("ArrowLeft")
    page.get_by_label("Next alternative").first.click()
    box.fill("x")
    box.press("ArrowLeft")
    page.get_by_label("Write another reply").first.click()
    kinds = [one["type"] for one in page.evaluate("window.sent") if one["type"] != "draft"]
    assert kinds == ["resync", "previous", "next", "again"]


SEVERAL = [{"id": "7", "text": ""}, {"id": "8", "text": "<b>tw</b>"}, {"id": "9", "text": ""}]


def start_several(page: Page) -> None:
    running = {"id": "7", "name": "Mira", "text": "one"}
    tell(page, type="change", rev=1, set={"running": running, "cards": SEVERAL})


def card_texts(page: Page) -> list[str]:
    return page.locator(".airochat").first.locator(".airochat-words").all_text_contents()


def test_several_replies_grow_as_text_on_cards(page: Page) -> None:
    start_several(page)
    tell(page, type="change", rev=2, text=" more", grown=[[1, "o"], [2, "<img src=x onerror=window.ran=1>"]])
    assert card_texts(page) == ["one more", "<b>tw</b>o", "<img src=x onerror=window.ran=1>"]
    assert page.locator(".airochat-growing .airochat-text").first.text_content() == "one more"
    assert page.evaluate("window.ran") is None
    assert page.locator(".airochat-cards b, .airochat-cards img").count() == 0
    cards = page.locator(".airochat").first.get_by_role("button").filter(has=page.locator(".airochat-number"))
    assert [one.get_attribute("aria-pressed") for one in cards.all()] == ["true", "false", "false"]


def test_a_card_that_is_clicked_is_asked_for_and_its_reply_takes_the_place(page: Page) -> None:
    start_several(page)
    page.locator(".airochat-card").nth(1).click()
    assert sent(page, "show") == [{"type": "show", "id": "8"}]
    other = [{"id": "7", "text": "one"}, {"id": "8", "text": ""}, {"id": "9", "text": ""}]
    tell(
        page,
        type="change",
        rev=2,
        set={"running": {"id": "8", "name": "Mira", "text": "two"}, "cards": other},
    )
    assert page.locator(".airochat-growing .airochat-text").first.text_content() == "two"
    assert card_texts(page) == ["one", "two", ""]
    assert page.locator(".airochat-card").nth(1).get_attribute("aria-pressed") == "true"


def test_cards_stay_for_choosing_and_go_when_put_away(page: Page) -> None:
    start_several(page)
    cards = [{"id": "7", "text": "one"}, {"id": "8", "text": "two"}]
    told = {"running": None, "cards": cards, "swipe": [2, 2]}
    tell(page, type="change", rev=2, splice=[0, [message(8, "<p>two</p>")]], set=told)
    assert card_texts(page) == ["one", "two"]
    assert page.locator(".airochat-card").nth(1).get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="2 of 2").first.click()
    assert sent(page, "cards") == [{"type": "cards"}]
    tell(page, type="change", rev=3, set={"cards": []})
    assert page.locator(".airochat-cards").first.is_hidden() and card_texts(page) == []


def test_the_number_of_replies_is_chosen_and_shown(page: Page) -> None:
    page.evaluate("document.addEventListener('keydown', () => { window.leaked = true })")
    select = page.get_by_label("Replies at once").first
    select.select_option("4")
    assert sent(page, "replies") == [{"type": "replies", "n": 4}]
    tell(page, type="change", rev=1, set={"replies": 12})
    assert select.input_value() == "12"
    select.press("d")
    assert page.evaluate("window.leaked") is None


def test_the_memory_horizon_is_a_line_above_the_first_message_seen(page: Page) -> None:
    page.add_style_tag(path=STYLE)
    shown = [message(1, "<p>a</p>"), message(2, "<p>b</p>"), message(3, "<p>c</p>")]
    tell(page, type="change", rev=1, splice=[0, shown], set={"horizon": "2"})
    marked = page.locator(".airochat").first.locator(".airochat-horizon")
    assert [text.split() for text in marked.all_inner_texts()] == [["Mira", "b"]]
    seen = "(node) => getComputedStyle(node, '::before').content"
    assert "from here on the model sees the chat" in marked.evaluate(seen)
    tell(page, type="change", rev=2, set={"horizon": "3"})
    assert marked.count() == 1 and "c" in marked.inner_text()
    tell(page, type="change", rev=3, set={"horizon": None})
    assert marked.count() == 0


def test_what_is_typed_is_told_once_after_a_pause(page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # from here on only the test lets time pass
    box = page.locator(".airochat textarea").first
    box.focus()
    for key in "The old":
        page.keyboard.type(key)
        page.clock.run_for(400)
    assert sent(page, "draft") == []
    page.clock.run_for(150)
    assert sent(page, "draft") == [{"type": "draft", "text": "The old"}]
    page.clock.run_for(5000)
    page.clock.resume()
    assert len(sent(page, "draft")) == 1


def test_a_state_saved_by_an_older_version_is_shown(page: Page) -> None:
    page.evaluate("window.keep", {"rev": 9, "state": state(messages=[message(1, "<p>x</p>")])})
    assert page.locator(".airochat-text").all_text_contents() == ["x"] * 2
    assert page.get_by_label("Replies at once").first.input_value() == "1"


def test_a_lost_kernel_is_told_and_typing_is_off(page: Page) -> None:
    page.evaluate("window.lose()")
    assert "kernel is gone" in (page.locator(".airochat-line").first.text_content() or "")
    assert page.locator(".airochat textarea").first.is_disabled()


def test_sending_into_a_lost_kernel_keeps_the_text(page: Page) -> None:
    page.evaluate("window.gone = true")
    box = page.locator(".airochat textarea").first
    box.fill("precious")
    box.press("Enter")
    assert box.input_value() == "precious"
    assert page.locator(".airochat").first.get_attribute("data-live") == "false"


def test_no_canary_sings(browser_page: Page) -> None:
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body="<!doctype html>", content_type="text/html")

    browser_page.unroute_all()
    browser_page.route("**/*", note)
    browser_page.goto(ORIGIN)
    asked.clear()
    for text in CANARIES:
        browser_page.evaluate("(html) => { document.body.innerHTML = html }", to_html(text))
        links = browser_page.evaluate(
            "() => [...document.querySelectorAll('a')].map((a) => {"
            "  a.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));"
            "  a.addEventListener('click', (e) => e.preventDefault());"
            "  a.click(); return [a.protocol, a.target, a.hasAttribute('href')]; })"
        )
        assert all(target == "_blank" for _, target, _ in links), text
        assert all(scheme in ("http:", "https:") for scheme, _, real in links if real), text
        assert browser_page.evaluate("window.ran") is None, text
    browser_page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert asked == []
    assert browser_page.url == ORIGIN


def test_a_question_is_answered_by_a_button(page: Page) -> None:
    box = page.locator(".airochat-question").first
    assert not box.is_visible()
    question = {
        "id": "r.0",
        "title": "<b>lamp</b>",
        "plugin": "toolbox",
        "about": "Lights.",
        "arguments": '{"a": 1}',
    }
    page.evaluate(
        "message => tell(message)", {"type": "full", "rev": 1, "state": state(question=question), "draft": ""}
    )
    assert "May the model use <b>lamp</b>?" in box.inner_text() and '{"a": 1}' in box.inner_text()
    box.get_by_role("button", name="Yes, once").click()
    assert sent(page, "approve") == [{"type": "approve", "id": "r.0", "answer": "once"}]
    page.evaluate("message => tell(message)", {"type": "change", "rev": 2, "set": {"question": None}})
    assert not box.is_visible()
