"""Panels of plugins in a real JupyterLab, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.hooks.helpers import BUNDLED, write_plugin
from tests.notebook.lab import Lab
from tests.notebook.panels import ALL, hostile_code
from tests.notebook.test_lab import opened

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

OPEN = f"""\
import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.notebook import ChatWidget
manager = airochat.open(model=ScriptedBackend(["The bell rings."]), settings={{
    "plugins_enabled": ("a", "hostile"), "plugins_disabled": {BUNDLED!r}}})
session = manager.new()
chat = ChatWidget(session)
chat"""
PANEL = 'chat.panel("all")'
WAIT = "print('woken:', manager.plugins.panels()['all'][1].show.__globals__['complained'].wait(60))"
HOSTILE = 'chat.panel("hostile")'
DONE = "print([(a.button, a.row) for a in manager.plugins.panels()['all'][1].show.__globals__['done']])"


def panel_of(lab: Lab, title: str) -> Locator:
    """Return the panel with a title, once it is there."""
    found = lab.page.locator(".airochat-panel[data-ready]").filter(
        has=lab.page.locator(".airochat-title", has_text=title)
    )
    found.first.wait_for()
    return found.first


def settled(panel: Locator) -> None:
    """Wait until the kernel has answered."""
    expect(panel).to_have_attribute("data-busy", "false")


def test_panels_in_jupyterlab(tmp_path: Path) -> None:
    with opened(tmp_path, OPEN, PANEL, HOSTILE, WAIT) as lab:
        for name, code in (("a", ALL), ("hostile", hostile_code())):
            write_plugin(tmp_path / "home" / "airochat" / "plugins", name, code)
        lab.run(0)
        lab.run(1)
        edit_and_save(lab)
        a_wrong_value_is_told(lab)
        choose_a_row(lab)
        what_was_typed_survives_a_reload(lab)
        follow_the_chat_and_work_while_a_cell_runs(lab)
        panels_below_the_chat(lab)
        nothing_of_a_plugin_runs(lab)
        the_kernel_goes(lab)
        assert lab.page.locator(".jp-Notebook .jp-Cell").count() == 4, "a key reached the notebook"
        assert [error for error in lab.errors if "blob:" in error or "anywidget" in error] == []


def edit_and_save(lab: Lab) -> None:
    panel = panel_of(lab, "All there is")
    expect(panel.get_by_role("progressbar")).to_have_attribute("aria-valuetext", "350 of 1,000 words")
    panel.get_by_label("word", exact=True).click()
    lab.page.keyboard.type("dam b, a")
    panel.get_by_label("story").fill("")
    panel.get_by_label("story").click()
    lab.page.keyboard.type("first")
    lab.page.keyboard.press("Shift+Enter")
    lab.page.keyboard.type("second")
    panel.get_by_label("depth").fill("9")
    panel.get_by_label("on", exact=True).check()
    panel.get_by_label("mood").select_option("wild")
    panel.get_by_role("button", name="Save").click()
    panel.get_by_text("It is saved.").wait_for()
    settled(panel)
    kept = "print(manager.plugins.panels()['all'][1].show.__globals__['kept'])"
    assert lab.evaluate(kept).strip() == str(
        {"word": "dam b, a", "story": "first\nsecond", "depth": 9, "weight": 0.5, "on": True, "mood": "wild"}
    )


def a_wrong_value_is_told(lab: Lab) -> None:
    panel = panel_of(lab, "All there is")
    panel.get_by_label("depth").fill("12")
    panel.get_by_label("depth").press("Enter")
    panel.get_by_text("It must be a whole number from 0 to 9.").wait_for()
    expect(panel.get_by_label("depth")).to_have_attribute("aria-invalid", "true")
    panel.get_by_label("depth").fill("3")
    panel.get_by_label("depth").press("Enter")
    panel.get_by_text("It is saved.").wait_for()
    expect(panel.get_by_label("depth")).to_have_attribute("aria-invalid", "false")


def choose_a_row(lab: Lab) -> None:
    panel = panel_of(lab, "All there is")
    panel.get_by_label("Filter").first.fill("line 299")
    panel.get_by_text("13 of 3,000").wait_for()
    panel.get_by_label("Filter").first.press("Enter")
    lab.page.keyboard.press("End")
    lab.page.keyboard.press("ArrowUp")
    lab.page.keyboard.press("Enter")
    opened_row = panel_of(lab, "line:line 2998")
    opened_row.get_by_text("All about line 2998.").wait_for()
    opened_row.get_by_role("button", name="Back").click()
    panel = panel_of(lab, "All there is")
    settled(panel)
    row = panel.get_by_role("row").filter(has_text="LINE 2").first
    row.get_by_role("button", name="Drop").click()
    panel.get_by_text("Drop it for good?").wait_for()
    panel.get_by_role("button", name="Cancel").press("Escape")
    expect(panel.get_by_text("Drop it for good?")).to_be_hidden()
    row.get_by_role("button", name="Drop").click()
    panel.get_by_role("alertdialog").get_by_role("button", name="Drop").click()
    panel.get_by_text("line 2 is gone.").wait_for()
    panel.get_by_text("2,999", exact=True).wait_for()
    panel.get_by_role("row").filter(has_text="LINE 5").first.click()
    panel_of(lab, "line:line 5").get_by_role("button", name="Back").click()
    assert (
        lab.evaluate(DONE).strip().endswith("('open', 'line 2998'), ('drop', 'line 2'), ('open', 'line 5')]")
    )


def what_was_typed_survives_a_reload(lab: Lab) -> None:
    panel = panel_of(lab, "All there is")
    settled(panel)
    panel.get_by_label("word", exact=True).fill("half a thou")
    expect(panel).to_have_attribute("data-typed", "told")
    lab.save()
    lab.open()
    panel = panel_of(lab, "All there is")
    expect(panel.get_by_label("word", exact=True)).to_have_value("half a thou")
    panel.get_by_label("word", exact=True).press("End")
    lab.page.keyboard.type("ght")
    panel.get_by_role("button", name="Save").click()
    panel.get_by_text("It is saved.").wait_for()
    expect(panel.get_by_label("word", exact=True)).to_have_value("half a thought")


def follow_the_chat_and_work_while_a_cell_runs(lab: Lab) -> None:
    box = lab.page.locator(".airochat textarea").first
    box.click()
    lab.page.keyboard.type("Hello")
    lab.page.keyboard.press("Enter")
    panel = panel_of(lab, "All there is")
    panel.get_by_text("2 messages.").wait_for()
    lab.start(3)
    panel.get_by_role("button", name="Complain").click()
    panel.get_by_text("That is too much. Do less.").wait_for()
    lab.page.locator(".jp-OutputArea-output").get_by_text("woken: True").wait_for()


def panels_below_the_chat(lab: Lab) -> None:
    turn = lab.page.get_by_role("button", name="Panels of plugins, and their settings")
    turn.click()
    listed = panel_of(lab, "Panels")
    listed.get_by_role("row").filter(has_text="Settings of a").click()
    form = panel_of(lab, "Settings of a")
    form.get_by_label("order").fill("7")
    form.get_by_role("button", name="Save").click()
    form.get_by_text("The settings are saved.").wait_for()
    turn.click()
    expect(lab.page.locator(".airochat .airochat-panel")).to_have_count(0)


def nothing_of_a_plugin_runs(lab: Lab) -> None:
    asked: list[str] = []
    lab.page.on("request", lambda request: asked.append(request.url))
    lab.run(2)
    panel = lab.page.locator(".airochat-panel[data-ready]").nth(1)
    panel.get_by_role("button").last.wait_for(state="attached")
    panel.get_by_role("row").nth(1).locator(".airochat-tools button").click()
    expect(panel).to_have_attribute("data-busy", "false")
    assert lab.page.evaluate("window.ran") is None
    assert [url for url in asked if "leak.test" in url] == []
    assert panel.locator("script, img, svg, iframe, a, form, style, object, video, details").count() == 0


def the_kernel_goes(lab: Lab) -> None:
    lab.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    panel_of(lab, "All there is").get_by_text("The kernel is gone.").wait_for()
