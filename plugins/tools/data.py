"""Reading the TOML files that the plugin ships and that users write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airochat.errors import UsageError
from airochat.text import one_line


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds, nothing if there is none; `UsageError` tells the line that is wrong."""
    import tomli

    try:
        return tomli.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomli.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path.name} cannot be read: {one_line(str(error))}.", "Correct that line."
        ) from None
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}.") from None
