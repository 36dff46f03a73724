"""All settings: their names, defaults, ranges, and the file they come from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airochat import checks
from airochat.errors import SettingsError, StoreError
from airochat.roleplay import Roleplay
from airochat.sampling import Sampling

KV_TYPES = ("f16", "f32", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""Types that the KV cache can have in llama.cpp."""

_RANGES: dict[str, tuple[float, float]] = {
    "main_gpu": (0, 15),
    "n_batch": (1, 65_536),
    "n_ubatch": (1, 65_536),
    "n_threads": (0, 512),
    "n_threads_batch": (0, 512),
    "rope_freq_base": (0.0, 1e12),
    "rope_freq_scale": (0.0, 1e3),
    "yarn_ext_factor": (-1.0, 100.0),
    "yarn_orig_ctx": (0, 10_000_000),
    "n_seq_max": (1, 64),
    "n_draft": (1, 15),
    "cache_disk": (0, 10_000_000),
}
_FRACTIONAL = frozenset({"rope_freq_base", "rope_freq_scale", "yarn_ext_factor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How a model is loaded, checked when made. Names and meanings are llama.cpp's.

    ``n_gpu_layers`` is a number, ``all``, or ``auto`` (as many as fit). ``n_ctx`` ``auto``
    takes the trained context, up to 8192. Thread counts of 0 mean one per physical core. ``rope_*`` of 0 and a
    negative ``yarn_ext_factor`` take the model's own values. ``lora`` lists adapter files with a scale each.

    ``n_seq_max`` is how many replies are written side by side at most. ``kv_reuse`` ``shift`` lets parts of the cache
    move to other places of the prompt, where the model can, which is an approximation; ``exact`` reads them again.
    ``speculative`` lets up to ``n_draft`` tokens be guessed and checked at once where that was measured to pay:
    ``lookup`` guesses what stood there before, ``draft`` asks the small model ``draft_model``.
    ``cache_ram`` and ``cache_disk`` are MiB for saved states; 0 saves none, ``auto`` takes a quarter of the free RAM.
    """

    engine: str = "process"
    """``process`` keeps llama.cpp in a process of its own; ``thread`` runs it in this one, for tests and debugging."""
    n_gpu_layers: int | str = "auto"
    main_gpu: int = 0
    split_mode: str = "layer"
    tensor_split: tuple[float, ...] = ()
    n_ctx: int | str = "auto"
    n_batch: int = 512
    n_ubatch: int = 256
    n_threads: int = 0
    n_threads_batch: int = 0
    flash_attn: str = "auto"
    type_k: str = "f16"
    type_v: str = "f16"
    use_mmap: bool = True
    use_mlock: bool = False
    rope_scaling: str = "model"
    rope_freq_base: float = 0.0
    rope_freq_scale: float = 0.0
    yarn_ext_factor: float = -1.0
    yarn_orig_ctx: int = 0
    lora: tuple[tuple[str, float], ...] = ()
    n_seq_max: int = 8
    kv_reuse: str = "shift"
    cache_ram: int | str = "auto"
    cache_disk: int = 2048
    speculative: str = "off"
    draft_model: str = ""
    n_draft: int = 8

    def __post_init__(self) -> None:
        checks.choice("engine", self.engine, ("process", "thread"))
        checks.choice("split_mode", self.split_mode, ("none", "layer", "row"))
        checks.choice("flash_attn", self.flash_attn, ("auto", "on", "off"))
        checks.choice("type_k", self.type_k, KV_TYPES)
        checks.choice("type_v", self.type_v, KV_TYPES)
        checks.choice("rope_scaling", self.rope_scaling, ("model", "none", "linear", "yarn", "longrope"))
        checks.choice("speculative", self.speculative, ("off", "lookup", "draft"))
        if not isinstance(self.draft_model, str):
            raise SettingsError(f"draft_model = {self.draft_model!r} is not a text.")
        if self.speculative == "draft" and not self.draft_model:
            raise SettingsError(
                'speculative = "draft" needs a draft_model.', "Name a small model of the same family."
            )
        checks.choice("kv_reuse", self.kv_reuse, ("shift", "exact"))
        if self.cache_ram != "auto":
            checks.number("cache_ram", self.cache_ram, 0, 10_000_000, whole=True)
        if self.n_gpu_layers not in ("auto", "all"):
            checks.number("n_gpu_layers", self.n_gpu_layers, 0, 10_000, whole=True)
        if self.n_ctx != "auto":
            checks.number("n_ctx", self.n_ctx, 64, 10_000_000, whole=True)
        for name, (low, high) in _RANGES.items():
            checks.number(name, getattr(self, name), low, high, whole=name not in _FRACTIONAL)
        if len(self.tensor_split) > 16:
            raise SettingsError("tensor_split has more than 16 numbers.", "It takes one share for each GPU.")
        for share in self.tensor_split:
            checks.number("tensor_split", share, 0.0, 1e6)
        for adapter in self.lora if isinstance(self.lora, tuple) else (self.lora,):
            if not isinstance(adapter, tuple) or len(adapter) != 2 or not isinstance(adapter[0], str):
                hint = 'Give a list of files with a scale each: lora = [["adapter.gguf", 1.0]].'
                raise SettingsError(f"lora has {adapter!r}, which is no file with a scale.", hint)
            checks.number(f"the scale of LoRA {adapter[0]}", adapter[1], -100.0, 100.0)
        for name in ("use_mmap", "use_mlock"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} = {getattr(self, name)!r} must be true or false.")
        if self.n_ubatch > self.n_batch:
            raise SettingsError(
                f"n_ubatch = {self.n_ubatch} is larger than n_batch = {self.n_batch}.",
                "Lower it, or raise n_batch.",
            )
        if self.flash_attn == "off" and self.type_v not in ("f16", "f32", "bf16"):
            raise SettingsError(
                f"type_v = {self.type_v!r} needs flash attention.", 'Set flash_attn = "auto".'
            )

    def replace(self, **changes: Any) -> EngineOptions:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a user can set. `Settings.load` reads the file; `replace` applies overrides by name."""

    model: str = ""
    """A path, a known name, ``demo``, ``remote:ADDRESS``, or ``scripted``; empty if none is configured."""
    embedding_model: str = ""
    """What finds texts that mean the same, for plugins: a GGUF's path, a known name, or ``demo``; empty if none is."""
    template: str = ""
    """A template's name; empty lets airochat choose by the model."""
    theme: str = "ember"
    user_name: str = "You"
    system: str = ""
    """The system prompt; empty takes the template's own."""
    read_ahead: bool = True
    """Let the model read the coming prompt while the user types; never on battery."""
    auto_title: bool = False
    """Let the model find a title for a new chat after its first reply, while it has nothing else to do."""
    preset: str = ""
    """A sampling preset, over which the sampling fields beside it are laid; `Settings.load` takes its values."""
    model_dirs: tuple[str, ...] = ()
    """Folders searched for GGUF files, beside ``models/`` in the data folder."""
    plugins_enabled: tuple[str, ...] = ()
    """Names of plugins by others that may run; bundled ones need no mention."""
    plugins_disabled: tuple[str, ...] = ()
    """Names of plugins that must not run."""
    engine: EngineOptions = field(default_factory=EngineOptions)
    sampling: Sampling = field(default_factory=Sampling)
    roleplay: Roleplay = field(default_factory=Roleplay)

    def __post_init__(self) -> None:
        for name in ("model", "embedding_model", "template", "theme", "user_name", "system", "preset"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError(f"{name} = {getattr(self, name)!r} is not a text.")
        for name in ("read_ahead", "auto_title"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} = {getattr(self, name)!r} must be true or false.")
        for name in ("model_dirs", "plugins_enabled", "plugins_disabled"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
                raise SettingsError(f"{name} = {value!r} is not a list of texts.")

    def replace(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy with settings changed by name.

        Engine, sampling and roleplay fields are named directly (``n_ctx``, ``temperature``) or, for the last two,
        under ``sampling`` and ``roleplay``. An unknown name is a `SettingsError` with the closest known one.
        """
        own: dict[str, Any] = {}
        fields: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
        for name, value in changes.items():
            value = _frozen(value)
            home = next((group for group, kind in _GROUPS.items() if name in kind.__dataclass_fields__), None)
            if name in _TABLES and isinstance(value, Mapping):
                fields[name].update({key: _frozen(entry) for key, entry in value.items()})
            elif name in _TABLES and not isinstance(value, _GROUPS[name]):
                raise SettingsError(
                    f"{name} = {value!r} is not a table.", f"Write it as [{name}] with fields."
                )
            elif home is not None:
                fields[home][name] = value
            elif name in Settings.__dataclass_fields__:
                own[name] = value
            else:
                raise SettingsError(
                    f"There is no setting {name!r}.", checks.did_you_mean(name, setting_names())
                )
        for group, given in fields.items():
            if given:
                own[group] = own.get(group, getattr(self, group)).replace(**given)
        return dataclasses.replace(self, **own)

    @classmethod
    def load(cls, path: Path, overrides: Mapping[str, Any] | None = None) -> Settings:
        """Read the settings file, if there is one, then apply ``AIROCHAT_MODEL`` and ``overrides``.

        A preset named there is one of those shipped, or in the folder ``presets`` beside the file.
        """
        settings = cls().replace(_with_preset(read_file(path), path.parent / "presets"))
        if os.environ.get("AIROCHAT_MODEL"):
            settings = settings.replace({"model": os.environ["AIROCHAT_MODEL"]})
        return settings.replace(_with_preset(overrides or {}, path.parent / "presets"))


_GROUPS: dict[str, Any] = {"engine": EngineOptions, "sampling": Sampling, "roleplay": Roleplay}
_TABLES = ("sampling", "roleplay")


def setting_names() -> list[str]:
    """Return every name that a settings file may hold."""
    names = set(Settings.__dataclass_fields__)
    return sorted(names.union(*(kind.__dataclass_fields__ for kind in _GROUPS.values())))


def read_file(path: Path) -> dict[str, Any]:
    """Parse a settings file, empty if there is none; `SettingsError` names the file and the line."""
    import tomli

    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}  # a data folder that cannot be is told about when it is opened
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The settings file {path} cannot be read: {error}.", "Correct that line."
        ) from None
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from None


def remember(path: Path, changes: Mapping[str, Any]) -> None:
    """Write some settings into the file, keeping its comments and everything else in it."""
    import tomlkit

    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
        for name, value in changes.items():
            document[name] = value
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(tomlkit.dumps(document), encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise StoreError(f"The settings file {path} cannot be written: {error.strerror}.") from None


def _with_preset(changes: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Return changes with the values of a preset that they name, below the sampling fields that they set."""
    name, own = changes.get("preset"), changes.get("sampling", {})
    if not name or not isinstance(name, str) or not isinstance(own, Mapping):
        return changes
    from airochat.presets import Presets

    values = Presets(folder).get(name).values
    return {"sampling": {**values, **own}, **{key: changes[key] for key in changes if key != "sampling"}}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
