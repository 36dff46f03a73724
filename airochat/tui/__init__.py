"""The terminal interface."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airochat.session import Session, SessionManager

__all__ = ["run"]


def run(manager: SessionManager, session: Session | None = None, theme: str | None = None) -> None:
    """Open the terminal interface on a session, by default the latest, and return when the user leaves.

    ``theme`` wins over the setting; an unknown one is a `UsageError` before anything is drawn. The manager stays the
    caller's to close.
    """
    from airochat.themes import load_themes
    from airochat.tui.hangup import leave_at_hangup
    from airochat.tui.splash import splash, unsplash

    known = load_themes(manager.home, manager.plugins.data_folders("themes"))
    chosen = known.get(theme) if theme else None
    splash()
    # Collecting garbage while modules are read and the first frame is made costs a fifth of that time.
    gc.disable()
    try:
        from airochat.tui.start import make_app

        app = make_app(manager, session, known, chosen)
    except BaseException:
        gc.enable()
        unsplash()
        raise
    leave_at_hangup(manager.close)
    try:
        app.run()
    finally:
        gc.enable()
    if app.return_code:
        raise SystemExit(app.return_code)
