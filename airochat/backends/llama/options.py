"""From `EngineOptions` to llama.cpp's parameter structs."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as _llama

from airochat.backends.llama.needs import uses_flash
from airochat.settings import EngineOptions

L: Any = _llama
_ALL_LAYERS = 10_000
_SPLIT = {"none": 0, "layer": 1, "row": 2}
_FLASH = {"auto": -1, "off": 0, "on": 1}
_ROPE = {"model": -1, "none": 0, "linear": 1, "yarn": 2, "longrope": 3}
_KV = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}
"""ggml's type numbers, which are part of the GGUF format and never change."""


def gpu_layers(options: EngineOptions) -> int:
    """Return how many layers to offload; 0 if this build of llama.cpp cannot.

    ``auto`` is all of them: where that is too much, `airochat.backends.llama.fit` has made it a number before.
    """
    if not L.llama_supports_gpu_offload():
        return 0
    return options.n_gpu_layers if isinstance(options.n_gpu_layers, int) else _ALL_LAYERS


def model_params(options: EngineOptions) -> Any:
    """Return llama.cpp's ``llama_model_params``; arrays it points to live as long as it does."""
    params = L.llama_model_default_params()
    params.n_gpu_layers = gpu_layers(options)
    params.split_mode = _SPLIT[options.split_mode]
    params.main_gpu = options.main_gpu
    params.load_mode = _load_mode(options)
    params.use_extra_bufts = not has_broken_tiles()
    if options.tensor_split:
        shares = (ctypes.c_float * L.llama_max_devices())(*options.tensor_split)
        params.tensor_split = ctypes.cast(shares, ctypes.POINTER(ctypes.c_float))
        params.keep_alive = shares
    return params


def has_flash(options: EngineOptions) -> bool:
    """Return whether flash attention is used, or is left to llama.cpp where a GPU computes."""
    return uses_flash(options, bool(gpu_layers(options)))


def has_broken_tiles() -> bool:
    """Return whether this build of llama.cpp would compute with AMX, which ends the process on its first prompt.

    The compiler leaves out parts of the tiles' configuration (ggml-org/llama.cpp issue 20824, pull request 26954).
    Weights that are not repacked for AMX, or for other special kernels, are computed by the usual ones.
    """
    return b"AMX_INT8 = 1" in L.llama_print_system_info()


def _load_mode(options: EngineOptions) -> int:
    if options.use_mmap:
        return int(L.LLAMA_LOAD_MODE_MMAP_MLOCK if options.use_mlock else L.LLAMA_LOAD_MODE_MMAP)
    return int(L.LLAMA_LOAD_MODE_MLOCK if options.use_mlock else L.LLAMA_LOAD_MODE_NONE)


def context_params(options: EngineOptions, n_ctx: int, lanes: int, outputs: int) -> Any:
    """Return llama.cpp's ``llama_context_params`` for so many sequences and rows of logits per call."""
    params = L.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = options.n_batch
    params.n_ubatch = options.n_ubatch
    params.n_seq_max = lanes
    params.n_outputs_max = outputs
    params.kv_unified = True
    params.n_threads = options.n_threads or physical_cores()
    params.n_threads_batch = options.n_threads_batch or options.n_threads or physical_cores()
    params.flash_attn_type = _FLASH[options.flash_attn] if has_flash(options) else _FLASH["off"]
    params.type_k = _KV[options.type_k]
    params.type_v = _KV[options.type_v]
    params.rope_scaling_type = _ROPE[options.rope_scaling]
    params.rope_freq_base = options.rope_freq_base
    params.rope_freq_scale = options.rope_freq_scale
    params.yarn_ext_factor = options.yarn_ext_factor
    params.yarn_orig_ctx = options.yarn_orig_ctx
    return params


def physical_cores() -> int:
    """Return the number of physical cores that this process may use; at least 1."""
    try:
        usable = os.sched_getaffinity(0)
    except AttributeError:  # only Linux tells
        return os.cpu_count() or 1
    cores = {_siblings(cpu) for cpu in usable}
    return max(1, min(len(cores), _quota()))


def _siblings(cpu: int) -> str:
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text(
            encoding="ascii"
        )
    except OSError:
        return str(cpu)


def _quota() -> int:
    """Return how many cores a container's limit allows, rounded up."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):
        return os.cpu_count() or 1
