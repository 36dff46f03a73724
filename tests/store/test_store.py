from __future__ import annotations

import dataclasses
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.conversation import Message, Provenance
from airochat.errors import StoreError, UsageError
from airochat.store import Store
from tests.store.helpers import begin, message, record


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data" / "airochat.db")
    yield opened
    opened.close()


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "airochat.db"
    store = Store(path)
    made = record("A lantern", template="chatml", sampling={"seed": 7})
    store.create_session(made)
    first = message("hello")
    provenance = Provenance("m", "f", "chatml", {"seed": 7, "stop": ["x"]}, "eos", {"prompt": 3})
    reply = message("hi", first.id, role="assistant", tokens=(1, -1, 2**31 - 1), provenance=provenance)
    store.add_message(made.id, first)
    store.save_reply(made.id, reply)
    store.close()

    again = Store(path)
    assert again.messages(made.id) == [first, reply]
    found = again.session(made.id)
    assert found == dataclasses.replace(made, head=reply.id, updated=found.updated)
    assert found.updated > made.updated
    again.close()


def test_database_is_private_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "airochat.db"
    before = os.umask(0)
    try:
        store = Store(path)
        begin(store)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        folder = stat.S_IMODE(path.parent.stat().st_mode)
    finally:
        os.umask(before)
    assert modes == {"airochat.db": 0o600, "airochat.db-wal": 0o600, "airochat.db-shm": 0o600}
    assert folder == 0o700
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


texts = st.text(st.characters(exclude_categories=()))


@given(
    text=texts,
    name=texts,
    tokens=st.lists(st.integers(-(2**31), 2**31 - 1)),
    sampling=st.dictionaries(texts, st.none() | st.booleans() | st.integers() | st.lists(texts)),
    state=st.sampled_from(["finished", "stopped", "failed"]),
)
@settings(max_examples=60, deadline=None)
def test_any_message_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    name: str,
    tokens: list[int],
    sampling: dict[str, object],
    state: str,
) -> None:
    store = Store(tmp_path_factory.mktemp("trip") / "airochat.db")
    session = begin(store, name)
    provenance = Provenance(sampling=sampling, stop_reason=text)
    wrote = dataclasses.replace(
        message(text, tokens=tuple(tokens), provenance=provenance, state=state), name=name
    )
    store.add_message(session, wrote)
    (read,) = store.messages(session)
    utf8 = {index: "\ufffd" for index in range(0xD800, 0xE000)}
    assert read == dataclasses.replace(wrote, text=text.translate(utf8), name=name.translate(utf8))
    assert store.session(session).title == name.translate(utf8)
    store.close()


def test_messages_come_in_the_order_in_which_they_were_added(store: Store) -> None:
    session = begin(store)
    other = begin(store)
    ids = ["b", "c", "a"]
    for name in ids:
        store.add_message(session, message("x", message_id=name))
        store.add_message(other, message("y", message_id=name))
    store.save_reply(session, message("later", message_id="b", role="assistant"))
    assert [found.id for found in store.messages(session)] == ids
    assert [found.text for found in store.messages(other)] == ["y", "y", "y"]


def test_head_moves_to_a_reply_once_it_has_ended(store: Store) -> None:
    session = begin(store)
    said = message("hello")
    store.add_message(session, said)
    growing = message("on", said.id, role="assistant", state="running")
    store.save_reply(session, growing)
    assert store.session(session).head == said.id
    assert store.messages(session) == [said, growing]

    ended = dataclasses.replace(growing, text="once", state="stopped", tokens=(5,))
    store.save_reply(session, ended)
    assert store.session(session).head == ended.id

    store.save_reply(session, dataclasses.replace(growing, text="onc"))
    assert store.messages(session) == [said, ended]


def test_a_message_id_is_not_used_twice(store: Store) -> None:
    session = begin(store)
    store.add_message(session, message("first", message_id="same"))
    with pytest.raises(StoreError, match="already has a message 'same'"):
        store.add_message(session, message("second", message_id="same"))
    assert [found.text for found in store.messages(session)] == ["first"]
    with pytest.raises(StoreError, match="already is a session"):
        store.create_session(record(session_id=session))


def test_unknown_session_is_named_and_nothing_is_written(store: Store) -> None:
    for call in (
        lambda: store.session("nope"),
        lambda: store.add_message("nope", message("x")),
        lambda: store.save_reply("nope", message("x")),
        lambda: store.update_session("nope", title="x"),
        lambda: store.record_step("nope", None),
        lambda: store.amend_step("nope", None),
        lambda: store.undo("nope"),
        lambda: store.find_session("nope"),
    ):
        with pytest.raises(UsageError, match="There is no session 'nope'"):
            call()
    assert store.messages("nope") == []
    with pytest.raises(UsageError):
        store.update_session("\udcff", title="x")


def test_update_changes_only_what_is_given(store: Store) -> None:
    made = record("old", a=1)
    store.create_session(made)
    store.update_session(made.id, title="new")
    assert store.session(made.id) == dataclasses.replace(made, title="new")
    store.update_session(made.id, settings={"b": [2]})
    store.update_session(made.id, deleted=True)
    store.update_session(made.id, title="")
    store.record_step(made.id, "x")
    assert store.session(made.id) == dataclasses.replace(
        made, title="", settings={"b": [2]}, deleted=True, head="x"
    )
    store.update_session(made.id, deleted=False)
    assert not store.session(made.id).deleted


def test_list_is_newest_first_and_counts_all_branches(store: Store) -> None:
    old, new, gone = record("old", updated=1), record("new", updated=2), record("gone", updated=3)
    for made in (old, new, gone):
        store.create_session(made)
    store.update_session(gone.id, deleted=True)
    assert [found.title for found in store.sessions()] == ["new", "old"]
    assert [found.title for found in store.sessions(deleted=True)] == ["gone", "new", "old"]
    store.add_message(old.id, message("one"))
    store.add_message(old.id, message("its sibling"))
    assert [(found.title, found.messages) for found in store.sessions()] == [("old", 2), ("new", 0)]


def test_a_session_is_found_by_id_part_or_title(store: Store) -> None:
    one, two = record("The Mill", "00aa11xxxx77"), record("The Mill", "00aa22xxxx88")
    rain, nameless = record("Rain", "bbbb00000000"), record("", "cccc00000000")
    for made in (one, two, rain, nameless):
        store.create_session(made)
    for key in (one.id, "00aa1", "xx77"):
        assert store.find_session(key) == one
    assert store.find_session("Rain") == rain
    with pytest.raises(UsageError, match=r"2 sessions fit 'The Mill': .*00aa.*00aa"):
        store.find_session("The Mill")
    with pytest.raises(UsageError, match="2 sessions fit '00aa'"):
        store.find_session("00aa")
    for key in ("00a", "", "%", "____", "\udcff"):
        with pytest.raises(UsageError, match="There is no session"):
            store.find_session(key)
    with pytest.raises(UsageError, match="Did you mean 'The Mill'"):
        store.find_session("The Milk")


def test_deleted_sessions_are_found_only_if_no_other_fits(store: Store) -> None:
    kept, gone = record("Rain", "aaaa1111"), record("Rain", "aaaa2222", updated=2)
    store.create_session(kept)
    store.create_session(gone)
    store.update_session(gone.id, deleted=True)
    assert store.find_session("Rain") == kept
    assert store.find_session("aaaa") == kept
    assert store.find_session("aaaa2").id == gone.id


def test_undo_and_redo_walk_the_journal(store: Store) -> None:
    session = begin(store)
    assert store.undo(session) == (False, None)
    for head in ("sent", "second", "third"):
        store.record_step(session, head)
    store.amend_step(session, "replied")
    assert store.redo(session) == (False, "replied")
    assert store.undo(session) == (True, "second")
    assert store.session(session).head == "second"
    assert store.undo(session) == (True, "sent")
    assert store.undo(session) == (True, None)
    assert store.undo(session) == (False, None)
    assert store.session(session).head is None
    assert store.redo(session) == (True, "sent")
    store.record_step(session, "another")
    assert store.redo(session) == (False, "another")
    assert store.undo(session) == (True, "sent")


def test_plugin_data_is_a_mapping_per_plugin_and_scope(store: Store) -> None:
    data = store.mapping("note", "chat:1")
    data["text"] = "rain\x00 \udcff"
    data["deep"] = {"a": [1, None, 2.5]}
    assert dict(data) == {"deep": {"a": [1, None, 2.5]}, "text": "rain\x00 \udcff"}
    assert len(data) == 2
    for other in (store.mapping("note", "chat:2"), store.mapping("other", "chat:1")):
        assert dict(other) == {}
        other["text"] = "else"
    assert store.mapping("note", "chat:1")["text"] == "rain\x00 \udcff"
    del data["text"]
    assert "text" not in data
    with pytest.raises(KeyError):
        del data["text"]
    with pytest.raises(TypeError):
        data["text"] = object()
    assert data.get("\udcff", 3) == 3


def test_threads_share_one_store(store: Store) -> None:
    session = begin(store)
    failures: list[BaseException] = []

    def write(thread: int) -> None:
        try:
            for number in range(20):
                store.add_message(session, message("x", message_id=f"{thread}-{number}"))
                assert store.messages(session)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = [made.id for made in store.messages(session)]
    assert sorted(found) == sorted(f"{thread}-{number}" for thread in range(4) for number in range(20))


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    session = begin(store)
    unstorable: Message = message("x", tokens=("not a number",))
    with pytest.raises(Exception, match="required argument is not an integer"):
        store.add_message(session, unstorable)
    assert store.session(session).head is None
    store.add_message(session, message("next"))
    assert len(store.messages(session)) == 1


def test_a_closed_store_says_so(store: Store) -> None:
    session = begin(store)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="has been closed"):
        store.add_message(session, message("late"))
