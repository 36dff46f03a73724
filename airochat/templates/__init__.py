"""Prompt templates: what every model family wants, byte for byte, and how to tell which one a model wants."""

from airochat.templates.catalog import Templates
from airochat.templates.detect import Choice, choose, detect
from airochat.templates.family import parse_family
from airochat.templates.jinja import OWN, JinjaTemplate, own_template
from airochat.templates.scenes import SceneForm
from airochat.templates.segment import ChatTurn, Part, Segment, Vocabulary
from airochat.templates.template import Family, Template, Variant
from airochat.templates.turns import Goal
from airochat.templates.voices import Voices, awaits_label, written_label

__all__ = [
    "OWN",
    "ChatTurn",
    "Choice",
    "Family",
    "Goal",
    "JinjaTemplate",
    "Part",
    "SceneForm",
    "Segment",
    "Template",
    "Templates",
    "Variant",
    "Vocabulary",
    "Voices",
    "awaits_label",
    "choose",
    "detect",
    "own_template",
    "parse_family",
    "written_label",
]
