"""Themes from files, in the terminal and out of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airochat.errors import UsageError
from airochat.paths import Home
from airochat.themes import load_themes
from airochat.tui import run
from airochat.tui.start import make_app
from airochat.tui.theme import to_textual
from tests.tui.conftest import Terminal, say, until

Make = Callable[..., Terminal]
NIGHT = 'summary = "blue"\n[colors]\nbackground = "#001"\nink = "#eef"\naccent = "#68f"\n'


def home_with(tmp_path: object, **files: str) -> Home:
    home = Home.find(str(tmp_path))
    home.folder("themes").mkdir(parents=True)
    for name, text in files.items():
        (home.folder("themes") / f"{name}.toml").write_text(text, encoding="utf-8")
    return home


def test_the_shipped_themes_are_whole() -> None:
    themes = load_themes(Home.find())
    assert themes.names() == ["ember", "ansi", "paper"]
    assert themes.problems == ()
    assert themes.get("ansi").ansi
    assert not themes.get("paper").dark
    for name in themes.names():
        to_textual(themes.get(name)).to_color_system().generate()
    assert to_textual(themes.get("ansi")).variables["scrollbar"] == "ansi_bright_black"


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.1."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("name", ["ember", "paper"])
def test_every_text_can_be_read_on_every_background(name: str) -> None:
    colors = load_themes(Home.find()).get(name).colors
    least = {
        "ink": 9,
        "soft": 6,
        "speech": 7,
        "action": 5.5,
        "user": 4.5,
        "character": 4.5,
        "faint": 3.9,
        "error": 4.5,
    }
    for text, ratio in least.items():
        for behind in ("background", "surface"):
            assert contrast(colors[text], colors[behind]) >= ratio, (text, behind)
    assert contrast(colors["on_accent"], colors["accent"]) >= 4.5


def test_a_theme_of_three_colours_is_enough(tmp_path: object) -> None:
    theme = load_themes(home_with(tmp_path, night=NIGHT)).get("night")
    assert theme.colors["background"] == "#000011"
    assert theme.colors["speech"] == "#eeeeff"
    assert theme.colors["character"] == "#6688ff"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("colors = [", "cannot be read"),
        (NIGHT.replace("#68f", "lightblue"), "accent = 'lightblue' is not a colour"),
        (NIGHT.replace("accent", "akzent"), "unknown colour 'akzent'"),
        (NIGHT.replace('ink = "#eef"\n', ""), "no colour 'ink'"),
        (NIGHT.replace("#68f", "ansi_blue"), "mixes"),
        (NIGHT + "speech = 7\n", "speech = 7 is not a colour"),
        ("dark = true\n", "no table [colors]"),
        ('dark = "yes"\n' + NIGHT, "dark is true or false"),
        ("extra = 1\n" + NIGHT, "unknown key 'extra'"),
        ("\udc80", "cannot be read"),
    ],
)
def test_a_broken_theme_is_named_and_the_others_work(tmp_path: object, text: str, expected: str) -> None:
    home = home_with(tmp_path, night=NIGHT)
    (home.folder("themes") / "broken.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    themes = load_themes(home)
    (problem,) = themes.problems
    assert "broken.toml" in problem
    assert expected in problem
    assert themes.get("night").summary == "blue"
    with pytest.raises(UsageError, match=r"broken\.toml"):
        themes.get("broken")


def test_an_unknown_theme_is_refused_before_anything_is_drawn(open_terminal: Make) -> None:
    terminal = open_terminal()
    with pytest.raises(UsageError, match=r"no theme 'embr'.*ember"):
        run(terminal.manager, theme="embr")


async def test_a_broken_theme_in_the_settings_falls_back_and_says_why(open_terminal: Make) -> None:
    terminal = open_terminal()
    folder = terminal.manager.home.folder("themes")
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("[colors]\nink = 1\n", encoding="utf-8")
    terminal.manager.remember(theme="mine")
    async with terminal.run(theme=None) as pilot:
        # On the screen the path may be wrapped anywhere.
        await until(pilot, lambda: any("mine.toml" in note.message for note in terminal.app._notifications))
        assert terminal.app.theme == "ember"
        await say(terminal, pilot, "Hi")


async def test_a_theme_is_chosen_in_the_palette_and_remembered(open_terminal: Make) -> None:
    terminal = open_terminal()
    async with terminal.run() as pilot:
        await say(terminal, pilot, "Hi")
        await pilot.press("ctrl+p")
        await pilot.press(*"theme: paper")
        await until(pilot, lambda: "warm paper" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.theme == "paper")
        assert terminal.manager.settings.theme == "paper"
        assert 'theme = "paper"' in terminal.manager.home.settings.read_text(encoding="utf-8")
        assert "She nods" in terminal.text


@pytest.mark.parametrize("name", ["ember", "paper", "ansi"])
async def test_no_color_sends_no_colour(
    open_terminal: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = open_terminal()
    async with terminal.run(theme=name) as pilot:
        await say(terminal, pilot, "Hi")
        assert "She nods" in terminal.text
        styles = [segment.style for row in terminal.app.screen._compositor.render_strips() for segment in row]
        colors = {color for style in styles if style for color in (style.color, style.bgcolor) if color}
        assert all(color.is_default for color in colors)


def test_sixteen_colours_get_the_theme_for_them(open_terminal: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal()
    known = load_themes(terminal.manager.home)
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "standard")
    assert make_app(terminal.manager, None, known).theme == "ansi"
    assert make_app(terminal.manager, None, known, known.get("paper")).theme == "paper"
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
    assert make_app(terminal.manager, None, known).theme == "ember"
