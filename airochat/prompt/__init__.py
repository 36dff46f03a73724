"""From blocks and history to a prompt that fits, with a report of what became of each piece."""

from airochat.prompt.assembly import assemble, count_tokens, speaker_stops
from airochat.prompt.blocks import Block, BlockReport, PromptPlan
from airochat.prompt.characters import greetings
from airochat.prompt.describe import mark_spaces, plan_json, token_table, visible_text
from airochat.prompt.layout import message_source
from airochat.prompt.scene import NARRATOR, Scene, Staged, persona_stage, stage
from airochat.prompt.tokens import Tokenizer
from airochat.prompt.wire import wire_text

__all__ = [
    "NARRATOR",
    "Block",
    "BlockReport",
    "PromptPlan",
    "Scene",
    "Staged",
    "Tokenizer",
    "assemble",
    "count_tokens",
    "greetings",
    "mark_spaces",
    "message_source",
    "persona_stage",
    "plan_json",
    "speaker_stops",
    "stage",
    "token_table",
    "visible_text",
    "wire_text",
]
