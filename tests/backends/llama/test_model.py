"""Loading: what is refused, what is warned of, and what does not happen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airochat.backends.llama.model import fingerprint
from airochat.errors import ModelError
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import WAIT_S, listen, llama, request
from tests.models import write_adapter, write_model


def test_a_wrong_file_is_refused_before_an_engine_starts(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"<!DOCTYPE html><html>")
    backend = llama(path, "process", tmp_path / "log")
    with pytest.raises(ModelError, match="model"):
        backend.wait(WAIT_S)
    assert backend.pid is None
    assert not (tmp_path / "log").exists()
    backend.close()


def test_a_file_that_was_repaired_loads_at_the_next_try(tmp_path: Path, spm_model: Path) -> None:
    path = tmp_path / "model.gguf"
    backend = llama(path, "thread", tmp_path / "log")
    for _ in range(2):
        with pytest.raises(ModelError):
            backend.wait(WAIT_S)
    path.write_bytes(spm_model.read_bytes())
    assert backend.wait(WAIT_S).name == "model"
    backend.close()


def test_a_context_beyond_the_training_is_a_warning(open_model: Open, spm_model: Path) -> None:
    info = open_model(spm_model, n_ctx=4096).wait(WAIT_S)
    assert info.n_ctx == 4096
    assert "1024" in info.warnings[0]
    stretched = open_model(spm_model, n_ctx=4096, rope_freq_scale=0.25).wait(WAIT_S)
    assert stretched.warnings == ()


def test_a_kv_type_that_does_not_fit_the_model_is_an_error_and_not_the_end(
    open_model: Open, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="context of 1024 tokens") as caught:
        open_model(write_model(tmp_path / "m.gguf", head_size=16), type_k="q8_0", type_v="q8_0").wait(WAIT_S)
    assert "type_k" in caught.value.hint


@pytest.mark.parametrize("content", [None, b"GGUF", b"not an adapter"], ids=["missing", "cut", "other"])
def test_a_wrong_adapter_is_named(
    open_model: Open, spm_model: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "voice.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match="voice"):
        open_model(spm_model, lora=((str(path), 1.0),)).wait(WAIT_S)


def test_a_model_is_no_adapter(open_model: Open, spm_model: Path, bpe_model: Path) -> None:
    with pytest.raises(ModelError, match="adapter"):
        open_model(spm_model, lora=((str(bpe_model), 1.0),)).wait(WAIT_S)


def test_an_unwritable_log_is_no_obstacle(tmp_path: Path, spm_model: Path) -> None:
    (tmp_path / "file").write_text("")
    backend = llama(spm_model, "process", tmp_path / "file" / "engine.log")
    assert backend.wait(WAIT_S).n_vocab
    backend.close()


def test_llama_cpp_writes_to_the_log_and_nowhere_else(
    tmp_path: Path, spm_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for engine in ("process", "thread"):
        log = tmp_path / engine / "engine.log"
        backend = llama(spm_model, engine, log)
        listen(backend, request((1, 2, 3)))
        backend.close()
        assert "llama" in log.read_text(encoding="utf-8")
    assert capfd.readouterr() == ("", "")


def test_the_reason_that_llama_cpp_gives_is_passed_on(open_model: Open, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", without="blk.1.ffn_up.weight")
    with pytest.raises(ModelError, match=r"m\.gguf.*blk\.1\.ffn_up\.weight"):
        open_model(path).wait(WAIT_S)


def test_an_adapter_is_found_from_the_folder_of_the_user(
    open_model: Open, spm_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_adapter(tmp_path / "voice.gguf")
    monkeypatch.chdir(tmp_path)
    backend = llama(spm_model, "process", tmp_path / "log", lora=(("voice.gguf", 0.5),))
    prompt = request((1, 20, 30))
    spoken = listen(backend, prompt).text
    backend.close()
    assert spoken != listen(open_model(spm_model), prompt).text


def test_fingerprints_tell_files_apart(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a.gguf", seed=1)
    same = write_model(tmp_path / "b.gguf", seed=1)
    other = write_model(tmp_path / "c.gguf", seed=2)
    assert first.stat().st_size == other.stat().st_size
    assert fingerprint(first) == fingerprint(same) != fingerprint(other)


def test_files_beside_the_user_are_not_taken_for_modules(tmp_path: Path, spm_model: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong module')")
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong module')")
    code = (
        "import sys, os; from pathlib import Path; from airochat.backends.llama.client import LlamaBackend\n"
        "from airochat.settings import EngineOptions\n"
        f"os.chdir({str(tmp_path)!r})\n"
        f"backend = LlamaBackend(Path({str(spm_model)!r}), EngineOptions(n_ctx=256, n_threads=1), Path('log'))\n"
        "print(backend.wait(60).name, 'llama_cpp' in sys.modules)\n"
        "backend.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["spm", "False"], done.stderr
