"""What the store says and leaves when the file, the folder or the disk is not as it should be."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from airochat.errors import StoreError
from airochat.store import Store
from airochat.store.database import explained
from tests.store.helpers import begin, message


def filled(path: Path, messages: int = 50) -> str:
    store = Store(path)
    session = begin(store)
    for number in range(messages):
        store.add_message(session, message(f"{number} " + "rain " * 100))
    store.close()
    return session


@pytest.mark.parametrize(
    "content",
    [b"hello", b"\x00" * 3000, b"<html>" * 1000, bytes(range(256)) * 40],
    ids=["short", "zeros", "page", "bytes"],
)
def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "airochat.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged") as caught:
        Store(path)
    assert str(path) in caught.value.message
    assert "Move it away" in caught.value.hint
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_database_is_refused_and_untouched(tmp_path: Path, share: float) -> None:
    path = tmp_path / "airochat.db"
    filled(path)
    whole = path.read_bytes()
    cut = whole[: int(len(whole) * share)]
    path.write_bytes(cut)
    with pytest.raises(StoreError, match="damaged"):
        Store(path)
    assert path.read_bytes() == cut


def test_damage_inside_is_reported_when_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    session = filled(path)
    whole = bytearray(path.read_bytes())
    whole[8 * 4096 :] = b"\xff" * (len(whole) - 8 * 4096)
    path.write_bytes(whole)
    store = Store(path)
    with pytest.raises(StoreError, match="is damaged"):
        store.messages(session)
    store.close()
    assert path.read_bytes() == whole


def test_damaged_details_do_not_hide_the_text(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    session = filled(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE messages SET provenance = '{', text = CAST(x'68ff69' AS TEXT)")
        connection.execute("UPDATE sessions SET settings = '[1]'")
        connection.commit()
    store = Store(path)
    (found,) = store.messages(session)
    assert found.text == "h\ufffdi"
    assert found.provenance.model == ""
    assert store.session(session).settings == {}
    store.close()


def test_a_database_of_another_program_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="database of another program"):
        Store(path)
    assert path.read_bytes() == before


def test_a_place_that_cannot_hold_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    (tmp_path / "airochat.db").mkdir()
    for path in (file / "airochat.db", file / "deeper" / "airochat.db", tmp_path / "airochat.db"):
        with pytest.raises(StoreError, match="cannot be opened") as caught:
            Store(path)
        assert str(path) in caught.value.message
        assert "AIROCHAT_HOME" in caught.value.hint


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder that not even root can write to")
def test_a_read_only_folder_is_named() -> None:
    with pytest.raises(StoreError, match=r"/sys/kernel/airochat\.db cannot be opened"):
        Store(Path("/sys/kernel/airochat.db"))


def test_a_read_only_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    filled(path, 1)
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection,
        pytest.raises(StoreError, match="is read-only"),
        explained(path),
    ):
        connection.execute("DELETE FROM messages")


def test_a_program_that_keeps_writing_is_waited_for_then_blamed(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    session = filled(path, 1)
    store = Store(path, patience=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="kept busy by another program"):
            store.add_message(session, message("x"))
        assert len(store.messages(session)) == 1
        other.execute("COMMIT")
    store.add_message(session, message("x"))
    assert len(store.messages(session)) == 2
    store.close()


def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    session = filled(path, 5)
    program = """
        import resource, signal, sys
        from pathlib import Path
        from airochat.errors import StoreError
        from airochat.store import Store
        from tests.store.helpers import message
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = Store(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        saved = 5
        try:
            while True:
                store.add_message(sys.argv[2], message("rain " * 10_000))
                saved += 1
        except StoreError as error:
            print(error.message)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert len(store.messages(sys.argv[2])) == saved, saved
        store.add_message(sys.argv[2], message("room again"))
        print(saved + 1)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path), session],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    told, count = done.stdout.splitlines()
    assert "cannot be read or written" in told or "disk is full" in told
    store = Store(path)
    assert len(store.messages(session)) == int(count)
    store.close()


def test_sqlite_reporting_a_full_disk_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE filler (text)")
        connection.execute("PRAGMA max_page_count = 3")
        with pytest.raises(StoreError, match="the disk is full") as caught, explained(path):
            connection.execute("INSERT INTO filler VALUES (zeroblob(100000))")
    assert "Make room" in caught.value.hint
