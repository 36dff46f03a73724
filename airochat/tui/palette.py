"""The command palette: everything that can be done, opened or chosen, found by typing a part of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from airochat.errors import AirochatError
from airochat.prompt import NARRATOR
from airochat.session import panels
from airochat.session.commands import CHAT_COMMANDS
from airochat.text import one_line
from airochat.tui import words

if TYPE_CHECKING:
    from airochat.store import CardEntry
    from airochat.tui.app import AirochatApp


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to find."""

    text: str
    help: str
    run: Callable[[], object]


class Everything(Provider):
    """Commands, characters, chats, themes, templates and models."""

    _cards: Sequence[CardEntry] = ()

    async def startup(self) -> None:
        """Read the list of characters, once and off the screen's thread."""
        try:
            self._cards = await asyncio.to_thread(self._app.manager.cards.entries)
        except AirochatError:
            self._cards = ()

    async def discover(self) -> Hits:
        """Show the commands before anything is typed."""
        for item in commands(self._app):
            yield DiscoveryHit(Content(item.text), item.run, text=item.text, help=item.help)

    async def search(self, query: str) -> Hits:
        """Show what matches."""
        matcher = self.matcher(query)
        for item in (*everything(self._app), *characters(self._app, self._cards)):
            score = matcher.match(item.text)
            if score > 0:
                yield Hit(
                    score,
                    _marked(item.text, matcher.highlight(item.text)),
                    item.run,
                    text=item.text,
                    help=item.help,
                )

    @property
    def _app(self) -> AirochatApp:
        return cast("AirochatApp", self.app)


def _marked(text: str, highlighted: Content) -> Content:
    return Content(text, list(highlighted.spans)) if highlighted.plain == text else Content(text)


def everything(app: AirochatApp) -> Iterator[Item]:
    """Yield all that can be found."""
    yield from commands(app)
    for session in app.manager.sessions():
        if session.messages:
            title = one_line(words.session_title(session), 60)
            yield Item(
                f"Chat: {title}",
                words.count(session.messages, "message"),
                partial(app.chat.open_by_id, session.id),
            )
    for name in app.known_themes.names():
        yield Item(f"Theme: {name}", app.known_themes.get(name).summary, partial(app.choose_theme, name))
    yield Item("Template: as the model needs it", "for this chat", partial(app.choose_template, ""))
    for family in app.manager.templates.all():
        for name in (family.name, *(f"{family.name}:{variant.name}" for variant in family.variants)):
            yield Item(
                f"Template: {name}", f"for this chat: {family.title}", partial(app.choose_template, name)
            )
    for name, own in CHAT_COMMANDS.items():
        yield Item(f"Command: {own.usage}", own.summary, partial(app.chat.write, f"/{name} "))
    for name, command in app.manager.commands().items():
        yield Item(f"Command: /{name}", one_line(command.summary), partial(app.chat.write, f"/{name} "))
    for panel in panels.panels(app.manager):
        title = panel.title if panel.name.startswith(panels.SETTINGS) else f"Panel: {panel.title}"
        yield Item(one_line(title), one_line(panel.summary), partial(app.choose_panel, panel.name))
    for model in app.manager.models():
        ref = model.name if model.name == "demo" else str(model.path)
        yield Item(f"Model: {model.name}", one_line(ref), partial(app.choose_model_ref, ref))


def characters(app: AirochatApp, cards: Sequence[CardEntry]) -> Iterator[Item]:
    """Yield the characters of the library."""
    for entry in cards:
        about = one_line(", ".join(entry.tags), 60)
        yield Item(
            f"Character: {one_line(entry.name, 60)}", about, partial(app.chat.action_gallery, entry.id)
        )


def commands(app: AirochatApp) -> Iterator[Item]:
    """Yield the commands."""
    chat = app.chat
    yield Item("New chat", "ctrl+n", chat.action_new_chat)
    yield Item("Find a chat", "ctrl+k", chat.action_find)
    yield Item("Another reply", "ctrl+r", chat.action_again)
    yield Item("Four replies at once", "ctrl+s: to what you wrote, or of the last reply", chat.action_several)
    yield Item(
        "Look at the words of the reply", "t on a chosen one: what else could stand there", chat.action_look
    )
    yield Item("Go on with the reply", "ctrl+g", chat.action_go_on)
    yield Item("Let the model write what you say", "ctrl+t", chat.action_speak_for_me)
    yield Item("Take back a step", "ctrl+z", chat.action_undo)
    yield Item("Do a step again", "ctrl+y", chat.action_redo)
    yield Item("Characters", "F2: the gallery of cards", chat.action_gallery)
    yield Item("Who is here", "F5: let somebody speak, mute, add, let go", chat.action_cast)
    yield Item("Who you are", "F6: personas", chat.action_personas)
    if chat.desk.session is not None:
        for name in (*chat.desk.session.group.names, NARRATOR):
            yield Item(f"Let {one_line(name, 40)} speak", "now", partial(chat.let_speak, name))
    yield Item("What the model sees", "F3", chat.action_prompt)
    yield Item("Choose a model", "F4", app.action_choose_model)
    yield Item("About the model and its template", "what is loaded, and why this template", chat.action_about)
    yield Item("Plugins", "F7: their panels and settings, and which may run", app.action_plugins)
    yield Item("Keys", "F1", app.action_keys)
    yield Item("Quit", "ctrl+q", partial(app.run_action, "quit"))
