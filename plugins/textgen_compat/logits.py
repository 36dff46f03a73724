"""What the engine runs for an extension with ``logits_processor_modifier``: this file is loaded in its process."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_PACKAGE = "airochat_plugin_textgen_compat"
"""The name under which this plugin's modules are found; where the engine runs as a thread, they are there already."""


def make(options: Mapping[str, Any]) -> Callable[[list[int], Any], None]:
    """Return the function that changes the logits as the extension of ``options`` wants it."""
    if _PACKAGE not in sys.modules:
        folder = Path(__file__).parent
        spec = importlib.util.spec_from_file_location(
            _PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"The plugin in {folder} cannot be loaded.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[_PACKAGE] = module
        spec.loader.exec_module(module)
    found: Callable[[list[int], Any], None] = importlib.import_module(f"{_PACKAGE}.bias").changer(options)
    return found
