from __future__ import annotations

import ctypes
import os
from typing import Any

import pytest
from llama_cpp import llama_cpp as L

from airochat.backends.llama import options
from airochat.backends.llama.fit import context_size
from airochat.backends.llama.options import (
    context_params,
    gpu_layers,
    model_params,
    physical_cores,
)
from airochat.settings import KV_TYPES, EngineOptions


@pytest.mark.parametrize(
    ("asked", "trained", "size"),
    [("auto", 2048, 2048), ("auto", 131072, 8192), ("auto", 0, 8192), (512, 2048, 512), (4096, 2048, 4096)],
)
def test_context_sizes(asked: int | str, trained: int, size: int) -> None:
    assert context_size(EngineOptions(n_ctx=asked), trained) == size


@pytest.mark.parametrize(
    ("mmap", "mlock", "mode"),
    [
        (True, False, L.LLAMA_LOAD_MODE_MMAP),
        (True, True, L.LLAMA_LOAD_MODE_MMAP_MLOCK),
        (False, True, L.LLAMA_LOAD_MODE_MLOCK),
        (False, False, L.LLAMA_LOAD_MODE_NONE),
    ],
)
def test_load_modes(mmap: bool, mlock: bool, mode: int) -> None:
    assert model_params(EngineOptions(use_mmap=mmap, use_mlock=mlock)).load_mode == mode


def test_gpu_options_reach_the_struct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options.L, "llama_supports_gpu_offload", lambda: True)
    params = model_params(
        EngineOptions(n_gpu_layers=12, main_gpu=1, split_mode="row", tensor_split=(3.0, 1.0))
    )
    assert (params.n_gpu_layers, params.main_gpu, params.split_mode) == (12, 1, 2)
    shares = [params.tensor_split[index] for index in range(L.llama_max_devices())]
    assert shares == [3.0, 1.0, *[0.0] * (len(shares) - 2)]
    assert gpu_layers(EngineOptions(n_gpu_layers="all")) == gpu_layers(EngineOptions()) > 1000


def test_a_build_without_gpu_offloads_nothing() -> None:
    if L.llama_supports_gpu_offload():
        pytest.skip("this build can offload")
    assert gpu_layers(EngineOptions(n_gpu_layers=12)) == 0


def test_context_options_reach_the_struct() -> None:
    params: Any = context_params(
        EngineOptions(
            n_batch=300,
            n_ubatch=100,
            n_threads=3,
            flash_attn="off",
            type_k="q8_0",
            rope_scaling="yarn",
            rope_freq_base=5e5,
            rope_freq_scale=0.5,
            yarn_orig_ctx=4096,
        ),
        2048,
        9,
        16,
    )
    assert (params.n_ctx, params.n_batch, params.n_ubatch) == (2048, 300, 100)
    assert (params.n_threads, params.n_threads_batch) == (3, 3)
    assert (params.flash_attn_type, params.type_k, params.type_v) == (0, L.GGML_TYPE_Q8_0, L.GGML_TYPE_F16)
    assert (params.rope_scaling_type, params.rope_freq_base, params.rope_freq_scale) == (2, 5e5, 0.5)
    assert (params.yarn_ext_factor, params.yarn_orig_ctx) == (-1.0, 4096)
    assert (params.n_seq_max, params.n_outputs_max, params.kv_unified) == (9, 16, True)


def test_every_kv_type_has_the_number_that_ggml_gives_it() -> None:
    name = L._lib.ggml_type_name
    name.argtypes, name.restype = [ctypes.c_int], ctypes.c_char_p
    numbers = {kind: context_params(EngineOptions(type_k=kind), 256, 1, 1).type_k for kind in KV_TYPES}
    assert {kind: name(number).decode() for kind, number in numbers.items()} == {
        kind: kind for kind in KV_TYPES
    }


def test_threads_default_to_the_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = physical_cores()
    assert cores >= 1
    assert context_params(EngineOptions(), 256, 1, 1).n_threads == cores
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0}, raising=False)
    assert physical_cores() == 1
