"""Plugins: the points where they are called, and the host that finds, loads and isolates them.

Everything a plugin needs is importable from here.
"""

from airochat.hooks.context import (
    BlocksDraft,
    ChatContext,
    ContextFor,
    EditFacts,
    Event,
    HeadFacts,
    HistoryDraft,
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
from airochat.hooks.offers import BackendOffer, Command, Exporter, ImportedChat, Importer
from airochat.hooks.panels import Act, Button, Field, Meter, Outcome, Panel, Row, Rows, Text, View
from airochat.hooks.services import Services
from airochat.hooks.settings import Setting
from airochat.hooks.tools import CallResult, CallsDraft, ResultsDraft, Tool, ToolCall
from airochat.hooks.trace import Step
from airochat.hooks.usage import PluginReport
from airochat.prompt.blocks import Block
from airochat.prompt.macros import MacroCall, MacroFunction
from airochat.sampling import LogitsProcessor, Sampling

__all__ = [
    "Act",
    "BackendOffer",
    "Block",
    "BlocksDraft",
    "Button",
    "CallResult",
    "CallsDraft",
    "ChatContext",
    "Command",
    "ContextFor",
    "EditFacts",
    "Event",
    "Exporter",
    "Field",
    "HeadFacts",
    "HistoryDraft",
    "ImportedChat",
    "Importer",
    "LogitsProcessor",
    "MacroCall",
    "MacroFunction",
    "MessageFacts",
    "Meter",
    "ModelFacts",
    "Outcome",
    "Panel",
    "PluginContext",
    "PluginHost",
    "PluginReport",
    "ReplyDraft",
    "ResultsDraft",
    "Row",
    "Rows",
    "Sampling",
    "SamplingDraft",
    "Scope",
    "Services",
    "Setting",
    "Step",
    "Text",
    "TextFacts",
    "Tool",
    "ToolCall",
    "TurnFacts",
    "UserMessageDraft",
    "View",
    "hookimpl",
]
