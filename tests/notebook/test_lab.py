"""The widget in a real JupyterLab, in a real Chromium, on the real model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from tests.notebook.lab import Lab, chromium_page, running_server, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

OPEN = """\
import airochat
from airochat.notebook import ChatWidget
manager = airochat.open(model="demo", settings={"n_ctx": 8192, "max_tokens": 6000, "seed": 7, "ignore_eos": True})
session = manager.new(system="You tell long stories.")
chat = ChatWidget(session)
chat"""
BLOCK = 'turn = session.send("Tell it once more.")\nchat.settle()\nprint("reason:", turn.reason)'
KILL = """\
import os, psutil, signal
engines = [one for one in psutil.Process().children(recursive=True) if "airochat" in " ".join(one.cmdline())]
for engine in engines:
    os.kill(engine.pid, signal.SIGKILL)
print(len(engines))"""


SCRIPTED = """\
import threading
import airochat
import airochat.session.ahead
from airochat.backends.scripted import ScriptedBackend
from airochat.notebook import ChatWidget

class Watched(ScriptedBackend):
    asked, ahead = threading.Event(), ""
    def generate(self, request):
        if request.purpose == "prepare":
            self.ahead = b"".join(self.tokenizer.pieces(request.prompt)).decode()
            self.asked.set()
        return super().generate(request)

airochat.session.ahead.on_battery = lambda: False
backend = Watched(["One.", "Two <b>bold</b>.", "Three.", "Four."], gated=True)
manager = airochat.open(model=backend)
manager.start()
manager.wait_for_model()
session = manager.new()
chat = ChatWidget(session)
chat"""
BUSY = 'print("read ahead:", backend.asked.wait(120), backend.ahead.endswith("The old"))'


class Chat:
    """The chat widget in the page."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.input = lab.page.locator(".airochat textarea")
        self.growing = lab.page.locator(".airochat-growing .airochat-text")

    def ready(self) -> None:
        self.lab.page.wait_for_selector(".airochat[data-ready]")

    def say(self, text: str) -> None:
        self.input.focus()
        self.lab.page.keyboard.type(text)
        self.lab.page.keyboard.press("Enter")

    def grown(self, length: int) -> str:
        """Wait until the growing reply has so many characters, and return it."""
        script = "(n) => document.querySelector('.airochat-growing .airochat-text')?.textContent.length >= n"
        self.lab.page.wait_for_function(script, arg=length, timeout=120_000)
        return self.growing.text_content() or ""

    def idle(self) -> None:
        self.lab.page.wait_for_selector('.airochat[data-busy="false"]', timeout=120_000)

    def texts(self) -> list[str]:
        found = self.lab.page.locator(".airochat-message:not(.airochat-growing) .airochat-text")
        return [text.strip() for text in found.all_inner_texts()]

    def last_note(self) -> Locator:
        return self.lab.page.locator(".airochat-message").last.locator(".airochat-note")

    def stop(self) -> None:
        self.lab.page.locator(".airochat").get_by_label("Stop the reply").click()


@contextmanager
def opened(folder: Path, *cells: str) -> Iterator[Lab]:
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    write_notebook(work / "chat.ipynb", *cells)
    with running_server(work, home) as url, chromium_page() as page:
        yield Lab(page, url, work / "chat.ipynb")


def test_alternatives_in_jupyterlab(tmp_path: Path) -> None:
    with opened(tmp_path, SCRIPTED, BUSY) as lab:
        lab.run(0)
        chat = Chat(lab)
        chat.ready()
        read_ahead_while_a_cell_runs(chat)
        choose_one_of_three(chat)
        assert [error for error in lab.errors if "blob:" in error or "anywidget" in error] == []


def read_ahead_while_a_cell_runs(chat: Chat) -> None:
    chat.lab.start(1)
    chat.input.focus()
    chat.lab.page.keyboard.type("The old lighthou")
    chat.lab.page.locator(".jp-OutputArea-output").get_by_text("read ahead: True True").wait_for()


def choose_one_of_three(chat: Chat) -> None:
    page = chat.lab.page
    page.get_by_label("Replies at once").select_option("3")
    chat.say("se is dark.")
    chat.lab.evaluate("backend.allow(3)")
    page.locator(".airochat-card").nth(1).get_by_text("T", exact=False).wait_for()
    page.locator(".airochat-card").nth(1).click()
    page.locator(".airochat-growing .airochat-text").get_by_text("T", exact=False).wait_for()
    chat.lab.evaluate("backend.allow()")
    page.get_by_role("button", name="2 of 3").wait_for()
    assert chat.texts() == ["The old lighthouse is dark.", "Two <b>bold</b>."]
    assert page.locator(".airochat-words").all_text_contents() == ["One.", "Two <b>bold</b>.", "Three."]
    page.locator(".airochat-card").nth(2).click()
    page.get_by_role("button", name="3 of 3").wait_for()
    assert chat.texts()[1] == "Three."
    chat.lab.save()
    chat.lab.open()
    chat.ready()
    page.get_by_role("button", name="3 of 3").click()
    page.locator(".airochat-cards").wait_for(state="hidden")
    assert page.get_by_label("Replies at once").input_value() == "3"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with opened(tmp_path, OPEN, BLOCK) as lab:
        yield lab


def test_an_evening_in_jupyterlab(lab: Lab) -> None:
    lab.run(0)
    chat = Chat(lab)
    chat.ready()
    assert not lab.page.locator(".airochat-static").is_visible()
    see_it_grow_and_stop(chat)
    reload_in_mid_reply(chat)
    stop_while_a_cell_runs(chat)
    lose_the_engine(chat)
    assert lab.page.locator(".jp-Notebook .jp-Cell").count() == 2, "a key of the chat reached the notebook"
    assert [error for error in lab.errors if "blob:" in error or "anywidget" in error] == []


def see_it_grow_and_stop(chat: Chat) -> None:
    chat.input.click()
    chat.lab.page.keyboard.type("Tell me a story.")
    chat.lab.page.keyboard.press("Shift+Enter")
    chat.say("About the sea, b, a, d, m, 0.")
    first = chat.grown(20)
    assert chat.grown(len(first) + 20).startswith(first)
    chat.stop()
    chat.idle()
    assert chat.last_note().text_content() == "stopped"
    said, reply = chat.texts()
    assert said == "Tell me a story.\nAbout the sea, b, a, d, m, 0."
    assert len(reply) >= 40


def reload_in_mid_reply(chat: Chat) -> None:
    before = chat.texts()
    chat.lab.page.get_by_label("Write another reply").click()
    shown = chat.grown(20)
    chat.lab.save()
    chat.lab.open()
    chat.ready()
    assert chat.grown(len(shown) + 20).startswith(shown)
    chat.stop()
    chat.idle()
    assert chat.lab.page.locator(".airochat-count").text_content() == "2 of 2"
    chat.lab.page.get_by_label("Previous alternative").click()
    chat.lab.page.get_by_text("1 of 2").wait_for()
    assert chat.texts() == before
    chat.lab.save()
    chat.lab.open()
    chat.ready()
    chat.lab.page.get_by_text("1 of 2").wait_for()
    assert chat.texts() == before


def stop_while_a_cell_runs(chat: Chat) -> None:
    chat.lab.start(1)
    chat.grown(20)
    chat.stop()
    chat.idle()
    output = chat.lab.page.locator(".jp-OutputArea-output").get_by_text("reason: user")
    output.wait_for()


def lose_the_engine(chat: Chat) -> None:
    kernel = chat.lab.evaluate("import os; print(os.getpid())")
    chat.say("And then?")
    partial = chat.grown(20)
    assert chat.lab.evaluate(KILL).strip() == "1"
    chat.last_note().get_by_text("broke off").wait_for()
    chat.idle()
    assert chat.lab.page.locator(".airochat-line[data-kind=error]").text_content()
    assert chat.texts()[-1][:15] == partial.strip()[:15]
    chat.say("Are you there?")
    chat.grown(5)
    chat.stop()
    chat.idle()
    assert chat.lab.page.locator(".airochat-line").is_hidden()
    assert chat.lab.evaluate("import os; print(os.getpid())") == kernel
