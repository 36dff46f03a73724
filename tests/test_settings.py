"""Settings: names, ranges, the file, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airochat.errors import SettingsError, StoreError
from airochat.sampling import Sampling
from airochat.settings import EngineOptions, Settings, remember, setting_names


def test_overrides_reach_their_group() -> None:
    settings = Settings().replace(
        {"n_ctx": 2048, "temperature": 0.2, "theme": "paper", "sampling": {"top_k": 3}}
    )
    assert settings.engine.n_ctx == 2048
    assert (settings.sampling.temperature, settings.sampling.top_k) == (0.2, 3)
    assert settings.theme == "paper"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_cxt": 1}, "'n_ctx'"),
        ({"n_ctx": 63}, "from 64"),
        ({"n_ctx": True}, "whole number"),
        ({"n_gpu_layers": "most"}, "n_gpu_layers"),
        ({"split_mode": "diagonal"}, "none, layer, row"),
        ({"tensor_split": [1] * 17}, "tensor_split"),
        ({"type_v": "q8_0", "flash_attn": "off"}, "flash attention"),
        ({"n_ubatch": 1024}, "n_batch"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": "hot"}, "not a number"),
        ({"seed": 2**32 - 1}, "seed"),
        ({"stop": "###"}, "stop"),
        ({"banned": ["/(/"]}, "banned"),
        ({"theme": 7}, "theme"),
        ({"embedding_model": 7}, "embedding_model"),
        ({"lora": ["a.gguf"]}, "with a scale"),
        ({"lora": "a.gguf"}, "with a scale"),
        ({"sampling": 3}, "[sampling]"),
        ({"model_dirs": "here"}, "model_dirs"),
        ({"sampling": {"temprature": 1}}, "'temperature'"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings().replace(changes)
    assert said in str(caught.value)


def test_every_setting_can_be_written_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "settings.toml"
    remember(file, {"model": "demo", "n_ctx": 1024, "stop": ["###"], "model_dirs": ["a", "b"]})
    settings = Settings.load(file)
    assert (settings.model, settings.engine.n_ctx, settings.sampling.stop) == ("demo", 1024, ("###",))
    assert settings.model_dirs == ("a", "b")
    assert {"n_ctx", "theme", "temperature", "engine"} <= set(setting_names())


def test_remembering_keeps_comments_and_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('# mine\ntheme = "paper"  # at night\n')
    remember(file, {"model": "demo"})
    assert file.read_text() == '# mine\ntheme = "paper"  # at night\nmodel = "demo"\n'


@pytest.mark.parametrize("content", [b"theme = ", b"\xff\xfe", b"[[[["])
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        Settings.load(file)
    assert file.read_bytes() == content


def test_a_file_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        remember(tmp_path / "file" / "settings.toml", {"model": "demo"})


def test_the_environment_names_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIROCHAT_MODEL", "demo")
    assert Settings.load(tmp_path / "none.toml").model == "demo"
    assert Settings.load(tmp_path / "none.toml", {"model": "other"}).model == "other"


def test_options_are_checked_also_without_a_file() -> None:
    with pytest.raises(SettingsError, match="engine"):
        EngineOptions(engine="cloud")
    with pytest.raises(SettingsError, match="top_p"):
        Sampling(top_p=1.5)


def test_a_model_for_embeddings_is_a_setting_like_the_model(tmp_path: Path) -> None:
    assert Settings().embedding_model == ""
    file = tmp_path / "settings.toml"
    file.write_text('model = "demo"\nembedding_model = "bge-small"\n', encoding="utf-8")
    settings = Settings.load(file)
    assert (settings.model, settings.embedding_model) == ("demo", "bge-small")
    assert "embedding_model" in setting_names()
    with pytest.raises(SettingsError, match="embedding_model"):
        Settings().replace({"embeding_model": "bge-small"})
