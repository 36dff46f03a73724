"""Plugins: the points where they are called, and the host that finds, loads and isolates them.

Everything a plugin needs is importable from here.
"""

from airochat.hooks.context import (
    BlocksDraft,
    ChatContext,
    Command,
    ContextFor,
    EditFacts,
    Event,
    HeadFacts,
    MessageFacts,
    ModelFacts,
    PluginContext,
    ReplyDraft,
    SamplingDraft,
    Scope,
    TextFacts,
    TurnFacts,
    UserMessageDraft,
)
from airochat.hooks.hookspecs import hookimpl
from airochat.hooks.host import PluginHost
from airochat.hooks.services import Services
from airochat.hooks.trace import Step
from airochat.hooks.usage import PluginReport
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroCall, MacroFunction

__all__ = [
    "Block",
    "BlocksDraft",
    "ChatContext",
    "Command",
    "ContextFor",
    "EditFacts",
    "Event",
    "HeadFacts",
    "MacroCall",
    "MacroFunction",
    "MessageFacts",
    "ModelFacts",
    "PluginContext",
    "PluginHost",
    "PluginReport",
    "ReplyDraft",
    "SamplingDraft",
    "Scope",
    "Services",
    "Step",
    "TextFacts",
    "TurnFacts",
    "UserMessageDraft",
    "hookimpl",
]
