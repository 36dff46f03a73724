"""The library under programs that are killed, that run at the same time, and that have no room."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from airochat.store import CardLibrary, Store
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
AT_EACH_STEP = """
    import os, signal
    from airochat.store import atomic
    from tests.store.test_library_crashes import ACTS
    prepare, act, check = ACTS[sys.argv[2]]
    ours = (os.path.dirname(atomic.__file__), "pathlib.py", "tempfile.py")

    def open_library():
        return Store(root / "airochat.db").cards(root / "cards")

    def is_killed(step):
        pid = os.fork()
        if pid:
            return os.waitpid(pid, 0)[1] == signal.SIGKILL
        library = open_library()
        left = step
        def count(frame, event, arg):
            nonlocal left
            place = frame.f_code.co_filename
            if event == "c_call" and (place.startswith(ours[0]) or place.endswith(ours[1:])):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.setprofile(count)
        act(root, library, step)
        sys.setprofile(None)
        os._exit(0)

    step, killed = 0, True
    while killed:
        prepare(root, step)
        killed = is_killed(step)
        check(root, open_library(), step)
        step += 1
    print(step)
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


def described(step: int) -> str:
    return f"Edited in step {step}. " * 2000


def prepare_edit(root: Path, step: int) -> None:
    # A list looks at every draft that lies about, so that there would be ever more steps.
    for draft in (root / "cards").glob(".new-*"):
        draft.unlink()
    if step == 0:
        place(root / "cards", "maya.json", files.json_bytes(files.V2))
        place(root / "cards", "maya.json.edits.json", json.dumps({"changes": {"description": "-"}}).encode())


def act_edit(root: Path, library: CardLibrary, step: int) -> None:
    library.edit("maya", {"description": described(step)})


def check_edit(root: Path, library: CardLibrary, step: int) -> None:
    made = json.loads((root / "cards" / "maya.json.edits.json").read_bytes())["changes"]["description"]
    assert made == described(step) or made == described(step - 1) or made == "-", made[:99]
    assert (root / "cards" / "maya.json").read_bytes() == files.json_bytes(files.V2)
    assert [(entry.id, entry.error) for entry in library.entries()] == [("maya.json", "")]
    assert library.open("maya").card.description == made


def from_step(step: int) -> bytes:
    return files.json_bytes({**files.V1, "name": f"Maya {step}"})


def prepare_import(root: Path, step: int) -> None:
    shutil.rmtree(root / "cards", ignore_errors=True)
    place(root / "cards", "0.json", from_step(0))
    place(root / "from", f"{step}.json", from_step(step))


def act_import(root: Path, library: CardLibrary, step: int) -> None:
    library.import_(root / "from" / f"{step}.json")


def check_import(root: Path, library: CardLibrary, step: int) -> None:
    for entry in library.entries():
        assert entry.error == ""
        assert (root / "cards" / entry.id).read_bytes() == from_step(int(entry.id.removesuffix(".json")))


def prepare_remove(root: Path, step: int) -> None:
    place(root / "cards", "maya.json", from_step(step))
    edits = json.dumps({"changes": {"creator": str(step)}}).encode()
    place(root / "cards", "maya.json.edits.json", edits)


def act_remove(root: Path, library: CardLibrary, step: int) -> None:
    library.remove("maya.json")


def check_remove(root: Path, library: CardLibrary, step: int) -> None:
    there = [path.read_bytes() for path in (root / "cards").rglob("*") if path.is_file()]
    assert from_step(step) in there
    assert json.dumps({"changes": {"creator": str(step)}}).encode() in there
    assert {entry.error for entry in library.entries()} <= {""}


ACTS = {
    "edit": (prepare_edit, act_edit, check_edit),
    "import": (prepare_import, act_import, check_import),
    "remove": (prepare_remove, act_remove, check_remove),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows starts no copy of a process")
@pytest.mark.parametrize("act", sorted(ACTS))
def test_a_program_killed_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, act: str) -> None:
    (steps,) = finish(start(tmp_path, AT_EACH_STEP, act))
    assert int(steps) > 20


def test_an_edit_that_is_killed_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    original = files.json_bytes(files.V2)
    path = place(tmp_path / "cards", "maya.json", original)
    for steps in range(1, 5):
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
    for steps in range(1, 5):
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
