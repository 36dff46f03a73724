"""What a plugin is given beside the facts of a chat: storage, a folder, tokens, the tree, and answers of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend, ScriptedTokenizer
from airochat.characters import Card
from airochat.conversation import Message
from airochat.errors import ModelError
from airochat.hooks import ChatContext, PluginHost, Services
from airochat.hooks.storage import BranchMapping
from airochat.session import Session, SessionManager
from tests.session.desk import PATIENCE, done


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[SessionManager]:
    with airochat.open(tmp_path, ScriptedBackend(lambda prompt: "fine")) as opened:
        yield opened


def keep(session: Session, scope: Any, value: str) -> None:
    session.context("lamp").storage(scope)["oil"] = value


def kept(session: Session, scope: Any, plugin: str = "lamp") -> Any:
    return session.context(plugin).storage(scope).get("oil")


def test_each_scope_reaches_as_far_as_it_says(manager: SessionManager) -> None:
    one = manager.new(card=Card("Aria", first_mes="Hello"))
    same, other, nobody = manager.new(card=Card("Aria")), manager.new(card=Card("Bo")), manager.new()
    for scope in ("global", "card", "chat", "branch"):
        keep(one, scope, scope)
    for chat, expected in (
        (one, ["global", "card", "chat", "branch"]),
        (same, ["global", "card", None, None]),
        (other, ["global", None, None, None]),
        (nobody, ["global", None, None, None]),
    ):
        assert [kept(chat, scope) for scope in ("global", "card", "chat", "branch")] == expected
    assert kept(one, "global", "another") is None
    assert one.context("lamp").data["oil"] == "chat"
    with pytest.raises(ValueError, match="no scope 'planet'"):
        keep(one, "planet", "x")


def test_what_is_kept_on_a_branch_follows_the_tree(manager: SessionManager) -> None:
    session = manager.new()
    done(session.send("Hello"))
    keep(session, "branch", "full")
    first = session.head
    done(session.send("On"))
    assert kept(session, "branch") == "full"
    keep(session, "branch", "half")
    second = session.head
    done(session.swipe())
    assert kept(session, "branch") == "full", "the swipe stands beside the message that has the other value"
    assert second is not None and first is not None
    session.move(second)
    assert kept(session, "branch") == "half"
    session.move(first)
    assert kept(session, "branch") == "full"
    del session.context("lamp").storage("branch")["oil"]
    assert kept(session, "branch") is None
    session.move(second)
    assert kept(session, "branch") == "half"
    session.undo()
    again = manager.load(session.id)
    assert again.history == session.history and kept(again, "branch") is None


def test_a_branch_mapping_is_a_mapping() -> None:
    store: dict[str, Any] = {}
    root, left = BranchMapping(store, ()), BranchMapping(store, ("a", "left"))
    right = BranchMapping(store, ("a", "right"))
    root["one"] = 1
    left["two"] = None
    assert dict(left) == {"one": 1, "two": None} and dict(right) == {"one": 1}
    assert left.pop("one") == 1 and "one" not in left and right["one"] == 1
    assert list(left) == ["two"] and len(left) == 1
    for broken in ("one", "three"):
        with pytest.raises(KeyError):
            left[broken]
        with pytest.raises(KeyError):
            del left[broken]
    # A change writes one entry, however long the branch is.
    assert len(store) == 3


def test_a_message_event_comes_with_the_branch_that_ends_with_it(
    manager: SessionManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def listen(hook: str, context_for: Callable[[str], ChatContext], event: Any = None) -> None:
        if hook == "on_message_added":
            seen.append((event.message.id, context_for("lamp").history[-1].id))

    session = manager.new()
    monkeypatch.setattr(session.plugins, "notify", listen)
    done(session.send("Hello", n=3))
    assert len(seen) == 4 and all(told == last for told, last in seen)


def test_tokens_are_those_of_the_model_once_there_is_one(manager: SessionManager) -> None:
    session = manager.new()
    texts = ["", "The lamp is out.", "🕯" * 10]
    before = session.context("lamp")
    assert (before.count_tokens(texts), before.n_ctx) == ([0, 4, 10], 0)
    done(session.send("Hello"))
    after = session.context("lamp")
    assert after.count_tokens(texts) == [len(ScriptedTokenizer().tokens(text)) for text in texts]
    assert after.count_tokens(texts) != [0, 4, 10]
    assert after.n_ctx == 4096


def test_the_tree_is_that_of_the_chat_and_cannot_be_changed(manager: SessionManager) -> None:
    session = manager.new()
    done(session.send("Hello"))
    done(session.swipe())
    tree: Any = session.context("lamp").tree
    assert (tree.messages, tree.children, tree.head) == (
        session.tree.messages,
        session.tree.children,
        session.tree.head,
    )
    assert tree.history == session.history and len(tree) == 3
    for deed in (
        lambda: tree.messages.clear(),
        lambda: tree.children.pop(None),
        lambda: setattr(tree, "head", None),
    ):
        with pytest.raises((AttributeError, TypeError)):
            deed()
    assert len(session.tree) == 3


def test_the_model_can_be_asked_beside_the_chat(manager: SessionManager) -> None:
    session = manager.new()
    done(session.send("Hello"))
    before = session.history
    assert session.context("lamp").ask("Who?", system="Be brief.").result(PATIENCE) == "fine"
    assert session.history == before


def test_each_plugin_has_a_folder_of_its_own_made_when_asked_for(
    manager: SessionManager, tmp_path: Path
) -> None:
    context = manager.new().context("lamp")
    place = tmp_path / "plugin-data" / "lamp"
    assert not place.parent.exists()
    assert context.folder == place and place.is_dir()
    assert manager.plugins.own_context("lantern").folder == place.with_name("lantern")


def test_without_a_program_there_are_estimates_and_no_answers(tmp_path: Path) -> None:
    host = PluginHost(None, lambda plugin, scope: {}, only=())
    said = (Message("m1", None, "user", "You", "hello"),)
    context = host.context(
        "lamp", session_id="s", title="", history=said, cards=(), persona=None, user_name="You"
    )
    assert (context.count_tokens(["hello"]), context.n_ctx, len(context.tree)) == ([2], 0, 1)
    with pytest.raises(ModelError, match="no model"):
        context.ask("Who?").result(PATIENCE)
    host.services = Services(folder=tmp_path)
    assert host.own_context("lamp").folder == tmp_path / "lamp"
    with pytest.raises(ValueError, match="only global"):
        host.own_context("lamp").storage("chat")
