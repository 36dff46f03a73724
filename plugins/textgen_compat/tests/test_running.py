from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.cli import root
from airochat.errors import UsageError
from plugins.textgen_compat.tests import scripts
from plugins.textgen_compat.tests.conftest import Extensions

SHOUT = scripts.SHOUT


def test_a_script_changes_a_reply_only_once_it_is_enabled(extensions: Extensions) -> None:
    extensions.put("shout", SHOUT, enable=False)
    assert extensions.bench.reply("hush") == "hush"
    assert "shout: not enabled" in extensions("list")
    assert extensions("enable shout") == "shout: on; honoured: output_modifier"
    assert extensions.bench.reply("hush") == "HUSH"
    assert "not enabled any more" in extensions("disable shout")
    assert extensions.bench.reply("hush") == "hush"


def test_listing_runs_no_code_of_a_stranger(extensions: Extensions) -> None:
    extensions.put("mean", "raise SystemExit('ran')", enable=False)
    extensions.bench.user_message("hello")
    assert extensions("list").startswith("mean: not enabled")
    assert "It failed while it was loaded: SystemExit: ran" in extensions("enable mean")


def test_the_command_line_runs_an_added_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIROCHAT_HOME", str(tmp_path / "home"))
    for name in ("AIROCHAT_MODEL", "AIROCHAT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "shout").mkdir()
    (tmp_path / "shout" / "script.py").write_text(SHOUT)

    def say(*words: str) -> str:
        done = CliRunner().invoke(root, ["say", "--model", "scripted", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    plain = json.loads(say("hello", "--json"))["text"]
    say("--continue", f"/textgen add {tmp_path / 'shout'}")
    assert json.loads(say("hello", "--json"))["text"] == plain
    say("--continue", "/textgen enable shout")
    assert json.loads(say("hello", "--json"))["text"] == plain.upper() != plain


def test_parameters_are_typed_by_their_defaults_and_kept(extensions: Extensions) -> None:
    extensions.put("character_bias", scripts.CHARACTER_BIAS)
    assert 'bias string = "*I am so sad*"' in extensions("set character_bias bias string=*I am so sad*")
    extensions("set character_bias strength=2")
    extensions("set character_bias times=3")
    extensions('set character_bias words=["b", "c"]')
    extensions("enable character_bias")
    params = extensions.script("character_bias").params
    assert params == {
        "activate": True, "bias string": "*I am so sad*", "strength": 2.0, "times": 3, "words": ["b", "c"],
    }  # fmt: skip
    assert isinstance(params["strength"], float)


@pytest.mark.parametrize(
    "words", ["times=many", "activate=perhaps", "strength=x", "words=[", "unknown=1", "times", "times=1.5"]
)
def test_a_wrong_parameter_is_refused_and_changes_nothing(extensions: Extensions, words: str) -> None:
    extensions.put("character_bias", scripts.CHARACTER_BIAS)
    before = extensions("set character_bias")
    with pytest.raises(UsageError):
        extensions(f"set character_bias {words}")
    assert extensions("set character_bias") == before


def test_a_broken_one_is_off_and_the_others_go_on(extensions: Extensions) -> None:
    extensions.put("broken", scripts.BROKEN)
    extensions.put("shout", SHOUT)
    assert extensions.bench.reply("hush") == "HUSH"
    told = extensions("list")
    assert "broken: off. It failed in output_modifier: KeyError: 'no such thing'" in told
    assert "shout: on" in told
    assert extensions("enable broken").startswith("broken: on")
    assert extensions.bench.user_message("hello") == "hello"
    assert "It failed in input_modifier: TypeError: it returned NoneType, not a text" in extensions("list")


@pytest.mark.parametrize(
    "script",
    [
        "def output_modifier(string): return ''",
        "def output_modifier(string, state, chat, more): return string",
        "def output_modifier(string): raise SystemExit",
        "def output_modifier(string): import modules.nothing_here",
        "def output_modifier(string, state): state.clear(); return state['name1']",
    ],
)
def test_whatever_a_script_does_the_adapter_stays(extensions: Extensions, script: str) -> None:
    extensions.put("bad", script)
    extensions.put("shout", "def output_modifier(string, state):\n    return string + state['name1']\n")
    assert extensions.bench.reply("hush ") == "hush You"
    assert "bad: off. It failed in output_modifier" in extensions("list")


@pytest.mark.parametrize(
    "script", ["1 +", "import nowhere_to_be_found", "def setup(): raise ValueError('no')"]
)
def test_one_that_cannot_be_loaded_is_named(extensions: Extensions, script: str) -> None:
    assert "bad: off. It failed while it was loaded" in extensions.put("bad", script)
    assert extensions.bench.reply("hush") == "hush"
    extensions.put("bad", SHOUT)
    assert extensions.bench.reply("hush") == "HUSH"


def test_one_that_hangs_is_given_up_in_time(extensions: Extensions, monkeypatch: pytest.MonkeyPatch) -> None:
    extensions.put("hangs", scripts.HANGS)
    extensions.put("shout", SHOUT)
    script = extensions.script("hangs")
    monkeypatch.setattr(extensions.desk(), "HOOK_S", 0.5)
    try:
        extensions.bench.reply("hush")
        monkeypatch.undo()
        assert extensions.bench.reply("hush") == "HUSH"
        told = extensions("list")
        assert "hangs: off. It failed in output_modifier: it took more than 0." in told
        assert "shout: on" in told
    finally:
        script.gate.set()


def test_one_that_takes_long_to_load_holds_up_nothing_and_comes_later(
    extensions: Extensions, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ModuleType("slow_library")
    opened = threading.Event()
    gate.wait = opened.wait  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "slow_library", gate)
    extensions.put("shout", SHOUT)
    extensions.put(
        "slow", "import slow_library\nslow_library.wait()\nfrom modules import shared\n", enable=False
    )
    monkeypatch.setattr(extensions.part("commands"), "COMMAND_S", 0.2)
    assert extensions("enable slow") == "slow: enabled, but still being loaded"
    with pytest.raises(UsageError, match="not loaded"):
        extensions("set slow")
    monkeypatch.setattr(extensions.desk(), "HOOK_S", 0.2)
    assert extensions.bench.reply("hush") == "hush"
    opened.set()
    monkeypatch.setattr(extensions.part("commands"), "COMMAND_S", 20.0)
    assert "slow: on" in extensions("list")
    monkeypatch.setattr(extensions.desk(), "HOOK_S", 4.0)
    assert extensions.bench.reply("hush") == "HUSH"


def test_one_that_never_ends_loading_is_given_up(
    extensions: Extensions, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ModuleType("slow_library")
    opened = threading.Event()
    gate.wait = opened.wait  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "slow_library", gate)
    extensions.put("shout", SHOUT)
    monkeypatch.setattr(extensions.desk(), "LOAD_S", 0.2)
    try:
        told = extensions.put("slow", "import slow_library\nslow_library.wait()\n")
        assert "slow: off. It failed while it was loaded: it took more than 0." in told
        assert extensions.bench.reply("hush") == "HUSH"
    finally:
        opened.set()


def test_nothing_stays_behind_in_the_modules_of_python(
    extensions: Extensions, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ModuleType("gradio")
    monkeypatch.setitem(sys.modules, "gradio", real)
    finders = list(sys.meta_path)
    script = (
        "import gradio, gradio.themes\nfrom modules import ui, utils\nassert not gradio.Box.__class__ is type\n"
        "def output_modifier(string):\n    import modules.shared, gradio.blocks\n    return string + 'x'\n"
    )
    extensions.put("looks", script)
    assert extensions.bench.reply("hush") == "hushx"
    left = [name for name in sys.modules if name.partition(".")[0] in ("modules", "extensions")]
    assert left == []
    assert sys.modules["gradio"] is real and "gradio.themes" not in sys.modules
    assert sys.meta_path == finders


def test_added_folders(extensions: Extensions, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    with pytest.raises(UsageError, match=r"no script\.py"):
        extensions(f"add {tmp_path / 'far'}")
    (tmp_path / "far" / "script.py").write_text(SHOUT)
    assert "far was added" in extensions(f"add {tmp_path / 'far'}")
    with pytest.raises(UsageError, match="already"):
        extensions(f"add {tmp_path / 'far'}")
    extensions("enable far")
    assert extensions.bench.reply("hush") == "HUSH"
    assert "was removed" in extensions("remove far")
    assert extensions.bench.reply("hush") == "hush"
    assert "There are no extensions" in extensions("list")


def test_a_folder_that_is_gone_is_told(extensions: Extensions) -> None:
    extensions.put("shout", SHOUT)
    (extensions.bench.context().folder / "extensions" / "shout" / "script.py").unlink()
    assert extensions.bench.reply("hush") == "hush"
    assert extensions("list") == "shout: enabled, but its folder is gone"
    extensions("disable shout")


@pytest.mark.parametrize(
    "line", ["fly", "enable", "enable nobody", "disable nobody", "add", "remove x", "set x"]
)
def test_what_is_not_known_is_refused(extensions: Extensions, line: str) -> None:
    with pytest.raises(UsageError):
        extensions(line)


def test_in_a_session_the_prompt_has_the_history_as_scripts_leave_it(tmp_path: Path) -> None:
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "script.py").write_text(
        "def history_modifier(history):\n"
        "    rows = history['internal']\n"
        "    rows[:-1] = [['What was?', 'Much.']]\n"
        "    rows.append(['Where is the key?', 'Under the mat.'])\n"
        "    return history\n"
    )
    with airochat.open(tmp_path / "home", ScriptedBackend(["One.", "Two.", "Three."])) as manager:
        session = manager.new()
        session.command(f"/textgen add {tmp_path / 'short'}")
        for text in ("First.", "Second.", "Third."):
            assert session.send(text).wait(60)
        session.command("/textgen enable short")
        plan = session.prompt("Now.")
        parts = ("What was?", "Much.", "Third.", "Three.", "Where is the key?", "Under the mat.", "Now.")
        places = [plan.text.index(part) for part in parts]
        assert places == sorted(places)
        assert "Second." not in plan.text and "First." not in plan.text
        assert [message.text for message in session.history][:2] == ["First.", "One."]
        changed = [row.source for row in plan.report if "changed by textgen_compat" in row.reason]
        assert len(changed) == 2
