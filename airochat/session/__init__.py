"""The core session manager: conversations, turns and their events; it knows no front end."""

from airochat.session.manager import SessionManager, open
from airochat.session.session import Session
from airochat.session.turn import Turn

__all__ = ["Session", "SessionManager", "Turn", "open"]
