"""The command ``/textgen``: which extensions there are, which run, and their parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airochat import checks
from airochat.errors import UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from . import USAGE
from .desk import COMMAND_S, FOLDER, Desk
from .extension import IGNORED, SCRIPT, Extension, parsed
from .state import state_of


def run(desk: Desk, context: ChatContext, words: str) -> str:
    """Run ``/textgen`` and return the answer; `UsageError` for what it does not know."""
    verb, _, rest = words.strip().partition(" ")
    verbs: dict[str, Callable[[Desk, ChatContext, str], str]] = {
        "": listed,
        "list": listed,
        "enable": enable,
        "disable": disable,
        "add": add,
        "remove": remove,
        "set": set_values,
    }
    if verb not in verbs:
        raise UsageError(f"/textgen knows no {one_line(verb, 40)!r}.", f"Usage: {USAGE}")
    return verbs[verb](desk, context, rest.strip())


def listed(desk: Desk, context: ChatContext, words: str = "") -> str:
    """Return all extensions, with what is honoured and ignored of the enabled ones, and their errors."""
    folders = desk.folders(context)
    names = enabled_names(context)
    if not folders and not names:
        place = context.folder / FOLDER
        return f"There are no extensions. Put their folders into {place}, or use /textgen add PATH."
    loaded = {one.name: one for one in desk.enabled(_call(desk, context))}
    lines = [line for name in names for line in told(name, loaded.get(name))]
    lines += [f"{name}: not enabled ({folders[name]})" for name in folders if name not in names]
    return "\n".join(lines)


def enable(desk: Desk, context: ChatContext, name: str) -> str:
    """Let an extension run, from now on; one that has failed is loaded anew."""
    folders = desk.folders(context)
    _known(name, folders)
    desk.forget(folders[name])
    if name not in enabled_names(context):
        context.storage("global")["enabled"] = [*enabled_names(context), name]
    loaded = {one.name: one for one in desk.enabled(_call(desk, context))}
    return "\n".join(told(name, loaded.get(name)))


def disable(desk: Desk, context: ChatContext, name: str) -> str:
    """Let an extension run no more."""
    _known(name, enabled_names(context))
    context.storage("global")["enabled"] = [one for one in enabled_names(context) if one != name]
    folder = desk.folders(context).get(name)
    if folder is not None:
        desk.forget(folder)
    return f"{name} is not enabled any more."


def add(desk: Desk, context: ChatContext, path: str) -> str:
    """Take in an extension's folder that lies elsewhere."""
    folder = Path(path).expanduser().resolve() if path else Path()
    if not path or not (folder / SCRIPT).is_file():
        raise UsageError(f"There is no {SCRIPT} in {path or 'no folder'}.", "Give an extension's folder.")
    if folder.name in desk.folders(context):
        raise UsageError(f"There is an extension {folder.name} already.", "Rename the folder of one.")
    kept = context.storage("global")
    kept["paths"] = [*kept.get("paths", []), str(folder)]
    return f"{folder.name} was added. Look at its code, then /textgen enable {folder.name}"


def remove(desk: Desk, context: ChatContext, name: str) -> str:
    """Forget an added folder; the folder stays as it is."""
    kept = context.storage("global")
    paths = kept.get("paths", [])
    _known(name, [Path(path).name for path in paths])
    if name in enabled_names(context):
        disable(desk, context, name)
    kept["paths"] = [path for path in paths if Path(path).name != name]
    return f"{name} was removed; its folder is still there."


def set_values(desk: Desk, context: ChatContext, words: str) -> str:
    """Show the parameters of an extension, or change one of them for good."""
    names = enabled_names(context)
    fitting = [name for name in names if words == name or words.startswith(f"{name} ")]
    name = max(fitting, key=len, default=words.partition(" ")[0])
    _known(name, names)
    found = {one.name: one for one in desk.enabled(_call(desk, context))}.get(name)
    if found is None or found.module is None or found.loading:
        raise UsageError(f"{name} is not loaded.", found.error if found else "")
    rest = words[len(name) :].strip()
    if rest:
        _change(context, found, rest)
    if not found.params:
        return f"{name} has no parameters."
    return "\n".join(f"{key} = {_written(value)}" for key, value in found.params.items())


def _change(context: ChatContext, extension: Extension, words: str) -> None:
    key, equals, text = words.partition("=")
    key = key.strip()
    if not equals:
        raise UsageError(f"{one_line(words, 60)!r} is not KEY=VALUE.", f"Usage: {USAGE}")
    if key not in extension.params:
        hint = checks.did_you_mean(key, [str(name) for name in extension.params])
        raise UsageError(f"{extension.name} has no parameter {one_line(key, 40)!r}.", hint)
    change(context, extension, {key: parsed(key, extension.params[key], text.strip())})


def change(context: ChatContext, extension: Extension, new: Mapping[str, Any]) -> None:
    """Change parameters of an extension for good."""
    kept = context.storage("global")
    values: dict[str, dict[str, Any]] = dict(kept.get("params", {}))
    values[extension.name] = {**values.get(extension.name, {}), **new}
    kept["params"] = values
    extension.params.update(new)


def told(name: str, extension: Extension | None) -> list[str]:
    """Return what is known of an enabled extension, in lines."""
    if extension is None:
        return [f"{name}: enabled, but its folder is gone"]
    if extension.loading and not extension.error:
        return [f"{name}: enabled, but still being loaded"]
    if extension.error:
        return [f"{name}: off. {extension.error}", f"  /textgen enable {name} tries it again."]
    state = "paused, since its activate is off" if extension.paused else "on"
    lines = [f"{name}: {state}; honoured: {', '.join(extension.honoured) or 'nothing'}"]
    lines += [f"  ignored: {hook}, since {IGNORED[hook]}" for hook in extension.ignored]
    return lines + [f"  without effect: {remark}" for remark in extension.remarks]


def _known(name: str, names: Any) -> None:
    if name not in names:
        message = f"There is no extension {one_line(name, 60)!r} here." if name else "No extension is named."
        raise UsageError(message, checks.did_you_mean(name, list(names)) or f"Usage: {USAGE}")


def enabled_names(context: ChatContext) -> list[str]:
    """Return the names of the extensions that are to run, in their order."""
    return list(context.storage("global").get("enabled", []))


def _call(desk: Desk, context: ChatContext) -> Any:
    return desk.call(context, state_of(context), COMMAND_S)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
