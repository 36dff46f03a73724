"""Counting tokens with a model, for the commands that tell sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from airochat.cli.common import load_settings, open_home
from airochat.errors import ModelError


@contextmanager
def counter(ctx: click.Context, model: str | None) -> Iterator[Callable[[str], int] | None]:
    """Load a model for a ``with`` block and give what counts the tokens of a text; None without a model."""
    if model is None:
        yield None
        return
    from airochat.backends import create_backend

    settings = load_settings(ctx, model=model)
    backend = create_backend(settings.model, settings, open_home(ctx))
    try:
        backend.load(lambda event: None)
        backend.wait()
        tokenizer = backend.tokenizer
        if tokenizer is None:
            raise ModelError(
                f"The model {model} does not tell its tokens.", "Leave out --model to estimate them."
            )
        yield lambda text: len(tokenizer.encode([text], [True])[0])
    finally:
        backend.close()
