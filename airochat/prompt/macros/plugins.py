"""Macros of SillyTavern about what airochat itself does not have; plugins may offer them under the same names."""

from __future__ import annotations

from airochat.prompt.macros.call import Macro, Site


def _nothing(site: Site) -> str:
    return ""


def _macro(summary: str, *names: str, usage: str = "") -> Macro:
    listed = ", ".join(f"{{{{{name}}}}}" for name in names)
    return Macro(names=names, usage=usage or listed, summary=f"nothing; elsewhere {summary}", run=_nothing)


def _named(name: str, summary: str) -> Macro:
    return Macro(
        names=(name,),
        usage=f"{{{{{name}::x}}}}",
        summary=f"nothing; elsewhere {summary}",
        run=_nothing,
        low=1,
        high=1,
    )


MACROS = (
    _macro("a summary of the chat", "summary"),
    _macro("what a lorebook says", "wiBefore", "wiAfter", "loreBefore", "loreAfter"),
    _named("outlet", "what a lorebook says at a place of that name"),
    _macro("notes at fixed places", "anchorBefore", "anchorAfter"),
    _macro("the author's note", "authorsNote", "charAuthorsNote"),
    _macro("the number of the first message that fits", "firstIncludedMessageId"),
    _macro("how the last reply was asked for", "lastGenerationType"),
    _macro("the lines between parts of a prompt", "exampleSeparator", "chatSeparator", "chatStart"),
    _macro(
        "the marks of the prompt template, which airochat writes by itself",
        "instructUserPrefix",
        "instructInput",
        "instructUserSuffix",
        "instructAssistantPrefix",
        "instructOutput",
        "instructAssistantSuffix",
        "instructSeparator",
        "instructSystemPrefix",
        "instructSystemSuffix",
        "instructFirstUserPrefix",
        "instructFirstInput",
        "instructLastUserPrefix",
        "instructLastInput",
        "instructFirstAssistantPrefix",
        "instructFirstOutput",
        "instructLastAssistantPrefix",
        "instructLastOutput",
        "instructSystemInstructionPrefix",
        "instructStoryStringPrefix",
        "instructStoryStringSuffix",
        "instructUserFiller",
        "instructStop",
        usage="{{instruct…}}",
    ),
    _macro("what the last command of a script wrote", "pipe"),
    _named("var", "the variable of a script"),
)
"""Macros that leave nothing unless a plugin says otherwise."""
