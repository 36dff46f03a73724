from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import llama_cpp as L

from airochat.backends.llama.vocab import Vocab
from tests.models import bpe_tokens, find, spm_tokens, write_model

MARKUP = ["<", ">", "|", "s", "</s>", "<s>", "<|im_start|>", "<|user|>", "[INST]", "<unk>", "<0x41>"]
PARTS = [*MARKUP, " ", "  ", "\n", "é", "🦙", "\0", "the", "river", "user"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=10).map("".join)


def load(path: Path) -> Iterator[Vocab]:
    params = L.llama_model_default_params()
    params.vocab_only = True
    model = L.llama_model_load_from_file(str(path).encode(), params)
    assert model
    yield Vocab(L.llama_model_get_vocab(model))
    L.llama_model_free(model)


@pytest.fixture(scope="module")
def spm(spm_model: Path) -> Iterator[Vocab]:
    yield from load(spm_model)


@pytest.fixture(scope="module")
def bpe(bpe_model: Path) -> Iterator[Vocab]:
    yield from load(bpe_model)


@pytest.fixture(scope="module", params=["spm", "bpe"])
def vocab(request: pytest.FixtureRequest) -> Vocab:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Vocab)
    return found


def text(vocab: Vocab, tokens: list[int]) -> str:
    return b"".join(vocab.pieces(tokens)).decode()


@given(TEXTS)
def test_continued_text_comes_back_byte_for_byte(vocab: Vocab, written: str) -> None:
    assert text(vocab, vocab.encode(written, True)) == written


@given(TEXTS, st.booleans())
def test_no_text_becomes_a_control_token(vocab: Vocab, written: str, continued: bool) -> None:
    control = {token for spelling, token in vocab.vocabulary.specials.items() if spelling.strip()}
    assert control.isdisjoint(vocab.encode(written, continued))


def test_sentencepiece_puts_a_space_before_a_start_only(spm: Vocab) -> None:
    the = find(spm_tokens(), "\u2581the")
    assert spm.encode("the river", False)[0] == the
    assert text(spm, spm.encode("the river", False)) == " the river"
    assert text(spm, spm.encode("the river", True)) == "the river"
    assert spm.encode(" the", True) == [the]
    assert spm.encode("", True) == spm.encode("", False) == []


def test_a_cut_before_a_space_changes_no_token(spm: Vocab, bpe: Vocab) -> None:
    for vocab in (spm, bpe):
        whole = vocab.encode("the river and the lantern", False)
        assert vocab.encode("the river", False) + vocab.encode(" and the lantern", True) == whole


def test_byte_level_vocabularies_add_no_space(bpe: Vocab) -> None:
    assert bpe.encode("the", False) == bpe.encode("the", True)
    assert text(bpe, bpe.encode("the", False)) == "the"


def test_control_tokens_are_known_by_their_spelling(spm: Vocab, bpe: Vocab) -> None:
    tokens = spm_tokens()
    vocabulary = spm.vocabulary
    assert (vocabulary.bos, vocabulary.eos, vocabulary.add_bos) == (1, 2, True)
    for spelling in ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "[INST]", "<|user|>"):
        assert vocabulary.specials[spelling] == find(tokens, spelling)
        assert spm.pieces([vocabulary.specials[spelling]]) == [spelling.encode()]
    assert bpe.vocabulary.specials["<|im_start|>"] == find(bpe_tokens(), "<|im_start|>")
    assert bpe.vocabulary.add_bos is False


def test_control_tokens_have_no_text_in_a_reply(spm: Vocab) -> None:
    assert [spm.shown[token] for token in (1, 2, find(spm_tokens(), "<|im_start|>"))] == [b"", b"", b""]
    assert spm.shown[find(spm_tokens(), "\u2581the")] == b" the"


def test_harmless_user_defined_tokens_are_used_where_they_cost_no_space(spm: Vocab, bpe: Vocab) -> None:
    assert find(bpe_tokens(), "  ") in bpe.encode("a  b", True)
    assert text(spm, spm.encode("a  b", True)) == "a  b"


def test_the_ends_of_a_reply_are_the_models_own(spm: Vocab, bpe: Vocab) -> None:
    assert {2, find(spm_tokens(), "<|im_end|>")} <= spm.ends
    assert {0, 2} <= bpe.ends


def test_ids_out_of_range_have_no_bytes(vocab: Vocab) -> None:
    assert vocab.pieces([-1, vocab.size, 2**40]) == [b"", b"", b""]


def test_lone_surrogates_are_replaced(vocab: Vocab) -> None:
    assert text(vocab, vocab.encode("a\ud800b", True)) == "a?b"


def test_a_file_that_names_no_bos_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("add_bos_token_id", "add_eos_token_id"):
        monkeypatch.setattr(f"gguf.GGUFWriter.{name}", lambda *_: None)
    for vocab in load(write_model(tmp_path / "model.gguf", "bpe")):
        assert vocab.vocabulary.bos is None
        assert vocab.ends <= set(vocab.vocabulary.specials.values())
