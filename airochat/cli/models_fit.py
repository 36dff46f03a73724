"""``airochat models fit``: whether a model fits this machine, and how to load it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, load_settings, open_home, print_json, print_table, put
from airochat.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from airochat.backends.llama.fit import Step, Verdict
    from airochat.backends.llama.machine import Machine
    from airochat.backends.llama.needs import Job
    from airochat.settings import EngineOptions

_TITLES = ("", "QUANT", "SIZE", "KV", "COMPUTE", "TOTAL", "CARD", "LAYERS", "VERDICT", "WHY")
_VERDICTS = {
    "gpu": "fits (VRAM)",
    "split": "fits in part",
    "ram": "fits (RAM)",
    "disk": "too large",
    "no": "no",
}
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_AMOUNT = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([kmgt]?)(i?)b?", re.IGNORECASE)
_HEADS = {
    "gpu": "If memory gets short, each of these makes it smaller:",
    "ram": "If memory gets short, each of these makes it smaller:",
    "split": "Each of these loads it better or wholly into VRAM:",
}
_WAYS_OUT = "Each of these would make it fit:"


@click.command()
@click.argument("model", metavar="[FILE|NAME]", required=False)
@click.option("--params", metavar="P", help="A model that is not here, by size or name: 70b, 8x7b, l3-70b.")
@click.option("--quant", metavar="Q", help="The quantisation asked about; Q4_K_M if there is no file.")
@click.option("--ctx", "n_ctx", type=int, metavar="N", help="The context in tokens.")
@click.option("--kv", metavar="TYPE", help="The type of the KV cache, such as f16 or q8_0.")
@click.option(
    "--vram", metavar="LIST", help="Free memory of each GPU instead of this machine's: 24G,24G; or 0."
)
@click.option(
    "--ram", metavar="SIZE", help="Free RAM instead of this machine's: 64G. G is 10^9 bytes, GiB 2^30."
)
@json_option
@click.pass_context
def fit(
    ctx: click.Context,
    model: str | None,
    params: str | None,
    quant: str | None,
    n_ctx: int | None,
    kv: str | None,
    vram: str | None,
    ram: str | None,
    as_json: bool,
) -> None:
    """Tell whether a model fits in memory, in every quantisation, and how to load it.

    SIZE is the file, KV the cache of the whole context, COMPUTE llama.cpp's buffer; TOTAL is all of it and the
    engine itself. CARD is what model cards call "max RAM": size + 2.5 GB, whatever the context. LAYERS counts those
    that fit in VRAM, with the output. A star marks what was asked about. Nothing is loaded.
    """
    from airochat.backends.llama import fit as fitting

    job, own = _job(ctx, model, params, quant, _options(ctx, n_ctx, kv))
    machine = _machine(vram, ram)
    asked = own if quant is None else _named(quant)
    rows = {name: fitting.judge(one, machine) for name, one in _variants(job, own, asked).items()}
    chosen = fitting.best(rows[asked].job, machine)
    steps = fitting.ladder(rows[asked], asked, machine)
    notes = _notes(job, machine, here=vram is None)
    if as_json:
        print_json(_report(job, machine, rows, asked, chosen, steps, notes))
        return
    _print_machine(job, machine)
    print_table([_TITLES, *(_cells(name, rows[name], name == asked) for name in rows)])
    _print_answer(asked, rows[asked], chosen, steps, notes)


def _job(
    ctx: click.Context, model: str | None, params: str | None, quant: str | None, options: EngineOptions
) -> tuple[Job, str]:
    """Return what loading the model means, and its quantisation."""
    from airochat.backends.llama import fit as fitting
    from airochat.backends.llama import gguf, library, quants, shapes
    from airochat.backends.llama.needs import Job

    if (model is None) == (params is None):
        hint = "For example: airochat models fit demo, or: airochat models fit --params 70b --quant Q4_K_M"
        raise UsageError("fit takes either a model file or --params.", hint)
    if model is not None:
        path: Path = library.resolve(model, library.model_folders(load_settings(ctx), open_home(ctx)))
        header = gguf.check_model_file(path)
        return fitting.job_of(header, options), header.quantisation or "other"
    shape = shapes.shape_named(params or "")
    kind = _named(quant or "Q4_K_M")
    n_ctx = fitting.context_size(options, shape.n_ctx_train)
    return Job(shape, quants.estimate(shape.parameters, kind), n_ctx, options), kind


def _options(ctx: click.Context, n_ctx: int | None, kv: str | None) -> EngineOptions:
    """Return the settings of the engine, with what was given and with layers left open."""
    settings = load_settings(ctx, n_ctx=n_ctx, type_k=kv, type_v=kv)
    return settings.engine.replace(n_gpu_layers="auto")


def _named(quant: str) -> str:
    from airochat.backends.llama import quants

    return quants.named(quant)


def _variants(job: Job, own: str, asked: str) -> dict[str, Job]:
    """Return the model in every quantisation, smallest first; its own is the file itself."""
    from airochat.backends.llama import quants
    from airochat.backends.llama.fit import resized

    found = {name: resized(job, own, name) for name in {*quants.BITS, asked} - {own}}
    return dict(sorted({**found, own: job}.items(), key=lambda item: (item[1].size, item[0])))


def _machine(vram: str | None, ram: str | None) -> Machine:
    """Return this machine, with the amounts of memory that were given instead of its own."""
    from airochat.backends.llama.machine import Gpu, Machine, this_machine

    memory = _amount("--ram", ram) if ram is not None else None
    cards = None
    if vram is not None:
        amounts = [_amount("--vram", one) for one in vram.split(",") if one.strip()]
        cards = tuple(Gpu(f"GPU{index}", size, size) for index, size in enumerate(amounts) if size)
    if memory is not None and cards is not None:
        return Machine(memory, memory, cards)
    here = this_machine()
    free, total = (here.ram, here.ram_total) if memory is None else (memory, memory)
    return Machine(free, total, here.gpus if cards is None else cards)


def _amount(option: str, text: str) -> int:
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} {text} is no amount of memory.", "Write it as 24G, 24GiB or 24576M.")
    units = _BINARY if match[3] else _UNITS
    return round(float(match[1]) * units[match[2].lower()])


def _notes(job: Job, machine: Machine, here: bool) -> list[str]:
    from airochat.backends.llama.machine import unused_cards

    shape, notes = job.shape, []
    if shape.guessed_from:
        notes.append(f"No known model has this size: its shape is that of {shape.guessed_from}, scaled.")
    if shape.n_ctx_train and job.n_ctx > shape.n_ctx_train:
        notes.append(f"The model was trained for {shape.n_ctx_train:,} tokens; beyond those expect nonsense.")
    if shape.experts:
        notes.append(
            f"Of {shape.experts} experts {shape.experts_used} work on each token, but all must be in memory."
        )
    if shape.window:
        notes.append(
            f"{shape.windowed} of {shape.n_layers} layers look back {shape.window:,} tokens only; the engine keeps "
            "the whole context for them all the same, to be able to go back."
        )
    if here and not machine.gpus and (cards := unused_cards()):
        notes.append(
            f"{', '.join(cards)}: this build of llama-cpp-python cannot use it; install one with CUDA."
        )
    return notes


def _report(
    job: Job,
    machine: Machine,
    rows: dict[str, Verdict],
    asked: str,
    chosen: Verdict,
    steps: list[Step],
    notes: list[str],
) -> dict[str, Any]:
    shape = job.shape
    return {
        "model": shape.name,
        "parameters": shape.parameters,
        "n_layers": shape.n_layers,
        "n_ctx": job.n_ctx,
        "n_ctx_train": shape.n_ctx_train,
        "type_k": job.options.type_k,
        "type_v": job.options.type_v,
        "machine": {
            "ram": machine.ram,
            "gpus": [
                {"name": gpu.name, "free": gpu.free, "total": gpu.total, "shared": gpu.shared}
                for gpu in machine.gpus
            ],
        },
        "quant": asked,
        "quants": [_row(name, verdict) for name, verdict in rows.items()],
        "best": _setting(chosen) | _row(asked, chosen),
        "ladder": [{"kind": step.kind, "text": step.text, "set": step.change} for step in steps],
        "notes": notes,
    }


def _row(name: str, verdict: Verdict) -> dict[str, Any]:
    from airochat.backends.llama.quants import CARD_EXTRA

    needs, placement = verdict.needs, verdict.placement
    return {
        "quant": name,
        "size": needs.weights,
        "kv": needs.kv,
        "compute": needs.compute,
        "process": needs.process,
        "total": needs.total,
        "card_ram": needs.weights + CARD_EXTRA,
        "gpu_layers": placement.gpu_layers,
        "vram": list(placement.vram),
        "ram": placement.ram.total,
        "fits": verdict.fits,
        "verdict": verdict.word,
        "reason": verdict.reason,
    }


def _setting(verdict: Verdict) -> dict[str, Any]:
    options = verdict.job.options
    return {
        "n_gpu_layers": verdict.placement.gpu_layers,
        "n_ctx": verdict.job.n_ctx,
        "type_k": options.type_k,
        "type_v": options.type_v,
    }


def _cells(name: str, verdict: Verdict, asked: bool) -> tuple[str, ...]:
    from airochat.backends.llama.ggml import size_text

    row = _row(name, verdict)
    sizes = (size_text(row[key]) for key in ("size", "kv", "compute", "total", "card_ram"))
    layers = f"{row['gpu_layers']}/{verdict.job.shape.n_layers + 1}" if row["vram"] else ""
    return ("*" if asked else "", name, *sizes, layers, _VERDICTS[verdict.word], verdict.reason)


def _print_machine(job: Job, machine: Machine) -> None:
    from airochat.backends.llama.ggml import size_text
    from airochat.backends.llama.machine import UNKNOWN

    ram = "RAM unknown" if machine.ram >= UNKNOWN else f"{size_text(machine.ram)} of RAM free"
    cards = ", ".join(f"{gpu.name} with {size_text(gpu.free)} free" for gpu in machine.gpus) or "no GPU"
    options = job.options
    kv = options.type_k if options.type_k == options.type_v else f"{options.type_k}/{options.type_v}"
    what = f"{job.shape.name or 'The model'}: {job.shape.n_layers} layers, a context of {job.n_ctx:,} tokens in {kv}"
    _print_lines([what, f"This counts on: {ram}, {cards}.", ""])


def _print_answer(asked: str, verdict: Verdict, chosen: Verdict, steps: list[Step], notes: list[str]) -> None:
    setting = _setting(chosen)
    lines = ["", f"{asked}: {verdict.reason}"]
    if chosen.fits:
        words = ", ".join(f"{key} = {value}" for key, value in setting.items())
        lines.append(f"Best here: {words}.")
        if chosen.word != verdict.word or chosen.job != verdict.job:
            lines.append(f"  {chosen.reason}")
    if steps:
        lines += [_HEADS.get(verdict.word, _WAYS_OUT), *(f"  {step.text}" for step in steps)]
    elif not verdict.fits:
        lines.append("Nothing smaller of this model fits; take a much smaller one.")
    _print_lines([*lines, *notes])


def _print_lines(lines: list[str]) -> None:
    from airochat.text import one_line

    for line in lines:
        indent = "  " if line.startswith("  ") else ""
        put(indent + one_line(line, 400))
