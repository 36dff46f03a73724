"""The line above the composer: what is being loaded, and what went wrong."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from airochat.text import clean, one_line

_BAR = 24


class Activity(Widget):
    """One line that is empty most of the time; an error takes as many as it needs."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._progress: Content | None = None
        self._problem: Content | None = None
        self._about = ""
        self.said = ""
        """The problem now shown, as plain text."""

    def progress(self, fraction: float, stage: str) -> None:
        """Show how far the model is loaded."""
        full = round(max(0.0, min(1.0, fraction)) * _BAR)
        self._progress = Content.assemble(
            (one_line(stage, 40) + "  ", "$rp-soft"),
            ("━" * full, "$rp-accent"),
            ("━" * (_BAR - full), "$rp-panel"),
            (f"  {fraction:.0%}", "$rp-faint"),
        )
        self.refresh(layout=True)

    def progress_done(self) -> None:
        """Show no progress any more."""
        self._progress = None
        self.refresh(layout=True)

    def problem(self, message: str, hint: str = "", about: str = "") -> None:
        """Show what went wrong and what to do, until `clear`; ``about`` is a word to clear it by."""
        self._about = about
        said, way_out = " ".join(clean(message).split()), " ".join(clean(hint).split())
        self.said = f"{said} {way_out}".strip()
        self._problem = Content.assemble((said, "$rp-error"), ("  " + way_out if way_out else "", "$rp-soft"))
        self.refresh(layout=True)

    def clear(self, about: str | None = None) -> None:
        """Forget the problem, or only one that is about this."""
        if self._problem is not None and about in (None, self._about):
            self._problem, self.said = None, ""
            self.refresh(layout=True)

    def render(self) -> Content:
        """Draw the problem if there is one, else the progress."""
        return self._problem or self._progress or Content("")
