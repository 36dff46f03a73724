"""A plugin that misbehaves is named and left out, and nothing else changes."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from airochat.errors import PluginError, StoreError
from airochat.hooks import Block, ChatContext, MessageFacts, TurnFacts
from airochat.hooks.watch import Watch
from airochat.sampling import Sampling
from tests.hooks.helpers import Bench, write_plugin

ARGUMENTS = {
    "contribute_blocks": "context",
    "transform_user_message": "context, draft",
    "transform_sampling": "context, draft",
    "transform_reply": "context, draft",
    "on_session_opened": "context",
    "on_message_added": "context, event",
    "on_turn_started": "context, event",
    "on_turn_finished": "context, event",
}
RAISING = {
    "error": "raise ValueError('broken')",
    "exit": "raise SystemExit(3)",
    "generator exit": "raise GeneratorExit",
    "stop": "raise StopIteration",
    "interrupt": "raise KeyboardInterrupt",
    "unspeakable": "class Bad(Exception):\n  def __str__(self): raise RuntimeError\n raise Bad",
    "deep": "return HOOK(ARGUMENTS)",
    "rubbish": "return 42",
    "own text": "return 'some text'",
    "frozen": "context.title = 'mine'",
    "foreign": "context.history[0].text = 'mine'",
}
FOLLOWER = """
@hookimpl
def contribute_blocks(context): return [Block("plugin:z", "still here")]
@hookimpl
def transform_user_message(draft): draft.text += " still here"
@hookimpl
def transform_sampling(draft): draft.sampling = draft.sampling.replace(seed=7)
@hookimpl
def transform_reply(draft): draft.text += " still here"
@hookimpl
def on_session_opened(context): context.data["seen"] = True
@hookimpl
def on_message_added(context): context.data["seen"] = True
@hookimpl
def on_turn_started(context): context.data["seen"] = True
@hookimpl
def on_turn_finished(context): context.data["seen"] = True
"""


def run(bench: Bench, hook: str) -> object:
    """Call one hook the way the session does, and return what came of it."""
    host, message = bench.host, bench.context("z").history[0]
    match hook:
        case "contribute_blocks":
            return host.blocks(bench.context)
        case "transform_user_message":
            return host.user_message(bench.context, "hello")
        case "transform_sampling":
            return host.sampling(bench.context, Sampling())
        case "transform_reply":
            return host.reply(bench.context, "hello")
        case "on_session_opened":
            host.notify(hook, bench.context)
        case "on_message_added":
            host.notify(hook, bench.context, MessageFacts("s1", message))
        case _:
            host.notify(hook, bench.context, TurnFacts("s1", "t1", message, "eos"))
    return bench.kept[("z", "chat:s1")]


EXPECTED: dict[str, object] = {
    "contribute_blocks": [Block("plugin:z", "still here")],
    "transform_user_message": "hello still here",
    "transform_sampling": Sampling(seed=7),
    "transform_reply": "hello still here",
    **{hook: {"seen": True} for hook in ARGUMENTS if hook.startswith("on_")},
}


@pytest.mark.parametrize("deed", RAISING)
@pytest.mark.parametrize("hook", ARGUMENTS)
def test_a_failing_plugin_is_named_and_the_others_still_run(
    tmp_path: Path, hook: str, deed: str, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = ARGUMENTS[hook]
    body = RAISING[deed].replace("HOOK", hook).replace("ARGUMENTS", arguments)
    write_plugin(tmp_path, "bad", f"@hookimpl\ndef {hook}({arguments}):\n {body}\n")
    write_plugin(tmp_path, "z", FOLLOWER)
    bench = Bench(tmp_path)
    with caplog.at_level(logging.ERROR, "airochat"):
        assert run(bench, hook) == EXPECTED[hook]
    ((message, hint),) = bench.told
    assert f"The plugin bad failed in {hook}" in message
    assert "airochat plugins disable bad" in hint
    assert [(record.levelname, record.exc_info is not None) for record in caplog.records] == [("ERROR", True)]
    assert (bench.report("bad").state, bench.report("z").state) == ("failed", "on")
    assert hook in bench.report("bad").error

    assert run(bench, hook) == EXPECTED[hook]
    assert len(bench.told) == 1


@pytest.mark.parametrize(
    ("hook", "deed", "reason"),
    [
        ("transform_user_message", "draft.text = 42", "a int in the draft"),
        ("transform_user_message", "draft.text = ' '", "no text"),
        ("transform_user_message", "del draft.text", "AttributeError"),
        ("transform_user_message", "draft.words = 'x'", "AttributeError"),
        ("transform_reply", "draft.text = None", "a NoneType in the draft"),
        ("transform_reply", "draft.text = 'changed'\n raise OSError('late')", "OSError: late"),
        ("transform_sampling", "draft.sampling = {}", "a dict in the draft"),
        ("transform_sampling", "draft.sampling = draft.sampling.replace(top_k=-1)", "top_k"),
        ("transform_reply", "yield 1", "must return nothing, not generator"),
        ("contribute_blocks", "return ['text']", "must return blocks, not str"),
        ("contribute_blocks", "return 'text'", "a list of Block, not str"),
        ("contribute_blocks", "yield Block('x', 'y')\n raise KeyError('k')", "KeyError"),
        ("contribute_blocks", "return [Block('x', 3)]", "the text of a block is 3"),
        ("contribute_blocks", "return [Block('x', 'y', depth=-1)]", "the depth of a block is -1"),
        ("contribute_blocks", "return [Block('x', 'y', depth='4')]", "the depth of a block is '4'"),
        ("contribute_blocks", "return [Block('x', 'y', role='narrator')]", "the role of a block"),
    ],
)
def test_wrong_results_are_not_used(tmp_path: Path, hook: str, deed: str, reason: str) -> None:
    write_plugin(tmp_path, "bad", f"@hookimpl\ndef {hook}({ARGUMENTS[hook]}):\n {deed}\n")
    write_plugin(tmp_path, "z", FOLLOWER)
    bench = Bench(tmp_path)
    assert run(bench, hook) == EXPECTED[hook]
    ((message, _),) = bench.told
    assert reason in message


@pytest.mark.parametrize("hook", ARGUMENTS)
def test_an_async_hook_is_refused(tmp_path: Path, hook: str) -> None:
    write_plugin(tmp_path, "bad", f"@hookimpl\nasync def {hook}({ARGUMENTS[hook]}): pass")
    write_plugin(tmp_path, "z", FOLLOWER)
    bench = Bench(tmp_path)
    assert run(bench, hook) == EXPECTED[hook]
    assert "is async" in bench.told[0][0]


@pytest.mark.parametrize(
    "deed",
    ["raise ValueError('broken')", "raise SystemExit", "return 42", "return None", "context.title = ''"],
)
def test_a_command_that_fails_tells_its_user(tmp_path: Path, deed: str) -> None:
    code = """
        def run(context, words):
            DEED
        @hookimpl
        def register_commands(register): register(Command("go", "", "", run))
        @hookimpl
        def contribute_blocks(): return [Block("x", "y")]
    """
    write_plugin(tmp_path, "bad", code.replace("DEED", deed))
    bench = Bench(tmp_path)
    assert list(bench.host.commands()) == ["go"]
    with pytest.raises(PluginError, match="The plugin bad failed in /go"):
        bench.host.run_command("/go", bench.context)
    assert bench.host.commands() == {}
    assert bench.host.blocks(bench.context) == []
    assert bench.report("bad").state == "failed"


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        ("register(42)", "register takes a Command"),
        ("register(Command('Bad Name', '', '', print))", "is not a command's name"),
        ("register(Command('go', '', '', None))", "nothing to run"),
        ("register(Command(None, '', '', print))", "TypeError"),
        ("raise SystemExit", "SystemExit"),
        ("return [1]", "must return nothing"),
    ],
)
def test_commands_that_cannot_be_used_are_refused(tmp_path: Path, offer: str, reason: str) -> None:
    write_plugin(tmp_path, "bad", f"@hookimpl\ndef register_commands(register):\n {offer}\n")
    bench = Bench(tmp_path)
    assert bench.host.commands() == {}
    assert reason in bench.report("bad").error
    assert bench.report("bad").state == "failed"


def test_a_store_that_fails_is_not_the_plugin_s_fault(tmp_path: Path) -> None:
    code = """
        from airochat.errors import StoreError
        @hookimpl
        def on_session_opened(context): raise StoreError("The disk is full.", "Make room.")
    """
    write_plugin(tmp_path, "a", code)
    bench = Bench(tmp_path)
    bench.host.notify("on_session_opened", bench.context)
    assert bench.told == [("The disk is full.", "Make room.")]
    assert bench.report("a").state == "on"


def test_an_interrupt_by_the_user_passes_through(tmp_path: Path) -> None:
    class Interrupted(Watch):
        def wait(self, worker: threading.Thread, seconds: float) -> None:
            worker.join()
            raise KeyboardInterrupt

    write_plugin(tmp_path, "a", "@hookimpl\ndef on_session_opened(): pass")
    bench = Bench(tmp_path)
    bench.host.load()
    bench.host.watch = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        bench.host.notify("on_session_opened", bench.context)
    assert bench.report("a").state == "on"


def test_an_error_of_airochat_itself_is_not_blamed_on_a_plugin(tmp_path: Path) -> None:
    write_plugin(tmp_path, "z", FOLLOWER)
    bench = Bench(tmp_path)

    def broken(plugin: str) -> ChatContext:
        raise StoreError(f"No context for {plugin}.")

    with pytest.raises(StoreError, match="No context for z"):
        bench.host.blocks(broken)
    assert bench.report("z").state == "on"
