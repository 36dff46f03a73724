"""The one error of this package."""

from __future__ import annotations

from airochat.errors import PromptError


class FormError(PromptError):
    """A form cannot be built from what was given, or an answer does not have the shape it was trained to have."""
