from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airochat.templates
from airochat.errors import TemplateError
from airochat.templates import Choice, Templates, Vocabulary, detect, names
from airochat.templates import choose as choose_template

VERSIONS = {
    "airoboros-65b-gpt4-1.3.ggmlv3.q5_0.bin": "1.3",
    "airoboros-33B-gpt4-1-4-SuperHOT-8K.Q4_K_M.gguf": "1.4",
    "airoboros-33b-gpt4-1.4.1-PI-8192": "1.4.1",
    "airoboros-mpt-30b-gpt4-1p4-five-epochs": "1.4",
    "airoboros-13b-gpt4": "1.0",
    "airoboros-13b-gpt4-1.4-4bit-128g": "1.4",
    "airoboros-33b-gpt4-1.2.ggmlv3.q2_K.bin": "1.2",
    "airoboros-l2-13b-gpt4-m2.0": "m2.0",
    "airoboros-l2-7b-gpt4-2.0.Q4_0.gguf": "2.0",
    "airoboros-c34b-2.1": "2.1",
    "airoboros-lmoe-7b-2.1": "2.1",
    "Airoboros-L2-13B-2_1-YaRN-64K": "2.1",
    "C:\\models\\Airoboros-L2-13B-2.1.Q8_0.gguf": "2.1",
    "spicyboros-70b-2.2": "2.2",
    "spicyboros-c34b-2.2.i1-IQ3_XXS.gguf": "2.2",
    "spicyboros-7b": "2.2",
    "airoboros-mistral2.2-7b": "2.2",
    "airoboros-l2-70b-2.2.1": "2.2.1",
    "airoboros-l2-13b-2.2.1.Q2_K.gguf": "2.2.1",
    "AIROBOROS-L2-70B-2.2.1.Q5_K_M-00001-of-00002.gguf": "2.2.1",
    "airoboros-3b-3p0": "3.0",
    "airoboros-3b-3p11": "3.1.1",
    "airoboros-m-7b-3.1.2": "3.1.2",
    "airoboros-3_1-yi-34b-200k": "3.1",
    "airoboros-34b-3.2": "3.2",
    "airoboros-34b-3.3": "3.3",
    "llama-3-airoboros-70b-3.3": "3.3",
    "airoboros-dpo-70b-3.3": "3.3",
    "airoboros-gpt-3.5-turbo-100k-7b": "gpt-3.5",
    "airoboros-7b": "gpt-3.5",
    "airoboros-13b.ggmlv3.q4_0.bin": "gpt-3.5",
    "Airochronos-33B": "",
    "chronoboros-33b": "",
    "/models/airoboros-65b-gpt4-1.3/ggml-model-q5_0.gguf": "1.3",
    "jondurbin_airoboros-l2-13b-3.1.1": "3.1.1",
    "airoboros-65B-gpt4-1.3-GGML": "1.3",
    "airoboros-33b-gpt4-1.4.ggmlv3.q4_K_M.bin": "1.4",
    "TheBloke_airoboros-l2-70B-gpt4-1.4.1-GPTQ": "1.4.1",
    "bhenrym14/airoboros-33b-gpt4-1.4.1-lxctx-PI-16384-fp16": "1.4.1",
    "airoboros-13B-gpt4-1.4-SuperHOT-8K-GPTQ_4bit-128g": "1.4",
    "Airoboros-L2-70B-GPT4-m2.0": "m2.0",
    "airoboros-l2-70b-3.1.2.Q6_K.gguf-split-a": "3.1.2",
    "airoboros-180b-2.2.1": "2.2.1",
    "airoboros-c34b-2.2.1.i1-Q4_0_4_4.gguf": "2.2.1",
    "airoboros": "",
    "airoboros-l2-70b": "",
}

OWN = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEMPLATES = Templates()
WORDS = Vocabulary(bos=1, eos=2, specials={"<s>": 1, "</s>": 2})


@pytest.mark.parametrize(("name", "version"), VERSIONS.items())
def test_versions_by_name(name: str, version: str) -> None:
    read = names.read_name(name)
    assert read and read.version == version


@pytest.mark.parametrize("name", ["llama-2-70b-chat", "SmolLM2-135M", "", "mistral-7b-2.2"])
def test_other_models_are_no_airoboros(name: str) -> None:
    assert names.read_name(name) is None


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(names).attempted
    assert not doctest.testmod(names).failed


def choose(name: str, **metadata: str) -> Choice:
    return detect(
        name, {key.replace("__", "."): value for key, value in metadata.items()}, WORDS, Templates()
    )


@pytest.mark.parametrize(
    ("name", "template", "confidence", "reason"),
    [
        ("airoboros-65b-gpt4-1.3", "airoboros-1", "certain", "Airoboros 1.3"),
        ("airoboros-13b-gpt4-1.3.ggmlv3.q5_0.bin", "airoboros-1:no-space", "certain", "7B and 13B"),
        ("AIROBOROS-7B-GPT4-1.2.Q4_K_M-00001-of-00002.gguf", "airoboros-1:no-space", "certain", "1.2"),
        ("airoboros-gpt4-1.3", "airoboros-1", "likely", "tells no size; 7B and 13B would need"),
        ("airoboros-l2-13b-2.2.1", "airoboros-2", "certain", "Airoboros 2.2.1"),
        ("airoboros-7b", "airoboros-gpt3.5", "likely", "it is inferred"),
        ("airoboros-33b-gpt4-1.4", "airoboros-1.4", "certain", "1.4"),
        ("airoboros-l2-13b-gpt4-m2.0", "airoboros-1.4:no-space", "certain", "m2.0"),
        ("airoboros-c34b-2.1", "airoboros-2.1", "certain", "2.1"),
        ("airoboros-lmoe-7b-2.1", "airoboros-2.1", "certain", "2.1"),
        ("airoboros-l2-13b-3.1", "airoboros-3.0", "certain", "one space after the last [/INST]"),
        ("airoboros-m-7b-3.0", "airoboros-3", "likely", "3.0 on Mistral"),
        ("airoboros-m-7b-3.1.2", "airoboros-3", "certain", "3.1.2"),
        ("airoboros-3_1-yi-34b-200k", "airoboros-3.0", "certain", "3.1"),
        ("airoboros-34b-3.3", "airoboros-3", "likely", "it is inferred"),
        ("airoboros-3.3", "airoboros-3", "guess", "the one of 70B would need llama-3"),
        ("airoboros-70b-3.3", "llama-3", "certain", "3.3 on Llama 3"),
        ("llama-3-airoboros-70b-3.3.Q4_K_M.gguf", "llama-3", "certain", "3.3 on Llama 3"),
        ("airochronos-33b", "airoboros-1", "guess", "merge with other models"),
        ("chronoboros-grad-l2-13b-2.1", "airoboros-2.1", "guess", "merge with other models"),
        ("airolima-l2-13b", "airoboros-2", "guess", "merge with other models"),
        ("airoboros-l2-70b", "airoboros-2", "guess", "unknown version"),
        ("airoboros-mistral", "airoboros-3", "guess", "unknown version"),
        ("airoboros-9.9", "airoboros-1", "guess", "unknown version"),
        ("airoboros-l2-7b-2.2-spicyboros-3.1", "airoboros-2", "guess", "It also names 3.1."),
        ("airoboros-33b-gpt4-1.2-1.3", "airoboros-1", "certain", "1.2"),
        ("openhermes-2-airoboros-7b-3.1", "airoboros-3.0", "guess", "It also fits ChatML."),
        ("llama-2-7b-chat.Q4_0.gguf", "llama-2-chat", "likely", "The name fits Llama 2 Chat."),
        ("Meta-Llama-3-8B-Instruct", "llama-3", "likely", "The name fits Llama 3 Instruct"),
        ("vicuna_13b_v1.5", "vicuna-1.1", "likely", "The name fits Vicuna"),
        ("gemma-2b-it.gguf", "gemma", "likely", "The name fits Gemma"),
        ("alpaca-vicuna-13b", "alpaca", "guess", "The name fits Vicuna"),
        ("llama-2-7b", "chatml", "guess", "tells no template of its own"),
    ],
)
def test_choices_by_name(name: str, template: str, confidence: str, reason: str) -> None:
    choice = choose(name, general__architecture="llama")
    assert (choice.template.name, choice.confidence) == (template, confidence)
    assert reason in " ".join(choice.reasons)


@pytest.mark.parametrize(
    ("name", "metadata", "template"),
    [
        ("airoboros-3.3", {"llama.vocab_size": "128256"}, "llama-3"),
        ("airoboros-3.3", {"tokenizer.ggml.pre": "llama-bpe"}, "llama-3"),
        ("airoboros-8b-3.1", {"tokenizer.ggml.bos_token_id": "128000"}, "llama-3"),
        ("airoboros-gpt4-1.3", {"llama.block_count": "40"}, "airoboros-1:no-space"),
        ("airoboros-gpt4-1.3", {"llama.block_count": "80"}, "airoboros-1"),
        ("airoboros-65b-gpt4-1.3", {"llama.block_count": "40"}, "airoboros-1"),
        ("airoboros-13b", {"general.name": "airoboros-13b-gpt4-1.4"}, "airoboros-gpt3.5"),
    ],
)
def test_the_metadata_tells_what_the_name_does_not(
    name: str, metadata: dict[str, str], template: str
) -> None:
    assert detect(name, metadata, WORDS, Templates()).template.name == template


def test_the_models_own_template() -> None:
    choice = choose("some-model", tokenizer__chat_template=OWN)
    assert (choice.template.name, choice.confidence) == ("gguf", "certain")
    broken = choose("some-model", tokenizer__chat_template="{% for %}")
    assert (broken.template.name, broken.confidence) == ("chatml", "guess")
    assert "The model's own template cannot be used" in broken.reasons[0]
    named = choose("vicuna-7b", tokenizer__chat_template="{% for %}")
    assert (named.template.name, named.confidence) == ("vicuna-1.1", "guess")
    unknown = choose("airoboros-l2-70b", tokenizer__chat_template=OWN)
    assert (unknown.template.name, unknown.confidence) == ("gguf", "guess")


def test_control_tokens_tell_of_a_template() -> None:
    words = Vocabulary(specials={"<|im_start|>": 3, "<|im_end|>": 4})
    choice = detect("some-model", {}, words, Templates())
    assert (choice.template.name, choice.confidence) == ("chatml", "likely")
    assert "control tokens of ChatML" in choice.reasons[0]


LLAMA_2 = (
    "{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}{% set s = messages[0].content %}"
    "{% else %}{% set rest = messages %}{% set s = none %}{% endif %}"
    "{% for m in rest %}{% if m.role == 'user' %}{{ bos_token }}[INST] "
    "{% if loop.first and s %}<<SYS>>\n{{ s }}\n<</SYS>>\n\n{% endif %}{{ m.content }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)


@pytest.mark.parametrize("vocabulary", [WORDS, Vocabulary(), None])
@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        (
            "airoboros-l2-13b-2.2.1",
            OWN,
            "differs and is not used: it writes '<|system|>Be kind.</s><|…' where",
        ),
        ("airoboros-l2-70b-3.1.2", LLAMA_2, "The template in the model file writes the same."),
        ("airoboros-l2-70b-3.1", LLAMA_2, "it writes nothing where it has ' '"),
        ("airoboros-l2-13b-2.2.1", "{% for %}", "cannot be used: Expected an expression"),
        (
            "airoboros-l2-13b-2.2.1",
            "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3,
            "it runs too long",
        ),
    ],
)
def test_a_template_in_the_file_is_compared_with_the_familys(
    name: str, source: str, says: str, vocabulary: Vocabulary | None
) -> None:
    choice = detect(name, {"tokenizer.chat_template": source}, vocabulary, Templates())
    assert choice.template.name.startswith("airoboros-")
    assert choice.confidence == "certain"
    assert says in " ".join(choice.reasons)


def test_the_name_inside_the_file_helps_and_contradicts() -> None:
    helped = choose("model.gguf", general__name="jondurbin_airoboros-l2-13b-2.2.1")
    assert (helped.template.name, helped.confidence) == ("airoboros-2", "certain")
    contradicted = choose("airoboros-65b-gpt4-1.3.gguf", general__name="airoboros-l2-13b-2.2.1")
    assert (contradicted.template.name, contradicted.confidence) == ("airoboros-1", "likely")
    assert "The name in the file, 'airoboros-l2-13b-2.2.1', says 2.2.1." in contradicted.reasons


def test_what_the_user_chose_is_used_and_doubted() -> None:
    def chosen(wanted: str, name: str, metadata: dict[str, str] | None = None) -> Choice:
        return choose_template(wanted, name, metadata, WORDS, Templates())

    assert chosen("", "airoboros-l2-13b-2.2").template.name == "airoboros-2"
    assert chosen("airoboros-2", "airoboros-l2-13b-2.2").reasons == ("You chose it.",)
    doubted = chosen("airoboros-1.4:no-clause", "airoboros-l2-13b-2.2")
    assert (doubted.template.name, doubted.confidence) == ("airoboros-1.4:no-clause", "certain")
    assert "This model would get airoboros-2" in doubted.reasons[1]
    assert doubted.doubts == doubted.reasons[1:]
    assert chosen("airoboros-2", "airoboros-l2-13b-2.2").doubts == ()
    assert "is a guess" in chosen("", "airochronos-33b").doubts[0]
    assert chosen("gguf", "x", {"tokenizer.chat_template": OWN}).template.name == "gguf"
    for wanted, metadata in (("nope", {}), ("gguf", {}), ("gguf", None), ("airoboros-1:nope", {})):
        with pytest.raises(TemplateError):
            chosen(wanted, "x", metadata)


@given(
    st.text(max_size=40), st.dictionaries(st.sampled_from(("general.name", "llama.block_count")), st.text())
)
def test_any_name_gets_a_template_and_a_reason(name: str, metadata: dict[str, str]) -> None:
    choice = detect(name, metadata, None, TEMPLATES)
    assert choice.reasons and all(choice.reasons)
    assert choice.confidence in ("certain", "likely", "guess")


def test_no_model_at_all() -> None:
    choice = detect("whatever", None, None, Templates())
    assert (choice.template.name, choice.confidence) == ("chatml", "guess")
    assert "No model is loaded" in choice.reasons[0]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("airoboros-l2-13b-3.0/ggml-model-q4_0.gguf", "airoboros-3.0"),
        ("airoboros-65b-gpt4-1.3/airoboros.Q4_K_M.gguf", "airoboros-1"),
        ("/home/airoboros/vicuna-13b-v1.5.gguf", "vicuna-1.1"),
        ("/home/airoboros/mistral-7b-instruct-v0.2.Q4_K_M.gguf", "mistral"),
        ("airoboros-l2-13b-3.0/llama-3-8b-instruct.gguf", "llama-3"),
    ],
)
def test_a_folder_counts_only_for_a_file_that_tells_nothing(path: str, template: str) -> None:
    assert detect(path, None, None, Templates()).template.name == template


def test_llama_3_is_known_by_its_tokenizer() -> None:
    metadata = {"tokenizer.ggml.model": "gpt2", "llama.block_count": "80"}
    assert detect("airoboros-3.3", metadata, None, Templates()).template.name == "llama-3"


def test_the_users_own_template_for_a_version_is_taken_and_said(tmp_path: Path) -> None:
    shipped = Path(airochat.templates.__file__).parent / "data" / "airoboros-2.toml"
    for name in ("aaa", "zzz"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.toml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
        choice = detect("airoboros-l2-70b-2.2.1", None, None, Templates(folder))
        assert choice.template.name == name
        assert f"The template {name} is your own." in choice.reasons
