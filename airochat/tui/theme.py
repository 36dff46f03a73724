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

_MUTED = 0.8
"""How saturated the other colours are, compared with the first."""

_READABLE = 4.5
"""The contrast that names have with the background at least."""

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
    background = _luminance(Color.parse(theme.colors["background"]).normalized)
    voices = [first]
    for turn in _TURNS:
        level = light
        while True:
            rgb = colorsys.hls_to_rgb((hue + turn) % 1, level, _MUTED * saturation)
            if not 0.05 < level < 0.95 or _contrast(_luminance(rgb), background) >= _READABLE:
                break
            level += 0.02 if theme.dark else -0.02
        voices.append(_hex(rgb))
    return voices


def _contrast(one: float, other: float) -> float:
    """Return the contrast of two luminances as the WCAG define it, 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _luminance(rgb: tuple[float, float, float]) -> float:
    """Return the relative luminance of a colour of sRGB with parts from 0 to 1."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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
