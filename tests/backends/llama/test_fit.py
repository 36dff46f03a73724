"""What fits: against the published tables, against what llama.cpp logs, and against a process's real memory."""

from __future__ import annotations

import dataclasses
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_cpp import llama_cpp as L

from airochat.backends.llama import machine as machines
from airochat.backends.llama import quants
from airochat.backends.llama.fit import (
    Verdict,
    advice,
    best,
    job_of,
    judge,
    ladder,
    plan_load,
    resized,
)
from airochat.backends.llama.gguf import check_model_file
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.machine import Gpu, Machine
from airochat.backends.llama.needs import GPU_RESERVE, LOGIT_ROWS, Job, compute, needs, place
from airochat.backends.llama.options import context_params
from airochat.backends.llama.shapes import KNOWN, Shape, shape_named, shape_of
from airochat.errors import ModelError, UsageError
from airochat.settings import EngineOptions
from tests.backends.files import F16, F32, MODEL, gguf, tensor_size
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import WAIT_S, chat, listen, llama, request
from tests.models import write_recurrent_model

GB = 10**9
# The card of the 65B Airoboros GPT4 1.3 GGML: file and "max RAM" in decimal GB.
CARD_65B = {
    "Q2_K": (27.45, 29.95),
    "Q3_K_L": (34.65, 37.15),
    "Q3_K_M": (31.50, 34.00),
    "Q3_K_S": (28.16, 30.66),
    "Q4_0": (36.73, 39.23),
    "Q4_1": (40.81, 43.31),
    "Q4_K_M": (39.35, 41.85),
    "Q4_K_S": (36.80, 39.30),
    "Q5_0": (44.89, 47.39),
    "Q5_1": (48.97, 51.47),
    "Q5_K_M": (46.24, 48.74),
    "Q5_K_S": (44.92, 47.42),
    "Q6_K": (53.56, 56.06),
    "Q8_0": (69.370, 71.87),
}


def job(params: str, quant: str, n_ctx: int, kv: str = "f16", **options: Any) -> Job:
    shape = shape_named(params)
    chosen = EngineOptions(type_k=kv, type_v=kv, **options)
    return Job(shape, quants.estimate(shape.parameters, quant), n_ctx, chosen)


def machine(ram: float, *cards: float) -> Machine:
    gpus = tuple(Gpu(f"GPU{n}", round(size * GB), round(size * GB)) for n, size in enumerate(cards))
    return Machine(round(ram * GB), round(ram * GB), gpus)


class TestTables:
    @pytest.mark.parametrize("quant", CARD_65B)
    def test_the_card_of_the_65b(self, quant: str) -> None:
        size, ram = CARD_65B[quant]
        own = job("65b", quant, 512)
        assert own.size == pytest.approx(size * GB, rel=2e-3)
        assert own.size + quants.CARD_EXTRA == pytest.approx(ram * GB, rel=2e-3)
        # The default context of the time, and the context of the card's command line with a cache in q8_0.
        assert needs(own).total == pytest.approx(ram * GB, rel=0.05)
        assert needs(job("65b", quant, 2048, "q8_0")).total == pytest.approx(ram * GB, rel=0.05)
        # What the card names cannot hold its own command line, -c 2048 in f16.
        assert needs(job("65b", quant, 2048)).total > (ram + 2.9) * GB

    @pytest.mark.parametrize(
        ("quant", "cards", "word"),
        [
            ("F16", (80, 80), "gpu"),
            ("Q8_0", (80,), "gpu"),
            ("Q8_0", (24, 24, 24), "split"),
            ("Q5_K_M", (24, 24), "split"),
            ("Q5_K_M", (48,), "split"),
            ("Q4_K_M", (24, 24), "gpu"),
            ("Q4_K_M", (48,), "gpu"),
            ("Q3_K_M", (24,), "split"),
            ("Q2_K", (24,), "split"),
            ("Q4_K_M", (), "ram"),
        ],
    )
    def test_the_article_on_the_70b(self, quant: str, cards: tuple[float, ...], word: str) -> None:
        assert judge(job("70b", quant, 4096), machine(64 if cards else 48, *cards)).word == word

    @pytest.mark.parametrize(
        ("params", "per_token"),
        [
            ("7b", 524_288),
            ("13b", 819_200),
            ("33b", 1_597_440),
            ("65b", 2_621_440),
            ("70b", 327_680),
            ("l3-70b", 327_680),
            ("codellama-34b", 196_608),
            ("mistral-7b", 131_072),
            ("yi-34b", 245_760),
            ("mpt-30b", 1_376_256),
            ("stablelm-3b", 327_680),
        ],
    )
    def test_bytes_per_token(self, params: str, per_token: int) -> None:
        assert needs(job(params, "Q4_0", 4096)).kv == 4096 * per_token
        assert needs(job(params, "Q4_0", 4000, "q8_0")).kv == 4096 * per_token * 17 // 32

    @pytest.mark.parametrize(
        ("quant", "bits"), [("Q2_K", 3.36), ("Q4_K_M", 4.82), ("Q8_0", 8.5), ("F16", 16)]
    )
    def test_bits_per_weight(self, quant: str, bits: float) -> None:
        assert quants.bits(quant) == pytest.approx(bits, abs=0.005)
        assert quants.named(f" {quant.lower()} ") == quant

    def test_unknown_names(self) -> None:
        with pytest.raises(UsageError, match="'Q4_X'") as caught:
            quants.named("Q4_X")
        assert "Q4_" in caught.value.hint
        for text in ("", "big", "0b", "70q", "1e99b", "-7b", "7b7b", "9" * 400):
            with pytest.raises(UsageError, match="no size of a model"):
                shape_named(text)

    def test_sizes_that_no_known_model_has(self) -> None:
        shape = shape_named("18b")
        assert shape.guessed_from.endswith("-13b")
        assert shape.parameters == 18 * GB
        assert KNOWN["l2-13b"].kv_width < shape.kv_width < KNOWN["l1-33b"].kv_width
        assert shape_named("6.74B").guessed_from == shape_named("70B").guessed_from == ""
        assert shape_named("4x7b").experts == 8
        assert not shape_named("180b").experts


# Wide enough that rounding inside llama.cpp does not matter, and written without its weights.
LAYERS, EMBD, FF, HEADS, KV_HEADS, VOCAB = 4, 2048, 5632, 16, 4, 4000


def dry_model(path: Path, *, architecture: str = "llama", experts: int = 0, **more: Any) -> Path:
    """Write the header of a model and a hole for its weights."""
    kv = KV_HEADS * EMBD // HEADS
    metadata = {
        "general.architecture": architecture,
        "general.file_type": 1,
        "tokenizer.ggml.model": "no_vocab",
        **{
            f"{architecture}.{key}": value
            for key, value in {
                "vocab_size": VOCAB,
                "context_length": 8192,
                "block_count": LAYERS,
                "embedding_length": EMBD,
                "feed_forward_length": FF,
                "attention.head_count": HEADS,
                "attention.head_count_kv": KV_HEADS,
                "attention.layer_norm_rms_epsilon": 1e-5,
                "rope.dimension_count": EMBD // HEADS,
                **({"expert_count": experts, "expert_used_count": 2} if experts else {}),
                **more,
            }.items()
        },
    }
    tensors = [("token_embd.weight", (EMBD, VOCAB), F16), ("output_norm.weight", (EMBD,), F32)]
    stack = (experts,) if experts else ()
    suffix = "_exps" if experts else ""
    for number in range(LAYERS):
        own: dict[str, tuple[tuple[int, ...], int]] = {
            "attn_norm": ((EMBD,), F32),
            "attn_q": ((EMBD, EMBD), F16),
            "attn_k": ((EMBD, kv), F16),
            "attn_v": ((EMBD, kv), F16),
            "attn_output": ((EMBD, EMBD), F16),
            "ffn_norm": ((EMBD,), F32),
            f"ffn_gate{suffix}": ((EMBD, FF, *stack), F16),
            f"ffn_up{suffix}": ((EMBD, FF, *stack), F16),
            f"ffn_down{suffix}": ((FF, EMBD, *stack), F16),
        }
        if experts:
            own["ffn_gate_inp"] = ((EMBD, experts), F32)
        tensors += [(f"blk.{number}.{name}.weight", *facts) for name, facts in own.items()]
    head = gguf(metadata, tensors, data=False)
    path.write_bytes(head)
    os.truncate(path, len(head) + sum(-(-tensor_size(shape, kind) // 32) * 32 for _, shape, kind in tensors))
    return path


def logged(path: Path, log: Path, options: EngineOptions, n_ctx: int, dry: bool) -> dict[str, int]:
    """Make a context and return the sizes of buffers that llama.cpp tells, in bytes."""
    params = L.llama_model_default_params()
    if dry:
        params.no_alloc, params.load_mode = True, L.LLAMA_LOAD_MODE_NONE
    with log.open("wb") as file:
        engine_log = EngineLog(file.fileno())
        model = L.llama_model_load_from_file(str(path).encode(), params)
        assert model, engine_log.errors
        context = L.llama_init_from_model(model, context_params(options, n_ctx, 9, LOGIT_ROWS))
        assert context, engine_log.errors
        L.llama_free(context)
        L.llama_model_free(model)
    found = re.findall(r"(KV|compute) +buffer size = +([\d.]+) MiB", log.read_text(errors="replace"))
    return {name: round(float(size) * 2**20) for name, size in found}


class TestReality:
    @pytest.mark.parametrize("experts", [0, 8], ids=["dense", "mixture"])
    @pytest.mark.parametrize(
        ("n_ctx", "options"),
        [(512, {}), (8192, {}), (4096, {"n_ubatch": 128}), (4096, {"flash_attn": "off"})],
        ids=["short", "long", "micro", "no flash"],
    )
    def test_compute_buffers(self, tmp_path: Path, experts: int, n_ctx: int, options: dict[str, Any]) -> None:
        path = dry_model(tmp_path / "dry.gguf", experts=experts)
        chosen = EngineOptions(n_ctx=n_ctx, n_threads=1, **options)
        estimate = compute(job_of(check_model_file(path), chosen))
        assert estimate == pytest.approx(
            logged(path, tmp_path / "log", chosen, n_ctx, True)["compute"], rel=0.08
        )

    @pytest.mark.parametrize("kv", ["f16", "q8_0"])
    def test_kv_caches(self, tmp_path: Path, demo_model: Path, kv: str) -> None:
        options = EngineOptions(n_ctx=700, type_k=kv, type_v=kv, n_threads=1)
        told = logged(demo_model, tmp_path / "log", options, 700, False)
        own = needs(job_of(check_model_file(demo_model), options))
        assert own.kv == pytest.approx(told["KV"], abs=6000)
        assert own.compute == pytest.approx(told["compute"], rel=0.12)

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    @pytest.mark.parametrize(("n_ctx", "kv"), [(1024, "q8_0"), (1024, "f16"), (6144, "q8_0"), (6144, "f16")])
    def test_the_memory_of_an_engine(self, tmp_path: Path, demo_model: Path, n_ctx: int, kv: str) -> None:
        backend = llama(demo_model, "process", tmp_path / "log", n_ctx=n_ctx, type_k=kv, type_v=kv)
        try:
            backend.wait(WAIT_S)
            listen(backend, request(chat(backend, "The lantern. " * 150)[:600]))
            status = Path(f"/proc/{backend.pid}/status").read_text(encoding="ascii")
        finally:
            backend.close()
        options = EngineOptions(n_ctx=n_ctx, type_k=kv, type_v=kv)
        real = int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024
        # Pages that a short prompt has not touched do not count yet.
        assert needs(job_of(check_model_file(demo_model), options)).total == pytest.approx(real, rel=0.2)


def shape_from(path: Path) -> Shape:
    return shape_of(check_model_file(path))


class TestShapes:
    def test_grouped_queries(self, tmp_path: Path) -> None:
        shape = shape_from(dry_model(tmp_path / "m.gguf"))
        assert shape.kv_widths == ((512, 512),) * LAYERS
        assert (shape.n_embd, shape.n_ff, shape.n_heads, shape.n_vocab) == (EMBD, FF, HEADS, VOCAB)
        table = 2 * EMBD * VOCAB
        size = (tmp_path / "m.gguf").stat().st_size
        assert shape.embedding_share == pytest.approx(table / size)
        assert shape.output_share == 0
        assert sum(shape.layer_shares) == pytest.approx(1 - table / size, rel=1e-3)

    def test_a_mixture_of_experts(self, tmp_path: Path) -> None:
        shape = shape_from(dry_model(tmp_path / "m.gguf", experts=8))
        assert (shape.experts, shape.experts_used, shape.n_ff) == (8, 2, 2 * FF)

    @pytest.mark.parametrize(
        ("architecture", "more", "windowed"),
        [
            ("gemma2", {}, 2),
            ("gemma3", {}, 4),
            ("gemma3", {"attention.sliding_window_pattern": 2}, 2),
            ("phi3", {}, 4),
            ("llama", {}, 0),
        ],
    )
    def test_sliding_windows(
        self, tmp_path: Path, architecture: str, more: dict[str, Any], windowed: int
    ) -> None:
        more = {"attention.sliding_window": 1024, **more}
        shape = shape_from(dry_model(tmp_path / "m.gguf", architecture=architecture, **more))
        assert (shape.windowed, shape.window) == (windowed, 1024 if windowed else 0)
        # The engine keeps the whole context all the same.
        whole = Job(shape, GB, 8192, EngineOptions())
        assert needs(whole).kv == 8192 * LAYERS * 2 * 512 * 2

    def test_without_tensors_the_metadata_tell(self, tmp_path: Path) -> None:
        facts = {"attention.head_count": 8, "attention.head_count_kv": 2, "embedding_length": 512}
        path = tmp_path / "m.gguf"
        path.write_bytes(gguf({**MODEL, **{f"llama.{key}": value for key, value in facts.items()}}))
        assert shape_from(path).kv_widths == ((128, 128),) * 3
        path.write_bytes(
            gguf({**MODEL, **{f"llama.{k}": v for k, v in facts.items()}, "llama.attention.key_length": 96})
        )
        assert shape_from(path).kv_widths == ((192, 192),) * 3

    def test_a_layer_without_attention_has_no_cache(self, tmp_path: Path) -> None:
        path = tmp_path / "m.gguf"
        layers = [
            ("blk.0.attn_k.weight", (64, 32), F16),
            ("blk.0.attn_v.weight", (64, 16), F16),
            ("blk.2.ssm_in.weight", (64, 64), F16),
        ]
        path.write_bytes(gguf(tensors=[("token_embd.weight", (64, 3), F16), *layers]))
        assert shape_from(path).kv_widths == ((32, 16), (0, 0), (0, 0))

    def test_a_recurrent_model_has_a_state(self, tmp_path: Path) -> None:
        header = check_model_file(write_recurrent_model(tmp_path / "m.gguf"))
        short = needs(job_of(header, EngineOptions(n_ctx=512)))
        assert shape_of(header).state == 2 * (3 * 128 + 128 * 8) * 4
        assert short.kv >= shape_of(header).state

    def test_a_header_that_lies(self, tmp_path: Path) -> None:
        path = tmp_path / "m.gguf"
        path.write_bytes(gguf({**MODEL, "llama.block_count": 4_000_000_000, "llama.attention.head_count": 0}))
        shape = shape_from(path)
        assert shape.n_layers <= 10_000
        assert judge(Job(shape, GB, 2048, EngineOptions()), machine(64, 24)).word

    def test_the_parts_of_a_split_model_are_one(self, tmp_path: Path) -> None:
        split = {"split.count": 2}
        one = [("token_embd.weight", (64, 3), F16), ("blk.0.attn_k.weight", (64, 32), F16)]
        two = [("blk.0.attn_v.weight", (64, 32), F16), ("output.weight", (64, 3), F16)]
        for number, tensors in enumerate((one, two)):
            path = tmp_path / f"m-{number + 1:05}-of-00002.gguf"
            path.write_bytes(gguf({**MODEL, **split, "split.no": number}, tensors))
        shape = shape_from(tmp_path / "m-00001-of-00002.gguf")
        assert shape.kv_widths[0] == (32, 32)
        assert shape.output_share == shape.embedding_share > 0


sizes = st.integers(1, 200).map(lambda size: size * GB)


class TestPlaces:
    @given(st.sampled_from(list(KNOWN)), st.sampled_from(list(quants.BITS)), st.lists(sizes, max_size=4))
    @settings(max_examples=200)
    def test_no_card_is_overfilled_and_nothing_is_lost(self, name: str, quant: str, cards: list[int]) -> None:
        one = job(name, quant, 4096)
        gpus = tuple(Gpu(str(size), size, size) for size in cards)
        placed = place(one, Machine(64 * GB, 64 * GB, gpus))
        assert all(
            taken <= max(0, gpu.free - GPU_RESERVE) for taken, gpu in zip(placed.vram, gpus, strict=True)
        )
        whole = needs(one)
        assert placed.ram.weights + placed.ram.kv + sum(placed.vram) >= 0.999 * (whole.weights + whole.kv)
        assert 0 <= placed.ram.weights <= whole.weights

    @given(st.sampled_from(list(KNOWN)), st.integers(1, 100), st.integers(0, 20))
    def test_more_memory_holds_more_layers(self, name: str, size: int, more: int) -> None:
        one = job(name, "Q4_K_M", 4096)
        counts = [place(one, machine(64, float(total))).gpu_layers for total in (size, size + more)]
        assert counts[0] <= counts[1] <= one.shape.n_layers + 1

    def test_shares(self) -> None:
        even = place(job("70b", "Q4_K_M", 4096), machine(64, 24, 24)).vram
        assert even[0] == pytest.approx(even[1], rel=0.05)
        uneven = place(job("13b", "Q4_K_M", 4096), machine(64, 24, 12)).vram
        assert uneven[0] == pytest.approx(2 * uneven[1], rel=0.15)
        told = place(job("13b", "Q4_K_M", 4096, tensor_split=(0.0, 1.0)), machine(64, 24, 24))
        assert told.vram[0] == 0 and told.gpu_layers == 41
        alone = place(job("13b", "Q4_K_M", 4096, split_mode="none", main_gpu=1), machine(64, 24, 24))
        assert alone.vram[0] == 0 and alone.gpu_layers == 41

    def test_three_cards(self) -> None:
        vram = place(job("33b", "Q4_K_M", 2048), machine(64, 24, 12, 24)).vram
        assert vram[0] == pytest.approx(vram[2], rel=0.1)
        assert vram[0] == pytest.approx(2 * vram[1], rel=0.15)

    def test_embeddings_that_serve_twice_are_stored_twice(self, demo_model: Path) -> None:
        whole = job_of(check_model_file(demo_model), EngineOptions())
        placed = place(whole, machine(64, 24))
        embeddings = round(whole.size * whole.shape.embedding_share)
        assert embeddings == pytest.approx(49152 * 576 * 34 / 32, rel=0.01)
        assert embeddings <= placed.ram.weights < embeddings * 1.2
        assert placed.vram[0] > 0.9 * whole.size

    def test_memory_that_is_shared(self) -> None:
        shared = Machine(16 * GB, 16 * GB, (Gpu("MTL0", 12 * GB, 16 * GB, shared=True),))
        verdict = judge(job("7b", "Q4_K_M", 4096), shared)
        assert (verdict.word, verdict.placement.gpu_layers) == ("gpu", 33)
        assert "shares the RAM" in verdict.reason


class TestVerdicts:
    @pytest.mark.parametrize(
        ("ram", "cards", "word", "reason"),
        [
            (64, (48,), "gpu", "All 81 layers fit in VRAM: 42.9 GB of 48.0 GB."),
            (64, (24,), "split", "of 81 layers fit in VRAM"),
            (64, (), "ram", "It takes 43.3 GB of the 64.0 GB of RAM."),
            (64, (0.6,), "ram", "Not one layer fits in VRAM; it takes 43.3 GB"),
            (32, (), "disk", "11.3 GB too much; weights would come from the disk"),
            (1, (), "no", "The context and its buffers alone need 1.7 GB, and 1.0 GB of RAM are free."),
        ],
    )
    def test_words_and_reasons(self, ram: float, cards: tuple[float, ...], word: str, reason: str) -> None:
        verdict = judge(job("70b", "Q4_K_M", 4096), machine(ram, *cards))
        assert verdict.word == word
        assert reason in verdict.reason

    def test_without_mmap_weights_must_fit(self) -> None:
        assert judge(job("70b", "Q4_K_M", 4096, use_mmap=False), machine(32)).word == "no"

    def test_the_best_setting(self) -> None:
        def chosen(one: Job, here: Machine) -> tuple[str, int, str]:
            verdict = best(one, here)
            return verdict.word, verdict.job.n_ctx, verdict.job.options.type_k

        assert chosen(job("13b", "Q4_K_M", 4096), machine(64, 24)) == ("gpu", 4096, "f16")
        # The cache in q8_0 is what brings all layers into VRAM.
        assert chosen(job("13b", "Q4_K_M", 4096), machine(64, 11)) == ("gpu", 4096, "q8_0")
        assert chosen(job("13b", "Q4_K_M", 4096), machine(10)) == ("ram", 4096, "q8_0")
        word, n_ctx, _ = chosen(job("65b", "Q2_K", 2048), machine(30))
        assert word == "ram" and 1024 < n_ctx < 2048
        # Beyond what the model was trained for is no way out.
        assert chosen(job("13b", "Q4_K_M", 10_000_000), machine(64)) == ("ram", 4096, "f16")
        assert not best(job("70b", "Q8_0", 4096), machine(8)).fits


class TestLadder:
    @pytest.mark.parametrize(
        ("params", "here", "kinds"),
        [
            ("70b", machine(42.6), {"quant", "kv", "context", "model"}),
            ("70b", machine(64, 46.6), {"quant", "kv", "context", "layers", "model"}),
            ("70b", machine(24), {"model"}),
            ("13b", machine(64), {"quant", "kv", "context", "model"}),
        ],
    )
    def test_every_rung_is_enough(self, params: str, here: Machine, kinds: set[str]) -> None:
        one = job(params, "Q4_K_M", 4096)
        verdict = judge(one, here)
        steps = ladder(verdict, "Q4_K_M", here)
        assert kinds <= {step.kind for step in steps}
        order = ["quant", "kv", "context", "layers", "model"]
        assert [step.kind for step in steps] == [kind for kind in order if kind in {s.kind for s in steps}]
        for step in steps:
            changed = judge(self.changed(one, step.change), here)
            assert changed.fits, step
            if verdict.word == "split" and step.kind != "layers":
                assert changed.word == "gpu", step
            assert step.text in advice(steps)

    @staticmethod
    def changed(one: Job, change: dict[str, Any]) -> Job:
        if "params" in change:
            return job(change["params"], change["quant"], one.n_ctx)
        if "quant" in change:
            return resized(one, "Q4_K_M", change["quant"])
        n_ctx = change.get("n_ctx", one.n_ctx)
        return Job(one.shape, one.size, n_ctx, one.options.replace(**change))

    def test_layers_that_were_asked_for(self) -> None:
        def layers(asked: int | str) -> int:
            verdict = judge(job("70b", "Q4_K_M", 4096, n_gpu_layers=asked), machine(64, 24))
            steps = {step.kind: step for step in ladder(verdict, "Q4_K_M", machine(64, 24))}
            return int(steps["layers"].change["n_gpu_layers"])

        fitting = place(job("70b", "Q4_K_M", 4096), machine(64, 24)).gpu_layers
        assert layers("all") == layers(60) == fitting
        assert layers(20) == 15

    def test_nothing_helps(self) -> None:
        here = machine(0.05)
        steps = ladder(judge(job("smollm2-135m", "Q4_K_M", 2048), here), "Q4_K_M", here)
        assert steps == []
        assert advice(steps) == "Open a much smaller model."


class TestLoading:
    def plan(self, demo_model: Path, here: Machine, **options: Any) -> tuple[Any, Verdict]:
        plan = plan_load(check_model_file(demo_model), EngineOptions(**options), here)
        return plan, plan.verdict

    @pytest.mark.parametrize(
        "here",
        [
            machine(64),
            machine(0.1),
            Machine(64 * GB, 64 * GB, (Gpu("MTL0", GB, GB, shared=True),)),
        ],
        ids=["plenty", "little", "shared"],
    )
    def test_without_cards_nothing_is_decided(self, demo_model: Path, here: Machine) -> None:
        options = EngineOptions()
        here = dataclasses.replace(here, ram_total=64 * GB)
        assert plan_load(check_model_file(demo_model), options, here).options is options

    def test_auto_is_as_many_layers_as_fit(self, demo_model: Path) -> None:
        assert self.plan(demo_model, machine(64, 24))[0].options.n_gpu_layers == 31
        few = self.plan(demo_model, machine(64, 0.6))[0].options.n_gpu_layers
        assert 0 < few < 31
        assert self.plan(demo_model, machine(64, 0.3))[0].options.n_gpu_layers == 0

    def test_a_number_stays(self, demo_model: Path) -> None:
        plan, _ = self.plan(demo_model, machine(64, 0.6), n_gpu_layers=31)
        assert plan.options.n_gpu_layers == 31
        assert plan.short
        assert re.search(r"n_gpu_layers = \d+", plan.hint())

    def test_a_context_that_cannot_be(self, demo_model: Path) -> None:
        smaller, verdict = self.plan(demo_model, machine(0.2))
        assert not smaller.hopeless
        assert 512 <= verdict.job.n_ctx < 8192
        assert smaller.options.n_ctx == verdict.job.n_ctx
        asked, _ = self.plan(demo_model, machine(0.2), n_ctx=8192)
        assert asked.hopeless
        assert "n_ctx = " in asked.hint()

    def test_it_is_refused_before_anything_is_loaded(self, open_model: Open, demo_model: Path) -> None:
        with pytest.raises(ModelError, match="context of 10,000,000 tokens needs") as caught:
            open_model(demo_model, n_ctx=10_000_000, type_k="f32", type_v="f32").wait(WAIT_S)
        assert "this machine has" in caught.value.message
        assert "n_ctx = 8192" in caught.value.hint

    @pytest.mark.skipif(sys.platform != "linux", reason="limits its address space")
    def test_memory_that_is_refused_gives_the_ladder(self, tmp_path: Path, demo_model: Path) -> None:
        limit = 2 * GB
        code = (
            "from pathlib import Path\n"
            "from airochat.backends.llama.client import LlamaBackend\n"
            "from airochat.errors import ModelError\n"
            "from airochat.settings import EngineOptions\n"
            "options = EngineOptions(engine='thread', n_ctx=131072, n_threads=1)\n"
            f"backend = LlamaBackend(Path({str(demo_model)!r}), options, Path({str(tmp_path / 'log')!r}))\n"
            "try:\n"
            "    backend.wait(60)\n"
            "except ModelError as error:\n"
            "    print(error.hint)\n"
            "backend.close()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        assert "each by itself: " in done.stdout
        assert "n_ctx = " in done.stdout


class TestMachine:
    def test_ram(self) -> None:
        free, total = machines.ram()
        assert 0 < free <= total

    def test_this_machine(self) -> None:
        here = machines.this_machine()
        assert here.ram > 0
        assert all(gpu.name and gpu.total for gpu in here.gpus)
        assert bool(here.gpus) <= bool(L.llama_supports_gpu_offload())

    @pytest.mark.skipif(sys.platform != "linux", reason="Linux has control groups")
    @pytest.mark.parametrize(
        ("names", "folder"),
        [
            (("memory.max", "memory.current"), ""),
            (("memory.limit_in_bytes", "memory.usage_in_bytes"), "memory"),
        ],
        ids=["v2", "v1"],
    )
    def test_limits_of_a_container(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], folder: str
    ) -> None:
        place_of = tmp_path / folder
        place_of.mkdir(exist_ok=True)
        for name, text in zip(names, ("2000000000\n", "1500000000\n"), strict=True):
            (place_of / name).write_text(text)
        (place_of / "memory.stat").write_text("anon 1\ninactive_file 300000000\nactive_file 100000000\n")
        meminfo = tmp_path / "meminfo"
        meminfo.write_text(
            "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\nSwapTotal: 0 kB\nHugePages_Free: 0\n"
        )
        monkeypatch.setattr(machines, "_MEMINFO", meminfo)
        monkeypatch.setattr(machines, "_CGROUP", tmp_path / "none")
        monkeypatch.setattr(machines, "_V1", tmp_path / "none")
        assert machines.ram() == (9_000_000 * 1024, 16_000_000 * 1024)
        monkeypatch.setattr(machines, "_V1" if folder else "_CGROUP", place_of)
        assert machines.ram() == (900_000_000, 2_000_000_000)
        for name in names[:1]:
            (place_of / name).write_text("max\n")
        assert machines.ram() == (9_000_000 * 1024, 16_000_000 * 1024)
