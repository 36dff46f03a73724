"""Files of other programs: one importer or exporter a file, pure values in and out."""

from airochat.formats.jsonl import to_jsonl
from airochat.formats.markdown import to_markdown

__all__ = ["to_jsonl", "to_markdown"]
