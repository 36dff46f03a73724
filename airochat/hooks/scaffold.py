"""A new plugin to begin with: it works, says what it does, and has a test that passes."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

from airochat.errors import PluginError, StoreError
from airochat.hooks.hookspecs import API
from airochat.hooks.manifest import CODE, FILE, check_name

MANIFEST: Final = """\
name = "$name"
version = "0.1.0"
summary = "Keeps a mood for a chat, and tells the model."
api = $api

[settings.depth]
type = "int"
default = 2
least = 0
most = 100
help = "How many messages stand below the mood in the prompt."
"""
CODE_TEXT: Final = '''\
"""Keeps a mood for a chat, and tells the model."""

from airochat.hooks import Block, Command, hookimpl


@hookimpl
def register_commands(register):
    register(Command("$name", "Set or show the mood of this chat.", "/$name [MOOD]", mood))


@hookimpl
def contribute_blocks(context):
    mood = context.data.get("mood")
    if mood:
        text = f"[The mood: {mood}]"
        yield Block("plugin:$name", text, depth=context.settings["depth"], reason="mood is set")


def mood(context, words):
    if words:
        context.data["mood"] = words
    return f"The mood: {context.data.get('mood', 'none')}"
'''
TEST: Final = '''\
"""Run it with: python -m pytest"""

from pathlib import Path

from airochat.hooks.testing import PluginBench

FOLDER = Path(__file__).resolve().parents[1]


def test_the_mood_is_in_the_prompt():
    bench = PluginBench(FOLDER, said=["Hello", "Who is there?"])
    assert bench.blocks() == []
    assert bench.command("/$name stormy") == "The mood: stormy"
    (block,) = bench.blocks()
    assert (block.text, block.depth) == ("[The mood: stormy]", 2)
'''
README: Final = """\
# $name

Keeps a mood for a chat, and tells the model.

| command | what it does |
|---|---|
| `/$name stormy` | sets the mood of this chat |
| `/$name` | shows it |

The setting `depth` says how many messages stand below it in the prompt: `airochat plugins settings $name depth=4`.

`airochat plugins enable $name` lets it run. `docs/plugins.md` of airochat tells what else a plugin can do.
"""
FILES: Final = {FILE: MANIFEST, CODE: CODE_TEXT, "README.md": README, "tests/test_$name.py": TEST}


def new_plugin(place: Path, name: str) -> Path:
    """Write a working plugin into a folder of plugins and return its own folder; nothing there is replaced.

    Raises `PluginError` for a name that cannot be used, and `StoreError`.
    """
    check_name(name)
    folder = place / name
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir()
        for path, text in FILES.items():
            target = folder / Template(path).substitute(name=name)
            target.parent.mkdir(exist_ok=True)
            target.write_text(Template(text).substitute(name=name, api=API), encoding="utf-8")
    except FileExistsError:
        raise PluginError(f"There already is {folder}.", "Choose another name, or remove it.") from None
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.") from None
    return folder
