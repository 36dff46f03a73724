"""``%chat`` and ``%%chat`` in a real kernel, and in IPython in a terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.kernels import Kernel, Message, errors, running_kernel, texts

WORDS = "You took your time."


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with running_kernel() as kernel:
        assert not errors(kernel.run("%load_ext airochat"))
        yield kernel


def test_a_cell_is_a_message_and_its_output_the_reply(kernel: Kernel) -> None:
    kernel.run("%chat --model scripted -q")
    messages = kernel.run("%%chat --seed 7 --into answer\nHello {kernel.__class__} $HOME\n\n  and more")
    assert WORDS in texts(messages)[-1]
    last = [one for one in messages if one["msg_type"] == "update_display_data"][-1]
    assert '<span class="speech">' in last["content"]["data"]["text/html"]
    assert WORDS in kernel.value("answer")
    kernel.run("import airochat; history = airochat.open().latest().history")
    assert kernel.value("history[0].text") == "Hello {kernel.__class__} $HOME\n\n  and more"
    assert kernel.value("history[1].provenance.sampling['seed']") == "7"


def test_a_line_shows_the_widget_of_a_session_held_by_a_variable(kernel: Kernel) -> None:
    kernel.run("import airochat; manager = airochat.open(model='scripted'); mine = manager.new(title='Mine')")
    messages = kernel.run("%chat mine")
    shown = [one["content"]["data"] for one in messages if one["msg_type"] == "display_data"]
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert "airochat-static" in shown[1]["text/html"]
    kernel.run("%%chat\nHello")
    assert kernel.value("len(mine.history)") == "2"


def test_alternatives_in_a_cell(kernel: Kernel) -> None:
    kernel.run("%chat --model scripted -q")
    messages = kernel.run("%%chat --seed 7 --swipes 3 --into answers\nHello")
    assert texts(messages)[-1].count(" of 3 —\n") == 2 and "\n\n— 2 of 3 —\n" in texts(messages)[-1]
    last = [one for one in messages if one["msg_type"] == "update_display_data"][-1]["content"]["data"]
    assert '<span class="speech">' in last["text/html"] and "— 3 of 3 —</small>" in last["text/html"]
    kernel.run("import airochat; chat = airochat.open().latest(); history = chat.history")
    assert (
        kernel.value("answers[0] == history[1].text, len(answers), chat.swipe_position()") == "True 3 (1, 3)"
    )
    kernel.run("%chat --swipes 2 -q")
    kernel.run("%%chat --into answers\nAgain")
    assert kernel.value("len(answers)") == "2"
    kernel.run("%%chat --into answers --swipes 1\nAgain")
    assert kernel.value("type(answers).__name__") == "str"


def test_a_line_shows_a_panel(kernel: Kernel) -> None:
    kernel.run("%chat --model scripted -q")
    for line, words in (("panels", "Panels\n"), ("panel settings:lorebook", "Settings of lorebook\n")):
        (shown,) = [
            one["content"]["data"]
            for one in kernel.run(f"%airochat {line}")
            if one["msg_type"] in ("execute_result", "display_data")
        ]
        assert "application/vnd.jupyter.widget-view+json" in shown
        assert shown["text/plain"].startswith(words)
    for line, words in (
        ("panel nope", "There is no panel 'nope'."),
        ("panel", "no name is given"),
        ("", "what"),
    ):
        (error,) = errors(kernel.run(f"%airochat {line}"))
        assert words in error["evalue"] and len(error["traceback"]) == 2


def test_a_line_tells_the_widget_how_many_to_write(kernel: Kernel) -> None:
    kernel.run("import airochat; manager = airochat.open(model='scripted'); mine = manager.new(title='Mine')")
    kernel.run("%chat mine --swipes 4")
    assert kernel.value("airochat.notebook.show(mine).replies") == "4"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%chat --nonsense", "%chat: unrecognized arguments: --nonsense"),
        ("%chat nobody", "'nobody' is not a variable that holds a session."),
        ('%chat --system "open', "%chat: No closing quotation."),
        ("%chat --session nothing-like-it", "nothing-like-it"),
        ("%chat --card /missing.png", "/missing.png"),
        ("%chat --template klingon", "klingon"),
        ("%%chat --seed x\nHello", "argument --seed: invalid int value: 'x'"),
        ("%%chat --temperature 99\nHello", "temperature = 99.0 is out of range."),
        ("%%chat --into a.b\nHello", "--into 'a.b' is not a name"),
        ("%%chat --swipes 17\nHello", "'17' is not a number from 1 to 16"),
        ("%chat --swipes many", "'many' is not a number from 1 to 16"),
        ("%%chat\nHello", "No model is configured."),
    ],
)
def test_errors_are_sentences_not_tracebacks(kernel: Kernel, cell: str, words: str) -> None:
    (error,) = errors(kernel.run(cell))
    assert words in "\n".join(error["traceback"])
    assert "Traceback" not in "\n".join(error["traceback"])


@pytest.mark.slow
def test_an_interrupt_stops_the_reply_and_keeps_its_text(kernel: Kernel) -> None:
    kernel.run("%chat --model demo -q --system 'Tell long stories.'")
    interrupted: list[str] = []

    def press(message: Message) -> None:
        text = texts([message])
        if text and len(text[0]) > 40 and not interrupted:
            interrupted.append(text[0])
            kernel.interrupt()

    messages = kernel.run(
        "%%chat --max-tokens 2000 --temperature 0\nTell me everything about the sea.", press
    )
    assert [error["ename"] for error in errors(messages)] == ["KeyboardInterrupt"]
    last = texts(messages)[-1]
    assert last.endswith("[interrupted]")
    assert last.startswith(interrupted[0].rstrip())
    kernel.run("import airochat; last = airochat.open().latest().history[-1]")
    assert kernel.value("last.state") == "stopped"
    assert not errors(kernel.run("%%chat --max-tokens 5\nGo on."))


def test_ipython_in_a_terminal_prints_the_reply(tmp_path: Path) -> None:
    script = tmp_path / "script.ipy"
    script.write_text(
        "%load_ext airochat\n%chat --model scripted\nget_ipython().run_cell_magic('chat', '--swipes 2', 'Hello')\n"
        "%airochat panel settings:lorebook\nget_ipython().run_cell_magic('chat', '--seed -1', 'Hello')\n"
    )
    command = [
        sys.executable,
        "-m",
        "IPython",
        "--ipython-dir",
        str(tmp_path),
        "--colors=nocolor",
        str(script),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Current chat: a new one." in result.stdout
    assert WORDS in result.stdout
    assert "\n\n— 2 of 2 —\n" in result.stdout and result.stdout.count("river") == 1
    assert "seed = -1 is out of range." in result.stdout + result.stderr
    assert "Settings of lorebook\n" in result.stdout and "[Save]\n" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
