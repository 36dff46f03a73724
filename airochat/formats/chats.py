"""The chat files that airochat reads by itself."""

from __future__ import annotations

from collections.abc import Mapping

from airochat.conversation import Importer
from airochat.formats.jsonl import from_jsonl
from airochat.formats.kobold_story import from_kobold
from airochat.formats.openai_chat import from_openai
from airochat.formats.sillytavern_chat import from_sillytavern
from airochat.formats.textgen_chat import from_textgen

IMPORTERS: Mapping[str, Importer] = {
    importer.name: importer
    for importer in (
        Importer("jsonl", "airochat's own JSON Lines, with all branches", from_jsonl),
        Importer("sillytavern", "SillyTavern's chats (.jsonl), with swipes", from_sillytavern),
        Importer("textgen", "text-generation-webui's histories (.json), with versions", from_textgen),
        Importer("kobold", "stories of KoboldAI and KoboldCpp (.json)", from_kobold),
        Importer("openai", "lists of role and content (.json, .jsonl)", from_openai),
    )
}
"""By name, in the order in which they are tried."""
