"""Messages and the tree they form: frozen values and pure operations."""

from airochat.conversation.message import Message, Provenance, Role, State, new_id
from airochat.conversation.tree import Tree

__all__ = ["Message", "Provenance", "Role", "State", "Tree", "new_id"]
