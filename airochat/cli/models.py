"""``airochat models``: the model files that there are, what a file is, and which one to use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import (
    json_option,
    known_templates,
    load_settings,
    open_home,
    print_json,
    print_table,
)
from airochat.cli.lazy import report
from airochat.cli.models_convert import convert
from airochat.cli.models_fit import fit
from airochat.cli.models_pull import pull
from airochat.errors import ModelError

if TYPE_CHECKING:
    from airochat.backends.llama.glance import Glance
    from airochat.backends.llama.header import Header
    from airochat.backends.llama.library import Model
    from airochat.templates import Choice

_FACTS = {
    "title": "name",
    "architecture": "architecture",
    "size": "size",
    "parameters": "parameters",
    "quantisation": "quantisation",
    "n_ctx_train": "n_ctx_train",
    "n_layers": "n_layers",
    "n_vocab": "n_vocab",
    "n_tensors": "n_tensors",
    "chat_template": "has_chat_template",
    "gguf_version": "version",
}
_TITLES = ("", "NAME", "SIZE", "WEIGHTS", "QUANT", "CONTEXT", "TEMPLATE", "FITS", "NOTE")


@click.group()
def models() -> None:
    """List and download models, and tell what a model file is."""


models.add_command(convert)
models.add_command(fit)
models.add_command(pull)


@models.command("list")
@json_option
@click.pass_context
def list_models(ctx: click.Context, as_json: bool) -> None:
    """List the models in your folders, and the demo model; a star marks the one in use."""
    from airochat.backends.llama import library
    from airochat.backends.llama.glance import Glance

    settings = load_settings(ctx)
    folders = library.model_folders(settings, open_home(ctx))
    found = library.known_models(folders)
    used = _path_in_use(settings.model, folders)
    tell = _Teller(Glance(settings.engine), _template(ctx))
    rows = [tell.row(model, model.path.resolve() == used) for model in found]
    if as_json:
        print_json({"models": rows, "folders": [str(folder) for folder in folders]})
    elif rows:
        print_table([_TITLES, *map(_cells, rows)])
    if not rows:
        where = ", ".join(str(folder) for folder in folders)
        report(f"There is no model in {where}.", 'Put a .gguf file there, or `pip install "airochat[demo]"`.')


@models.command()
@click.argument("model", metavar="FILE|NAME")
@json_option
@click.pass_context
def info(ctx: click.Context, model: str, as_json: bool) -> None:
    """Tell what a model file is, from its header alone."""
    from airochat.backends.llama import gguf, library

    path = library.resolve(model, library.model_folders(load_settings(ctx), open_home(ctx)))
    header = gguf.check_model_file(path)
    choice = _template(ctx)(path, header)
    template = {
        "name": choice.template.name,
        "confidence": choice.confidence,
        "reasons": list(choice.reasons),
    }
    if as_json:
        facts = {"path": str(path), **_facts(header), "template": template}
        print_json({**facts, "metadata": dict(header.metadata)})
    else:
        print_table(_lines(path, header, choice))


@models.command()
@click.argument("model", metavar="FILE|NAME")
@json_option
@click.pass_context
def use(ctx: click.Context, model: str, as_json: bool) -> None:
    """Remember a model as the one to open: a file, a name, demo, or remote:ADDRESS."""
    from airochat.settings import remember

    home = open_home(ctx)
    chosen = _usable(ctx, model)
    home.ensure()
    remember(home.settings, {"model": chosen})
    if as_json:
        print_json({"model": chosen, "settings": str(home.settings)})
    else:
        print_table([(f"{chosen} is now the model to open.",)])


def _lines(path: Path, header: Header, choice: Choice) -> list[tuple[str, ...]]:
    from airochat.backends.llama.ggml import size_text

    rows = {
        "path": str(path),
        "name": header.name,
        "architecture": header.architecture,
        "size": size_text(header.size),
        "weights": _count_text(header.parameters),
        "quantisation": header.quantisation,
        "context": f"{header.n_ctx_train} tokens" if header.n_ctx_train else "",
        "layers": str(header.n_layers or ""),
        "vocabulary": f"{header.n_vocab} tokens" if header.n_vocab else "",
        "brings a template": "yes" if header.has_chat_template else "no",
        "template to use": f"{choice.template.name} ({choice.confidence})",
    }
    lines: list[tuple[str, ...]] = [(label, value) for label, value in rows.items() if value]
    return lines + [("", reason) for reason in choice.reasons]


def _usable(ctx: click.Context, ref: str) -> str:
    """Return the name to remember for a model, after a look at the file or the address."""
    if ref.startswith("remote:"):
        from airochat.backends.remote.address import parse_address

        parse_address(ref.removeprefix("remote:"))
        return ref
    if ref == "scripted":
        return ref
    from airochat.backends.llama import gguf, library

    folders = library.model_folders(load_settings(ctx), open_home(ctx))
    path = library.resolve(ref, folders)
    gguf.check_model_file(path)
    if Path(ref).expanduser() == path:
        return str(path.absolute())
    # Not the beginning of a name: another model that begins so may come.
    return ref if ref == library.DEMO or "/" in ref else library.name_of(path, folders)


def _template(ctx: click.Context) -> Callable[[Path, Header], Choice]:
    """Return what finds the template for a file, with the user's own templates known."""
    from airochat.templates import Vocabulary, detect

    known = known_templates(open_home(ctx))
    return lambda path, header: detect(str(path), header.metadata, Vocabulary(), known)


def _path_in_use(ref: str, folders: Sequence[Path]) -> Path | None:
    """Return the file that the settings name; one that is gone is reported, since the list cannot show it."""
    from airochat.backends.llama import library

    if not ref or ref == "scripted" or ref.startswith("remote:"):
        return None
    try:
        return library.resolve(ref, folders).resolve()
    except ModelError as error:
        report(
            f"The model in use cannot be opened: {error.message}", "Choose one with `airochat models use`."
        )
        return None


class _Teller:
    """Tells the facts of models for the list; all are None, but for place and size, that a file does not give."""

    def __init__(self, glance: Glance, template: Callable[[Path, Header], Choice]) -> None:
        self._glance = glance
        self._template = template

    def row(self, model: Model, used: bool) -> dict[str, Any]:
        place = {"name": model.name, "used": used, "path": str(model.path), "parts": model.parts}
        row = {**place, "kind": model.kind, **dict.fromkeys(_FACTS), "template": None, "fits": None}
        row |= {"size": model.size, "note": f"{model.legacy}: {model.note}" if model.legacy else model.note}
        return row if model.legacy else row | self._read(model)

    def _read(self, model: Model) -> dict[str, Any]:
        from airochat.backends.llama import gguf

        try:
            if model.kind != "model":
                return _facts(gguf.read_header(model.path))
            if model.note:
                return {}
            header = gguf.check_model_file(model.path)
        except ModelError as error:
            return {"note": model.note or error.message.replace(str(model.path), "it")}
        fits = self._glance.of_file(header)
        return {**_facts(header), "template": self._template(model.path, header).template.name, "fits": fits}


def _facts(header: Header) -> dict[str, Any]:
    return {name: getattr(header, field) for name, field in _FACTS.items()}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from airochat.backends.llama.ggml import size_text
    from airochat.backends.llama.glance import WORDS

    return (
        "*" if row["used"] else "",
        row["name"],
        size_text(row["size"]),
        _count_text(row["parameters"]),
        row["quantisation"] or "",
        str(row["n_ctx_train"] or ""),
        row["template"] or "",
        WORDS.get(row["fits"], ""),
        row["note"],
    )


def _count_text(count: int | None) -> str:
    """Return a number of weights as people say it: ``135M``, ``7.2B``."""
    if not count:
        return ""
    if count < 999_500_000:
        return f"{count / 1e6:.0f}M"
    return f"{count / 1e9:.1f}B" if count < 99_950_000_000 else f"{count / 1e9:.0f}B"
