"""A model in llama.cpp that tells the vector of a text: one that was made for it, or any other by its own states."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat.backends.base import ModelInfo
from airochat.backends.llama.abort import StopFlag, callback_address
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.ggml import size_text
from airochat.backends.llama.gguf import check_model_file
from airochat.backends.llama.header import Header
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.machine import ram
from airochat.backends.llama.model import fingerprint
from airochat.backends.llama.options import context_params, model_params, physical_cores
from airochat.backends.llama.wire import Cancelled
from airochat.errors import BackendError, ModelError
from airochat.settings import EngineOptions
from airochat.text import one_line

L: Any = _llama
LARGEST = 2048
"""Tokens of a text that are looked at, at most: all have to be computed at once, and memory grows with the square."""
_LANES, _TOGETHER = 16, 512
"""How many texts, and how many tokens of several texts, are computed together."""
_CHARACTERS = 64
"""How many characters a token is taken to have at most when a very long text is cut before it is tokenised."""
_UNKNOWN_CTX = 512
_MOST_THREADS = 4
_ABORTED = 2
_NONE, _MEAN, _RANKED = "0", 1, "4"
"""llama.cpp's pooling types, as a GGUF names them (``ARCHITECTURE.pooling_type``), and as a parameter."""
_OTHER = "Name a model for embeddings, or a chat model."


class EmbedModel:
    """A loaded model that embeds texts; used by one thread.

    Making one raises `ModelError` if the file is not a usable model or does not fit, and `Cancelled` once ``goes_on``
    says no while it is read. ``stop`` ends what is computed.
    """

    def __init__(
        self,
        path: Path,
        options: EngineOptions,
        log: EngineLog,
        stop: StopFlag,
        goes_on: Callable[[], bool],
    ) -> None:
        self._path, self._log, self._stop = path, log, stop
        header = check_model_file(path)
        self._check(header)
        self._context: Any = None
        self._handle = self._load(options, goes_on)
        try:
            self._vocab = L.llama_model_get_vocab(self._handle)
            if L.llama_vocab_n_tokens(self._vocab) <= 0:
                raise ModelError(f"{path.name} has no vocabulary.", "Take a complete GGUF file.")
            trained = int(L.llama_model_n_ctx_train(self._handle))
            self.limit = min(trained or _UNKNOWN_CTX, LARGEST)
            """How many tokens of a text are looked at."""
            self._make_context(options, header)
            self._size = int(L.llama_model_n_embd_out(self._handle))
            self._batch = Batch(self.limit, _LANES)
            self.info = self._info(header, trained)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the context, then the model."""
        if self._context:
            L.llama_free(self._context)
        if self._handle:
            L.llama_model_free(self._handle)
        self._context = self._handle = None

    def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Return the vector of each text, of length 1, as the bytes of 32-bit floats; zeros for an empty text.

        Of a text longer than ``limit`` its beginning counts. Raises `BackendError`.
        """
        vectors = [np.zeros(self._size, np.float32)] * len(texts)
        for part in self._parts([self._tokens(text) for text in texts]):
            found = self._compute([tokens for _, tokens in part])
            for (number, _), vector in zip(part, found, strict=True):
                vectors[number] = vector
        return [vector.tobytes() for vector in vectors]

    def _parts(self, rows: Sequence[list[int]]) -> Iterator[list[tuple[int, list[int]]]]:
        """Yield what can be computed together: the tokens of texts that have any, with the number of each text."""
        part: list[tuple[int, list[int]]] = []
        count = 0
        for number, tokens in enumerate(rows):
            if not tokens:
                continue
            if part and (count + len(tokens) > min(_TOGETHER, self.limit) or len(part) == _LANES):
                yield part
                part, count = [], 0
            part.append((number, tokens))
            count += len(tokens)
        if part:
            yield part

    def _tokens(self, text: str) -> list[int]:
        if not text.strip():
            return []
        data = text[: self.limit * _CHARACTERS].encode("utf-8", "replace")
        room = len(data) + 8
        buffer = (ctypes.c_int32 * room)()
        count = int(L.llama_tokenize(self._vocab, data, len(data), buffer, room, True, False))
        tokens = buffer[: max(count, 0)]
        if len(tokens) > self.limit:
            # What marks the end of a text is expected there, too, when the text is cut.
            last = tokens[-1]
            tokens = tokens[: self.limit]
            if L.llama_vocab_is_control(self._vocab, last):
                tokens[-1] = last
        return tokens

    def _compute(self, rows: Sequence[list[int]]) -> list[np.ndarray[Any, Any]]:
        batch = self._batch.many(
            [(token, at, lane) for lane, tokens in enumerate(rows) for at, token in enumerate(tokens)]
        )
        memory = L.llama_get_memory(self._context)
        if memory:
            L.llama_memory_clear(memory, True)
        # A model that only reads has no cache; in one that reads and writes, the reading part knows the text.
        encodes = not memory or L.llama_model_has_encoder(self._handle)
        code = int((L.llama_encode if encodes else L.llama_decode)(self._context, batch.struct))
        if code == _ABORTED:
            raise BackendError("Embedding was stopped.")
        if code:
            raise BackendError(
                f"llama.cpp could not compute an embedding (code {code}).", "The log of the engine says more."
            )
        return [self._vector(lane) for lane in range(len(rows))]

    def _vector(self, lane: int) -> np.ndarray[Any, Any]:
        pointer = L.llama_get_embeddings_seq(self._context, lane)
        if not pointer:
            raise BackendError(f"{self._path.name} gives no embeddings.", _OTHER)
        vector = np.ctypeslib.as_array(pointer, (self._size,)).astype(np.float64)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length):
            raise BackendError(
                f"The numbers of {self._path.name} are not usable (NaN).", "The file may be damaged."
            )
        unit: np.ndarray[Any, Any] = (vector / (length or 1.0)).astype(np.float32)
        return unit

    def _check(self, header: Header) -> None:
        if header.metadata.get(f"{header.architecture}.pooling_type") == _RANKED:
            raise ModelError(f"{self._path.name} ranks texts and gives no embeddings.", _OTHER)
        _, total = ram()
        if 0 < total < header.size:
            sizes = f"{size_text(header.size)} of memory, and this machine has {size_text(total)}"
            raise ModelError(f"{self._path.name} needs {sizes}.", "Take a smaller model for embeddings.")

    def _load(self, options: EngineOptions, goes_on: Callable[[], bool]) -> Any:
        params = model_params(options)
        # Not even a context on a graphics card, whose memory belongs to the model that writes.
        nothing = (ctypes.c_void_p * 1)(None)
        params.devices = ctypes.addressof(nothing)
        callback = L.llama_progress_callback(lambda _fraction, _data: goes_on())
        params.progress_callback = callback
        handle = L.llama_model_load_from_file(str(self._path).encode(), params)
        if not handle and not goes_on():
            raise Cancelled
        if not handle:
            raise self._error(
                f"llama.cpp cannot load {self._path.name}", "Take the file from another source."
            )
        return handle

    def _make_context(self, options: EngineOptions, header: Header) -> None:
        # Everything in one step: what several steps give of a text cannot be put together.
        whole = options.replace(n_batch=self.limit, n_ubatch=self.limit, n_threads=_threads(options))
        params = context_params(whole, self.limit, _LANES, self.limit)
        params.embeddings = True
        params.offload_kqv = params.op_offload = False
        if header.metadata.get(f"{header.architecture}.pooling_type", _NONE) == _NONE:
            params.pooling_type = _MEAN
        params.abort_callback = L.ggml_abort_callback(callback_address())
        params.abort_callback_data = self._stop.data
        self._context = L.llama_init_from_model(self._handle, params)
        if not self._context:
            raise self._error(
                f"There is no room for {self._path.name}", "Close something, or take a smaller model."
            )

    def _error(self, message: str, hint: str) -> ModelError:
        reason = one_line(self._log.errors[0], 200) if self._log.errors else ""
        return ModelError(f"{message} ({reason})." if reason else f"{message}.", hint)

    def _info(self, header: Header, trained: int) -> ModelInfo:
        return ModelInfo(
            name=self._path.stem,
            fingerprint=fingerprint(self._path),
            architecture=header.architecture,
            parameters=int(L.llama_model_n_params(self._handle)),
            size=header.size,
            n_ctx=self.limit,
            n_ctx_train=trained,
            n_vocab=int(L.llama_vocab_n_tokens(self._vocab)),
            path=str(self._path),
        )


def _threads(options: EngineOptions) -> int:
    """Return how many threads to use: half of what the model that writes has, at most four."""
    return max(1, min(_MOST_THREADS, (options.n_threads or physical_cores()) // 2))
