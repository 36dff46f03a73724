"""Plugins: the points where they are called, and the host that finds, loads and isolates them.

Everything a plugin needs is importable from here.
"""

from airochat.hooks.context import (
    ChatContext,
    Command,
    ContextFor,
    MessageFacts,
    ReplyDraft,
    SamplingDraft,
    TurnFacts,
    UserMessageDraft,
)
from airochat.hooks.hookspecs import hookimpl
from airochat.hooks.host import PluginHost, PluginReport
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroCall, MacroFunction

__all__ = [
    "Block",
    "ChatContext",
    "Command",
    "ContextFor",
    "MacroCall",
    "MacroFunction",
    "MessageFacts",
    "PluginHost",
    "PluginReport",
    "ReplyDraft",
    "SamplingDraft",
    "TurnFacts",
    "UserMessageDraft",
    "hookimpl",
]
