"""Which plugins are found, which run, and what is said of the others."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airochat.hooks import hookspecs
from airochat.hooks.manifest import Manifest, read_manifest
from airochat.resources import resource_dir
from tests.hooks.helpers import BUNDLED, MANIFEST, Bench, write_plugin

GOOD = "@hookimpl\ndef transform_reply(draft): draft.text += ' good'"


def test_listing_runs_no_plugin(tmp_path: Path) -> None:
    write_plugin(tmp_path, "listed", "raise SystemExit('was run')")
    bench = Bench(tmp_path)
    found = bench.report("listed")
    assert (found.version, found.summary, found.source) == ("1.0", "For a test.", "user")
    assert (found.state, found.hooks, found.path) == ("on", (), str(tmp_path / "listed"))
    assert "airochat_plugin_listed" not in sys.modules
    bench.host.load()
    assert bench.report("listed").error == "It failed while it was loaded: SystemExit: was run"
    assert "airochat_plugin_listed" not in sys.modules


def test_bundled_plugins_run_by_themselves_and_strangers_do_not(tmp_path: Path) -> None:
    write_plugin(tmp_path, "stranger", GOOD)
    bench = Bench(tmp_path, enabled=(), disabled=())
    assert bench.report("authors_note").state == "on"
    assert bench.report("stranger").state == "off"
    assert bench.host.reply(bench.context, "x") == "x"
    assert "note" in bench.host.commands()

    bench = Bench(tmp_path, enabled=("stranger",), disabled=BUNDLED)
    assert bench.report("authors_note").state == "off"
    assert bench.host.reply(bench.context, "x") == "x good"
    assert bench.host.commands() == {}
    assert bench.report("stranger").hooks == ("transform_reply",)

    bench = Bench(tmp_path, enabled=("stranger",), disabled=("stranger",))
    assert bench.report("stranger").state == "off"


@pytest.mark.parametrize(
    ("value", "running"),
    [
        ("", set()),
        (" , ", set()),
        ("stranger", {"stranger"}),
        ("authors_note, stranger", {"authors_note", "stranger"}),
    ],
)
def test_the_environment_decides_over_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, running: set[str]
) -> None:
    write_plugin(tmp_path, "stranger", GOOD)
    write_plugin(tmp_path, "enabled", GOOD)
    monkeypatch.setenv("AIROCHAT_PLUGINS", value)
    bench = Bench(tmp_path, enabled=("enabled",), disabled=("stranger",))
    bench.host.load()
    assert {report.name for report in bench.host.reports() if report.state == "on"} == running
    assert bench.told == []


def test_a_plugin_that_is_asked_for_and_missing_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, enabled=("gone",))
    bench.host.load()
    assert (bench.report("gone").state, bench.report("gone").source) == ("failed", "missing")
    assert "gone was not loaded: There is no plugin of this name." in bench.told[0][0]
    monkeypatch.setenv("AIROCHAT_PLUGINS", "lost")
    assert [report.name for report in Bench(tmp_path).host.reports() if report.state == "failed"] == ["lost"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("@hookimpl\ndef on_turn_finnished(event): pass", "Did you mean 'on_turn_finished'?"),
        ("@hookimpl\ndef transform_reply(draft, colour): pass", "colour"),
        ("def transform_reply(draft): pass", "It has no hooks. Put @airochat.hookimpl above"),
        ("@hookimpl(wrapper=True)\ndef transform_reply(draft): return (yield)", "plugins cannot wrap"),
    ],
)
def test_code_that_cannot_be_loaded_is_reported_and_the_rest_runs(
    tmp_path: Path, code: str, reason: str
) -> None:
    write_plugin(tmp_path, "bad", code)
    write_plugin(tmp_path, "good", GOOD)
    bench = Bench(tmp_path)
    assert bench.host.reply(bench.context, "x") == "x good"
    assert bench.report("bad").state == "failed"
    assert reason in bench.report("bad").error
    assert reason in bench.told[0][0]


def test_a_hook_of_a_later_airochat_may_be_optional(tmp_path: Path) -> None:
    write_plugin(tmp_path, "a", GOOD + "\n@hookimpl(optionalhook=True)\ndef on_something_new(): pass")
    bench = Bench(tmp_path)
    assert bench.host.reply(bench.context, "x") == "x good"


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("", "has no name"),
        ('name = "a"', "has no version"),
        (MANIFEST.replace("api = 1", ""), "has no api"),
        (MANIFEST.replace("api = 1", 'api = "1"'), "api = '1' in plugin.toml is not a number"),
        (MANIFEST.replace("api = 1", "api = true"), "is not a number"),
        (MANIFEST.replace("api = 1", "api = 2"), "It needs version 2 of the hooks, this airochat has 1"),
        (MANIFEST.replace("api = 1", "api = 0"), "It needs version 0"),
        (MANIFEST.replace('"1.0"', "1.0"), "version = 1.0 in plugin.toml is not a text"),
        (MANIFEST.replace('"{name}"', '"other"'), "The folder is called 'a', but plugin.toml says 'other'"),
        (MANIFEST.replace('"{name}"', '"../a"'), "is not a plugin's name"),
        ("name = ", "cannot be read"),
        (MANIFEST + "order = 1.5", "order = 1.5 is not a whole number"),
        (MANIFEST + "order = true", "order = True is not a whole number"),
        (MANIFEST + "settings = 3", "settings in plugin.toml is not a table"),
        (MANIFEST + "setings = 3", "Did you mean 'settings'?"),
        (MANIFEST.replace("api = 1", "api = 2") + "novelty = 3", "It needs version 2"),
        ("# " + "x" * 200_000, "larger than"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_reason(tmp_path: Path, manifest: str, reason: str) -> None:
    write_plugin(tmp_path, "a", "raise SystemExit", manifest)
    bench = Bench(tmp_path)
    bench.host.load()
    assert bench.report("a").state == "failed"
    assert reason in bench.report("a").error


def test_folders_without_plugins_are_reported_and_files_ignored(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bytes").mkdir()
    (tmp_path / "bytes" / "plugin.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "no_code").mkdir()
    (tmp_path / "no_code" / "plugin.toml").write_text(MANIFEST.format(name="no_code"))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    bench = Bench(tmp_path)
    errors = {report.name: report.error for report in bench.host.reports() if report.source == "user"}
    assert sorted(errors) == ["bytes", "empty", "no_code"]
    assert "No such file" in errors["empty"]
    assert "cannot be read" in errors["bytes"]
    assert errors["no_code"] == "Its folder has no __init__.py."
    assert Bench(tmp_path / "notes.txt", enabled=()).host.blocks(bench.context) == []
    assert Bench(tmp_path / "absent", enabled=()).host.blocks(bench.context) == []


@pytest.mark.parametrize("name", ["tui", "variables", "audience", "airochat"])
def test_names_under_which_airochat_keeps_things_are_refused(tmp_path: Path, name: str) -> None:
    write_plugin(tmp_path, name, GOOD)
    bench = Bench(tmp_path)
    assert bench.host.reply(bench.context, "x") == "x"
    assert "is a name that airochat uses itself" in bench.report(name).error


def write_package(place: Path, name: str, target: str) -> None:
    """Write an installed package with an entry point, as pip would leave it."""
    info = place / f"airochat_{name}-2.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: airochat-{name}\nVersion: 2.5\nSummary: An \x1b[31minstalled one\n"
    )
    (info / "entry_points.txt").write_text(f"[airochat]\n{name} = {target}\n")


def test_installed_packages_are_found_and_run_when_enabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    write_package(site, "shout", "shout_plugin")
    write_package(site, "broken", "no_such_module")
    (site / "shout_plugin.py").write_text(
        "import airochat\n@airochat.hookimpl\ndef transform_reply(draft): draft.text = draft.text.upper()\n"
    )
    monkeypatch.syspath_prepend(str(site))
    bench = Bench(tmp_path / "none", enabled=())
    assert bench.report("shout").state == "off"
    assert bench.host.reply(bench.context, "x") == "x"
    assert "shout_plugin" not in sys.modules

    write_plugin(tmp_path / "own", "after", GOOD)
    bench = Bench(tmp_path / "own", enabled=("shout", "broken", "after"))
    assert bench.host.reply(bench.context, "x") == "X good"
    found = bench.report("shout")
    assert (found.version, found.summary, found.source) == ("2.5", "An installed one", "installed")
    assert "no_such_module" in bench.report("broken").error
    monkeypatch.delitem(sys.modules, "shout_plugin")


def test_of_two_plugins_with_one_name_none_sneaks_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    write_package(site, "twice", "twice_plugin")
    monkeypatch.syspath_prepend(str(site))
    own = tmp_path / "own"
    write_plugin(own, "twice", GOOD)
    write_plugin(own, "authors_note", "raise SystemExit")
    bench = Bench(own, enabled=("twice", "authors_note"), disabled=())
    assert bench.host.reply(bench.context, "x") == "x"
    states = [
        (report.name, report.source, report.state)
        for report in bench.host.reports()
        if report.name in ("authors_note", "twice")
    ]
    assert states == [
        ("authors_note", "bundled", "on"),
        ("twice", "installed", "failed"),
        ("authors_note", "user", "failed"),
        ("twice", "user", "failed"),
    ]
    errors = [report.error for report in bench.host.reports() if report.name == "twice"]
    assert all("There is another plugin of this name" in error for error in errors)
    assert bench.host.run_command("/note Rain.", bench.context).endswith("Rain.")


def test_plugins_are_loaded_once_though_many_threads_call(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("")
    code = f"with open({str(tmp_path / 'count')!r}, 'a') as file: file.write('x')\n" + GOOD
    write_plugin(tmp_path / "own", "a", code)
    bench = Bench(tmp_path / "own")
    answers: list[str] = []
    gate = threading.Barrier(4)

    def call() -> None:
        gate.wait()
        answers.append(bench.host.reply(bench.context, "x"))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["x good"] * 4
    assert (tmp_path / "count").read_text() == "x"


def test_bundled_plugins_all_load() -> None:
    folders = [path for path in resource_dir("plugins").iterdir() if (path / "plugin.toml").exists()]
    assert folders
    for folder in folders:
        assert isinstance(read_manifest(folder), Manifest)
        assert (folder / "README.md").is_file()
    bench = Bench(Path("/nonexistent"), disabled=())
    bench.host.load()
    assert [report.error for report in bench.host.reports() if report.source == "bundled"] == [""] * len(
        folders
    )


def test_hook_names_keep_to_their_families() -> None:
    names = [name for name, value in vars(hookspecs).items() if hasattr(value, "airochat_spec")]
    assert len(names) == 28
    for name in names:
        assert name.startswith(("register_", "contribute_", "transform_", "on_"))


def test_importing_the_hooks_loads_no_front_end_and_no_plugin() -> None:
    code = "import sys, airochat.hooks; print([m for m in sys.modules if m.startswith(('airochat_plugin', 'textual'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
