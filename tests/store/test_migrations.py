from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from airochat.errors import StoreError
from airochat.store import Store, migrations
from airochat.store.migrations import MIGRATIONS
from tests.store.helpers import begin, message

COLOURS = ("ALTER TABLE sessions ADD COLUMN colour TEXT NOT NULL DEFAULT 'amber'",)
TAGS = ("CREATE TABLE tags (session TEXT, tag TEXT)", "INSERT INTO tags SELECT id, 'old' FROM sessions")


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def filled(path: Path) -> str:
    store = Store(path)
    session = begin(store, "kept")
    store.add_message(session, message("rain"))
    store.close()
    return session


def test_each_step_is_applied_once_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    filled(path)
    Store(path).close()
    assert rows(path, "SELECT version FROM migrations") == [(n,) for n in range(1, len(MIGRATIONS) + 1)]
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_database_is_copied_then_brought_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "airochat.db"
    session = filled(path)
    version = len(MIGRATIONS)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, COLOURS, TAGS))
        store = Store(path)
        assert [found.text for found in store.messages(session)] == ["rain"]
        store.close()
    assert rows(path, "SELECT max(version) FROM migrations") == [(version + 2,)]
    assert rows(path, "SELECT colour, tag FROM sessions, tags") == [("amber", "old")]

    (copy,) = set(tmp_path.iterdir()) - {path}
    assert copy.name.startswith(f"airochat-layout{version}-")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows(copy, "SELECT max(version) FROM migrations") == [(version,)]
    assert rows(copy, "SELECT text FROM messages") == [("rain",)]


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "airochat.db"
    session = filled(path)
    broken = (*MIGRATIONS, COLOURS, ("DROP TABLE no_such_table",))
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", broken)
        with pytest.raises(StoreError, match="no such table"):
            Store(path)
    store = Store(path)
    assert [found.text for found in store.messages(session)] == ["rain"]
    store.close()
    assert rows(path, "SELECT max(version) FROM migrations") == [(len(MIGRATIONS),)]


def test_a_newer_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO migrations VALUES (999, 0)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="has layout 999") as caught:
        Store(path)
    assert "Update airochat" in caught.value.hint
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
