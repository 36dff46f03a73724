"""The devices that this build of llama.cpp can compute on."""

from __future__ import annotations

import ctypes
from typing import Any

from llama_cpp import llama_cpp as _llama

L: Any = _llama
_GPUS = (1, 2)
"""ggml's device types of a GPU with memory of its own, and of one that shares the system's."""


def gpus() -> list[str]:
    """Return the names of all GPUs, such as ``CUDA0``."""
    library = L._lib  # libllama resolves ggml's symbols to the copy that it uses itself
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    get = _function(library.ggml_backend_dev_get, [ctypes.c_size_t], ctypes.c_void_p)
    kind = _function(library.ggml_backend_dev_type, [ctypes.c_void_p], ctypes.c_int)
    name = _function(library.ggml_backend_dev_name, [ctypes.c_void_p], ctypes.c_char_p)
    found = [get(index) for index in range(library.ggml_backend_dev_count())]
    return [name(device).decode("utf-8", "replace") for device in found if kind(device) in _GPUS]


def describe(offloaded: int, layers: int) -> str:
    """Say in words where ``layers`` are computed if ``offloaded`` of them may go to a GPU."""
    names = gpus() if offloaded else []
    if not names:
        return "cpu"
    return f"{min(offloaded, layers)} of {layers} layers on {' and '.join(names)}"


def _function(function: Any, arguments: list[Any], result: Any) -> Any:
    function.argtypes, function.restype = arguments, result
    return function
