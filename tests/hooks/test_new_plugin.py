"""The plugin that `airochat plugins new` writes works, and the page about plugins tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from airochat.errors import PluginError
from airochat.hooks import docs, hookspecs
from airochat.hooks.manifest import read_manifest
from airochat.hooks.scaffold import new_plugin
from airochat.hooks.testing import PluginBench

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "plugins.md"


def test_a_new_plugin_works_and_its_test_passes(tmp_path: Path) -> None:
    folder = new_plugin(tmp_path / "plugins", "weather")
    assert read_manifest(folder).settings[0].name == "depth"
    assert "/weather stormy" in (folder / "README.md").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
    code = folder / "__init__.py"
    code.write_text(code.read_text(encoding="utf-8").replace("if mood:", "if not mood:"), encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert "1 failed" in done.stdout


@pytest.mark.parametrize("name", ["", "Weather", "a b", "../a", "tui", "9x"])
def test_names_that_cannot_be_used_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError):
        new_plugin(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    folder = new_plugin(tmp_path, "weather")
    (folder / "__init__.py").write_text("mine", encoding="utf-8")
    with pytest.raises(PluginError, match="There already is"):
        new_plugin(tmp_path, "weather")
    assert (folder / "__init__.py").read_text(encoding="utf-8") == "mine"


def test_the_page_is_what_the_hooks_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == docs.page(), (
        "run: python -m airochat.hooks.docs > docs/plugins.md"
    )


def test_the_page_has_every_hook_and_every_argument() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in docs.hook_names():
        assert f"### `{name}`" in text
        for kind in set(
            re.findall(r"[A-Z]\w+(?:Facts|Draft|Context)", str(getattr(hookspecs, name).__annotations__))
        ):
            assert f"### `{kind}`" in text, kind


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    manifest = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    folder = tmp_path / docs.EXAMPLE
    folder.mkdir()
    (folder / "plugin.toml").write_text(manifest, encoding="utf-8")
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    bench = PluginBench(folder, said=["Hello"])
    assert bench.command("/mood stormy") == "The mood: stormy"
    assert [block.text for block in bench.blocks()] == ["[The mood: stormy]"]


def test_the_bench_does_what_a_turn_does_and_raises(tmp_path: Path) -> None:
    folder = new_plugin(tmp_path, "echo")
    (folder / "__init__.py").write_text(
        """
from airochat.hooks import hookimpl

@hookimpl
def register_macros(register): register("where", lambda call: "here")
@hookimpl
def transform_user_message(draft): draft.text += "!"
@hookimpl
def transform_blocks(draft): draft.blocks.reverse()
@hookimpl
def transform_sampling(draft): draft.sampling = draft.sampling.replace(seed=3)
@hookimpl
def transform_reply(context, draft): draft.text = 1 / 0
@hookimpl
def on_session_opened(context): context.storage("branch")["seen"] = len(context.history)
""",
        encoding="utf-8",
    )
    bench = PluginBench(folder, said=["Hello", "Hi"], title="The Mill")
    assert (bench.user_message("a"), bench.macro("{{where}}"), bench.sampling().seed) == ("a!", "here", 3)
    bench.tell("on_session_opened")
    assert bench.context().storage("branch")["seen"] == 2
    assert [message.role for message in bench.context().history] == ["user", "assistant"]
    assert (bench.context().title, bench.context().folder.is_dir(), bench.changed_blocks([])) == (
        "The Mill",
        True,
        [],
    )
    with pytest.raises(PluginError, match="The plugin echo failed in transform_reply"):
        bench.reply("x")
