"""The host's side of tools: whatever a tool or a plugin does, there is a result, and airochat goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airochat.conversation import Message
from airochat.hooks import CallResult, ResultsDraft, Tool, ToolCall
from airochat.hooks.tools import LONGEST_RESULT
from tests.hooks import signals
from tests.hooks.helpers import Bench, write_plugin

REPLY = Message("m2", "m1", "assistant", "Assistant", "call it")
SCHEMA: dict[str, Any] = {"type": "object"}

TOOLS = """
from tests.hooks import signals

def good(context, call): return f"{context.title}: {call.arguments['n']}"
def broken(context, call): raise RuntimeError("no\\x1b[2J luck\\n" * 100)
def rude(context, call): raise SystemExit(3)
def unspeakable(context, call):
    class Odd(Exception):
        def __str__(self): raise ValueError
    raise Odd
def nothing(context, call): return None
def number(context, call): return 7
def huge(context, call): return "x" * 10_000_000
def dirty(context, call): return "a\\x1b[31mb\\u202ec\\ud800"
def slow(context, call): signals.hang()
def changing(context, call):
    call.arguments["n"] = 2
    return "changed"

@hookimpl
def contribute_tools(context):
    return [Tool(f.__name__, "For a test.", {"type": "object"}, f, seconds=0.05 if f is slow else 60)
            for f in (good, broken, rude, unspeakable, nothing, number, huge, dirty, slow, changing)]
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    write_plugin(tmp_path, "kit", TOOLS)
    bench = Bench(tmp_path)
    bench.host.watch = signals.QuickWatch()
    return bench


def made(bench: Bench, name: str, **arguments: Any) -> CallResult:
    """Call a tool of the kit."""
    plugin, tool = bench.host.tools(bench.context)[name]
    result = bench.host.run_tool(plugin, tool, bench.context(plugin), ToolCall(name, arguments, id="1"))
    assert result.call.id == "1" and isinstance(result.text, str)
    return result


def test_a_tool_knows_the_chat_and_its_call(bench: Bench) -> None:
    assert bench.host.tools(bench.context)["good"][0] == "kit"
    result = made(bench, "good", n=5)
    assert (result.state, result.text) == ("done", "The Mill: 5") and result.seconds > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "The call failed: no luck"),
        ("rude", "The call failed: 3"),
        ("unspeakable", "The call failed: Odd"),
        ("nothing", "is a NoneType, not a text"),
        ("number", "is a int, not a text"),
        ("slow", "it took more than 0.05 seconds"),
    ],
)
def test_what_goes_wrong_is_the_result_and_switches_nothing_off(bench: Bench, name: str, said: str) -> None:
    result = made(bench, name)
    assert result.state == "failed" and said in result.text and len(result.text) < 400
    assert "\x1b" not in result.text
    assert bench.report("kit").state == "on" and not bench.told
    assert made(bench, "good", n=1).state == "done"


def test_a_huge_result_is_cut_and_says_so(bench: Bench) -> None:
    result = made(bench, "huge")
    assert result.state == "done" and len(result.text) < LONGEST_RESULT + 200
    assert "10,000,000" in result.text


def test_a_result_is_clean(bench: Bench) -> None:
    assert made(bench, "dirty").text == "abc\ufffd"


def test_a_tool_may_do_to_its_arguments_what_it_likes(bench: Bench) -> None:
    assert made(bench, "changing", n=1).text == "changed"


@pytest.mark.parametrize(
    "offer",
    [
        "'dice'",
        "7",
        "[7]",
        "[Tool('no name', '', {}, print)]",
        "[Tool('x' * 65, '', {}, print)]",
        "[Tool('x', '', [], print)]",
        "[Tool('x', '', {'type': 'array'}, print)]",
        "[Tool('x', '', {}, None)]",
        "[Tool('x', '', {}, print, approval='maybe')]",
        "[Tool('x', '', {}, print, seconds='long')]",
    ],
)
def test_wrong_tools_switch_their_plugin_off(tmp_path: Path, offer: str) -> None:
    write_plugin(tmp_path, "bad", f"@hookimpl\ndef contribute_tools(): return {offer}")
    write_plugin(tmp_path, "kit", TOOLS)
    bench = Bench(tmp_path)
    assert set(bench.host.tools(bench.context)) >= {"good", "slow"}
    assert bench.report("bad").state == "failed" and len(bench.told) == 1


def test_of_two_tools_of_one_name_the_first_is_taken(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_plugin(
            tmp_path, name, "@hookimpl\ndef contribute_tools(): return [Tool('x', __name__, {}, print)]"
        )
    bench = Bench(tmp_path)
    assert [plugin for plugin, _ in bench.host.tools(bench.context).values()] == ["a"]


def tool(name: str = "x") -> Tool:
    return Tool(name, "For a test.", SCHEMA, lambda context, call: "y")


def test_calls_are_found_one_plugin_after_the_other(tmp_path: Path) -> None:
    write_plugin(
        tmp_path,
        "a",
        "@hookimpl\ndef transform_calls(draft): draft.calls.append(ToolCall('x', {'n': draft.round}))",
    )
    write_plugin(tmp_path, "b", "@hookimpl\ndef transform_calls(draft): draft.calls *= 2")
    bench = Bench(tmp_path)
    assert bench.host.calls(bench.context, REPLY, [tool()], 3) == [ToolCall("x", {"n": 3})] * 2


@pytest.mark.parametrize(
    "left", ["None", "()", "[7]", "[ToolCall('other', {})]", "[ToolCall('x', 'n=1')]", "1 / 0"]
)
def test_wrong_calls_switch_their_plugin_off_and_leave_those_before(tmp_path: Path, left: str) -> None:
    write_plugin(
        tmp_path, "a", "@hookimpl\ndef transform_calls(draft): draft.calls.append(ToolCall('x', {}))"
    )
    write_plugin(
        tmp_path, "b", f"@hookimpl\ndef transform_calls(draft): draft.calls.clear(); draft.calls = {left}"
    )
    bench = Bench(tmp_path)
    assert bench.host.calls(bench.context, REPLY, [tool()], 0) == [ToolCall("x", {})]
    assert bench.report("b").state == "failed"


def results(*calls: ToolCall) -> ResultsDraft:
    found = tuple(CallResult(call, "done", "y") for call in calls)
    return ResultsDraft(REPLY, (tool(),), found, "x() → y")


def test_results_are_told_otherwise_and_further_calls_are_made(tmp_path: Path) -> None:
    write_plugin(
        tmp_path,
        "a",
        """
        @hookimpl
        def transform_results(draft):
            draft.text, draft.again = f"{draft.text}!\\x1b[2J", len(draft.results) > 1
            draft.calls.append(ToolCall("x", {"n": 2}))
        """,
    )
    bench = Bench(tmp_path)
    before = results(ToolCall("x", {}))
    after = bench.host.results(bench.context, before)
    assert (after.text, after.again, after.calls) == ("x() → y!", False, [ToolCall("x", {"n": 2})])
    assert before.calls == [] and before.text == "x() → y", "a draft of its own"


@pytest.mark.parametrize(
    "wrong",
    [
        "draft.text = None",
        "draft.calls = [7]",
        "draft.calls.append(1 / 0)",
        "draft.tools = (Tool('y', '', {'type': 'object'}, print),); draft.calls = [ToolCall('y', {})]",
    ],
)
def test_a_wrong_draft_of_results_is_left_as_it_was(tmp_path: Path, wrong: str) -> None:
    write_plugin(tmp_path, "a", f"@hookimpl\ndef transform_results(draft): draft.again = False; {wrong}")
    bench = Bench(tmp_path)
    draft = results(ToolCall("x", {}))
    assert bench.host.results(bench.context, draft) == draft
    assert bench.report("a").state == "failed"
