"""Whether a converted model works: it is loaded, and writes one token."""

from __future__ import annotations

from pathlib import Path

from airochat.backends.base import Failed, ModelInfo, Request
from airochat.backends.llama.client import LlamaBackend
from airochat.errors import AirochatError, ModelError
from airochat.sampling import Sampling
from airochat.settings import EngineOptions

_N_CTX = 256
"""A small context, so that a model loads wherever its weights fit."""


def try_model(path: Path, log: Path) -> ModelInfo:
    """Load a model on the CPU and let it write a token; `ModelError` says why it cannot.

    The engine has a process of its own, since llama.cpp ends its process on some errors.
    """
    backend = LlamaBackend(path, EngineOptions(n_ctx=_N_CTX, n_gpu_layers=0), log)
    try:
        info = backend.wait()
        sampling = Sampling(temperature=0, seed=0, max_tokens=1)
        for event in backend.generate(Request("trial", (info.vocabulary.bos or 0,), sampling)):
            if isinstance(event, Failed):
                raise ModelError(event.message, event.hint)
    except AirochatError as error:
        raise ModelError(f"{path} was written, but does not work: {error.message}", error.hint) from None
    finally:
        backend.close()
    return info
