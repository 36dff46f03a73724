"""A tutorial: the model reads and writes one language, the writer another.

Three things make a translation. What the writer has said stays on the screen as it was typed, so it is translated only
in the prompt: `transform_history`. What the model writes is to be read, so it is translated before it is stored:
`transform_reply`; airochat keeps what the model wrote beside it, as ``provenance.raw``. And in later prompts the model
must find its own words again, not their translation: `transform_history` once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.hooks import ChatContext, Command, HistoryDraft, ReplyDraft, hookimpl

from .glossary import Glossary, glossary

USAGE = "/translate [on | off | TEXT]"


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """Offer ``/translate``."""
    register(Command("translate", "Let the model read and write another language.", USAGE, translate))


@hookimpl
def transform_history(context: ChatContext, draft: HistoryDraft) -> None:
    """Let the model read the chat in its language; on the screen and in the store nothing changes."""
    if book := active(context):
        draft.messages = [in_model_s_words(book, message) for message in draft.messages]


@hookimpl
def transform_reply(context: ChatContext, draft: ReplyDraft) -> None:
    """Translate a reply before it is stored. A draft is changed in place; nothing is returned."""
    if book := active(context):
        draft.text = book.into_writer(draft.text)


def in_model_s_words(book: Glossary, message: Message) -> Message:
    """Return a message in the model's language.

    Messages are frozen values: `replace` makes a changed copy, which must keep its id. A message that does not change
    should be returned as it is, for then the model's own token ids are reused.
    """
    if message.role == "user":
        return replace(message, text=book.into_model(message.text))
    if message.provenance.raw:
        return replace(message, text=message.provenance.raw)
    return message


def active(context: ChatContext) -> Glossary | None:
    """Return the glossary if this chat is translated.

    A hook that raises switches its plugin off. A file that the user has broken is no reason for that: it is told, and
    the chat goes on as it is.
    """
    if not context.data.get("on"):
        return None
    try:
        return glossary(context.settings["glossary"])
    except UsageError as error:
        context.data["on"] = False
        context.notify(f"{error.message} Nothing is translated any more.", error.hint)
        return None


def translate(context: ChatContext, words: str) -> str:
    """Run ``/translate``. An `AirochatError` that a command raises is shown, and is no failure."""
    match words.strip():
        case "":
            return f"This chat is {'' if context.data.get('on') else 'not '}translated. Usage: {USAGE}"
        case "on":
            glossary(context.settings["glossary"])
            # What is set here is kept with the chat, and is there when it is opened again.
            context.data["on"] = True
            return "The model reads and writes the glossary's other language from now on."
        case "off":
            context.data["on"] = False
            return "This chat is not translated any more."
        case text:
            return glossary(context.settings["glossary"]).into_model(text)
