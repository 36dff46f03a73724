"""The library under programs that are killed, that run at the same time, and that have no room."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from airochat.store import Store
from tests.characters import files

ROOT = Path(__file__).parents[2]
BIG = 400_000
"""Characters of a field that takes many writes."""

_START = """
    import sys
    from pathlib import Path
    from airochat.errors import StoreError
    from airochat.store import Store
    root = Path(sys.argv[1])
    library = Store(root / "airochat.db").cards(root / "cards")
    print("ready", flush=True)
    sys.stdin.readline()
"""
EDITING = """
    number = 0
    while True:
        library.edit("maya.json", {"description": str(number % 10) * int(sys.argv[2])})
        print(number, flush=True)
        number += 1
"""
IMPORTING = """
    for path in sorted((root / "from").iterdir()):
        print(library.import_(path).entry.id, flush=True)
"""
COUNTING = """
    for number in range(20):
        library.edit("maya.json", {sys.argv[2]: f"{number} of {sys.argv[2]}"})
"""
WITHOUT_ROOM = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    for act in (lambda: library.import_(root / "from" / "big.json"),
                lambda: library.edit("maya.json", {"description": "x" * 400_000})):
        try:
            act()
        except StoreError as error:
            print(error, flush=True)
"""


def start(root: Path, script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a program on the library in ``root``; it is ready when this returns, and begins with `go`."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_START + script), str(root), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Let a program begin, wait for its end, and return its lines."""
    output, errors = process.communicate("\n")
    assert (process.returncode, errors) == (0, "")
    return output.splitlines()


def place(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def numbered(number: int) -> bytes:
    """Return one of many cards, too large for one write."""
    return files.json_bytes({**files.V1, "name": f"Maya {number}", "scenario": str(number) * BIG})


def test_an_edit_that_is_killed_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    original = files.json_bytes(files.V2)
    path = place(tmp_path / "cards", "maya.json", original)
    for steps in range(1, 9):
        process = start(tmp_path, EDITING, BIG)
        go(process)
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(steps)][-1]
        process.kill()
        rest, _ = process.communicate()
        last = int((rest.split() or [seen])[-1])
        made = json.loads((tmp_path / "cards" / "maya.json.edits.json").read_bytes())["changes"]
        # One more may have been written than the program came to say.
        assert made["description"] in (str(last % 10) * BIG, str((last + 1) % 10) * BIG)
        assert path.read_bytes() == original
        store = Store(tmp_path / "airochat.db")
        library = store.cards(tmp_path / "cards")
        assert library.open("Maya").card.description == made["description"]
        assert [entry.id for entry in library.entries()] == ["maya.json"]
        store.close()


def test_an_import_that_is_killed_leaves_whole_cards_only(tmp_path: Path) -> None:
    sources = {hashlib.sha256(numbered(number)).digest() for number in range(12)}
    for number in range(12):
        place(tmp_path / "from", f"{number:02}.json", numbered(number))
    for steps in range(1, 9):
        process = start(tmp_path, IMPORTING)
        go(process)
        assert process.stdout is not None
        seen = [process.stdout.readline().strip() for _ in range(steps)]
        process.kill()
        rest, _ = process.communicate()
        store = Store(tmp_path / "airochat.db")
        entries = store.cards(tmp_path / "cards").entries()
        store.close()
        assert {entry.error for entry in entries} == {""}
        assert {*seen, *rest.split()} <= {entry.id for entry in entries}
        stored = [hashlib.sha256((tmp_path / "cards" / entry.id).read_bytes()).digest() for entry in entries]
        assert len(set(stored)) == len(stored)
        assert set(stored) <= sources
    assert finish(start(tmp_path, IMPORTING)) == [f"{number:02}.json" for number in range(12)]


def test_programs_that_import_the_same_cards_make_one_entry_of_each(tmp_path: Path) -> None:
    for number in range(30):
        content = files.json_bytes({**files.V1, "name": f"Maya {number}"})
        place(tmp_path / "from", f"{number:02}.json", content)
    programs = [start(tmp_path, IMPORTING) for _ in range(3)]
    for program in programs:
        go(program)
    expected = [f"{number:02}.json" for number in range(30)]
    assert [finish(program) for program in programs] == [expected] * 3
    assert sorted(os.listdir(tmp_path / "cards")) == expected


def test_programs_that_edit_one_card_lose_nothing(tmp_path: Path) -> None:
    place(tmp_path / "cards", "maya.json", files.json_bytes(files.V2))
    fields = ("description", "scenario", "creator")
    programs = [start(tmp_path, COUNTING, field) for field in fields]
    for program in programs:
        go(program)
    for program in programs:
        finish(program)
    made = json.loads((tmp_path / "cards" / "maya.json.edits.json").read_bytes())["changes"]
    assert made == {field: f"19 of {field}" for field in fields}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_without_room_nothing_changes_and_the_error_names_the_place(tmp_path: Path) -> None:
    place(tmp_path / "cards", "maya.json", files.json_bytes(files.V2))
    place(tmp_path / "from", "big.json", numbered(1))
    store = Store(tmp_path / "airochat.db")
    library = store.cards(tmp_path / "cards")
    library.edit("maya", {"description": "Keeps bees."})
    lines = finish(start(tmp_path, WITHOUT_ROOM))
    assert len(lines) == 2 and all("cards" in line and "File too large" in line for line in lines), lines
    assert sorted(os.listdir(library.folder)) == ["maya.json", "maya.json.edits.json"]
    assert library.open("maya").card.description == "Keeps bees."
    store.close()
