"""How a server answers a call, and how it says that a model cannot be loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airochat.backends.base import LoadFailed
from airochat.backends.llama.wire import Answer, Cancelled
from airochat.errors import AirochatError, BackendError

_log = logging.getLogger(__name__)


def answered(call: int, work: Callable[[], object]) -> Answer:
    """Return what a call gives, or the error that it raises."""
    try:
        return Answer(call, work())
    except AirochatError as error:
        return Answer(call, error=error)
    except Exception as error:
        _log.exception("A call failed")
        return Answer(call, error=BackendError(f"The engine failed: {type(error).__name__}: {error}"))


def load_failure(error: Exception) -> LoadFailed:
    """Return what is told of an error that kept a model from being loaded."""
    match error:
        case Cancelled():
            return LoadFailed("Loading was cancelled.")
        case AirochatError():
            return LoadFailed(error.message, error.hint)
        case ImportError():
            return LoadFailed(
                f"llama-cpp-python cannot be used: {error}.", "Install it anew; see `airochat doctor`."
            )
    _log.error("Loading failed", exc_info=error)
    return LoadFailed(
        f"The model cannot be loaded: {type(error).__name__}: {error}", "The engine's log says more."
    )
