"""Making the application."""

from __future__ import annotations

from airochat import themes
from airochat.errors import UsageError
from airochat.session import Session, SessionManager
from airochat.themes import Theme, Themes
from airochat.tui.app import AirochatApp


def make_app(
    manager: SessionManager, session: Session | None, known: Themes, chosen: Theme | None = None
) -> AirochatApp:
    """Make the application; without a chosen theme, the set one, or the terminal's 16 colours if it has no more."""
    theme, notices = chosen, list(known.problems)
    if theme is None:
        try:
            theme = known.get(manager.settings.theme)
        except UsageError as error:
            theme = known.get(themes.DEFAULT)
            notices = [str(error), *(each for each in notices if each not in str(error))]
    app = AirochatApp(manager, session, known, theme, notices)
    if chosen is None and manager.settings.theme == themes.DEFAULT and app.console.color_system == "standard":
        app.theme = themes.ANSI
    return app
