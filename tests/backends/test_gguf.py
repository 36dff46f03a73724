from __future__ import annotations

import ctypes
import gzip
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airochat.backends.llama.ggml import FILE_TYPES, REMOVED_TYPES, TENSOR_TYPES, size_text
from airochat.backends.llama.gguf import check_model_file, part_paths, read_header
from airochat.errors import ModelError
from tests.backends.files import F16, F32, MODEL, Q4_0, TENSORS, gguf, legacy, text

REAL_FILES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refusal(path: Path) -> ModelError:
    """The error for a file; what it says must make sense to a person."""
    with pytest.raises(ModelError) as caught:
        check_model_file(path)
    error = caught.value
    assert str(path) in error.message
    assert error.message.endswith(".")
    assert error.hint
    return error


def made(folder: Path, data: bytes, name: str = "model.gguf") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


class TestRealFile:
    def test_header_of_the_demo_model(self, demo_model: Path) -> None:
        header = check_model_file(demo_model)
        assert (header.version, header.architecture, header.quantisation) == (3, "llama", "Q4_1")
        assert (header.n_ctx_train, header.n_layers, header.n_vocab) == (8192, 30, 49152)
        assert (header.n_tensors, header.parameters) == (272, 134_515_008)
        assert header.size == header.data_end == demo_model.stat().st_size
        assert header.has_chat_template
        assert header.metadata["llama.rope.freq_base"] == "100000"
        assert header.metadata["tokenizer.ggml.add_bos_token"] == "false"
        assert "tokenizer.ggml.tokens" not in header.metadata

    def test_the_demo_model_without_its_last_byte(self, demo_model: Path, tmp_path: Path) -> None:
        size = demo_model.stat().st_size
        with demo_model.open("rb") as file:
            cut = made(tmp_path, file.read(4 << 20))
        os.truncate(cut, size - 1)
        assert f"1 of its {size:,} bytes" in refusal(cut).message

    def test_types_are_those_of_the_bundled_llama_cpp(self) -> None:
        from llama_cpp import llama_cpp

        library: Any = llama_cpp._lib
        library.ggml_blck_size.restype = ctypes.c_int64
        library.ggml_type_size.restype = ctypes.c_size_t
        library.ggml_type_name.restype = ctypes.c_char_p
        known = {}
        for number in range(llama_cpp.GGML_TYPE_COUNT):
            block = library.ggml_blck_size(number)
            if block:
                name = library.ggml_type_name(number).decode()
                known[number] = (name.upper(), block, library.ggml_type_size(number))
        assert {number: (kind.name.upper(), *kind[1:]) for number, kind in TENSOR_TYPES.items()} == known
        assert set(REMOVED_TYPES) == set(range(llama_cpp.GGML_TYPE_COUNT)) - set(known)

    def test_file_types_are_those_of_the_bundled_llama_cpp(self) -> None:
        from llama_cpp import llama_cpp

        names = {name: number for name, number in vars(llama_cpp).items() if name.startswith("LLAMA_FTYPE_")}
        del names["LLAMA_FTYPE_GUESSED"]
        words = {
            number: name.removeprefix("LLAMA_FTYPE_").partition("_")[2] for name, number in names.items()
        }
        assert {number: name.replace("_MOE", "") for number, name in words.items()} == FILE_TYPES

    def test_a_file_of_the_gguf_package(self, tmp_path: Path) -> None:
        from gguf import GGMLQuantizationType, GGUFWriter

        path = tmp_path / "written.gguf"
        writer = GGUFWriter(path, "llama")
        writer.add_context_length(512)
        writer.add_custom_alignment(64)
        writer.add_token_list(["a", "b", "c", "d"])
        writer.add_tensor(
            "token_embd.weight", np.zeros((4, 36), np.uint8), raw_dtype=GGMLQuantizationType.Q4_0
        )
        writer.add_tensor("odd", np.zeros((3, 5), np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        header = check_model_file(path)
        assert (header.n_tensors, header.parameters, header.n_vocab) == (2, 4 * 64 + 15, 4)
        assert (header.quantisation, header.n_ctx_train) == ("Q4_0", 512)
        assert header.data_end <= header.size < header.data_end + 64


class TestFacts:
    def test_quantisation_by_most_weights_if_the_file_type_is_unknown(self, tmp_path: Path) -> None:
        tensors = (("a", (64,), F32), ("b", (64, 64), F16))
        assert read_header(made(tmp_path, gguf(tensors=tensors))).quantisation == "F16"
        stated = {**MODEL, "general.file_type": 15 + 1024}
        assert read_header(made(tmp_path, gguf(stated, tensors))).quantisation == "Q4_K_M"
        strange = {**MODEL, "general.file_type": 999}
        assert read_header(made(tmp_path, gguf(strange, tensors))).quantisation == "F16"

    def test_values_become_text_and_lists_are_left_out(self, tmp_path: Path) -> None:
        extra = {"a": True, "b": 1.5, "c": [1, 2], "d": ["x", ""], "e": "é\x1b[2J"}
        header = read_header(made(tmp_path, gguf({**MODEL, **extra})))
        assert {key: header.metadata.get(key) for key in extra} == {
            "a": "true", "b": "1.5", "c": None, "d": None, "e": "é\x1b[2J",
        }  # fmt: skip

    def test_a_long_text_is_left_out_and_the_rest_is_read(self, tmp_path: Path) -> None:
        header = read_header(made(tmp_path, gguf({"long": "x" * (2 << 20), **MODEL})))
        assert "long" not in header.metadata
        assert header.name == "Tiny Llama"

    def test_text_that_is_not_utf_8(self, tmp_path: Path) -> None:
        broken = {**MODEL, "general.name": struct.pack("<I", 8) + text(b"\xffLlama")}
        assert read_header(made(tmp_path, gguf(broken))).name == "\ufffdLlama"

    def test_wrong_kinds_of_numbers_count_as_unknown(self, tmp_path: Path) -> None:
        header = read_header(
            made(tmp_path, gguf({**MODEL, "llama.context_length": "many", "llama.block_count": 1.5}))
        )
        assert (header.n_ctx_train, header.n_layers) == (0, 0)

    @pytest.mark.parametrize(
        ("count", "expected"),
        [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (98_362_432, "98.4 MB"), (999_960_000, "1.0 GB"),
         (4_080_000_000, "4.1 GB"), (2_000_000_000_000, "2.0 TB")],
    )  # fmt: skip
    def test_sizes_for_people(self, count: int, expected: str) -> None:
        assert size_text(count) == expected


FOREIGN: dict[str, tuple[bytes, str, str]] = {
    "empty.gguf": (b"", "empty", "again"),
    "zeros.gguf": (b"\0" * 4096, "unfinished download", "again"),
    "pointer.gguf": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\nsize 4081004224\n",
        "Git LFS pointer that stands for 4.1 GB",
        "git lfs pull",
    ),
    "page.gguf": (b"\n<!DOCTYPE html><html><title>Sign in</title>", "web page", "again"),
    "page2.gguf": (b"\xef\xbb\xbf<HTML lang=en>", "web page", "again"),
    "error.gguf": (b'{"error":"Repository not found"}', "JSON", "again"),
    "readme.gguf": ("Ein Lama läuft über das Feld.".encode() * 40, "text file", ".gguf"),
    "weights.safetensors": (
        struct.pack("<Q", 800) + b'{"__metadata__":{"format":"pt"}}' + b" " * 800,
        "safetensors",
        "convert",
    ),
    "pytorch_model.bin": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch", "convert"),
    "model.h5": (b"\x89HDF\r\n\x1a\n", "HDF5", "convert"),
    "model.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "7z archive", "Unpack"),
    "model.z01": (b"PK\x07\x08PK\x03\x04\x14\0", "part of a split zip", "all parts"),
    "model.z02": (b"\x07\xff" * 32, "part of a split zip", "all parts"),
    "adapter.bin": (b"algg\1\0\0\0", "LoRA", "adapter"),
    "aria.png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "picture", "--card"),
    "noise.gguf": (b"\xde\xad\xbe\xef" + b"\x07\xff" * 30, "de ad be ef", ".gguf"),
    "short.gguf": (b"GG", "text file", ".gguf"),
}


class TestOtherFiles:
    @pytest.mark.parametrize("name", FOREIGN)
    def test_recognised_by_their_first_bytes(self, tmp_path: Path, name: str) -> None:
        data, what, way_out = FOREIGN[name]
        error = refusal(made(tmp_path, data, name))
        assert what in error.message
        assert way_out in error.hint

    def test_real_archives(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
            archive.writestr("model.gguf", gguf())
        with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
            archive.writestr("archive/data.pkl", b"...")
        (tmp_path / "model.gguf.gz").write_bytes(gzip.compress(gguf()))
        assert "zip archive" in refusal(tmp_path / "model.zip").message
        assert "PyTorch" in refusal(tmp_path / "pytorch_model.bin").message
        assert "gzip" in refusal(tmp_path / "model.gguf.gz").message

    @pytest.mark.parametrize(
        ("data", "label"),
        [
            (legacy(), "GGJT v3, 13B, Q5_1"),
            (legacy(version=1, layers=80, width=8192, file_type=2), "GGJT v1, 65B or 70B, Q4_0"),
            (legacy(file_type=2015, layers=32, width=4096), "GGJT v3, 7B, Q4_K_M"),
            (legacy(layers=12, width=768, file_type=77), "GGJT v3"),
            (legacy(b"fmgg", 1), "GGMF v1, 13B, Q5_1"),
            (legacy(b"fmgg", 100), "GGMF v100"),
            (legacy(b"lmgg", 32000), "GGML"),
            (b"tjgg\3", "GGJT"),
        ],
    )
    def test_legacy_formats_tell_version_size_and_quantisation(
        self, tmp_path: Path, data: bytes, label: str
    ) -> None:
        error = refusal(made(tmp_path, data, "airoboros-13b.ggmlv3.q5_1.bin"))
        assert f"({label}, {len(data)} bytes)" in error.message
        assert "GGUF of the same model" in error.hint

    def test_missing_file_with_a_close_name(self, tmp_path: Path) -> None:
        made(tmp_path, gguf(), "airoboros-l2-13b.Q4_K_M.gguf")
        error = refusal(tmp_path / "airoboros-l2-13b.Q4_K.gguf")
        assert error.hint == f"Did you mean {tmp_path / 'airoboros-l2-13b.Q4_K_M.gguf'}?"
        assert "models list" in refusal(tmp_path / "zzz.gguf").hint
        assert "folder does not exist" in refusal(tmp_path / "nowhere" / "a.gguf").message

    def test_folder(self, tmp_path: Path) -> None:
        assert "Give the path" in refusal(tmp_path).hint
        model = made(tmp_path, gguf())
        assert str(model) in refusal(tmp_path).hint

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
    def test_pipe_is_not_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "model.gguf")
        assert "pipe" in refusal(tmp_path / "model.gguf").message

    def test_link_to_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "model.gguf").symlink_to(tmp_path / "gone.gguf")
        assert "link to a file that is not there" in refusal(tmp_path / "model.gguf").message

    @pytest.mark.skipif(
        not Path("/proc/self/mem").exists(), reason="no file here that cannot be read by root"
    )
    def test_file_that_cannot_be_read(self) -> None:
        assert "cannot be read" in refusal(Path("/proc/self/mem")).message

    def test_names_that_no_file_system_takes(self, tmp_path: Path) -> None:
        assert "cannot be read" in refusal(tmp_path / ("x" * 5000)).message


class TestWrongGguf:
    @pytest.mark.parametrize(
        ("version", "what"),
        [(1, "version 1"), (4, "version 4"), (3 << 24, "big-endian"), (2 << 24, "big-endian")],
    )
    def test_versions(self, tmp_path: Path, version: int, what: str) -> None:
        assert what in refusal(made(tmp_path, gguf(version=version))).message

    def test_version_2_is_fine(self, tmp_path: Path) -> None:
        assert check_model_file(made(tmp_path, gguf(version=2))).version == 2

    @pytest.mark.parametrize(
        ("metadata", "tensors", "what"),
        [
            ({**MODEL, "general.type": "adapter"}, TENSORS, "LoRA adapter"),
            ({**MODEL, "general.type": "mmproj"}, TENSORS, "vision part"),
            ({**MODEL, "general.architecture": "clip"}, TENSORS, "vision part"),
            ({**MODEL, "general.type": "imatrix"}, TENSORS, "importance matrix"),
            ({"general.name": "x"}, TENSORS, "architecture"),
            (MODEL, (), "vocabulary but no weights"),
            (MODEL, (("a", (32,), 31),), "Q4_0_4_4"),
            (MODEL, (("a", (32,), 4),), "Q4_2"),
            (MODEL, (("a", (32,), 77),), "type (77)"),
        ],
    )
    def test_gguf_that_cannot_chat(self, tmp_path: Path, metadata: Any, tensors: Any, what: str) -> None:
        assert what in refusal(made(tmp_path, gguf(metadata, tensors))).message

    def test_says_how_much_is_missing(self, tmp_path: Path) -> None:
        whole = gguf()
        used = len(gguf(data=False)) + 3 * 36 + 20 + 64 * 4
        assert "100 of its" in refusal(made(tmp_path, whole[: used - 100])).message
        assert check_model_file(made(tmp_path, whole[:used])).data_end == used

    def test_raw_pieces_are_to_be_joined(self, tmp_path: Path) -> None:
        for name in ("model.gguf-split-a", "model.gguf.part1of2", "model.gguf.001"):
            assert "join" in refusal(made(tmp_path, gguf()[:-150], name)).hint
        for name in ("model.gguf.part", "model.gguf"):
            assert "download" in refusal(made(tmp_path, gguf()[:-150], name)).hint

    @REAL_FILES
    @given(data=st.data())
    def test_every_cut_is_noticed(self, tmp_path: Path, data: st.DataObject) -> None:
        whole = gguf()
        used = read_header(made(tmp_path, whole)).data_end
        keep = data.draw(st.integers(0, used - 1))
        refusal(made(tmp_path, whole[:keep], "cut.gguf"))


class TestParts:
    def split(self, folder: Path, count: int = 3) -> list[Path]:
        paths = [folder / f"big-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
        for number, path in enumerate(paths):
            own = MODEL if number == 0 else {}
            path.write_bytes(gguf({**own, "split.no": number, "split.count": count}))
        return paths

    def test_the_first_part_stands_for_all(self, tmp_path: Path) -> None:
        paths = self.split(tmp_path)
        header = check_model_file(paths[0])
        assert header.size == sum(path.stat().st_size for path in paths)
        assert (header.n_tensors, header.parameters) == (6, 3 * 256)
        assert part_paths(paths[1]) == paths

    def test_another_part_points_to_the_first(self, tmp_path: Path) -> None:
        paths = self.split(tmp_path)
        for number in (2, 3):
            path = paths[number - 1]
            with pytest.raises(ModelError) as caught:
                check_model_file(path)
            assert f"part {number} of 3" in caught.value.message
            assert str(paths[0]) in caught.value.hint

    def test_missing_part_is_named(self, tmp_path: Path) -> None:
        paths = self.split(tmp_path)
        paths[1].unlink()
        assert paths[1].name in refusal(paths[0]).message

    def test_cut_part_is_named(self, tmp_path: Path) -> None:
        paths = self.split(tmp_path)
        os.truncate(paths[2], paths[2].stat().st_size - 200)
        with pytest.raises(ModelError, match=r"big-00003-of-00003\.gguf is cut off"):
            check_model_file(paths[0])

    def test_renamed_parts(self, tmp_path: Path) -> None:
        paths = self.split(tmp_path)
        alone = paths[0].rename(tmp_path / "big.gguf")
        assert "NAME-00001-of-00003.gguf" in refusal(alone).hint
        wrong = paths[1].rename(paths[0])
        assert "NAME-00002-of-00003.gguf" in refusal(wrong).hint

    def test_names_that_only_look_like_parts(self, tmp_path: Path) -> None:
        for name in ("a-00004-of-00003.gguf", "a-00000-of-00003.gguf", "a-1-of-3.gguf", "a.gguf"):
            assert part_paths(tmp_path / name) == [tmp_path / name]
        assert check_model_file(made(tmp_path, gguf(), "a-00001-of-00003.gguf")).n_parts == 1


HUGE = struct.pack("<Q", 1 << 62)


def head(n_tensors: int = 0, n_keys: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_keys)


HOSTILE: dict[str, bytes] = {
    "many tensors": head(n_tensors=1 << 62),
    "many keys": head(n_keys=1 << 62),
    "some keys": head(n_keys=60_000),
    "long key": head(n_keys=1) + HUGE,
    "long text": head(n_keys=1) + text("k") + struct.pack("<I", 8) + HUGE,
    "long list of numbers": head(n_keys=1) + text("k") + struct.pack("<II", 9, 10) + HUGE,
    "long list of texts": head(n_keys=1) + text("k") + struct.pack("<II", 9, 8) + HUGE,
    "list with a long text": head(n_keys=1) + text("k") + struct.pack("<IIQ", 9, 8, 2) + HUGE,
    "list of lists": head(n_keys=1) + text("k") + (struct.pack("<II", 9, 9) + HUGE) * 100,
    "unknown kind": head(n_keys=1) + text("k") + struct.pack("<I", 13),
    "list of unknown kind": head(n_keys=1) + text("k") + struct.pack("<IIQ", 9, 99, 3),
    "many dimensions": head(n_tensors=1) + text("t") + struct.pack("<I", 1 << 31),
    "large tensor": head(n_tensors=1)
    + text("t")
    + struct.pack("<I", 4)
    + HUGE * 4
    + struct.pack("<IQ", 0, 0),
    "far tensor": head(n_tensors=1) + text("t") + struct.pack("<IQIQ", 1, 32, 0, 1 << 63),
    "no alignment": gguf({**MODEL, "general.alignment": 0}),
    "odd alignment": gguf({**MODEL, "general.alignment": 33}),
    "large alignment": gguf({**MODEL, "general.alignment": 1 << 31}),
}


class TestHostileHeaders:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_refused_without_much_memory(self, tmp_path: Path, name: str) -> None:
        path = made(tmp_path, HOSTILE[name])
        tracemalloc.start()
        try:
            refusal(path)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("name", [name for name in HOSTILE if "alignment" not in name])
    def test_refused_in_a_file_that_seems_to_have_the_length(self, tmp_path: Path, name: str) -> None:
        path = made(tmp_path, HOSTILE[name])
        os.truncate(path, 1 << 40)
        tracemalloc.start()
        try:
            with pytest.raises(ModelError):
                check_model_file(path)
            assert tracemalloc.get_traced_memory()[1] < 64 << 20
        finally:
            tracemalloc.stop()

    def test_many_texts_of_the_allowed_length(self, tmp_path: Path) -> None:
        path = made(tmp_path, gguf({f"k{number}": "x" * (1 << 20) for number in range(40)}))
        assert "MB of texts" in refusal(path).message

    @REAL_FILES
    @given(data=st.data())
    def test_changed_bytes_never_crash(self, tmp_path: Path, data: st.DataObject) -> None:
        content = bytearray(gguf())
        for _ in range(data.draw(st.integers(1, 6))):
            at = data.draw(st.integers(4, len(gguf(data=False)) - 1))
            content[at] = data.draw(st.sampled_from([0, 1, 8, 9, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
        self.reads_or_refuses(made(tmp_path, bytes(content)))

    @REAL_FILES
    @given(tail=st.binary(max_size=300), n_tensors=st.integers(0, 3), n_keys=st.integers(0, 3))
    def test_random_headers_never_crash(
        self, tmp_path: Path, tail: bytes, n_tensors: int, n_keys: int
    ) -> None:
        self.reads_or_refuses(made(tmp_path, head(n_tensors, n_keys) + tail))

    @REAL_FILES
    @given(st.binary(max_size=600))
    def test_random_files_never_crash(self, tmp_path: Path, data: bytes) -> None:
        self.reads_or_refuses(made(tmp_path, data))

    def reads_or_refuses(self, path: Path) -> None:
        try:
            header = check_model_file(path)
        except ModelError as error:
            assert error.hint
        else:
            assert 0 < header.data_end <= path.stat().st_size


def test_quantised_sizes_round_up_to_whole_blocks(tmp_path: Path) -> None:
    header = read_header(made(tmp_path, gguf(tensors=(("a", (33,), Q4_0),), data=False)))
    assert header.data_end - header.size == 36
