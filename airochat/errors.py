"""The one tree of errors that a user can see: what happened, where, and what to do."""

from __future__ import annotations


class AirochatError(Exception):
    """An error with a sentence for the user and a way out.

    ``message`` says what happened and names the file, setting or model; ``hint`` says what to do and may be empty.
    The command line ends with 1 on it, or with 2 on a `UsageError`.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[AirochatError], tuple[str, str]]:
        """Pickle both sentences, since errors cross the pipe to the engine process."""
        return type(self), (self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(AirochatError):
    """A request that names something unknown or out of range: a template, theme, session, setting or number."""


class SettingsError(UsageError):
    """A setting, or the settings file, has a wrong name, type or range."""


class ModelError(AirochatError):
    """A model file is missing, unreadable, of another format, damaged, or does not fit."""


class EngineDied(AirochatError):
    """The engine process ended by itself; the next request starts a new one."""


class StoreError(AirochatError):
    """The data folder or its database cannot be read or written."""


class TemplateError(UsageError):
    """A prompt template is unknown, malformed, or fails to render."""


class PromptError(AirochatError):
    """A prompt cannot be built, for instance because what is pinned alone exceeds the context."""


class CardError(AirochatError):
    """A character card cannot be read."""


class PluginError(AirochatError):
    """A plugin is unknown, malformed, or failed."""


class BackendError(AirochatError):
    """A backend could not do what was asked, for instance a remote server that does not answer."""
