"""Whether models fit, for lists: quick for many of them, and good enough to choose by."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from airochat.backends.llama import fit, machine, quants, shapes
from airochat.backends.llama.header import Header
from airochat.backends.llama.machine import UNKNOWN, Machine
from airochat.backends.llama.needs import Job
from airochat.errors import UsageError
from airochat.settings import EngineOptions

WORDS = {"gpu": "in VRAM", "split": "in part", "ram": "in RAM", "disk": "too large", "no": "no"}
"""What a list says for the word of a `Verdict`."""

_WITHOUT_GPU = re.compile(r"(?:lib)?ggml(?:-base|-cpu.*|-blas|-rpc)?")


@dataclass(frozen=True)
class Glance:
    """Judges models with the settings of the user, on this machine as it is when first asked."""

    options: EngineOptions

    def of_file(self, header: Header) -> str:
        """Return the word of the verdict on a file, whose header is that of all parts."""
        return self._word(fit.job_of(header, self._options))

    def of_download(self, size: int, quant: str) -> str:
        """Return about the word of the verdict on a file that is not here, by its size; empty if that tells nothing.

        Its shape is taken from the known model with about as many weights.
        """
        bits = quants.bits(quant.removeprefix("UD-"))
        if not bits or not size:
            return ""
        try:
            shape = shapes.shape_named(str(round(size * 8 / bits)))
        except UsageError:
            return ""
        n_ctx = fit.context_size(self._options, shape.n_ctx_train)
        return self._word(Job(shape, size, n_ctx, self._options))

    def _word(self, job: Job) -> str:
        return fit.judge(job, self._machine).word

    @cached_property
    def _options(self) -> EngineOptions:
        return self.options.replace(n_gpu_layers="auto")

    @cached_property
    def _machine(self) -> Machine:
        if may_have_gpu():
            return machine.this_machine()
        free, total = machine.ram()
        return Machine(free or UNKNOWN, total or UNKNOWN)


def may_have_gpu() -> bool:
    """Whether this llama.cpp has a part that computes on GPUs; without one there is no need to load and ask it."""
    spec = importlib.util.find_spec("llama_cpp")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        names = {path.name.partition(".")[0] for path in Path(folder, "lib").glob("*ggml*")}
        return not names or not all(map(_WITHOUT_GPU.fullmatch, names))
    return False
