"""The examples that are shipped do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from airochat.backends.scripted import REPLIES
from airochat.resources import resource_dir
from airochat.settings import Settings, setting_names

EXAMPLES = resource_dir("examples")


def test_the_scripted_conversation_runs() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "hello.py", "scripted"],
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=120,
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("> ")] == [
        "> Who are you?",
        "> What do you see from up there?",
        "> the same again, with another seed",
    ]
    assert REPLIES[1] in done.stdout
    assert done.stdout.endswith(f"{REPLIES[2]}\n")
    assert done.stderr == ""


def test_the_settings_file_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    text = (EXAMPLES / "settings.toml").read_text(encoding="utf-8")
    shown = re.findall(r"^# (\w+) = .*$", text, flags=re.MULTILINE)
    assert sorted(shown) == sorted(set(setting_names()) - {"sampling", "roleplay"})
    used = tmp_path / "settings.toml"
    used.write_text(re.sub(r"^# (\w+ = .*)$", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    assert Settings.load(used) == Settings().replace({"seed": 7})


def test_the_scripted_conversation_says_so_if_its_model_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "hello.py", "nope"],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "There is no model 'nope'" in done.stderr
    assert done.stdout == ""
