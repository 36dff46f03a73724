"""A model and its contexts in llama.cpp: loading, facts, freeing."""

from __future__ import annotations

import ctypes
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as _llama

from airochat.backends.base import ModelInfo
from airochat.backends.llama import devices
from airochat.backends.llama.abort import StopFlag, callback_address
from airochat.backends.llama.cache import LEAST_LANES, Kind
from airochat.backends.llama.context import Context, Limits
from airochat.backends.llama.fit import context_size, plan_load
from airochat.backends.llama.ggml import size_text
from airochat.backends.llama.gguf import check_model_file, read_header
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.machine import ram, this_machine
from airochat.backends.llama.needs import LOGIT_ROWS
from airochat.backends.llama.options import context_params, gpu_layers, model_params
from airochat.backends.llama.vocab import Vocab
from airochat.backends.llama.wire import Cancelled
from airochat.errors import ModelError
from airochat.sampling import FIELDS
from airochat.settings import EngineOptions
from airochat.text import one_line

L: Any = _llama
Progress = Callable[[float, str], bool]
"""Told a fraction from 0 to 1 and a stage; returns whether to go on."""
_SAMPLES, _SAMPLE_BYTES = 16, 65_536
_NO_MEMORY = re.compile(r"out of memory|bad_alloc|(failed|unable) to allocate", re.IGNORECASE)
"""How llama.cpp and its backends word it in their log when memory is not given to them."""


_ASIDE_CTX, _ASIDE_BATCH = 4096, 128
"""Context and batch for what is written while nobody waits; a small batch gives way soon."""
_LARGEST_AUTO = 4 << 30
_MOVABLE = ("f16", "f32")
"""Types of keys that llama.cpp can move in every cache."""
_MANY_POSITIONS = (8, 24, 40)
"""llama.cpp's rope types with several positions a token (M-RoPE), whose cells cannot be moved."""


class Model:
    """A loaded model with its context; used by one thread, but for the vocabulary.

    Making one raises `ModelError` if the file is not a usable model or does not fit, and `Cancelled`.
    """

    def __init__(
        self, path: Path, options: EngineOptions, log: EngineLog, stop: StopFlag, progress: Progress
    ) -> None:
        self._path, self._log, self._progress, self._stop = path, log, progress, stop
        self._plan = plan_load(check_model_file(path), options, this_machine())
        self.options = options = self._plan.options
        self._contexts: list[Context] = []
        for adapter, _ in options.lora:
            read_header(Path(adapter))
        self._check_memory()
        self._step(0.0, "reading the model")
        self._handle = self._load()
        try:
            self._check_kind()
            self.vocab = Vocab(L.llama_model_get_vocab(self._handle))
            self._step(1.0, "making the context")
            self.kind = self._kind()
            self.context = self._chat_context()
            self.n_ctx, self.n_batch = self.context.limits.n_ctx, self.context.limits.n_batch
            self.shift_notes = self._shift_notes()
            self.shift = options.kv_reuse == "shift" and not self.shift_notes
            self.info = self._info()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the contexts, then the model, in this order."""
        for context in self._contexts:
            context.close()
        if self._handle:
            L.llama_model_free(self._handle)
        self._handle = None

    @property
    def parallel(self) -> int:
        """How many replies may be written side by side."""
        return self.options.n_seq_max

    @property
    def snapshot_limit(self) -> int:
        """How many bytes of RAM saved states may take."""
        if isinstance(self.options.cache_ram, int):
            return self.options.cache_ram << 20
        return min(ram()[0] // 4, _LARGEST_AUTO)

    def aside(self, stop: StopFlag) -> Context:
        """Make a small second context, for what is written while nobody waits; raises `ModelError`."""
        options = self.options.replace(n_batch=_ASIDE_BATCH, n_ubatch=_ASIDE_BATCH)
        return self._make_context(options, min(_ASIDE_CTX, self.n_ctx), 1, 1, stop)

    def _check_memory(self) -> None:
        """Refuse what would only end the process: memory that is not there is promised, and kills when it is used."""
        if self._plan.hopeless:
            verdict, total = self._plan.verdict, size_text(self._plan.machine.ram_total)
            what = f"{self._path.name} with a context of {verdict.job.n_ctx:,} tokens"
            message = (
                f"{what} needs {size_text(verdict.needs.total)} of memory, and this machine has {total}."
            )
            raise ModelError(message, self._plan.hint())

    def _step(self, fraction: float, stage: str) -> None:
        if not self._progress(fraction, stage):
            raise Cancelled

    def _load(self) -> Any:
        cancelled = False

        def report(fraction: float, _data: object) -> bool:
            nonlocal cancelled
            cancelled = cancelled or not self._progress(fraction, "reading the model")
            return not cancelled

        params = model_params(self.options)
        callback = L.llama_progress_callback(report)
        params.progress_callback = callback
        handle = L.llama_model_load_from_file(str(self._path).encode(), params)
        if cancelled:
            if handle:
                L.llama_model_free(handle)
            raise Cancelled
        if not handle:
            otherwise = "Take the file from another source, or a newer airochat."
            hint = self._plan.hint() if self._ran_out() else otherwise
            raise self._error(f"llama.cpp cannot load {self._path.name}", hint)
        return handle

    def _check_kind(self) -> None:
        if L.llama_model_has_encoder(self._handle) or not L.llama_model_has_decoder(self._handle):
            raise ModelError(
                f"{self._path.name} is not a model that writes text step by step.", "Take a chat model."
            )
        if L.llama_vocab_n_tokens(L.llama_model_get_vocab(self._handle)) <= 0:
            raise ModelError(f"{self._path.name} has no vocabulary.", "Take a complete GGUF file.")

    def _kind(self) -> Kind:
        if L.llama_model_is_recurrent(self._handle) or L.llama_model_is_hybrid(self._handle):
            return "recurrent"
        return "window" if L.llama_model_n_swa(self._handle) > 0 else "plain"

    def _shift_notes(self) -> tuple[str, ...]:
        """Say why stretches of this model's cache cannot be moved; nothing if they can."""
        if self.kind == "recurrent":
            return ("This model has one state for all tokens, which can only be saved as a whole.",)
        if self.kind == "window":
            return ("This model sees through a sliding window, so that nothing in its cache is moved.",)
        kind = self.options.type_k
        if kind == "bf16" or (kind not in _MOVABLE and not self._log.rotates_keys):
            # llama.cpp cannot rotate bf16, and of quantised keys only those in heads of 64, 128 … numbers.
            return (f"A cache of type_k {kind} cannot be moved with this model: llama.cpp would end.",)
        if not self.context.can_shift or L.llama_model_rope_type(self._handle) in _MANY_POSITIONS:
            return ("The cache of this kind of model cannot be moved.",)
        return ()

    def _chat_context(self) -> Context:
        n_ctx = context_size(self.options, int(L.llama_model_n_ctx_train(self._handle)))
        # States of recurrent models are kept for each lane; elsewhere a lane costs nothing by itself.
        least = 3 if self.kind == "recurrent" else LEAST_LANES
        lanes = max(least, self.options.n_seq_max + 1)
        return self._make_context(self.options, n_ctx, lanes, max(LOGIT_ROWS, lanes), self._stop)

    def _make_context(
        self, options: EngineOptions, n_ctx: int, lanes: int, outputs: int, stop: StopFlag
    ) -> Context:
        params = context_params(options, n_ctx, lanes, outputs)
        params.abort_callback = L.ggml_abort_callback(callback_address())
        params.abort_callback_data = stop.data
        handle = L.llama_init_from_model(self._handle, params)
        if not handle:
            message = f"There is no room for a context of {n_ctx} tokens, or its options do not fit"
            otherwise = 'Set a smaller n_ctx, fewer n_gpu_layers, or type_k and type_v back to "f16".'
            raise self._error(
                message, self._plan.hint() if self._plan.short or self._ran_out() else otherwise
            )
        granted = int(L.llama_n_ctx(handle))
        # llama.cpp rounds up to 256; a user who set a number shall find that number.
        size = min(granted, n_ctx) if isinstance(options.n_ctx, int) else granted
        limits = Limits(size, int(L.llama_n_batch(handle)), int(L.llama_n_seq_max(handle)), outputs)
        context = Context(handle, stop, limits)
        self._contexts.append(context)
        self._add_adapters(context)
        return context

    def _add_adapters(self, context: Context) -> None:
        adapters = [self._adapter(path) for path, _ in self.options.lora]
        if not adapters:
            return
        count = len(adapters)
        pointers = (L.llama_adapter_lora_p_ctypes * count)(*adapters)
        scales = (ctypes.c_float * count)(*(scale for _, scale in self.options.lora))
        if L.llama_set_adapters_lora(context.handle, pointers, count, scales):
            raise self._error(
                "The LoRA adapters cannot be used with this model", "Remove them from the setting lora."
            )

    def _adapter(self, path: str) -> Any:
        adapter = L.llama_adapter_lora_init(self._handle, path.encode())
        if not adapter:
            raise self._error(
                f"The LoRA adapter {path} does not fit this model", "Remove it from the setting lora."
            )
        return adapter

    def _ran_out(self) -> bool:
        return any(_NO_MEMORY.search(line) for line in self._log.errors)

    def _error(self, message: str, hint: str) -> ModelError:
        reason = one_line(self._log.errors[0], 200) if self._log.errors else ""
        return ModelError(f"{message} ({reason})." if reason else f"{message}.", hint)

    def _info(self) -> ModelInfo:
        metadata = self._metadata()
        n_ctx_train = int(L.llama_model_n_ctx_train(self._handle))
        return ModelInfo(
            name=self._path.stem,
            path=str(self._path),
            fingerprint=fingerprint(self._path),
            architecture=metadata.get("general.architecture", ""),
            parameters=int(L.llama_model_n_params(self._handle)),
            size=self._path.stat().st_size,
            n_ctx=self.n_ctx,
            n_ctx_train=n_ctx_train,
            n_vocab=self.vocab.size,
            metadata=metadata,
            vocabulary=self.vocab.vocabulary,
            device=devices.describe(gpu_layers(self.options), int(L.llama_model_n_layer(self._handle)) + 1),
            warnings=self._warnings(n_ctx_train),
            sampling_fields=FIELDS if self.kind == "plain" else FIELDS - {"banned"},
            abilities=frozenset({"swipes", "prepare", "background", "score"}),
        )

    def _warnings(self, n_ctx_train: int) -> tuple[str, ...]:
        asked = self.options.n_ctx
        stretched = self.options.rope_freq_base or self.options.rope_freq_scale or self.options.yarn_orig_ctx
        if isinstance(asked, int) and 0 < n_ctx_train < asked and not stretched:
            return (
                f"The context of {self.n_ctx} tokens is larger than the {n_ctx_train} that the model was trained "
                f"for; expect nonsense beyond those. Set n_ctx to {n_ctx_train}, or the rope settings.",
            )
        return ()

    def _metadata(self) -> dict[str, str]:
        keys, values = L.llama_model_meta_key_by_index, L.llama_model_meta_val_str_by_index
        count = range(L.llama_model_meta_count(self._handle))
        return {_read(keys, self._handle, index): _read(values, self._handle, index) for index in count}


def _read(function: Any, handle: Any, index: int) -> str:
    """Call a llama.cpp function that fills a buffer and returns the length of the whole text."""
    size = function(handle, index, None, 0) + 1
    buffer = ctypes.create_string_buffer(max(size, 1))
    function(handle, index, buffer, size)
    return buffer.value.decode("utf-8", "replace")


def fingerprint(path: Path) -> str:
    """Return what tells this model file from others: a hash over its size, its header and samples of its weights."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with open(path, "rb") as file:
        digest.update(file.read(1 << 20))
        for index in range(_SAMPLES):
            file.seek(size * index // _SAMPLES)
            digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(0, size - _SAMPLE_BYTES))
        digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
