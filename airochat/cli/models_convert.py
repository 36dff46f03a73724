"""``airochat models convert``: an old model file becomes a GGUF."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, load_settings, open_home, print_json, print_table

if TYPE_CHECKING:
    from airochat.backends.llama.legacy.plan import Plan


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW.gguf")
@click.option("--eps", type=float, help="Its epsilon: 1e-6 for LLaMA 1, 1e-5 for its 65B and for Llama 2.")
@click.option("--gqa", type=int, help="Query heads to each key; checked against the weights.")
@click.option("--ctx", "n_ctx", type=int, help="The context that it was trained for, in tokens.")
@click.option("--rope-base", type=float, help="Base of its rotation: 1e4, or 1e6 for Code Llama.")
@click.option("--rope-scale", type=float, help="By how much positions are squeezed: 4 for SuperHOT-8K.")
@click.option("--force", is_flag=True, help="Replace NEW.gguf if it is there.")
@click.option("--no-test", is_flag=True, help="Do not load the new file at the end.")
@json_option
@click.pass_context
def convert(
    ctx: click.Context, /, old: str, new: str, force: bool, no_test: bool, as_json: bool, **wishes: Any
) -> None:
    """Turn an old model file (GGJT: .ggmlv3.….bin) into a GGUF, without loss.

    What the old file does not record is taken from its name and the shape of its weights, and printed; the options
    overrule that. The new file appears when it is complete, and is then loaded once.
    """
    from airochat.backends.llama import library
    from airochat.backends.llama.legacy.convert import check_target
    from airochat.backends.llama.legacy.origin import Wishes
    from airochat.backends.llama.legacy.plan import plan
    from airochat.backends.llama.legacy.read import read_legacy

    home = open_home(ctx)
    source = library.resolve(old, library.model_folders(load_settings(ctx), home))
    target = Path(new).expanduser()
    chosen = Wishes(**wishes)
    check_target(source, target, force=force)
    work = plan(read_legacy(source), chosen)
    _write(work, target, force)
    if not no_test:
        from airochat.backends.llama.legacy.trial import try_model

        try_model(target, home.folder("logs") / "engine.log")
    if as_json:
        print_json(_facts(work, target, not no_test))
    else:
        print_table(_lines(work, target, not no_test))


def _write(work: Plan, target: Path, force: bool) -> None:
    """Convert with a bar on stderr, which is left out where nobody watches."""
    from airochat.backends.llama.legacy.convert import convert as write

    hidden = not sys.stderr.isatty()
    label = "Converting"
    with click.progressbar(length=work.size, label=label, file=sys.stderr, hidden=hidden, width=30) as bar:
        write(work, target, bar.update, force=force)


def _facts(work: Plan, target: Path, tested: bool) -> dict[str, Any]:
    found = work.origin
    return {
        "old": str(work.old.path),
        "new": str(target),
        "format": work.old.label,
        "size": work.size,
        "tensors": len(work.tensors),
        "vocabulary": len(work.old.pieces),
        "base": found.base,
        "base_reason": found.reason,
        "eps": found.eps,
        "n_ctx": found.n_ctx,
        "rope_base": found.rope_base,
        "rope_scale": found.rope_scale,
        "gqa": work.old.n_head // work.n_head_kv,
        "tested": tested,
    }


def _lines(work: Plan, target: Path, tested: bool) -> list[tuple[str, ...]]:
    from airochat.backends.llama.ggml import size_text

    found, gqa = work.origin, work.old.n_head // work.n_head_kv
    stretched = f", positions squeezed by {found.rope_scale:g}" if found.rope_scale != 1 else ""
    return [
        ("new file", str(target)),
        ("size", size_text(work.size)),
        ("was", work.old.label),
        ("taken as", f"{found.base}: {found.reason}"),
        ("epsilon", f"{found.eps:g}"),
        ("context", f"{found.n_ctx} tokens{stretched}"),
        ("rotation", f"base {found.rope_base:g}"),
        ("heads", f"{work.old.n_head}, {gqa} to each key" if gqa > 1 else str(work.old.n_head)),
        ("load test", "passed" if tested else "not done"),
    ]
