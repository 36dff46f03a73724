"""The devices that this build of llama.cpp can compute on."""

from __future__ import annotations

import ctypes
from typing import Any

from llama_cpp import llama_cpp as _llama

L: Any = _llama
_GPUS = _OWN, _SHARING = 1, 2
"""ggml's device types of a GPU with memory of its own, and of one that shares the system's."""
_METAL = ("Metal", "MTL")
"""How the GPUs of Apple's machines are named, which ggml counts among the first though they share all memory."""


def gpus() -> list[str]:
    """Return the names of all GPUs, such as ``CUDA0``."""
    name = _function(L._lib.ggml_backend_dev_name, [ctypes.c_void_p], ctypes.c_char_p)
    return [name(device).decode("utf-8", "replace") for device, _ in _found()]


def memory() -> list[tuple[str, int, int, bool]]:
    """Return for every GPU its name, free and total bytes, and whether these are part of the system's memory."""
    get = L._lib.ggml_backend_dev_memory
    size_p = ctypes.POINTER(ctypes.c_size_t)
    get.argtypes, get.restype = [ctypes.c_void_p, size_p, size_p], None
    told = []
    for (device, kind), name in zip(_found(), gpus(), strict=True):
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        get(device, ctypes.byref(free), ctypes.byref(total))
        told.append((name, free.value, total.value, kind == _SHARING or name.startswith(_METAL)))
    return told


def _found() -> list[tuple[int, int]]:
    """Return the handle and the type of every GPU."""
    library = L._lib  # libllama resolves ggml's symbols to the copy that it uses itself
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    get = _function(library.ggml_backend_dev_get, [ctypes.c_size_t], ctypes.c_void_p)
    kind = _function(library.ggml_backend_dev_type, [ctypes.c_void_p], ctypes.c_int)
    devices = [get(index) for index in range(library.ggml_backend_dev_count())]
    return [(device, kind(device)) for device in devices if kind(device) in _GPUS]


def describe(offloaded: int, layers: int) -> str:
    """Say in words where ``layers`` are computed if ``offloaded`` of them may go to a GPU."""
    names = gpus() if offloaded else []
    if not names:
        return "cpu"
    return f"{min(offloaded, layers)} of {layers} layers on {' and '.join(names)}"


def _function(function: Any, arguments: list[Any], result: Any) -> Any:
    function.argtypes, function.restype = arguments, result
    return function
