"""Calls that take too long are given up, wherever they come from."""

from __future__ import annotations

import sys
import textwrap
import threading
from pathlib import Path

import pytest

from airochat.errors import PluginError
from airochat.hooks import Block
from airochat.hooks.watch import Limits, Overtime, Watch
from airochat.prompt.macros import Macros, Scope
from tests.hooks import signals
from tests.hooks.helpers import Bench, write_plugin

HANG = "from tests.hooks import signals\n"


def quick(place: Path) -> Bench:
    bench = Bench(place)
    bench.host.watch = signals.QuickWatch()
    return bench


def test_a_call_is_given_up_after_its_time() -> None:
    release = threading.Event()
    with pytest.raises(Overtime, match=r"it took more than 0\.05 seconds"):
        Watch().run(release.wait, 0.05)
    release.set()
    assert Watch().run(lambda: "in time", 60) == "in time"
    with pytest.raises(ZeroDivisionError):
        Watch().run(lambda: 1 // 0, 60)


def test_hooks_have_the_time_that_the_limits_say(tmp_path: Path) -> None:
    write_plugin(tmp_path, "bad", HANG + "@hookimpl\ndef transform_reply(draft): signals.hang()")
    bench = Bench(tmp_path)
    bench.host.watch = Watch(Limits(hook=0.05))
    assert bench.host.reply(bench.context, "x") == "x"
    assert bench.report("bad").error == "It failed in transform_reply: it took more than 0.05 seconds"
    assert bench.report("bad").calls == 2, "one to load it, one of the hook"


def test_what_a_plugin_does_after_its_time_is_not_used(tmp_path: Path) -> None:
    code = """
        import threading
        go, gone = threading.Event(), threading.Event()
        @hookimpl
        def transform_blocks(draft):
            go.wait()
            draft.blocks.clear()
            draft.blocks = []
            gone.set()
    """
    write_plugin(tmp_path, "late", code)
    bench = Bench(tmp_path)
    bench.host.watch = Watch(Limits(hook=0.05))
    blocks = [Block("system", "Stay.")]
    assert bench.host.changed_blocks(bench.context, blocks) == blocks
    module = sys.modules["airochat_plugin_late"]
    module.go.set()
    assert module.gone.wait(signals.PATIENCE)
    assert blocks == [Block("system", "Stay.")]


def test_code_that_hangs_while_it_is_loaded_holds_up_nobody(tmp_path: Path) -> None:
    write_plugin(tmp_path, "bad", HANG + "signals.hang()")
    write_plugin(tmp_path, "z", "@hookimpl\ndef transform_reply(draft): draft.text += ' good'")
    bench = quick(tmp_path)
    assert bench.host.reply(bench.context, "x") == "x good"
    assert "It failed while it was loaded: it took more than" in bench.report("bad").error


def test_a_command_and_a_macro_that_hang_are_given_up(tmp_path: Path) -> None:
    for name in ("a", "b"):
        code = """
            def hang(*given): signals.hang()
            @hookimpl
            def register_commands(register): register(Command("NAME", "", "", hang))
            @hookimpl
            def register_macros(register): register("NAME", hang)
        """
        write_plugin(tmp_path, name, HANG + "\n" + textwrap.dedent(code).replace("NAME", name))
    bench = quick(tmp_path)
    with pytest.raises(PluginError, match="The plugin a failed in /a: it took more than"):
        bench.host.run_command("/a", bench.context)
    macros = Macros(Scope(), None, bench.host.macros(), bench.host.macro_failed)
    assert macros.expand("{{b}}") == "{{b}}"
    assert "It failed in the macro b: it took more than" in bench.report("b").error
