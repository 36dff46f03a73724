"""Files of other programs: one importer or exporter a file, pure values in and out."""

from airochat.formats.chats import IMPORTERS
from airochat.formats.jsonl import to_jsonl
from airochat.formats.markdown import to_markdown
from airochat.formats.plain_text import to_text
from airochat.formats.sillytavern_chat import to_sillytavern

__all__ = ["IMPORTERS", "to_jsonl", "to_markdown", "to_sillytavern", "to_text"]
