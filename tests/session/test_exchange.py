"""Chats from files and into files, with the importers and exporters of plugins."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airochat
from airochat.backends.scripted import REPLIES, ScriptedBackend
from airochat.characters import Card, Persona
from airochat.conversation import Message, new_id
from airochat.errors import AirochatError, PluginError, StoreError, UsageError
from airochat.session import Session, SessionManager, exchange
from airochat.store import SessionRecord
from tests.hooks.helpers import write_plugin
from tests.session.desk import PATIENCE, done

HEADER = {"user_name": "Rook", "character_name": "Maya", "chat_metadata": {"scenario": "At the mill."}}
HELLO = {"name": "Maya", "is_user": False, "mes": "Hello.", "send_date": 1_600_000_000_000}
HI = {"name": "Rook", "is_user": True, "mes": "Hi!", "send_date": 1_600_000_060_000}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[SessionManager]:
    with airochat.open(tmp_path / "home", ScriptedBackend(), {"plugins_enabled": ["formats"]}) as opened:
        yield opened


@pytest.fixture
def tavern(tmp_path: Path) -> Path:
    file = tmp_path / "Maya - 2020-09-13@12h.jsonl"
    file.write_text("\n".join(map(json.dumps, (HEADER, HELLO, HI))), encoding="utf-8")
    return file


def one(manager: SessionManager, path: Path, kind: str = "") -> Session:
    """Import a file with one chat, and open it."""
    (session_id,) = manager.import_chats(path, kind).sessions
    return manager.load(session_id)


def said(session: Session) -> list[tuple[str, str]]:
    return [(message.name, message.text) for message in session.history]


def talk(path: Path, *texts: str) -> Path:
    """Write a chat that has no names and no dates."""
    roles = ("user", "assistant")
    path.write_text(json.dumps([{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]))
    return path


# -- what an imported chat is


def test_an_imported_chat_keeps_names_dates_and_scene(manager: SessionManager, tavern: Path) -> None:
    done_ = manager.import_chats(tavern)
    assert (done_.kind, len(done_.sessions)) == ("sillytavern", 1)
    session = manager.load(done_.sessions[0])
    assert said(session) == [("Maya", "Hello."), ("Rook", "Hi!")]
    assert [message.created for message in session.history] == [1_600_000_000, 1_600_000_060]
    record = manager.store.session(session.id)
    assert (record.created, record.updated) == (1_600_000_000, 1_600_000_060)
    assert (session.title, session.profile.scenario) == ("Maya - 2020-09-13@12h", "At the mill.")


def test_it_goes_on_under_the_names_that_it_has(manager: SessionManager, tavern: Path) -> None:
    session = one(manager, tavern)
    assert done(session.send("How are you?")).text == REPLIES[0]
    assert [name for name, _ in said(session)] == ["Maya", "Rook", "Rook", "Maya"]
    assert session.undo() and len(session.history) == 2
    assert not session.undo()


def test_the_card_of_the_library_is_found_and_else_a_name_stands_for_it(
    manager: SessionManager, tavern: Path, tmp_path: Path
) -> None:
    warnings = manager.import_chats(tavern).warnings
    assert len(warnings) == 1 and warnings[0].startswith("Maya has no card in the library")
    card = tmp_path / "maya.json"
    card.write_text(
        json.dumps({"name": "Maya", "description": "A miller.", "personality": "", "first_mes": "Hm?"})
    )
    kept = manager.cards.import_(card).entry
    done_ = manager.import_chats(tavern)
    session = manager.load(done_.sessions[0])
    assert done_.warnings == ()
    assert session.profile.card_ids == (kept.id,)
    assert session.card is not None and session.card.description == "A miller."
    assert len(session.history) == 2, "the greeting of the card is not said again"


def test_a_card_is_found_by_the_nickname_under_which_it_speaks(
    manager: SessionManager, tavern: Path, tmp_path: Path
) -> None:
    for name, nickname in (("Margaret Mill", "Maya"), ("Old Zed", "Zed")):
        data = {"name": name, "nickname": nickname, "description": f"{name}, at work.", "first_mes": ""}
        card = tmp_path / f"{name}.json"
        card.write_text(json.dumps({"spec": "chara_card_v3", "spec_version": "3.0", "data": data}))
        manager.cards.import_(card)
    session = one(manager, tavern)
    assert session.card is not None and session.card.name == "Margaret Mill"
    done(session.send("Well?"))
    assert session.history[-1].name == "Maya"
    tavern.write_text(json.dumps({**HELLO, "name": "Old Zed"}) + "\n" + json.dumps({**HELLO, "name": "Zed"}))
    assert one(manager, tavern).group.names == ("Zed",)


def test_a_known_persona_is_found(manager: SessionManager, tavern: Path) -> None:
    manager.personas.put(Persona("Rook", "A thief."))
    assert one(manager, tavern).persona == Persona("Rook", "A thief.")


def test_a_group_has_all_who_spoke(manager: SessionManager, tavern: Path, tmp_path: Path) -> None:
    zoe = {**HELLO, "name": "Zoe", "mes": "And I?"}
    narrator = {**HELLO, "name": "Narrator", "extra": {"type": "narrator"}, "mes": "Night falls."}
    tavern.write_text("\n".join(map(json.dumps, (HELLO, zoe, narrator, HI))), encoding="utf-8")
    session = one(manager, tavern)
    assert session.group.names == ("Maya", "Zoe")
    assert said(session)[2] == ("Narrator", "Night falls.")


def test_without_names_and_dates_it_has_those_of_the_user_and_the_file(
    manager: SessionManager, tmp_path: Path
) -> None:
    file = talk(tmp_path / "talk.json", "Hello", "Hi.")
    session = one(manager, file)
    assert said(session) == [("You", "Hello"), ("Assistant", "Hi.")]
    assert {message.created for message in session.history} == {file.stat().st_mtime}
    assert session.group.names == ()
    manager.personas.put(Persona("Rook"))
    manager.personas.set_default("Rook")
    assert said(one(manager, file))[0] == ("Rook", "Hello")


def test_a_system_prompt_is_that_of_the_chat(manager: SessionManager, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    file.write_text(
        json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
    )
    session = one(manager, file)
    assert (session.profile.system, said(session)) == ("Be brief.", [("You", "Hello")])


def test_a_date_to_come_does_not_put_a_chat_before_all_others(manager: SessionManager, tavern: Path) -> None:
    tavern.write_text(json.dumps({**HI, "send_date": 4_000_000_000_000}), encoding="utf-8")
    session = one(manager, tavern)
    assert manager.store.session(session.id).updated < 4_000_000_000


# -- there and back


def told(session: Session) -> list[tuple[int, Message]]:
    """Every message of a session, but for what no file has."""
    return [(depth, dataclasses.replace(message, tokens=())) for depth, message in session.tree.walk()]


@pytest.fixture
def branched(manager: SessionManager) -> Session:
    """A chat with branches, of which an older one is shown."""
    session = manager.new(system="Be brief.", title="The Mill")
    done(session.send("Hello", n=3))
    done(session.send("Go on"))
    done(session.swipe())
    first = session.history[0]
    session.edit(first.id, "Good morning")
    done(session.swipe())
    session.narrate("Night falls.")
    session.turn_to(first.id)
    session.previous_swipe()
    return session


def test_all_branches_come_back_from_jsonl(branched: Session, tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_bytes(exchange.export_chat(branched, "jsonl"))
    with airochat.open(tmp_path / "another", ScriptedBackend()) as other:
        session = one(other, file)
        assert told(session) == told(branched)
        assert (session.title, session.head) == (branched.title, branched.head)
        assert session.profile.system == "Be brief."
        assert other.import_chats(file).warnings == ()
        assert len(other.sessions()) == 2
        assert exchange.export_chat(session, "jsonl") == file.read_bytes()


def test_a_whisper_stays_one(manager: SessionManager, tmp_path: Path) -> None:
    session = manager.new(card=[Card("Maya"), Card("Zoe")])
    done(session.send("Only for you", to="Zoe"))
    done(session.send("For all", speaker="Maya"))
    file = tmp_path / "chat.jsonl"
    file.write_bytes(exchange.export_chat(session, "jsonl"))
    with airochat.open(tmp_path / "another", ScriptedBackend()) as other:
        again = one(other, file)
        assert [again.group.audience(message.id) for message in again.history] == [("Zoe",), ("Zoe",), (), ()]
        seen = again.group.seen_by("Maya", again.history)
        assert [message.text for message in seen] == ["For all", REPLIES[1]]


def test_what_is_shown_comes_back_from_sillytavern(branched: Session, tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_bytes(exchange.export_chat(branched, "sillytavern"))
    with airochat.open(tmp_path / "another", ScriptedBackend()) as other:
        session = one(other, file)
        assert said(session) == said(branched)
        assert session.swipe_position() == branched.swipe_position()


def test_readable_forms_have_what_is_shown(branched: Session) -> None:
    for form in ("markdown", "text"):
        text = exchange.export_chat(branched, form).decode()
        assert "Hello" in text and "Good morning" not in text and "The Mill" in text
    with pytest.raises(UsageError) as caught:
        exchange.export_chat(branched, "markdwon")
    assert caught.value.hint == "Did you mean 'markdown'?"


# -- what cannot be imported


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\0\0", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is no chat of a known form"),
        (b"Once upon a time", "is no chat of a known form"),
        (json.dumps(HEADER).encode(), "has no messages"),
        (b'[{"role": "user", "content": ""}]', "has no messages"),
        (b'{"internal": [["a", "b"]', "is not valid JSON"),
    ],
)
def test_what_is_no_chat_is_refused(
    manager: SessionManager, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        manager.import_chats(file)
    assert "known form" not in says or "jsonl, sillytavern, textgen, kobold, openai" in caught.value.hint
    assert manager.sessions() == []


def test_files_that_cannot_be_read(
    manager: SessionManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "nul\0"):
        with pytest.raises(UsageError, match="cannot be read"):
            manager.import_chats(path)
    monkeypatch.setattr(exchange, "MAX_FILE", 10)
    with pytest.raises(UsageError, match="is larger than"):
        manager.import_chats(talk(tmp_path / "talk.json", "Hello"))


def test_the_named_importer_alone_is_asked(manager: SessionManager, tavern: Path) -> None:
    assert manager.import_chats(tavern, "sillytavern").kind == "sillytavern"
    with pytest.raises(UsageError, match="is no chat of the form openai"):
        manager.import_chats(tavern, "openai")
    with pytest.raises(UsageError, match="no importer 'opena'") as caught:
        manager.import_chats(tavern, "opena")
    assert caught.value.hint == "Did you mean 'openai'?"


def test_of_several_chats_all_are_stored_or_none(manager: SessionManager, tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(
        "\n".join(json.dumps({"messages": [{"role": "user", "content": f"{n}"}]}) for n in range(3))
    )
    assert len(manager.import_chats(file).sessions) == 3
    assert [session.title for session in manager.sessions()] == ["set 3", "set 2", "set 1"]

    def record() -> SessionRecord:
        return SessionRecord(new_id(), "partly", 1, 1, None, {}, False)

    twice = Message("a", None, "user", "You", "x")
    with pytest.raises(StoreError):
        manager.store.add_sessions([(record(), [twice]), (record(), [twice, twice])])
    assert len(manager.sessions()) == 3


# -- plugins

READS = """
    from airochat.conversation import Message

    def read(data, name):
        if not data.startswith(b"LOG"):
            return None
        {body}

    @hookimpl
    def register_importers(register):
        register(Importer("{name}", "Logs of a game.", read))
"""
TWO = """return [ImportedChat(name, [
            Message("a", None, "user", "Rook", "Hi"), Message("b", "a", "assistant", "Maya", "Hm", tokens=(1,)),
        ], ("it rains",), "a")]"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "night.log"
    file.write_bytes(b"LOG of a game")
    return file


@pytest.fixture
def with_plugin(tmp_path: Path) -> Any:
    """Open a manager whose plugin reads logs with some code."""
    opened: list[SessionManager] = []

    def open_(code: str) -> SessionManager:
        write_plugin(tmp_path / "home" / "plugins", "formats", code)
        opened.append(airochat.open(tmp_path / "home", ScriptedBackend(), {"plugins_enabled": ["formats"]}))
        return opened[-1]

    yield open_
    for manager in opened:
        manager.close()


def test_a_plugin_reads_its_own_files(with_plugin: Any, log: Path, tavern: Path) -> None:
    manager = with_plugin(READS.format(body=TWO, name="game"))
    done_ = manager.import_chats(log)
    assert done_.kind == "game"
    assert done_.warnings[0] == "it rains"
    session = manager.load(done_.sessions[0])
    assert (session.title, said(session)) == ("night.log", [("Rook", "Hi")])
    assert session.tree["b"].tokens == ()
    assert manager.import_chats(log, "game").kind == "game"
    assert manager.import_chats(tavern).kind == "sillytavern"
    assert exchange.import_formats(manager)["game"] == "Logs of a game."
    with pytest.raises(UsageError) as caught:
        manager.import_chats(Path(__file__))
    assert caught.value.hint.endswith("openai, game.")


def test_airochats_own_importers_win(with_plugin: Any, log: Path, tavern: Path) -> None:
    manager = with_plugin(READS.format(body=TWO, name="openai"))
    for kind in ("", "openai"):
        with pytest.raises(UsageError, match="no chat"):
            manager.import_chats(log, kind)


WRONG = {
    "another type": ("return 5", "int"),
    "a text": ("return 'chats'", "str"),
    "no chat": ("return [{}]", "dict"),
    "no message": ("return [ImportedChat('t', ['x'])]", "str"),
    "a title that is none": ("return [ImportedChat(None, [])]", "title"),
    "warnings that are none": ("return [ImportedChat('t', [], [5])]", "warnings"),
    "an unknown parent": ("return [ImportedChat('t', [Message('a', 'b', 'user', '', 'x')])]", "follows 'b'"),
    "a parent that comes later": (
        "return [ImportedChat('t', [Message('a', 'b', 'user', '', 'x'), Message('b', None, 'user', '', 'x')])]",
        "follows 'b'",
    ),
    "its own parent": ("return [ImportedChat('t', [Message('a', 'a', 'user', '', 'x')])]", "follows 'a'"),
    "an id twice": ("return [ImportedChat('t', [Message('a', None, 'user', '', 'x')] * 2)]", "twice"),
    "an empty id": ("return [ImportedChat('t', [Message('', None, 'user', '', 'x')])]", "id of a message"),
    "an unknown role": ("return [ImportedChat('t', [Message('a', None, 'wizard', '', 'x')])]", "wizard"),
    "an unknown state": (
        "return [ImportedChat('t', [Message('a', None, 'user', '', 'x', 1, 'odd')])]",
        "odd",
    ),
    "no text": ("return [ImportedChat('t', [Message('a', None, 'user', '', None)])]", "text"),
    "no date": ("return [ImportedChat('t', [Message('a', None, 'user', '', 'x', float('nan'))])]", "nan"),
    "an unknown head": ("return [ImportedChat('t', [Message('a', None, 'user', '', 'x')], (), 'b')]", "'b'"),
    "whispers of unknown messages": (
        "return [ImportedChat('t', [Message('a', None, 'user', '', 'x')], audiences={'b': ['Zoe']})]",
        "heard by",
    ),
    "odd provenance": (
        "return [ImportedChat('t', [Message('a', None, 'user', '', 'x', provenance=5)])]",
        "int",
    ),
    "a failure": ("raise KeyError('gone')", "KeyError"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_plugin_reads_is_checked_before_it_is_stored(with_plugin: Any, log: Path, case: str) -> None:
    body, says = WRONG[case]
    manager = with_plugin(READS.format(body=body, name="game"))
    with pytest.raises(PluginError, match="The plugin formats failed in the importer game") as caught:
        manager.import_chats(log, "game")
    assert says in caught.value.message
    assert manager.sessions() == []
    assert "game" not in exchange.import_formats(manager), "it is switched off"


def test_a_failing_plugin_is_named_when_the_form_is_found_out(with_plugin: Any, log: Path) -> None:
    manager = with_plugin(READS.format(body="raise KeyError('gone')", name="game"))
    with pytest.raises(UsageError, match="no chat of a known form") as caught:
        manager.import_chats(log)
    assert "The plugin formats failed in the importer game" in caught.value.hint
    assert [report.state for report in manager.plugins.reports() if report.name == "formats"] == ["failed"]


def test_what_a_plugin_tells_of_a_broken_file_reaches_the_user(with_plugin: Any, log: Path) -> None:
    body = "from airochat.errors import UsageError; raise UsageError('The log is torn.', 'Mend it.')"
    manager = with_plugin(READS.format(body=body, name="game"))
    with pytest.raises(UsageError, match="The log is torn"):
        manager.import_chats(log)
    assert "game" in exchange.import_formats(manager)


WRITES = """
    @hookimpl
    def register_exporters(register):
        register(Exporter("game", "Logs of a game.", lambda context: {body}))
        register(Exporter("text", "Not airochat's own.", lambda context: "mine"))
"""


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ("' '.join(m.text for m in context.history)", b"Hello"),
        ("b'\\xff' + bytes(len(context.tree))", b"\xff\0"),
        ("'\\ud800'", "\ufffd".encode()),
    ],
)
def test_a_plugin_writes_its_own_files(with_plugin: Any, body: str, content: bytes) -> None:
    manager = with_plugin(WRITES.format(body=body))
    session = manager.new()
    session.narrate("Hello")
    assert exchange.export_chat(session, "game") == content
    assert exchange.export_chat(session, "text") != b"mine"
    with pytest.raises(UsageError) as caught:
        exchange.export_chat(session, "gamer")
    assert "game" in caught.value.hint


def test_what_a_plugin_writes_is_checked(with_plugin: Any) -> None:
    manager = with_plugin(WRITES.format(body="5"))
    with pytest.raises(PluginError, match="in the exporter game: TypeError: it wrote a int"):
        exchange.export_chat(manager.new(), "game")


# -- backends of plugins

BACKEND = """
    from airochat.backends.scripted import ScriptedBackend

    class Half:
        info = None
        def load(self, listener): pass

    def open_(rest, settings):
        assert settings["n_ctx"] == 2048
        if rest == "half":
            return Half()
        if rest == "none":
            raise KeyError(rest)
        return ScriptedBackend([rest])

    @hookimpl
    def register_backends(register):
        register(BackendOffer("echo", "Says its name.", open_))
"""


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[SessionManager]:
    write_plugin(tmp_path / "home" / "plugins", "formats", BACKEND)
    settings = {"plugins_enabled": ["formats"], "n_ctx": 2048, "model": "echo:loud and clear"}
    with airochat.open(tmp_path / "home", settings=settings) as manager:
        yield manager


def test_a_plugin_runs_a_model(echo: SessionManager) -> None:
    session = echo.new()
    assert done(session.send("Hello")).text == "loud and clear"
    echo.use_model("echo:and again")
    assert done(session.send("Hello")).text == "and again"


@pytest.mark.parametrize(
    ("ref", "kind", "says"),
    [
        ("echo:half", AirochatError, "The backend echo lacks wait, tokenizer, generate"),
        ("echo:none", PluginError, "The plugin formats failed in the backend echo: KeyError"),
        ("ecko:x", AirochatError, "ecko:x"),
    ],
)
def test_what_is_no_backend_is_refused_and_the_old_model_stays(
    echo: SessionManager, ref: str, kind: type[AirochatError], says: str
) -> None:
    echo.start()
    assert echo.wait_for_model(PATIENCE)
    with pytest.raises(kind) as caught:
        echo.use_model(ref)
    assert says in caught.value.message
    assert done(echo.new().send("Hello")).text == "loud and clear"
