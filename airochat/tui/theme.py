"""From airochat's themes to Textual's."""

from __future__ import annotations

import colorsys

from textual.color import Color
from textual.theme import BUILTIN_THEMES
from textual.theme import Theme as TextualTheme

from airochat.themes import FALLBACKS, REQUIRED, Theme
from airochat.tui.voices import COUNT

OWN = tuple(name.replace("_", "-") for name in (*REQUIRED, *FALLBACKS))
"""The colours by the names under which style sheets know them, as ``$rp-…``."""


_TURNS = (0.36, -0.19, 0.18, -0.35, 0.46)
"""By how much of the circle of hues each further speaker's colour is away from the character's."""

_ANSI_VOICES = tuple(
    f"ansi_{name}" for name in ("yellow", "magenta", "green", "bright_blue", "cyan", "bright_red")
)
_ANSI_VOICES += ("ansi_bright_magenta", "ansi_bright_green")


def to_textual(theme: Theme) -> TextualTheme:
    """Return the Textual theme of the same name, with every colour as ``$rp-NAME`` too."""
    color = theme.colors
    return TextualTheme(
        name=theme.name,
        primary=color["accent"],
        secondary=color["user"],
        accent=color["accent"],
        warning=color["accent"],
        error=color["error"],
        success=color["user"],
        foreground=color["ink"],
        background=color["background"],
        surface=color["surface"],
        panel=color["panel"],
        boost=color["panel"],
        dark=theme.dark,
        ansi=theme.ansi,
        variables={**_base(theme), **_widgets(theme), **own_variables(theme)},
    )


def own_variables(theme: Theme) -> dict[str, str]:
    """Return the variables that airochat's style sheet uses."""
    voices = {f"rp-voice-{number}": color for number, color in enumerate(_voices(theme), 1)}
    return {f"rp-{name}": theme.colors[name.replace("-", "_")] for name in OWN} | voices


def _voices(theme: Theme) -> list[str]:
    """Return the colours of speakers: the character's, and others as light as that."""
    first = theme.colors["character"]
    if theme.ansi:
        others = [name for name in _ANSI_VOICES if name not in (first, theme.colors["user"])]
        return [first, *others][:COUNT]
    hue, light, saturation = colorsys.rgb_to_hls(*Color.parse(first).normalized)
    turned = (colorsys.hls_to_rgb((hue + turn) % 1, light, saturation) for turn in _TURNS)
    return [first, *(_hex(rgb) for rgb in turned)]


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _base(theme: Theme) -> dict[str, str]:
    if not theme.ansi:
        return {}
    return dict(BUILTIN_THEMES["ansi-dark" if theme.dark else "ansi-light"].variables)


def _widgets(theme: Theme) -> dict[str, str]:
    """Return what Textual's own widgets take: one accent, and quiet scroll bars."""
    color = theme.colors
    quiet = color["faint"] if theme.ansi else color["panel"]
    names: tuple[tuple[str, tuple[str, ...]], ...] = (
        (
            color["accent"],
            ("input-cursor-background", "block-cursor-background", "scrollbar-active", "border"),
        ),
        (color["on_accent"], ("input-cursor-foreground", "block-cursor-foreground")),
        (color["selection"], ("input-selection-background", "screen-selection-background")),
        (color["background"], ("scrollbar-background", "scrollbar-background-hover")),
        (color["background"], ("scrollbar-background-active", "scrollbar-corner-color")),
        (quiet, ("scrollbar", "border-blurred")),
        (color["faint"], ("scrollbar-hover",)),
    )
    return {variable: value for value, variables in names for variable in variables}
