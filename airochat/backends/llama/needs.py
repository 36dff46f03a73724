"""What a model takes in memory, and how many of its layers go to which GPU: arithmetic, without llama.cpp.

The formulas for buffers are those of llama.cpp's allocator, compared with what it logs: see docs/fit.md.
"""

from __future__ import annotations

import dataclasses
import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from airochat.backends.llama.machine import Gpu, Machine
from airochat.backends.llama.quants import kv_bytes
from airochat.backends.llama.shapes import Shape
from airochat.settings import EngineOptions

PROCESS = 68_000_000
"""What the engine's process takes beside its model: Python, llama.cpp, samplers. Measured on Linux, see docs/fit.md."""
GPU_RESERVE = 500_000_000
"""What is kept free on every GPU for kernels, workspaces and the screen: an assumption, not a measurement."""
LOGIT_ROWS = 16
"""Rows of logits that a batch may ask for: one for each reply side by side, and some more for looking at replies."""
_PAD = 256
"""llama.cpp rounds a context up to a multiple of this."""
_FLOAT, _HALF = 4, 2
_WIDE = ("f16", "bf16", "f32")
"""Types of values that attention can do with as they are."""


@dataclass(frozen=True, slots=True)
class Job:
    """A model in a file of ``size`` bytes, to be loaded with a context of ``n_ctx`` tokens.

    Of ``options`` these matter: KV types, batch sizes, flash attention, how layers are split over GPUs, mmap.
    """

    shape: Shape
    size: int
    n_ctx: int
    options: EngineOptions

    def with_context(self, n_ctx: int) -> Job:
        """Return the same with another context."""
        return dataclasses.replace(self, n_ctx=n_ctx)

    def with_kv(self, kind: str) -> Job:
        """Return the same with another type for keys and values."""
        return dataclasses.replace(self, options=self.options.replace(type_k=kind, type_v=kind))


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes that a job takes on one device."""

    weights: int
    kv: int
    compute: int
    process: int = PROCESS

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.compute + self.process


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a job goes: ``gpu_layers`` of its layers, counted with the output, to GPUs, the rest to RAM."""

    gpu_layers: int
    vram: tuple[int, ...]
    """Bytes on each of the machine's cards."""
    ram: Needs


def uses_flash(options: EngineOptions, gpus: bool) -> bool:
    """Return whether flash attention is used.

    On a processor it takes twice to five times as long for the few tokens of a reply or a new message (measured, see
    docs/performance.md), so that ``auto`` is without it there, unless narrow values need it.
    """
    return options.flash_attn == "on" or (
        options.flash_attn == "auto" and (gpus or options.type_v not in _WIDE)
    )


def needs(job: Job, gpus: bool = False) -> Needs:
    """Return what a job takes if everything lies on one device, with GPUs or without."""
    return Needs(job.size, sum(_kv_per_layer(job)) + job.shape.state, compute(job, gpus))


def compute(job: Job, gpus: bool = False) -> int:
    """Return the bytes of llama.cpp's compute buffer, for `LOGIT_ROWS`, within a few percent.

    Alive at once are, for every token of a micro-batch, three feed-forward rows and four of the model's width, and
    the attention mask; without flash attention, or instead, the scores of all heads.
    """
    shape, rows = job.shape, min(job.options.n_ubatch, job.options.n_batch, job.n_ctx)
    cells = _padded(job.n_ctx)
    row = _FLOAT * (3 * shape.n_ff + 4 * shape.n_embd) + _HALF * cells
    if not uses_flash(job.options, gpus):
        row = max(row, _FLOAT * ((shape.n_heads + 1) * cells + 7 * shape.n_embd))
    return max(rows * row + _FLOAT * shape.n_vocab, _FLOAT * shape.n_vocab * LOGIT_ROWS)


def place(job: Job, machine: Machine) -> Placement:
    """Return how a job is placed with as many layers on GPUs as fit; GPUs that share the RAM take all."""
    layers = _Layers(job)
    cards = machine.cards
    if not cards:
        return Placement(len(layers.weights) if machine.gpus else 0, (), needs(job, bool(machine.gpus)))
    for count in range(len(layers.weights), 0, -1):
        vram = layers.vram(count, cards)
        if all(taken <= max(0, card.free - GPU_RESERVE) for taken, card in zip(vram, cards, strict=True)):
            return Placement(count, vram, layers.ram(count))
    return Placement(0, (0,) * len(cards), needs(job))


class _Layers:
    """The layers of a job with the output as the last one, as llama.cpp counts them: the last go to GPUs first."""

    def __init__(self, job: Job) -> None:
        shape = job.shape
        self._job = job
        self._needs = needs(job, True)
        # Embeddings that serve as the output too are stored once for each use, on different devices.
        output = shape.output_share or shape.embedding_share
        self.weights = [round(job.size * share) for share in (*shape.layer_shares, output)]
        self._kv = [*_kv_per_layer(job), 0]
        self._tied = not shape.output_share

    def vram(self, count: int, cards: Sequence[Gpu]) -> tuple[int, ...]:
        """Return the bytes on each card if ``count`` layers are offloaded."""
        taken = [0] * len(cards)
        for index, card in enumerate(_devices(count, cards, self._job.options)):
            layer = len(self.weights) - count + index
            taken[card] += self.weights[layer] + self._kv[layer]
        extra = self._needs.compute + (0 if count == len(self.weights) else self._borrowed())
        return tuple(one + extra if one else 0 for one in taken)

    def ram(self, count: int) -> Needs:
        """Return what stays in RAM then."""
        first = len(self.weights) - count
        weights, kv = sum(self.weights[first:]), sum(self._kv[first:])
        if self._tied and count:
            weights -= self.weights[-1]
        full = count == len(self.weights)
        compute_here = self._needs.compute // (8 if full else 1)
        return Needs(self._needs.weights - weights, self._needs.kv - kv, compute_here)

    def _borrowed(self) -> int:
        """Return what a GPU needs to compute a prompt with weights that lie in RAM: room for the largest of them."""
        return max(max(self.weights[:-1], default=0) // 3, self.weights[-1])


def _devices(count: int, cards: Sequence[Gpu], options: EngineOptions) -> list[int]:
    """Return the card of each of ``count`` layers: shares go by free memory or ``tensor_split``, in blocks."""
    if options.split_mode == "none":
        return [min(options.main_gpu, len(cards) - 1)] * count
    shares = [*options.tensor_split, *[0.0] * len(cards)][: len(cards)]
    if not any(shares):
        shares = [float(card.free) for card in cards]
    whole = sum(shares) or 1.0
    borders = [border / whole for border in itertools.accumulate(shares)]
    return [min(bisect_right(borders, index / count), len(cards) - 1) for index in range(count)]


def _kv_per_layer(job: Job) -> list[int]:
    """Return the bytes of keys and values by layer.

    Layers of a sliding window count in full: the engine keeps all they have seen, so that it can go back.
    """
    cells = _padded(job.n_ctx)
    key, value = kv_bytes(job.options.type_k), kv_bytes(job.options.type_v)
    return [round(cells * (keys * key + values * value)) for keys, values in job.shape.kv_widths]


def _padded(n_ctx: int) -> int:
    return -(-n_ctx // _PAD) * _PAD
