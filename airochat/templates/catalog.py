"""The templates at hand: those shipped, and the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from airochat.checks import did_you_mean
from airochat.errors import TemplateError
from airochat.templates.family import parse_family
from airochat.templates.template import Family

_SHIPPED = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True, slots=True)
class _File:
    """A template file that was read without an error."""

    text: str
    where: str
    family: Family


class Templates:
    """All templates made from data, by name.

    A file in ``user_dir`` takes the place of one of its name in ``others``, the folders of plugins, of which a later
    one wins; and that the place of a shipped one.
    """

    def __init__(self, user_dir: Path | None = None, others: Iterable[Path] = ()) -> None:
        self._folders = (*others, *((user_dir,) if user_dir else ()))
        self._user_dir = user_dir
        self._problems: dict[str, TemplateError] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names in order, variants left out."""
        return tuple(self._found)

    def all(self) -> tuple[Family, ...]:
        """Return the templates in the order of their names."""
        return tuple(file.family for file in self._found.values())

    def get(self, name: str) -> Family:
        """Return a template by its name, which may say variants: ``airoboros-1.4:no-clause+no-space``.

        Raises `TemplateError` with the closest name if there is none, or why its file is broken.
        """
        plain, colon, variants = name.partition(":")
        if plain not in self._found:
            if plain in self._problems:
                raise self._problems[plain]
            raise TemplateError(f"There is no template {name!r}.", did_you_mean(plain, self._found))
        file = self._found[plain]
        return parse_family(plain, file.text, file.where, variants.split("+")) if colon else file.family

    @property
    def own(self) -> frozenset[str]:
        """The names of the user's own templates."""
        return frozenset(name for name in self._found if self.rank(name) == 0)

    def rank(self, name: str) -> int:
        """Return whose a template is: 0 for the user's own, 1 for one of a plugin, 2 for a shipped one."""
        folder = Path(self._found[name].where).parent
        return 0 if folder == self._user_dir else 2 if folder == _SHIPPED else 1

    @property
    def problems(self) -> tuple[TemplateError, ...]:
        """What is wrong with the files of the user and of plugins that could not be read."""
        self.names()
        return tuple(self._problems.values())

    @cached_property
    def _found(self) -> dict[str, _File]:
        shipped = {path.stem: _read(path) for path in _SHIPPED.glob("*.toml")}
        added = [self._in(folder) for folder in self._folders]
        return dict(
            sorted({name: file for files in (shipped, *added) for name, file in files.items()}.items())
        )

    def _in(self, folder: Path) -> dict[str, _File]:
        found: dict[str, _File] = {}
        try:
            paths = sorted(folder.glob("*.toml"))
        except OSError as error:
            self._problems[str(folder)] = TemplateError(
                f"The folder {folder} cannot be read: {error.strerror}."
            )
            return found
        for path in paths:
            try:
                if ":" in path.stem:
                    raise TemplateError(f"The template {path} has a colon in its name.", "Rename it.")
                found[path.stem] = _read(path)
            except TemplateError as problem:
                self._problems[path.stem] = problem
        return found


def _read(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"The template {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise TemplateError(f"The template {path} is not UTF-8 text.", "Save it as UTF-8.") from None
    return _File(text, str(path), parse_family(path.stem, text, str(path)))
