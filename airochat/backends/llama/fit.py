"""Whether a model fits this machine, how to load it best, and what to do if it does not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airochat.backends.llama import quants
from airochat.backends.llama.ggml import size_text
from airochat.backends.llama.header import Header
from airochat.backends.llama.machine import UNKNOWN, Machine
from airochat.backends.llama.needs import Job, Needs, Placement, needs, place
from airochat.backends.llama.shapes import Shape, shape_of, smaller
from airochat.settings import EngineOptions

MAX_AUTO_CONTEXT = 8192
"""The context that ``auto`` takes at most: KV memory grows with it."""
_LEAST_CONTEXT = 512
_STEP = 256
_WIDE = ("f16", "bf16", "f32")
"""KV types that are wider than q8_0, which costs no more in quality than another split into batches does."""
_Q8_BLOCK = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a job fits a machine.

    ``word`` is ``gpu`` (all layers fit in VRAM), ``split`` (some do, the rest fits in RAM), ``ram`` (all fits in
    RAM), ``disk`` (the weights are more than RAM holds, and would be read again and again) or ``no``.
    """

    job: Job
    word: str
    reason: str
    placement: Placement
    needs: Needs

    @property
    def fits(self) -> bool:
        """Whether it can be used."""
        return self.word in ("gpu", "split", "ram")


@dataclass(frozen=True, slots=True)
class Step:
    """One way to make a job smaller. ``kind`` is ``quant``, ``kv``, ``context``, ``layers`` or ``model``."""

    kind: str
    text: str
    change: dict[str, Any]
    """What to set, by the name of the setting; ``quant`` and ``params`` name another file."""


def context_size(options: EngineOptions, n_ctx_train: int) -> int:
    """Return the context to ask for; ``auto`` takes what the model was trained for, up to `MAX_AUTO_CONTEXT`."""
    if isinstance(options.n_ctx, int):
        return options.n_ctx
    return min(n_ctx_train or MAX_AUTO_CONTEXT, MAX_AUTO_CONTEXT)


def job_of(header: Header, options: EngineOptions) -> Job:
    """Return what loading a file with some options means; its header is that of all parts."""
    shape = shape_of(header)
    return Job(shape, header.size, context_size(options, shape.n_ctx_train), options)


def judge(job: Job, machine: Machine) -> Verdict:
    """Return whether a job fits, and why."""
    placement = place(job, machine)
    word = _word(job, machine, placement)
    reason = _REASONS[word](job, machine, placement)
    return Verdict(job, word, reason, placement, needs(job, bool(machine.gpus)))


def best(job: Job, machine: Machine) -> Verdict:
    """Return the best way to load a job: KV type, context and layers.

    Everything in VRAM with the whole context comes first, if need be with a KV cache in q8_0; then the largest
    context that fits at all. Returned is what comes closest if nothing fits.
    """
    variants = [job, job.with_kv("q8_0")] if _can_q8(job) else [job]
    whole = [judge(one, machine) for one in variants]
    for wanted in (lambda verdict: verdict.word == "gpu", lambda verdict: verdict.fits):
        for verdict in filter(wanted, whole):
            return verdict
    lower = [found for one in variants if (found := _largest_context(one, machine, _fits))]
    return max(lower, key=lambda verdict: verdict.job.n_ctx, default=whole[0])


def ladder(verdict: Verdict, quant: str, machine: Machine) -> list[Step]:
    """Return the ways out, each of which is enough: smaller quant, KV cache or context, fewer layers, smaller model.

    For a model that fits in part they make it fit in VRAM; for one that fits they are the next smaller ones.
    ``quant`` is what the file has now.
    """
    enough = {"gpu": _any, "ram": _any, "split": _in_vram}.get(verdict.word, _fits)
    rungs = (
        _smaller_quant(verdict.job, quant, machine, enough),
        _smaller_kv(verdict.job, machine, enough),
        _smaller_context(verdict.job, machine, enough),
        _fewer_layers(verdict),
        _smaller_model(verdict.job, quant, machine, enough),
    )
    return [rung for rung in rungs if rung]


def advice(steps: list[Step]) -> str:
    """Return the ladder as a hint of one sentence."""
    if not steps:
        return "Open a much smaller model."
    return "What would be enough, each by itself: " + "; ".join(step.text for step in steps) + "."


def resized(job: Job, quant: str, other: str) -> Job:
    """Return a job for the same model in another quantisation, by its present size."""
    here, there = quants.bits(quant), quants.bits(other)
    size = round(job.size * there / here) if here else quants.estimate(job.shape.parameters, other)
    return Job(job.shape, size, job.n_ctx, job.options)


def _word(job: Job, machine: Machine, placement: Placement) -> str:
    layers = job.shape.n_layers + 1
    if placement.ram.total > machine.ram:
        return "disk" if job.options.use_mmap and _private(placement.ram) <= machine.ram else "no"
    if placement.gpu_layers == layers:
        return "gpu"
    return "split" if placement.gpu_layers else "ram"


def _private(ram: Needs) -> int:
    """Return the bytes that no file stands behind, so that they cannot be given up and read again."""
    return ram.total - ram.weights


def _gpu_reason(job: Job, machine: Machine, placement: Placement) -> str:
    if not machine.cards:
        return f"The GPU shares the RAM; it takes {_of_ram(placement, machine)}."
    return f"All {placement.gpu_layers} layers fit in VRAM: {_of_vram(placement, machine)}."


def _split_reason(job: Job, machine: Machine, placement: Placement) -> str:
    layers = f"{placement.gpu_layers} of {job.shape.n_layers + 1} layers fit in VRAM"
    return f"{layers} ({_of_vram(placement, machine)}); the rest takes {_of_ram(placement, machine)}."


def _ram_reason(job: Job, machine: Machine, placement: Placement) -> str:
    lead = "Not one layer fits in VRAM; it" if machine.cards else "It"
    return f"{lead} takes {_of_ram(placement, machine)}."


def _disk_reason(job: Job, machine: Machine, placement: Placement) -> str:
    over = size_text(placement.ram.total - machine.ram)
    return f"{_short(placement, machine)}, {over} too much; weights would come from the disk for every token."


def _no_reason(job: Job, machine: Machine, placement: Placement) -> str:
    own = _private(placement.ram)
    if own > machine.ram:
        return f"The context and its buffers alone need {size_text(own)}, and {size_text(machine.ram)} of RAM are free."
    return f"{_short(placement, machine)}, {size_text(placement.ram.total - machine.ram)} too much."


def _short(placement: Placement, machine: Machine) -> str:
    rest = "The rest" if placement.gpu_layers else "It"
    return f"{rest} needs {size_text(placement.ram.total)} of the {size_text(machine.ram)} of RAM"


def _of_vram(placement: Placement, machine: Machine) -> str:
    return f"{size_text(sum(placement.vram))} of {size_text(sum(card.free for card in machine.cards))}"


def _of_ram(placement: Placement, machine: Machine) -> str:
    limit = f" of the {size_text(machine.ram)}" if machine.ram < UNKNOWN else ""
    return f"{size_text(placement.ram.total)}{limit} of RAM"


_REASONS: dict[str, Callable[[Job, Machine, Placement], str]] = {
    "gpu": _gpu_reason,
    "split": _split_reason,
    "ram": _ram_reason,
    "disk": _disk_reason,
    "no": _no_reason,
}


def _any(_: Verdict) -> bool:
    return True


def _fits(verdict: Verdict) -> bool:
    return verdict.fits


def _in_vram(verdict: Verdict) -> bool:
    return verdict.word == "gpu"


_Enough = Callable[[Verdict], bool]


def _can_q8(job: Job) -> bool:
    options = job.options
    wide = options.type_k in _WIDE and options.type_v in _WIDE
    return wide and options.flash_attn != "off" and job.shape.head_width % _Q8_BLOCK == 0


def _smaller_quant(job: Job, quant: str, machine: Machine, enough: _Enough) -> Step | None:
    here = quants.bits(quant) or 8.0 * job.size / max(job.shape.parameters, 1)
    for name in reversed([name for name, bits in quants.BITS.items() if bits < here]):
        smaller_job = resized(job, quant, name)
        if enough(judge(smaller_job, machine)):
            return Step("quant", f"a smaller quant, {name} ({size_text(smaller_job.size)})", {"quant": name})
    return None


def _smaller_kv(job: Job, machine: Machine, enough: _Enough) -> Step | None:
    if not _can_q8(job) or not needs(job).kv:
        return None
    small = job.with_kv("q8_0")
    if not enough(judge(small, machine)):
        return None
    saved = size_text(needs(job).kv - needs(small).kv)
    return Step("kv", f'type_k = type_v = "q8_0" (saves {saved})', {"type_k": "q8_0", "type_v": "q8_0"})


def _smaller_context(job: Job, machine: Machine, enough: _Enough) -> Step | None:
    found = _largest_context(job, machine, enough)
    if found is None:
        return None
    saved = size_text(needs(job).total - found.needs.total)
    return Step("context", f"n_ctx = {found.job.n_ctx} (saves {saved})", {"n_ctx": found.job.n_ctx})


def _largest_context(job: Job, machine: Machine, enough: _Enough) -> Verdict | None:
    """Return the verdict on the largest smaller context that is enough, of those that the model was trained for.

    For what fits anyway that is half of the present one.
    """
    trained = job.shape.n_ctx_train or job.n_ctx
    most = min(job.n_ctx // 2 if enough is _any else job.n_ctx - 1, trained)
    low, high = _LEAST_CONTEXT // _STEP, most // _STEP
    found = None
    while low <= high:
        middle = (low + high + 1) // 2
        verdict = judge(job.with_context(middle * _STEP), machine)
        if enough(verdict):
            found, low = verdict, middle + 1
        else:
            high = middle - 1
    return found


def _fewer_layers(verdict: Verdict) -> Step | None:
    """Return how many layers may go to the GPU: what fits, where more was asked for; else three quarters of it."""
    fitting, asked = verdict.placement.gpu_layers, verdict.job.options.n_gpu_layers
    if not verdict.placement.vram or (not verdict.fits and not fitting):
        return None
    most = verdict.job.shape.n_layers + 1
    wanted = min(asked, most) if isinstance(asked, int) else most
    count = fitting if wanted > fitting else wanted * 3 // 4
    return Step("layers", f"n_gpu_layers = {count}", {"n_gpu_layers": count})


def _smaller_model(job: Job, quant: str, machine: Machine, enough: _Enough) -> Step | None:
    kind = quant if quants.bits(quant) else "Q4_K_M"
    for shape in smaller(job.shape.parameters):
        other = Job(shape, quants.estimate(shape.parameters, kind), job.n_ctx, job.options)
        if enough(judge(other, machine)):
            text = f"a smaller model, such as {_size_name(shape)} in {kind} ({size_text(other.size)})"
            return Step("model", text, {"params": shape.name, "quant": kind})
    return None


def _size_name(shape: Shape) -> str:
    return shape.name.rpartition("-")[2].upper()


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How a file is going to be loaded here: ``options`` with ``auto`` decided where there is something to decide."""

    options: EngineOptions
    verdict: Verdict
    quant: str
    machine: Machine

    @property
    def hopeless(self) -> bool:
        """Whether loading would certainly end the process: its own memory is more than the machine has at all."""
        return _private(self.verdict.placement.ram) > self.machine.ram_total

    @property
    def short(self) -> bool:
        """Whether memory is what is missing, as far as can be told."""
        return not self.verdict.fits or self._asks_too_much()

    def hint(self) -> str:
        """Return the ladder."""
        return advice(ladder(self.verdict, self.quant, self.machine))

    def _asks_too_much(self) -> bool:
        asked, placement = self.options.n_gpu_layers, self.verdict.placement
        return bool(placement.vram) and (not isinstance(asked, int) or asked > placement.gpu_layers)


def plan_load(header: Header, options: EngineOptions, machine: Machine) -> LoadPlan:
    """Return how to load a file on a machine.

    ``n_gpu_layers = "auto"`` becomes a number where cards have memory of their own, and nothing else changes, but
    for this: a context of ``auto`` that the machine cannot hold at all becomes the largest that it can hold.
    """
    plan = _planned(job_of(header, options), header.quantisation, machine)
    if plan.hopeless and options.n_ctx == "auto":
        found = _largest_context(plan.verdict.job, machine, lambda verdict: verdict.word != "no")
        if found is not None:
            job = Job(found.job.shape, header.size, found.job.n_ctx, options.replace(n_ctx=found.job.n_ctx))
            return _planned(job, header.quantisation, machine)
    return plan


def _planned(job: Job, quant: str, machine: Machine) -> LoadPlan:
    verdict = judge(job, machine)
    options = job.options
    if options.n_gpu_layers == "auto" and machine.cards:
        options = options.replace(n_gpu_layers=verdict.placement.gpu_layers)
    decided = dataclasses.replace(verdict, job=dataclasses.replace(job, options=options))
    return LoadPlan(options, decided, quant, machine)
