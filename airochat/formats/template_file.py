"""Prompt templates of whatever program, told apart by the names of their files."""

from __future__ import annotations

from airochat.errors import TemplateError
from airochat.formats.imported import ImportedTemplate
from airochat.formats.instruct_preset import from_instruct
from airochat.formats.jinja_template import from_jinja
from airochat.formats.textgen_template import from_textgen

_MAX = 1_000_000


def import_template(name: str, text: str) -> ImportedTemplate:
    """Return a template of another program as a template file; ``name`` is its file's name.

    ``.json`` is an instruct preset of SillyTavern, ``.yaml`` an instruction template of text-generation-webui, and
    ``.jinja`` a chat template as model files have it. `TemplateError` if it is none of these or cannot be used.
    """
    stem, _, ending = name.rpartition(".")
    if len(text) > _MAX:
        raise TemplateError(f"{name} is too long for a template: {len(text):,} characters.")
    match ending.lower():
        case "json":
            return from_instruct(text)
        case "yaml" | "yml":
            return from_textgen(text, stem)
        case "jinja" | "jinja2" | "j2":
            return from_jinja(text, stem, "Imported from a Jinja chat template.")
    raise TemplateError(
        f"{name} is no template of a known program.",
        "Known: .json of SillyTavern, .yaml of text-generation-webui, .jinja; a .toml goes into the templates folder.",
    )
