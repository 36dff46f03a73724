"""Every hook is called in a chat where all happens that can, and a plugin that misbehaves in it is survived."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.hooks import hookspecs
from airochat.hooks.docs import hook_names
from airochat.session import SessionManager
from airochat.session.events import ModelEvent, Notice
from tests.hooks import signals
from tests.hooks.helpers import BUNDLED, write_plugin
from tests.session.desk import done

HOOKS = hook_names()
PANEL = 'Panel("z", "Z", "", lambda context, place: View("Z", (Text("z"),)), lambda context, act: Outcome())'
TOOL = 'Tool("zap", "Says zap.", {"type": "object"}, lambda context, call: "zap", approval="free")'
WORK = {
    "register_commands": 'register(Command("z", "", "", lambda context, words: "z is here"))',
    "register_macros": 'register("zed", lambda call: "zed")',
    "register_panels": f"register({PANEL})",
    "register_importers": 'register(Importer("z", "", lambda content, name: None))',
    "register_exporters": 'register(Exporter("z", "", lambda context: "z"))',
    "register_backends": 'register(BackendOffer("z", "", lambda rest, settings: None))',
    "contribute_tools": f"return [{TOOL}]",
    "transform_history": "draft.messages = [replace(one, text=one.text.upper()) for one in draft.messages]",
    "transform_calls": """asked = "zap" in context.history[-2].text and draft.round == 0
    draft.calls += [ToolCall("zap", {})] if asked else []""",
    "transform_results": "draft.text = 'z: ' + draft.results[0].text",
    "contribute_blocks": 'return [Block("plugin:z", "Z was here.")]',
    "transform_user_message": 'draft.text += " z"',
    "transform_blocks": "draft.blocks = [replace(one, text=one.text.upper()) for one in draft.blocks]",
    "transform_sampling": "draft.sampling = draft.sampling.replace(seed=7)",
    "transform_reply": 'draft.text += " z"',
}
RUBBISH = {
    **{name: "register(42)" for name in HOOKS if name.startswith("register_")},
    "register_macros": "register(42, 42)",
    "contribute_tools": "return [42]",
    "transform_history": "draft.messages = [42]",
    "transform_calls": "draft.calls = [42]",
    "transform_results": "draft.text = 42",
    "contribute_blocks": "return [42]",
    "transform_user_message": "draft.text = 42",
    "transform_blocks": "draft.blocks = [42]",
    "transform_sampling": "draft.sampling = 42",
    "transform_reply": "draft.text = None",
}
MUTATIONS = {
    "context": "context.plugin = 'mine'",
    "settings": "context.settings['mine'] = 1",
    "tree": "context.tree.messages.clear()",
    "event": "event.session_id = 'mine'",
    "model": "event.name = 'mine'",
}


def arguments_of(hook: str) -> list[str]:
    return list(inspect.signature(getattr(hookspecs, hook)).parameters)


def function(hook: str, body: str, name: str = "") -> str:
    return f"@hookimpl\ndef {name or hook}({', '.join(arguments_of(hook))}):\n    {body}\n"


def deeds(hook: str) -> dict[str, str]:
    """What a plugin may do wrong in a hook, as code."""
    found = {
        "raises": "raise ValueError('broken')",
        "hangs": "signals.hang()",
        "rubbish": RUBBISH.get(hook, "return 42"),
    }
    if "context" in arguments_of(hook):
        found |= {kind: MUTATIONS[kind] for kind in ("context", "settings")}
        if not hook.startswith("on_model"):
            found["tree"] = MUTATIONS["tree"]
    if "event" in arguments_of(hook):
        kind = "model" if hook.startswith("on_model") else "event"
        found[kind] = MUTATIONS[kind]
    return found


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    signals.reset()
    yield


def open_with(home: Path, notices: list[Notice]) -> tuple[SessionManager, ScriptedBackend]:
    """A manager with the plugins ``bad`` and ``z``, of which the latter takes part in everything."""
    code = "from dataclasses import replace\nfrom tests.hooks import signals\n"
    code += "".join(function(hook, f"signals.tell('{hook}')\n    {WORK.get(hook, '')}") for hook in HOOKS)
    write_plugin(home / "plugins", "z", code)
    backend = ScriptedBackend(lambda prompt: "fine", gated=True)
    settings = {"plugins_enabled": ("bad", "z"), "plugins_disabled": BUNDLED, "auto_title": False}
    manager = airochat.open(home, backend, settings)
    manager.plugins.watch = signals.QuickWatch()

    def listen(event: ModelEvent | Notice) -> None:
        if isinstance(event, Notice):
            notices.append(event)

    manager.subscribe(listen)
    return manager, backend


def live(manager: SessionManager, backend: ScriptedBackend) -> list[str]:
    """Do all that can be done in a chat, and return what was said on the branch at its end."""
    with manager:
        session = manager.new()
        stopped = session.send("Wait")
        stopped.stop()
        assert done(stopped).reason == "user"
        backend.allow()
        assert done(session.send("Hello {{zed}}")).reason == "eos"
        said = session.history[-2]
        session.edit(said.id, "Hi {{zed}}")
        assert session.previous_swipe()
        assert session.command("/z") == "z is here"
        backend.fail_after = 0
        assert done(session.send("Fail")).reason == "failed"
        backend.fail_after = None
        assert done(session.send("Use zap")).reason == "eos"
        session.idle.seconds = 0.0
        assert done(session.send("Go on")).reason == "eos"
        assert signals.wait_for("on_idle")
        assert signals.wait_for("on_model_loaded")
        return [message.text for message in session.history]


SAID = [
    *("Wait z", "Hello zed z", "fine z", "Fail z"),
    *("Use zap z", "fine z", "z: zap", "fine z"),
    *("Go on z", "fine z"),
]


def test_every_hook_is_called(tmp_path: Path) -> None:
    notices: list[Notice] = []
    write_plugin(tmp_path / "plugins", "bad", function("on_idle", "pass"))
    assert live(*open_with(tmp_path, notices)) == SAID
    assert [hook for hook in HOOKS if hook not in signals.told()] == []
    assert notices == []


@pytest.mark.parametrize(("hook", "deed"), [(hook, deed) for hook in HOOKS for deed in deeds(hook)])
def test_a_plugin_that_misbehaves_is_survived(tmp_path: Path, hook: str, deed: str) -> None:
    code = "from tests.hooks import signals\n" + function(hook, deeds(hook)[deed])
    write_plugin(tmp_path / "plugins", "bad", code)
    notices: list[Notice] = []
    manager, backend = open_with(tmp_path, notices)
    assert live(manager, backend) == SAID
    assert [hook for hook in HOOKS if hook not in signals.told()] == []
    (notice,) = notices
    assert f"The plugin bad failed in {hook}" in notice.message, notice
    assert ("took more than" in notice.message) is (deed == "hangs")
    states = {
        report.name: report.state for report in manager.plugins.reports() if report.name in ("bad", "z")
    }
    assert states == {"bad": "failed", "z": "on"}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_misspelt_hook_is_named_with_the_right_one(tmp_path: Path, hook: str) -> None:
    write_plugin(tmp_path / "plugins", "bad", function(hook, "pass", name=f"{hook[:-2]}{hook[-1]}"))
    notices: list[Notice] = []
    assert live(*open_with(tmp_path, notices)) == SAID
    assert [hook for hook in HOOKS if hook not in signals.told()] == []
    (notice,) = notices
    assert f"There is no hook '{hook[:-2]}{hook[-1]}'. Did you mean '{hook}'?" in notice.message
