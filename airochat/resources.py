"""Where the files are that airochat ships beside its code, in a checkout and in a wheel alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """Return the folder ``plugins``, ``themes`` or ``examples`` as shipped.

    A wheel holds them in ``airochat/_data``; in a checkout they stand beside the package.
    """
    packed = _PACKAGE / "_data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name
