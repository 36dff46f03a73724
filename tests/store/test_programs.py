"""Several programs on one database, and programs that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from airochat.store import Store
from tests.store.helpers import begin, message

ROOT = Path(__file__).parents[2]

WRITER = """
    import sys
    from pathlib import Path
    from airochat.store import Store
    from tests.store.helpers import message, record
    path, session, name, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    sys.stdin.readline()
    store = Store(path)
    if not session:
        session = name
        store.create_session(record(session_id=session))
    for number in range(count):
        store.add_message(session, message("rain", message_id=f"{name}-{number}"))
        store.record_step(session, f"{name}-{number}")
        print(f"{name}-{number}", flush=True)
    sys.stdin.readline()
"""


def start(path: Path, session: str, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path), session, name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_message_outlives_its_program_killed_right_after(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    store = Store(path)
    session = begin(store)
    store.close()
    for number in range(3):
        process = start(path, session, f"p{number}", 1000)
        go(process)
        assert process.stdout is not None
        seen = [process.stdout.readline().strip() for _ in range(5 + number)]
        process.kill()
        rest, _ = process.communicate()
        seen += rest.split()
        opened = Store(path)
        stored = [made.id for made in opened.messages(session) if made.id.startswith(f"p{number}-")]
        head = opened.session(session).head
        opened.close()
        # One more may have been committed than the program came to say.
        assert stored[: len(seen)] == seen
        assert len(stored) - len(seen) in (0, 1)
        assert head == stored[-1]


def test_two_programs_write_one_session_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    store = Store(path)
    session = begin(store)
    processes = [start(path, session, name, 60) for name in ("a", "b")]
    for process in processes:
        go(process)
    outputs = [process.communicate("\n") for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    stored = [made.id for made in store.messages(session)]
    for name in ("a", "b"):
        assert [found for found in stored if found[0] == name] == [f"{name}-{number}" for number in range(60)]
    store.close()


def test_programs_that_start_together_make_one_database(tmp_path: Path) -> None:
    path = tmp_path / "new" / "airochat.db"
    processes = [start(path, "", name, 3) for name in ("a", "b", "c")]
    for process in processes:
        go(process)
    outputs = [process.communicate("\n") for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    store = Store(path)
    assert sorted((found.id, found.messages) for found in store.sessions()) == [("a", 3), ("b", 3), ("c", 3)]
    store.close()


def test_a_second_store_in_this_program_does_not_break_the_locks(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    first = Store(path)
    session = begin(first)
    Store(path).close()
    process = start(path, session, "other", 20)
    go(process)
    output, errors = process.communicate("\n")
    assert (process.returncode, errors) == (0, ""), errors
    assert [made.id for made in first.messages(session)] == output.split()
    # The last program that closes the file removes its log; with the locks dropped, that would be the other one.
    assert (tmp_path / "airochat.db-wal").exists()
    first.add_message(session, message("still mine"))
    first.close()
    again = Store(path)
    assert len(again.messages(session)) == 21
    again.close()
