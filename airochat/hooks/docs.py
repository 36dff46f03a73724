"""Writes ``docs/plugins.md`` from the hooks themselves: ``python -m airochat.hooks.docs > docs/plugins.md``."""

from __future__ import annotations

import ast
import inspect
import sys
from string import Template
from typing import Any

from airochat.hooks import context, hookspecs, offers, panels, scaffold, tools
from airochat.hooks.manifest import CODE, FILE, RESERVED
from airochat.hooks.settings import Setting
from airochat.hooks.watch import Limits
from airochat.prompt.blocks import Block
from airochat.sampling import LogitsProcessor

EXAMPLE = "mood"
"""The name of the plugin that serves as the example."""
_VALUES = (
    context.UserMessageDraft,
    context.HistoryDraft,
    context.BlocksDraft,
    context.SamplingDraft,
    context.ReplyDraft,
    context.MessageFacts,
    context.EditFacts,
    context.HeadFacts,
    context.TurnFacts,
    context.TextFacts,
    context.ModelFacts,
    offers.Command,
    offers.Importer,
    offers.ImportedChat,
    offers.Exporter,
    offers.BackendOffer,
    Block,
    LogitsProcessor,
    tools.Tool,
    tools.ToolCall,
    tools.CallResult,
    tools.CallsDraft,
    tools.ResultsDraft,
    panels.Panel,
    panels.View,
    panels.Text,
    panels.Meter,
    panels.Field,
    Setting,
    panels.Button,
    panels.Rows,
    panels.Row,
    panels.Act,
    panels.Outcome,
)
_INTRO = """\
<!-- Written by `python -m airochat.hooks.docs > docs/plugins.md`; change the docstrings instead. -->
# Plugins

A plugin is a folder in `plugins/` of the data folder, with a `$file` and an `$code`; or an installed package with an
entry point `airochat`. `airochat plugins new NAME` writes one that works, with a test.

| command | what it does |
|---|---|
| `airochat plugins list` | what is there, whether it runs, its hooks, the time it took, and its failures |
| `airochat plugins enable NAME`, `disable NAME` | lets it run or not; those of airochat run unless disabled |
| `airochat plugins settings NAME [KEY=VALUE …]` | shows and changes its settings |
| `airochat plugins trace TEXT` | tells which plugin would change what, if TEXT were said |
| `airochat plugins new NAME` | writes a new one |

A plugin runs with all your rights: look at the code of a stranger before you enable it.

## An example

`$file`:

```toml
$manifest```

`$code`:

```python
$source```

## The manifest

`name`, `version`, `summary` and `api` must be there; `api` is $api, the version of these hooks. `author`, `license` and
`url` may be. `order` is a number; plugins of a lower one are called first. A name takes lower-case letters, digits and
underscores, a letter first; not $reserved.

Each table `[settings.NAME]` declares a setting: `type` (`text`, `lines`, `int`, `float`, `bool` or `choice`),
`default`, and if you like `help`, `label`, `least`, `most`, `choices`. From that, forms are made in the terminal and in
notebooks. Its value, checked, is in `context.settings`; the user's values are in `plugins/settings.toml`, with a table
for each plugin. An installed package may have a `$file` in its package folder; without one it has no settings.

Prompt templates in a folder `templates/` beside the `$file`, and themes in `themes/`, are there while the plugin is
enabled; no code of it runs for that.

## Rules

- Plugins are called one after the other, by `order`, then bundled ones, installed packages, those of the user's folder,
  each by name. So drafts are changed in that order. The user may set another: `airochat plugins settings NAME order=5`.
- A function takes only the arguments that it needs, by name. It is an ordinary function, not async.
- A call may take $hook seconds, a macro $macro, a command $command, loading $load; one that takes longer is given up.
- A plugin that raises, takes too long, or returns what it should not is named to the user, logged, and off until
  airochat starts again. What it was doing goes on without it, and nothing of its change is used.
- An `AirochatError` that a command raises is shown to the user, and is no failure.
- What a hook is given is frozen, but for drafts. Values that are kept are JSON; set a key again to save a change.
- Hooks may run on any thread, each call on one of its own.
- A hook with a name that there is not is an error when the plugin is loaded. `@hookimpl(optionalhook=True)` allows it.

## Tests

`airochat.hooks.testing.PluginBench(folder, said=[…])` runs a plugin on a chat without a model: `.command(line)`,
`.blocks()`, `.user_message(text)`, `.reply(text)`, `.sampling()`, `.macro(text)`, `.tell(hook, event)`, `.context()`,
`.changed_history()`, `.tools()`, `.calls(reply)`, `.run_tool(call)`, `.results(…)`, `.panel()`, `.act(button, row=…)`.

## Hooks
"""


def hook_names() -> list[str]:
    """Return the names of all hooks, in the order in which they are written down."""
    return [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")]


def page() -> str:
    """Return the whole page."""
    limits = Limits()
    words = {
        "file": FILE,
        "code": CODE,
        "api": hookspecs.API,
        "reserved": ", ".join(f"`{name}`" for name in sorted(RESERVED)),
        "manifest": example(scaffold.MANIFEST),
        "source": example(scaffold.CODE_TEXT),
        "hook": f"{limits.hook:g}",
        "macro": f"{limits.macro:g}",
        "command": f"{limits.command:g}",
        "load": f"{limits.load:g}",
    }
    parts = [Template(_INTRO).substitute(words)]
    for name in hook_names():
        function = getattr(hookspecs, name)
        arguments = ", ".join(
            f"{parameter.name}: {parameter.annotation}"
            for parameter in inspect.signature(function).parameters.values()
        )
        result = inspect.signature(function).return_annotation
        shown = f"{name}({arguments})" + ("" if result == "None" else f" -> {result}")
        parts.append(f"### `{name}`\n\n```python\n{shown}\n```\n\n{_text(function)}\n")
    parts.append("## What hooks are given\n")
    parts += [_described(kind) for kind in (context.PluginContext, context.ChatContext, *_VALUES)]
    return "\n".join(parts)


def example(text: str) -> str:
    """Return a file of the example plugin."""
    return Template(text).substitute(name=EXAMPLE, api=hookspecs.API)


def _described(kind: type[Any]) -> str:
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    lines = []
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            told = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                told = f": {_folded(str(following.value.value))}"
            if not told.endswith("use that."):
                lines.append(f"- `{node.target.id}` (`{ast.unparse(node.annotation)}`){told}")
        elif isinstance(node, ast.FunctionDef):
            arguments = ", ".join(argument.arg for argument in node.args.args[1:])
            call = node.name if node.decorator_list else f"{node.name}({arguments})"
            returned = f" (`{ast.unparse(node.returns)}`)" if node.returns else ""
            lines.append(f"- `{call}`{returned}: {_folded(ast.get_docstring(node) or '')}")
    base = " It has what `PluginContext` has, too." if kind is context.ChatContext else ""
    return f"### `{kind.__name__}`\n\n{_text(kind)}{base}\n\n" + "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    return (inspect.getdoc(value) or "").replace("``", "`")


def _folded(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    sys.stdout.write(page())
