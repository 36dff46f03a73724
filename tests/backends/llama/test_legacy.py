from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airochat.backends.llama.gguf import check_model_file
from airochat.backends.llama.legacy.convert import CHUNK, check_target, convert
from airochat.backends.llama.legacy.origin import Wishes
from airochat.backends.llama.legacy.plan import plan
from airochat.backends.llama.legacy.read import read_legacy
from airochat.backends.llama.legacy.trial import try_model
from airochat.errors import AirochatError, ModelError, UsageError
from tests.backends.llama.ggjt import (
    EPS,
    FF,
    HEADS,
    LAYERS,
    TYPES,
    WIDTH,
    llama_by_hand,
    logits,
    new_file,
    old_file,
    vocabulary,
    weights,
)

PROMPT = [1, 300, 290, 280, 3 + 65, 265, 310, 320, 259]
HERE = Wishes(eps=EPS, n_ctx=2048)


def converted(
    folder: Path,
    data: bytes,
    wishes: Wishes = HERE,
    name: str = "tiny.ggmlv3.q4_0.bin",
    *,
    force: bool = False,
) -> Path:
    old, new = folder / name, folder / "new.gguf"
    old.write_bytes(data)
    convert(plan(read_legacy(old), wishes), new, lambda _count: None, force=force)
    return new


def fields(path: Path) -> dict[str, Any]:
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


def refusal(folder: Path, data: bytes, wishes: Wishes = HERE) -> AirochatError:
    with pytest.raises(AirochatError) as caught:
        converted(folder, data, wishes)
    assert not list(folder.glob("new.gguf*"))
    return caught.value


class TestLogits:
    @pytest.mark.parametrize("file_type", TYPES, ids=TYPES.values())
    def test_are_those_of_the_same_weights_written_as_gguf(self, tmp_path: Path, file_type: int) -> None:
        tensors = weights()
        new = converted(tmp_path, old_file(tensors, file_type))
        other = new_file(tmp_path / "other.gguf", tensors, file_type)
        assert np.array_equal(logits(new, PROMPT), logits(other, PROMPT))

    @pytest.mark.parametrize("kv_heads", [HEADS, HEADS // 2])
    def test_are_those_of_the_published_definition(self, tmp_path: Path, kv_heads: int) -> None:
        tensors = weights(kv_heads)
        new = converted(tmp_path, old_file(tensors))
        assert np.abs(logits(new, PROMPT) - llama_by_hand(tensors, PROMPT)).max() < 1e-4

    def test_show_the_epsilon_and_the_rotation_that_were_asked_for(self, tmp_path: Path) -> None:
        tensors = weights()
        usual = logits(converted(tmp_path, old_file(tensors)), PROMPT)
        new = converted(tmp_path, old_file(tensors), Wishes(eps=0.5), force=True)
        assert np.abs(logits(new, PROMPT) - llama_by_hand(tensors, PROMPT, 0.5)).max() < 1e-4
        for wishes in (Wishes(eps=EPS, rope_base=100.0), Wishes(eps=EPS, rope_scale=4.0)):
            new = converted(tmp_path, old_file(tensors), wishes, force=True)
            assert np.abs(logits(new, PROMPT) - usual).max() > 0.01


class TestContent:
    @pytest.mark.parametrize(("version", "file_type"), [(1, 0), (1, 1), (2, 1), (2, 8), (2, 9), (3, 2)])
    def test_every_weight_is_the_same_bytes(self, tmp_path: Path, version: int, file_type: int) -> None:
        tensors = weights()
        new = gguf.GGUFReader(converted(tmp_path, old_file(tensors, file_type, version=version)))
        other = gguf.GGUFReader(new_file(tmp_path / "other.gguf", tensors, file_type))
        theirs = {tensor.name: tensor for tensor in other.tensors}
        assert {tensor.name for tensor in new.tensors} == theirs.keys()
        for tensor in new.tensors:
            assert tensor.tensor_type == theirs[tensor.name].tensor_type
            assert np.array_equal(tensor.data, theirs[tensor.name].data)

    def test_the_vocabulary_with_scores_and_types(self, tmp_path: Path) -> None:
        found = fields(converted(tmp_path, old_file(weights(), 2)))
        wanted = vocabulary()
        assert found["tokenizer.ggml.tokens"] == [text for text, _, _ in wanted]
        assert found["tokenizer.ggml.scores"] == [score for _, score, _ in wanted]
        assert found["tokenizer.ggml.token_type"] == [kind for _, _, kind in wanted]
        assert (found["tokenizer.ggml.bos_token_id"], found["tokenizer.ggml.eos_token_id"]) == (1, 2)

    def test_the_header_that_airochat_shows(self, tmp_path: Path) -> None:
        name = "airoboros-7b-gpt4-1.4.ggmlv3.q4_0.bin"
        header = check_model_file(converted(tmp_path, old_file(weights(), 2), name=name))
        assert (header.name, header.quantisation) == ("airoboros-7b-gpt4-1.4", "Q4_0")
        assert (header.n_layers, header.n_vocab, header.n_ctx_train) == (LAYERS, len(vocabulary()), 2048)
        assert header.size == header.data_end

    def test_tables_of_rotations_are_left_out(self, tmp_path: Path) -> None:
        table = np.ones(32, np.float32)
        extra = {"rope.freqs": table, "layers.0.attention.inner_attention.rope.freqs": table}
        new = converted(tmp_path, old_file({**weights(), **extra}))
        plain = converted(tmp_path, old_file(weights()), force=True, name="tiny.bin")
        assert logits(new, PROMPT).shape == (len(PROMPT), len(vocabulary()))
        assert not [tensor.name for tensor in gguf.GGUFReader(new).tensors if "rope" in tensor.name]
        assert plain.stat().st_size == new.stat().st_size

    def test_a_load_test_passes_and_fails(self, tmp_path: Path) -> None:
        log = tmp_path / "engine.log"
        assert try_model(converted(tmp_path, old_file(weights(), 2)), log).n_vocab == len(vocabulary())
        tensors = weights()
        tensors["output.weight"][:] = np.nan
        broken = converted(tmp_path, old_file(tensors), force=True)
        with pytest.raises(ModelError, match=r"was written, but does not work: .*NaN"):
            try_model(broken, log)


class Case(NamedTuple):
    name: str
    kv_heads: int
    base: str
    eps: float
    n_ctx: int
    rope_base: float = 1e4
    scale: float = 1.0


CASES = (
    Case("airoboros-13b-gpt4-1.4.ggmlv3.q4_0.bin", 4, "LLaMA 1", 1e-6, 2048),
    Case("airoboros-l2-13b-gpt4-2.0.ggmlv3.q4_0.bin", 4, "Llama 2", 1e-5, 4096),
    Case("llama2_7b.bin", 4, "Llama 2", 1e-5, 4096),
    Case("unnamed.bin", 2, "Llama 2", 1e-5, 4096),
    Case("airoboros-c34b-2.1.ggmlv3.Q4_K_M.bin", 2, "Code Llama", 1e-5, 16384, 1e6),
    Case("airoboros-33B-gpt4-1-4-SuperHOT-8K.ggmlv3.bin", 4, "LLaMA 1", 1e-6, 8192, 1e4, 4.0),
    Case("airoboros-33B-gpt4-1.4.1-PI-8192.ggmlv3.bin", 4, "LLaMA 1", 1e-6, 8192, 1e4, 4.0),
)


class TestOrigin:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_by_name_and_shape(self, tmp_path: Path, case: Case) -> None:
        data = old_file(weights(case.kv_heads), 2)
        found = fields(converted(tmp_path, data, Wishes(), case.name))
        assert found["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(case.eps)
        assert (found["llama.context_length"], found["llama.rope.freq_base"]) == (case.n_ctx, case.rope_base)
        assert found["llama.attention.head_count_kv"] == case.kv_heads
        assert found.get("llama.rope.scaling.factor", 1.0) == case.scale
        (tmp_path / case.name).write_bytes(data)
        assert plan(read_legacy(tmp_path / case.name), Wishes()).origin.base == case.base

    @pytest.mark.parametrize(
        ("layers", "width", "base", "eps"),
        [(80, 8192, "LLaMA 1", 1e-5), (60, 6656, "LLaMA 1", 1e-6), (48, 8192, "Code Llama", 1e-5)],
    )
    def test_by_size(self, tmp_path: Path, layers: int, width: int, base: str, eps: float) -> None:
        path = tmp_path / "model.bin"
        sparse_model(path, layers, width)
        found = plan(read_legacy(path), Wishes()).origin
        assert (found.base, found.eps) == (base, eps)

    def test_wishes_come_first(self, tmp_path: Path) -> None:
        wishes = Wishes(eps=1e-4, gqa=2, n_ctx=512, rope_base=5e5, rope_scale=2.0)
        found = fields(converted(tmp_path, old_file(weights(2), 2), wishes))
        assert found["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-4)
        assert (found["llama.context_length"], found["llama.rope.freq_base"]) == (512, 5e5)
        assert found["llama.rope.scaling.factor"] == 2.0

    def test_a_wish_cannot_contradict_the_weights(self, tmp_path: Path) -> None:
        error = refusal(tmp_path, old_file(weights(2), 2), Wishes(gqa=8))
        assert isinstance(error, UsageError)
        assert "have 2 query heads to each key, not 8" in error.message
        assert "--gqa 2" in error.hint


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"eps": 0.0}, "--eps = 0.0 is out of range"),
        ({"eps": float("nan")}, "--eps = nan"),
        ({"n_ctx": 0}, "--ctx = 0"),
        ({"rope_base": float("inf")}, "--rope-base = inf"),
        ({"rope_scale": -4.0}, "--rope-scale = -4.0"),
    ],
)
def test_wishes_out_of_range(wish: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Wishes(**wish)  # type: ignore[arg-type]


def sparse_model(path: Path, layers: int, width: int) -> None:
    """Write a Q4_0 file of that shape in which all weights are a hole, so that it takes no room."""
    ff, heads = 3 * width, width // 128
    tokens = [b"", b"", b"", *(bytes([byte]) for byte in range(256))]
    shapes: dict[str, tuple[int, ...]] = {"norm.weight": (width,)}
    shapes |= dict.fromkeys(("tok_embeddings.weight", "output.weight"), (width, len(tokens)))
    for layer in range(layers):
        head = f"layers.{layer}"
        shapes |= {f"{head}.{name}.weight": (width,) for name in ("attention_norm", "ffn_norm")}
        shapes |= {f"{head}.attention.w{name}.weight": (width, width) for name in "qkvo"}
        shapes |= {f"{head}.feed_forward.w{name}.weight": (width, ff) for name in "13"}
        shapes[f"{head}.feed_forward.w2.weight"] = (ff, width)
    with path.open("wb") as file:
        file.write(b"tjgg" + struct.pack("<8I", 3, len(tokens), width, 256, heads, layers, 128, 2))
        for text in tokens:
            file.write(struct.pack("<I", len(text)) + text + bytes(4))
        for name, shape in shapes.items():
            kind, size = (2, shape[0] * shape[1] // 32 * 18) if len(shape) == 2 else (0, shape[0] * 4)
            file.write(struct.pack(f"<3I{len(shape)}I", len(shape), len(name), kind, *shape) + name.encode())
            file.seek(file.tell() + -file.tell() % 32 + size)
        file.truncate()


class TestMemory:
    def test_does_not_grow_with_the_weights(self, tmp_path: Path) -> None:
        wide = weights()
        for name in wide:
            if "feed_forward" in name:
                wide[name] = np.zeros((WIDTH, 16 * FF) if ".w2." in name else (16 * FF, WIDTH), np.float32)
        (tmp_path / "old.bin").write_bytes(old_file(wide))
        del wide
        tracemalloc.start()
        try:
            work = plan(read_legacy(tmp_path / "old.bin"), HERE)
            convert(work, tmp_path / "new.gguf", lambda _count: None)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert work.size > 12 * CHUNK
        assert peak < 2 * CHUNK

    def test_a_65b_is_planned_from_little(self, tmp_path: Path) -> None:
        sparse_model(tmp_path / "65b.bin", 80, 8192)
        tracemalloc.start()
        try:
            work = plan(read_legacy(tmp_path / "65b.bin"), Wishes())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert work.size > 30e9
        assert peak < 8e6


class TestRefused:
    @pytest.mark.parametrize(
        ("version", "file_type"), [(1, 2), (1, 3), (1, 8), (1, 7), (2, 2), (2, 3), (2, 7), (2, 12 - 1)]
    )
    def test_layouts_that_changed(self, tmp_path: Path, version: int, file_type: int) -> None:
        error = refusal(tmp_path, old_file(weights(), file_type, version=version))
        words = f"GGJT v{version} file with {TYPES[file_type]} weights, whose layout changed"
        assert words in error.message
        assert "GGJT v3" in error.hint

    @pytest.mark.parametrize(
        ("head", "words"),
        [
            (b"lmgg" + struct.pack("<8I", 32000, 4096, 256, 32, 32, 128, 2, 0), "legacy model file (GGML,"),
            (b"fmgg" + struct.pack("<8I", 1, 32000, 4096, 256, 32, 32, 128, 2), "(GGMF v1, 7B, Q4_0,"),
            (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "is a GGUF already"),
            (b"tjgg" + struct.pack("<8I", 9, 32000, 4096, 256, 32, 32, 128, 2), "no version 9"),
            (b"tjgg" + struct.pack("<I", 3), "is cut off"),
            (b"tjgg", "is cut off"),
            (b"", "an empty file"),
            (b"<!doctype html>", "a web page"),
            (b"PK\x03\x04" + b"x" * 100, "a zip archive"),
        ],
    )
    def test_other_files(self, tmp_path: Path, head: bytes, words: str) -> None:
        assert words in refusal(tmp_path, head).message

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            ((2**32 - 1, WIDTH, 256, HEADS, LAYERS, 64, 2), "a vocabulary of 4,294,967,295 tokens"),
            ((0, WIDTH, 256, HEADS, LAYERS, 64, 2), "a vocabulary of 0 tokens"),
            ((300, WIDTH, 256, HEADS, 2**31, 64, 2), "2,147,483,648 layers"),
            ((300, WIDTH, 256, 0, LAYERS, 64, 2), "0 heads"),
            ((300, WIDTH, 256, 3, LAYERS, 64, 2), "3 heads over a width of 256"),
            ((300, 2**32 - 1, 256, 1, LAYERS, 64, 2), "width of 4,294,967,295"),
            ((300, WIDTH, 256, HEADS, LAYERS, 2**32 - 1, 2), "claims to rotate"),
        ],
    )
    def test_hostile_numbers(self, tmp_path: Path, header: tuple[int, ...], words: str) -> None:
        assert words in refusal(tmp_path, old_file(weights(), 2, header=header)).message

    @pytest.mark.parametrize(
        ("tail", "words"),
        [
            (struct.pack("<3I", 2, 2**32 - 1, 0), "a name of 4,294,967,295 bytes"),
            (struct.pack("<3I", 9, 4, 0), "9 dimensions"),
            (struct.pack("<5I", 2, 4, 0, 2**32 - 1, 2**32 - 1) + b"evil", "cut off"),
            (struct.pack("<5I", 2, 4, 0, 0, 5) + b"evil", "is empty"),
            (struct.pack("<5I", 2, 4, 77, 32, 1) + b"evil", "unknown type 77"),
            (struct.pack("<5I", 2, 4, 4, 32, 1) + b"evil", "Q4_2 weights, whose layout changed"),
            (struct.pack("<5I", 2, 4, 12, 64, 1) + b"evil", "blocks of its own size"),
            (b"\0", "is cut off"),
        ],
    )
    def test_hostile_tensors(self, tmp_path: Path, tail: bytes, words: str) -> None:
        assert words in refusal(tmp_path, old_file(weights(), 2) + tail).message

    def test_tensors_that_do_not_belong(self, tmp_path: Path) -> None:
        tensors = weights()
        twice = old_file(tensors, 2) + struct.pack("<4I", 1, 11, 0, WIDTH) + b"norm.weight"
        twice += b"\0" * (-len(twice) % 32 + 4 * WIDTH)
        assert "holds 'norm.weight' twice" in refusal(tmp_path, twice).message
        tensors["lm_head.weight"] = tensors["output.weight"]
        assert "unknown tensor 'lm_head.weight'" in refusal(tmp_path, old_file(tensors, 2)).message
        del tensors["lm_head.weight"]
        for name, shape in {
            "layers.1.attention.wk.weight": (WIDTH // 2, WIDTH),
            "layers.0.attention.wk.weight": (3 * 64, WIDTH),
            "layers.0.feed_forward.w2.weight": (FF, WIDTH),
            "tok_embeddings.weight": (7, WIDTH),
            "norm.weight": (WIDTH, 2),
        }.items():
            wrong = {**tensors, name: np.zeros(shape, np.float32)}
            assert f"{name!r} is {shape[-1]} × {shape[0]}" in refusal(tmp_path, old_file(wrong)).message

    def test_a_vocabulary_without_bytes(self, tmp_path: Path) -> None:
        data = old_file(weights(), 2).replace(
            struct.pack("<I", 1) + b"\n" + bytes(4), struct.pack("<I", 1) + b"N" + bytes(4)
        )
        assert "its tokens 3 to 258 are not the bytes" in refusal(tmp_path, data).message

    def test_a_score_that_is_no_number(self, tmp_path: Path) -> None:
        tokens = [
            (text, float("nan") if number == 300 else score, kind)
            for number, (text, score, kind) in enumerate(vocabulary())
        ]
        assert (
            "the score of a token is no number"
            in refusal(tmp_path, old_file(weights(), 2, tokens=tokens)).message
        )

    def test_a_file_that_was_cut(self, tmp_path: Path) -> None:
        whole = old_file(weights(), 2)
        assert "ends inside tensor 21 of 21, 'layers.1.ffn_norm" in refusal(tmp_path, whole[:-1]).message
        without = {name: array for name, array in weights().items() if name != "layers.1.ffn_norm.weight"}
        message = refusal(tmp_path, old_file(without, 2)).message
        assert "is not whole: it lacks 'layers.1.ffn_norm.weight'" in message
        for end in (9, 40, 500, 9000, len(whole) // 2):
            assert "cut off" in refusal(tmp_path, whole[:end]).message

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_damage_anywhere_is_a_sentence_or_a_file(self, tmp_path: Path, data: st.DataObject) -> None:
        damaged = bytearray(_SMALL)
        places = [4 * index for index in range(2, 9)] + _HEADERS
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.one_of(st.sampled_from(places), st.integers(0, len(damaged) - 4)))
            struct.pack_into(
                "<I", damaged, place, data.draw(st.sampled_from([0, 1, 2, 255, 2**31, 2**32 - 1]))
            )
        path = tmp_path / "damaged.bin"
        path.write_bytes(
            damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
        )
        try:
            work = plan(read_legacy(path), Wishes())
        except ModelError as error:
            assert str(path) in error.message
        else:
            assert len(work.tensors) == 9 * LAYERS + 3


_SMALL = old_file(weights(), 10)
_HEADERS = [
    _SMALL.index(name.encode()) - back
    for name in weights()
    for back in (8, 12, 16, 20)
    if name != "norm.weight"
]


class TestTarget:
    @pytest.fixture
    def old(self, tmp_path: Path) -> Path:
        path = tmp_path / "old.ggmlv3.q4_0.bin"
        path.write_bytes(old_file(weights(), 2))
        return path

    @pytest.fixture
    def write(self, old: Path) -> Callable[..., None]:
        def run(
            target: Path, advance: Callable[[int], None] = lambda _count: None, *, force: bool = False
        ) -> None:
            convert(plan(read_legacy(old), HERE), target, advance, force=force)

        return run

    def test_is_not_replaced_unless_forced(
        self, tmp_path: Path, old: Path, write: Callable[..., None]
    ) -> None:
        target = tmp_path / "new.gguf"
        target.write_text("mine")
        with pytest.raises(UsageError, match="is there already") as caught:
            write(target)
        assert "--force" in caught.value.hint
        assert target.read_text() == "mine"
        write(target, force=True)
        assert check_model_file(target).n_tensors == 21

    def test_places_that_cannot_be(self, tmp_path: Path, old: Path) -> None:
        (tmp_path / "folder.gguf").mkdir()
        (tmp_path / "link.gguf").symlink_to(old)
        os.link(old, tmp_path / "hard.gguf")
        for name, words in {
            "new.bin": "does not end in .gguf",
            "folder.gguf": "is a folder",
            "nowhere/new.gguf": "does not exist",
            "link.gguf": "is the old file itself",
            "hard.gguf": "is the old file itself",
        }.items():
            with pytest.raises(UsageError, match=words):
                check_target(old, tmp_path / name, force=True)

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
    def test_nothing_is_left_of_a_conversion_that_broke_off(
        self, tmp_path: Path, old: Path, write: Callable[..., None], error: BaseException
    ) -> None:
        def advance(_count: int) -> None:
            assert (tmp_path / "new.gguf.part").exists()
            assert not (tmp_path / "new.gguf").exists()
            raise error

        with pytest.raises((KeyboardInterrupt, ModelError)):
            write(tmp_path / "new.gguf", advance)
        assert [path.name for path in tmp_path.iterdir()] == [old.name]

    def test_a_full_disk_is_told_before(
        self, tmp_path: Path, old: Path, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1000))
        with pytest.raises(
            ModelError, match=r"no room for .*new\.gguf: it needs 8\d\d\.\d kB, and 1\.0 kB are free"
        ):
            write(tmp_path / "new.gguf")
        assert [path.name for path in tmp_path.iterdir()] == [old.name]

    def test_a_disk_that_fills_up_meanwhile(self, tmp_path: Path, old: Path) -> None:
        code = (
            "import resource, sys\n"
            "from airochat.cli import main\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
            f"sys.argv[1:] = ['models', 'convert', {str(old)!r}, {str(tmp_path / 'new.gguf')!r}]\n"
            "main()\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert f"There is no room for {tmp_path / 'new.gguf'}: it needs 8" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == [old.name]

    def test_what_a_killed_conversion_left_is_in_the_way(
        self, tmp_path: Path, old: Path, write: Callable[..., None]
    ) -> None:
        draft = tmp_path / "new.gguf.part"
        draft.write_text("half")
        with pytest.raises(ModelError, match="another conversion is writing it, or one was killed"):
            write(tmp_path / "new.gguf")
        assert draft.read_text() == "half"
        write(tmp_path / "new.gguf", force=True)
        assert not draft.exists()

    def test_progress_adds_up(self, tmp_path: Path, write: Callable[..., None]) -> None:
        steps: list[int] = []
        write(tmp_path / "new.gguf", steps.append)
        assert sum(steps) == (tmp_path / "new.gguf").stat().st_size

    def test_a_file_that_shrinks_meanwhile(
        self, tmp_path: Path, old: Path, write: Callable[..., None]
    ) -> None:
        with pytest.raises(ModelError, match="has become shorter meanwhile"):
            write(tmp_path / "new.gguf", lambda _count: os.truncate(old, 20_000))
        assert not (tmp_path / "new.gguf").exists()


class TestHints:
    @pytest.mark.parametrize("version", [1, 2, 3])
    @pytest.mark.parametrize("file_type", TYPES)
    def test_convert_is_offered_where_it_works(self, tmp_path: Path, version: int, file_type: int) -> None:
        data = old_file(weights(), file_type, version=version)
        path = tmp_path / "old model.bin"
        path.write_bytes(data)
        with pytest.raises(ModelError) as caught:
            check_model_file(path)
        offered = f'airochat models convert "{path}" "old model.gguf"' in caught.value.hint
        try:
            read_legacy(path)
        except ModelError:
            assert not offered
            assert "KoboldCpp" in caught.value.hint
        else:
            assert offered

    def test_a_name_that_shells_could_misread_is_not_part_of_a_command(self, tmp_path: Path) -> None:
        path = tmp_path / "$(reboot).bin"
        path.write_bytes(old_file(weights(), 2))
        with pytest.raises(ModelError) as caught:
            check_model_file(path)
        assert caught.value.hint.endswith("airochat models convert OLD NEW.gguf")

    @pytest.mark.parametrize(
        ("name", "head", "other"),
        [
            ("model.q6_K.z01", b"PK\x07\x08PK\x03\x04\x14\0", ""),
            ("model.q6_K.z02", b"\x07\xff" * 32, ""),
            ("model.q6_K.zip", b"\x07\xff" * 32, ""),
            ("model.q6_K.zip", b"PK\x03\x04\x14\0", "model.q6_K.z01"),
        ],
    )
    def test_split_zips_with_the_command_that_unpacks_them(
        self, tmp_path: Path, name: str, head: bytes, other: str
    ) -> None:
        (tmp_path / name).write_bytes(head)
        if other:
            (tmp_path / other).write_bytes(b"PK\x07\x08")
        for read in (check_model_file, read_legacy):
            with pytest.raises(ModelError, match="is a part of a split zip archive") as caught:
                read(tmp_path / name)
            assert "Put all parts (model.q6_K.zip, model.q6_K.z01 and so on)" in caught.value.hint
            assert caught.value.hint.endswith("7z x model.q6_K.zip")
