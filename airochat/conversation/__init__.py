"""Messages and the tree they form: frozen values and pure operations."""

from airochat.conversation.imported import ImportedChat, Importer
from airochat.conversation.message import TOOLS, Message, Provenance, Role, State, new_id
from airochat.conversation.tree import Tree

__all__ = ["TOOLS", "ImportedChat", "Importer", "Message", "Provenance", "Role", "State", "Tree", "new_id"]
