from __future__ import annotations

import doctest

import pytest

from airochat.templates import Choice, Templates, Vocabulary, detect, names

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
}

OWN = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
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
        ("airoboros-l2-13b-2.2.1", "airoboros-2", "certain", "Airoboros 2.2.1"),
        ("airoboros-7b", "airoboros-1", "guess", "no template for this version yet"),
        ("airoboros-33b-gpt4-1.4", "airoboros-1", "guess", "no template for this version yet"),
        ("airoboros-c34b-2.1", "airoboros-2", "guess", "no template for this version yet"),
        ("airoboros-m-7b-3.1.2", "chatml", "guess", "no template for this version yet"),
        ("airoboros-70b-3.3", "chatml", "guess", "llama-3"),
        ("airochronos-33b", "airoboros-1", "guess", "merge with other models"),
        ("llama-2-7b", "chatml", "guess", "tells no template of its own"),
    ],
)
def test_choices_by_name(name: str, template: str, confidence: str, reason: str) -> None:
    choice = choose(name, general__architecture="llama")
    assert (choice.template.name, choice.confidence) == (template, confidence)
    assert reason in " ".join(choice.reasons)


def test_the_models_own_template() -> None:
    choice = choose("some-model", tokenizer__chat_template=OWN)
    assert (choice.template.name, choice.confidence) == ("gguf", "certain")
    broken = choose("some-model", tokenizer__chat_template="{% for %}")
    assert (broken.template.name, broken.confidence) == ("chatml", "guess")
    assert "The model's own template cannot be used" in broken.reasons[0]
    later = choose("airoboros-m-7b-3.1.2", tokenizer__chat_template=OWN)
    assert (later.template.name, later.confidence) == ("gguf", "guess")


def test_an_airoboros_file_with_a_template_of_its_own_keeps_the_familys_and_says_so() -> None:
    choice = choose("airoboros-l2-13b-2.2.1", tokenizer__chat_template=OWN)
    assert choice.template.name == "airoboros-2"
    assert "The template in the model file is not used." in choice.reasons


def test_the_name_inside_the_file_helps_and_contradicts() -> None:
    helped = choose("model.gguf", general__name="jondurbin_airoboros-l2-13b-2.2.1")
    assert (helped.template.name, helped.confidence) == ("airoboros-2", "certain")
    contradicted = choose("airoboros-65b-gpt4-1.3.gguf", general__name="airoboros-l2-13b-2.2.1")
    assert (contradicted.template.name, contradicted.confidence) == ("airoboros-1", "likely")
    assert "The file's own name says 2.2.1." in contradicted.reasons


def test_no_model_at_all() -> None:
    choice = detect("whatever", None, None, Templates())
    assert (choice.template.name, choice.confidence) == ("chatml", "guess")
    assert "No model is loaded" in choice.reasons[0]
