"""Servers of the Model Context Protocol: a real one, and one that misbehaves, through pipes and by HTTP."""

from __future__ import annotations

import gc
import os
import shlex
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.errors import SettingsError, UsageError
from airochat.hooks import CallResult, Tool, ToolCall
from airochat.hooks.testing import PluginBench
from plugins.tools import hub, link, schemas, servers
from plugins.tools.servers import Server

FOLDER = Path(__file__).parents[1]
UNRULY = Path(__file__).with_name("unruly_server.py")
PROGRAM = f"{shlex.quote(sys.executable)} {shlex.quote(str(UNRULY))}"


@pytest.fixture
def bench() -> Iterator[PluginBench]:
    """A chat with tools; its servers end with the test."""
    made = PluginBench(FOLDER, ["Hello.", "Hello to you."])
    made.command("/tools on")
    yield made
    made.tell("on_session_closed")


@pytest.fixture
def unruly(bench: PluginBench) -> PluginBench:
    bench.command(f"/tools server add unruly {PROGRAM}")
    return bench


def run(bench: PluginBench, tool: str, /, **arguments: Any) -> CallResult:
    return bench.run_tool(ToolCall(f"unruly.{tool}", arguments))


def alive(pid: str) -> bool:
    """Return whether a program runs; one that was killed a moment ago may need another moment."""
    return all(_runs(pid) for _ in range(100))


def _runs(pid: str) -> bool:
    # One that nobody has asked how it ended still has its number, and the state Z.
    done = subprocess.run(["ps", "-o", "stat=", "-p", pid.strip()], capture_output=True, text=True)
    return done.stdout.strip()[:1] not in ("", "Z")


# -- through pipes ------------------------------------------------------------------------------------------------


def test_a_server_that_others_wrote_can_be_used(bench: PluginBench) -> None:
    told = bench.command(f"/tools server add time TZ=UTC {shlex.quote(sys.executable)} -m mcp_server_time")
    assert told.startswith("airochat starts this program for the server time: ")
    assert "\n  time.get_current_time: " in told
    tool = bench.tools()["time.convert_time"]
    assert tool.approval == "ask"
    assert tool.title == "convert_time of the server time"
    assert set(tool.parameters["required"]) == {"source_timezone", "time", "target_timezone"}
    zones = {"source_timezone": "Europe/Warsaw", "time": "16:30", "target_timezone": "Asia/Tokyo"}
    result = bench.run_tool(ToolCall("time.convert_time", zones))
    assert result.state == "done"
    assert "+8.0h" in result.text or "+7.0h" in result.text
    wrong = bench.run_tool(ToolCall("time.get_current_time", {"timezone": "Moon/Base"}))
    assert wrong.state == "failed"
    assert "The server time says: " in wrong.text
    assert "Invalid timezone" in wrong.text


def test_results_are_text_and_what_is_none_is_named(unruly: PluginBench) -> None:
    assert run(unruly, "echo", text="ab\x1b[2J", times=2).text == "abab"
    assert run(unruly, "paint", colour="red").text == "red paint\n[image: image/png, 3 bytes]"
    refused = run(unruly, "refuse")
    assert (refused.state, "no such luck" in refused.text) == ("failed", True)
    assert unruly.tools()["unruly.echo"].description == "Says it back."
    assert unruly.tools()["unruly.paint"].parameters["properties"]["colour"]["enum"] == ["red", "green"]


def test_a_server_that_dies_is_named_and_started_anew_at_the_next_call(
    unruly: PluginBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "airochat.plugin.tools")
    first = run(unruly, "pid").text
    died = run(unruly, "die")
    assert died.state == "failed"
    assert "The server unruly has ended during the call." in died.text
    assert "Its last words: I am going down." in died.text
    assert "unruly: I am going down" in caplog.messages
    second = run(unruly, "pid")
    assert second.state == "done"
    assert second.text != first
    assert not alive(first)


def test_a_server_that_does_not_answer_is_ended(unruly: PluginBench) -> None:
    pid = run(unruly, "pid").text
    tool = unruly.tools()["unruly.block"]
    context = unruly.context()
    object.__setattr__(context, "settings", {**context.settings, "seconds": 1})
    (quick,) = [one for one in _hub(unruly).tools(context) if one.name == tool.name]
    with pytest.raises(Exception, match="has not answered for 1 seconds, and was ended"):
        quick.run(context, ToolCall("unruly.block", {}))
    assert not alive(pid)
    assert run(unruly, "echo", text="back").text == "back"


def test_huge_results_are_cut_and_take_no_memory_for_long(unruly: PluginBench) -> None:
    tracemalloc.start()
    try:
        result = run(unruly, "flood", megabytes=10)
        run(unruly, "echo", text="next")
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.state == "done"
    assert result.text.startswith("xxxx")
    assert len(result.text) <= 16_200
    assert kept < 5_000_000


def test_what_is_too_large_altogether_costs_the_server_its_place(unruly: PluginBench) -> None:
    result = run(unruly, "flood", megabytes=40)
    assert result.state == "failed"
    assert "A message was longer than 32 MB." in result.text
    assert run(unruly, "echo", text="back").text == "back"


def test_a_program_that_is_missing_ends_or_talks_nonsense_is_told(bench: PluginBench, tmp_path: Path) -> None:
    told = bench.command("/tools server add nix no-such-program --flag")
    assert "There is no program 'no-such-program' for the server nix." in told
    assert "/tools server remove nix" in told
    told = bench.command(f"/tools server add ends {shlex.quote(sys.executable)} -c 'print(\"hi\")'")
    assert "The server ends cannot be used: " in told
    assert "Its last words: (not a message) hi." in told
    listed = bench.command("/tools server list")
    assert "nix: There is no program" in listed
    assert set(bench.tools()) == set(PluginBench.tools(bench))
    bench.command("/tools server remove nix")
    assert "nix" not in bench.command("/tools server list")


def test_a_program_that_neither_answers_nor_ends_is_killed_with_its_children(
    bench: PluginBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "START_S", 4.0)
    script = f"trap '' TERM; sleep 600 & echo $! $$ > {shlex.quote(str(tmp_path / 'pids'))}; wait; sleep 600"
    own = hub.Hub()
    try:
        (problem,) = own.start(bench.context(), [Server("stubborn", "sh", ("-c", script))])
    finally:
        own.close()
    assert problem == "The server stubborn cannot be used: it has not told its tools for 4 seconds."
    child, parent = (tmp_path / "pids").read_text().split()
    assert not alive(parent)
    assert not alive(child)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no groups of processes that end together")
def test_what_a_program_has_started_ends_with_it_though_it_ends_by_itself(
    bench: PluginBench, tmp_path: Path
) -> None:
    script = f"sleep 600 < /dev/null > /dev/null 2>&1 & echo $! > {shlex.quote(str(tmp_path / 'pid'))}; exec {PROGRAM}"
    bench.command(f"/tools server add parent sh -c {shlex.quote(script)}")
    assert "parent.pid" in bench.tools()
    child = (tmp_path / "pid").read_text()
    assert _runs(child)
    bench.command("/tools off")
    assert not alive(child)


def test_the_title_of_a_tool_names_its_server_whatever_the_server_calls_it(bench: PluginBench) -> None:
    own = hub.Hub()
    server = link.Link(Server("evil", "x"), bench.context().log)
    name = "read\n of the server good" + " " * 100
    made = own._tool(bench.context(), server, link.RemoteTool("evil.read", name, "", {}))
    assert made.title == "read of the server good of the server evil"
    long = own._tool(bench.context(), server, link.RemoteTool("evil.read", "x" * 128, "", {}))
    assert long.title.endswith("… of the server evil") and len(long.title) < 100


def test_a_start_that_is_given_up_at_once_leaves_no_program_behind(
    bench: PluginBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "START_S", 0.0)
    script = f"echo $$ > {shlex.quote(str(tmp_path / 'pid'))}; exec sleep 600"
    own = hub.Hub()
    try:
        assert own.start(bench.context(), [Server("late", "sh", ("-c", script))])
    finally:
        own.close()
    # It may have been ended before it could write down its number.
    written = tmp_path / "pid"
    assert not (written.exists() and alive(written.read_text()))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name tells that it has started")
def test_a_prompt_does_not_wait_for_the_end_of_a_server_that_was_changed(
    bench: PluginBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "START_S", 3600.0)
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    own, context = hub.Hub(), bench.context()
    script = f"echo $$ > {shlex.quote(str(fifo))}; exec sleep 600"
    try:
        first = own.link(context, Server("s", "sh", ("-c", script)))
        assert own._begin(first) is not None
        pid = fifo.read_text()
        with monkeypatch.context() as patch:
            patch.setattr(hub, "_END_S", 3600.0)
            assert own.link(context, Server("s", "true")) is not first
    finally:
        own.close()
    assert not alive(pid)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name tells that it has started")
def test_a_server_that_hangs_at_its_start_ends_when_it_is_not_wanted_any_more(
    bench: PluginBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "START_S", 3600.0)
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    own = hub.Hub()
    script = f"echo $$ > {shlex.quote(str(fifo))}; exec sleep 600"
    try:
        hanging = own.link(bench.context(), Server("s", "sh", ("-c", script)))
        begun = own._begin(hanging)
        pid = fifo.read_text()
        own._run(hanging.close(), 60)
        assert not alive(pid)
        assert begun is not None
        begun.result(60)
        assert hanging.error == "it was ended before it had told its tools."
    finally:
        own.close()


def test_without_the_extra_it_is_told_how_to_install_it(
    bench: PluginBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.client", None)
    assert "`pip install airochat[mcp]`" in bench.command(f"/tools server add unruly {PROGRAM}")
    assert "roll" in bench.tools()


def test_a_server_runs_only_where_tools_are_on_and_it_is(unruly: PluginBench) -> None:
    pid = run(unruly, "pid").text
    assert "unruly: connected" in unruly.command("/tools server list")
    unruly.command("/tools off")
    assert not alive(pid)
    assert unruly.tools() == {}
    told = unruly.command(f"/tools server add second {PROGRAM}")
    assert "It is used once tools are on" in told
    assert "second: not started" in unruly.command("/tools server list")
    unruly.command("/tools server off second")
    unruly.command("/tools on")
    names = set(unruly.tools())
    assert "unruly.echo" in names
    assert not any(name.startswith("second.") for name in names)
    assert "second: off" in unruly.command("/tools")
    unruly.command("/tools server on second")
    assert "second.echo" in unruly.tools()
    unruly.command("/tools off unruly.echo")
    assert "unruly.echo" not in unruly.tools()
    assert "unruly.pid" in unruly.tools()
    pid = run(unruly, "pid").text
    unruly.command("/tools server off unruly")
    assert not alive(pid)


def test_tools_are_known_before_their_server_has_started(unruly: PluginBench) -> None:
    before = unruly.tools()["unruly.paint"]
    pid = run(unruly, "pid").text
    unruly.tell("on_session_closed")
    assert not alive(pid)
    again = unruly.tools()["unruly.paint"]
    assert again.parameters == before.parameters
    assert run(unruly, "echo", text="a").text == "a"


def test_servers_end_with_the_program(tmp_path: Path) -> None:
    program = f"""
        from airochat.hooks import ToolCall
        from airochat.hooks.testing import PluginBench
        from pathlib import Path
        bench = PluginBench(Path({str(FOLDER)!r}), ["Hi"])
        bench.command("/tools on")
        bench.command({f"/tools server add unruly {PROGRAM}"!r})
        print(bench.run_tool(ToolCall("unruly.pid", {{}})).text)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    assert not alive(done.stdout)


# -- by HTTP ------------------------------------------------------------------------------------------------------


@pytest.fixture
def address() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, str(UNRULY), "http"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_server_at_an_address_can_be_used(bench: PluginBench, address: str) -> None:
    told = bench.command(f"/tools server add unruly {address}")
    assert told.startswith(f"airochat connects to the server unruly: {address}")
    assert run(bench, "echo", text="a", times=3).text == "aaa"
    assert run(bench, "refuse").state == "failed"
    huge = run(bench, "flood", megabytes=10)
    assert huge.state == "done"
    assert len(huge.text) <= 16_200
    assert run(bench, "flood", megabytes=40).state == "failed"
    assert run(bench, "die").state == "failed"
    gone = run(bench, "echo", text="a")
    assert gone.state == "failed"
    assert "The server unruly " in gone.text


def test_an_address_where_nobody_listens_is_told(bench: PluginBench) -> None:
    told = bench.command("/tools server add nobody http://127.0.0.1:9/mcp")
    assert "The server nobody cannot be used: " in told
    assert "builtin" not in bench.command("/tools")
    assert "roll" in bench.tools()


# -- the file -----------------------------------------------------------------------------------------------------


def test_servers_are_kept_as_they_were_and_comments_stay(tmp_path: Path) -> None:
    one = Server("one", "prog", ("a b", "-c"), {"KEY": "v=1"})
    two = Server("two", url="https://example.org/mcp", headers={"Authorization": "Bearer x"}, enabled=False)
    servers.save(tmp_path, one)
    file = tmp_path / "servers.toml"
    file.write_text(file.read_text() + "# mine\n")
    servers.save(tmp_path, two)
    assert servers.load(tmp_path) == {"one": one, "two": two}
    assert "# mine" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    servers.remove(tmp_path, "one")
    assert servers.load(tmp_path) == {"two": two}
    assert "Bearer" not in two.told


@pytest.mark.parametrize(
    "text",
    [
        "one = 3",
        "[one]",
        '[one]\ncommand = "a"\nurl = "https://b"',
        '[one]\ncommand = "a"\nnix = 1',
        '[one]\nurl = "file:///etc/passwd"',
        '[one]\ncommand = "a"\nargs = "b"',
        '[one]\ncommand = "a"\nenv = { A = 1 }',
        '[one]\ncommand = "a"\nenabled = "yes"',
        '["../one"]\ncommand = "a"',
        "[one",
        "\n".join(f'[s{number}]\ncommand = "a"' for number in range(30)),
    ],
)
def test_a_file_that_is_wrong_is_told_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "servers.toml").write_text(text)
    with pytest.raises(UsageError):
        servers.load(tmp_path)
    with pytest.raises(UsageError):
        servers.save(tmp_path, Server("two", "prog"))
    assert (tmp_path / "servers.toml").read_text() == text


def test_another_program_under_the_same_name_is_not_the_same_server() -> None:
    one = Server("s", "sh", ("-c", "a"), {"K": "1"})
    assert one.identity == servers.parse("s", "K=1 sh -c a").identity
    others = [
        Server("s", "sh", ("-c", "b"), {"K": "1"}),
        Server("s", "sh", ("-c", "a")),
        Server("s", url="https://a"),
    ]
    assert len({one.identity, *(other.identity for other in others)}) == 4


def test_words_become_a_server() -> None:
    assert servers.parse("a", "K=v uvx 'my server' --x=1") == Server(
        "a", "uvx", ("my server", "--x=1"), {"K": "v"}
    )
    assert servers.parse("a", "https://x.org/mcp").url == "https://x.org/mcp"
    for name, words in (("a b", "x"), ("a", "'x"), ("a", "K=v"), ("9", "x"), ("a" * 30, "x")):
        with pytest.raises((UsageError, SettingsError)):
            servers.parse(name, words)


# -- schemas ------------------------------------------------------------------------------------------------------


def test_schemas_of_servers_lose_what_could_do_harm_and_keep_what_matters() -> None:
    given_ = {
        "$schema": "https://json-schema.org/x",
        "type": "object",
        "properties": {
            "a": {
                "type": "string",
                "pattern": "(a+)+$",
                "description": "x\x1b[2J" + "y" * 500,
                "format": "uri",
            },
            "b": {"$ref": "#/$defs/B"},
            "c": {"$ref": "https://example.org/schema.json"},
            "d\u202e": {"type": "string"},
            "e": {"allOf": [{"type": "integer", "minimum": 3}], "default": 4},
        },
        "required": ["a", "b", "nix", 3],
        "$defs": {"B": {"type": "array", "items": {"$ref": "#/$defs/B"}, "uniqueItems": True}},
    }
    made = schemas.tidy(given_)
    assert made["required"] == ["a", "b"]
    assert set(made["properties"]) == {"a", "b", "c", "e"}
    assert made["properties"]["a"] == {"type": "string", "description": "x" + "y" * 198 + "…"}
    assert made["properties"]["c"] == {}
    assert made["properties"]["e"] == {"type": "integer", "minimum": 3}
    assert "$ref" not in str(made)
    assert "uniqueItems" not in str(made)
    wide = {"type": "object", "properties": {str(n): {"anyOf": [{"type": "string"}] * 8} for n in range(200)}}
    assert schemas.tidy({"type": "object", "properties": {"a": wide, "b": wide}}) == {"type": "object"}
    assert schemas.tidy({"type": "string"}) == {"type": "object"}
    assert schemas.tidy(None) == {"type": "object"}


def test_kinds_and_numbers_that_would_grow_or_break_something_are_left_out() -> None:
    kinds = ["array"] * 3_000 + ["null", "nix", 3, ["array"]]
    odd = {"type": "number", "minimum": float("inf"), "maximum": 1e300, "enum": [1, float("nan"), 2]}
    huge = {"type": kinds, "maxItems": 10**30, "const": 10**5000}
    made = schemas.tidy({"type": "object", "properties": {"a": odd, "b": huge}})
    assert made["properties"] == {"a": {"type": "number"}, "b": {"type": ["array", "null"]}}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "string", "#/$defs/a", "a"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "properties", "items", "anyOf", "$ref", "$defs", "enum", "required", "a"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_schema_breaks_anything(schema: Any) -> None:
    made = schemas.tidy(schema)
    assert made["type"] == "object"
    assert "$ref" not in made
    assert Tool("x", "", made, lambda context, call: "")


def _hub(bench: PluginBench) -> Any:
    """Return the hub that the plugin in a bench uses."""
    (call,) = [tool.run for name, tool in bench.tools().items() if name == "unruly.pid"]
    return call.func.__self__  # type: ignore[attr-defined]
