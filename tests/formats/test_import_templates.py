"""Templates of other programs become template files that write the same bytes."""

from __future__ import annotations

import doctest
import json

import pytest

from airochat.conversation import Role
from airochat.errors import TemplateError
from airochat.formats import imported
from airochat.formats.template_file import import_template
from airochat.templates import ChatTurn, Family, Goal, Part, Templates, parse_family

PREAMBLE = (
    "A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, "
    "uncensored responses to the user's input."
)
# Made here, in the form that such files have.
LINES = """instruction_template: |-
  {%- set ns = namespace(found=false) -%}
  {%- for message in messages -%}
      {%- if message['role'] == 'system' -%}{%- set ns.found = true -%}{%- endif -%}
  {%- endfor -%}
  {%- if not ns.found -%}{{- 'Be brief.' + '\\n' -}}{%- endif %}
  {%- for message in messages %}
      {%- if message['role'] == 'system' -%}
          {{- message['content'] + '\\n' -}}
      {%- elif message['role'] == 'user' -%}
          {{-'USER: ' + message['content'] + '\\n'-}}
      {%- else -%}
          {{-'ASSISTANT: ' + message['content'] + '\\n' -}}
      {%- endif -%}
  {%- endfor -%}
  {%- if add_generation_prompt -%}{{-'ASSISTANT:'-}}{%- endif -%}
"""
OLD = f"""user: "USER:"
bot: "ASSISTANT:"
turn_template: "<|user|> <|user-message|>\\n<|bot|> <|bot-message|>\\n"
context: "{PREAMBLE}\\n"
"""
NEWER = """user: "### Instruction:"
bot: "### Response:"
turn_template: "<|user|>\\n<|user-message|>\\n\\n<|bot|>\\n<|bot-message|></s>\\n\\n"
context: "<|system-message|>\\n\\n"
system_message: "Follow it."
"""
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
BRACKETS = (
    "{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}{% set s = messages[0].content %}"
    "{% else %}{% set rest = messages %}{% set s = '' %}{% endif %}"
    "{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}"
    "{% if m.role == 'user' %}{{ bos_token }}[INST] "
    "{% if loop.first and s %}<<SYS>>\n{{ s }}\n<</SYS>>\n\n{% endif %}{{ m.content }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)
PRESET = {
    "name": "Mine",
    "input_sequence": "<|im_start|>user",
    "output_sequence": "<|im_start|>assistant",
    "system_sequence": "<|im_start|>system",
    "input_suffix": "<|im_end|>\n",
    "output_suffix": "<|im_end|>\n",
    "system_suffix": "<|im_end|>\n",
    "stop_sequence": "<|im_end|>",
    "wrap": True,
    "names_behavior": "none",
}
TWO: tuple[tuple[Role, str], ...] = (("user", "hi"), ("assistant", "A1"), ("user", "U2"))


def read(name: str, text: str) -> tuple[Family, tuple[str, ...]]:
    found = import_template(name, text)
    return parse_family("mine", found.toml, "mine.toml"), found.warnings


def written(family: Family, *said: tuple[Role, str], goal: Goal = "reply") -> str:
    turns = [ChatTurn(role, (Part(text, "m"),)) for role, text in said]
    return "".join(segment.text for segment in family.render(turns, goal=goal))


def test_a_textgen_template_in_jinja() -> None:
    family, warnings = read("Lines-v1.yaml", LINES)
    assert (family.title, warnings) == ("Lines-v1", ())
    assert written(family, *TWO) == "Be brief.\nUSER: hi\nASSISTANT: A1\nUSER: U2\nASSISTANT:"
    assert written(family, ("system", "S"), *TWO[:1]) == "S\nUSER: hi\nASSISTANT:"
    assert (family.stop, family.user_stop) == (("\nUSER:",), ("\nASSISTANT:",))
    assert family.finish(" Hello.\n") == "Hello."


def test_a_textgen_template_of_2023() -> None:
    family, _ = read("old.yml", OLD)
    assert written(family, *TWO) == f"{PREAMBLE}\nUSER: hi\nASSISTANT: A1\nUSER: U2\nASSISTANT:"
    assert written(family, ("system", "S"), *TWO[:1]) == "S\nUSER: hi\nASSISTANT:"
    assert (family.stop, family.user_stop) == (("\nUSER:", "\nASSISTANT:"), ("\nASSISTANT:",))
    newer, _ = read("newer.yaml", NEWER)
    assert written(newer, *TWO[:2], goal="nothing") == (
        "Follow it.\n\n### Instruction:\nhi\n\n### Response:\nA1</s>\n\n"
    )
    assert [mark.special for mark in newer.assistant.after] == ["eos", None]


def test_jinja_of_model_files() -> None:
    chatml, _ = read("c.jinja", CHATML)
    shipped = Templates().get("chatml")
    for said in (TWO, (("system", "S"), *TWO), TWO[:1], (("assistant", "g"), *TWO)):
        assert written(chatml, *said) == written(shipped, *said)
    assert chatml.stop_specials == ("<|im_end|>",)
    brackets, warnings = read("b.jinja2", BRACKETS)
    llama = Templates().get("llama-2-chat")
    for said in (TWO, (("system", "S"), *TWO), (("user", "a"), *TWO), (("assistant", "g"), *TWO)):
        assert written(brackets, *said) == written(llama, *said)
    assert (brackets.bos, brackets.turns, warnings) == ("always", "alternate", ())


def test_an_instruct_preset() -> None:
    family, warnings = read("x.json", json.dumps(PRESET))
    shipped = Templates().get("chatml")
    for goal in ("reply", "nothing", "user"):
        said = (("system", "S"), *TWO)
        assert written(family, *said, goal=goal) == written(shipped, *said, goal=goal)
    assert (family.title, family.stop_specials, warnings) == ("Mine", ("<|im_end|>", "eos"), ())
    exported, _ = read("x.json", json.dumps({"instruct": PRESET, "context": {}}))
    assert exported == family


def test_an_instruct_preset_of_plain_text() -> None:
    preset = {
        "name": "Plain",
        "input_sequence": "### Instruction:",
        "output_sequence": "### Response:",
        "separator_sequence": "\n\n",
        "input_suffix": "\n\n",
        "wrap": True,
        "names": True,
        "first_output_sequence": "x",
    }
    family, warnings = read("x.json", json.dumps(preset))
    assert written(family, ("system", "S"), *TWO) == (
        "S\n### Instruction:\nhi\n\n### Response:\nA1\n\n### Instruction:\nU2\n\n### Response:\n"
    )
    assert family.stop == ("\n### Instruction:", "\n### Response:")
    assert len(warnings) == 2 and "first_output_sequence" in warnings[0] and "names" in warnings[1]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.json", "{", "not JSON"),
        ("x.json", "[" * 100_000, "not JSON"),
        ("x.json", "[]", "no instruct preset"),
        ("x.json", '{"name": "x", "content": "y"}', "no instruct preset"),
        ("x.json", '{"input_sequence": 3, "output_sequence": ""}', "input_sequence is not a text"),
        ("x.json", '{"input_sequence": "{{user}}:", "output_sequence": ""}', "macro {{user}}"),
        ("x.yaml", "a: [", "not YAML"),
        ("x.yaml", "[" * 5_000, "not YAML"),
        ("x.yaml", "- a", "no mapping"),
        ("x.yaml", "a: b", "neither instruction_template nor turn_template"),
        ("x.yaml", "turn_template: hello", "lacks <|user-message|>"),
        ("x.yaml", "instruction_template: '{% for %}'", "The template cannot be used"),
        ("x.yaml", "!!python/object/apply:os.system ['true']", "no mapping"),
        ("x.jinja", "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3 + CHATML, "runs too long"),
        ("x.jinja", CHATML.replace("m.role +", "m.role + (loop.index | string) +"), "cannot say"),
        ("x.jinja", "hello", "leaves out messages"),
        ("x.jinja", "x" * 2_000_000, "too long"),
        ("x.txt", "hello", "no template of a known program"),
        ("x", "hello", "no template of a known program"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, text: str, says: str) -> None:
    with pytest.raises(TemplateError) as caught:
        import_template(name, text)
    assert says in caught.value.message


def test_yaml_that_grows_when_it_is_written_out_does_no_harm() -> None:
    text = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(TemplateError, match="neither"):
        import_template("x.yaml", text)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(imported).attempted and not doctest.testmod(imported).failed
