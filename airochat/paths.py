"""Where user data lives: one folder with everything in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from airochat.errors import StoreError


@dataclass(frozen=True, slots=True)
class Home:
    """The folder with all user data and settings; made when something is first written."""

    root: Path

    @classmethod
    def find(cls, given: str | os.PathLike[str] | None = None) -> Home:
        """Return the folder given, else that of ``AIROCHAT_HOME``, else the platform's place for user data."""
        chosen = given or os.environ.get("AIROCHAT_HOME")
        if chosen:
            return cls(Path(chosen).expanduser().absolute())
        import platformdirs

        return cls(Path(platformdirs.user_data_dir("airochat", appauthor=False)))

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.root / "settings.toml"

    @property
    def database(self) -> Path:
        """The SQLite database with all conversations."""
        return self.root / "airochat.db"

    @property
    def log(self) -> Path:
        """The log file of the program; the engine writes ``engine.log`` beside it."""
        return self.root / "logs" / "airochat.log"

    def folder(self, name: str) -> Path:
        """Return a folder, such as ``cards``, ``templates``, ``presets``, ``models`` or ``cache``."""
        return self.root / name

    def ensure(self) -> None:
        """Make the folder, readable by its owner only; `StoreError` if that cannot be done."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The data folder {self.root} cannot be made: {error.strerror}.",
                "Set AIROCHAT_HOME to a folder that you can write to.",
            ) from None
