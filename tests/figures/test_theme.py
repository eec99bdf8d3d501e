"""Both pages are readable: text AA on paper, lines and marks at least 3:1."""

import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.colour_scales import AA, contrast
from dgemma_viz.figures.theme import DARK, LIGHT, theme_named

THEMES = [LIGHT, DARK]
NON_TEXT = 3
"""WCAG 1.4.11: least contrast of graphical objects."""


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_text_is_readable(theme):
    for colour in (theme.ink, theme.soft, theme.accent, theme.second, theme.third, theme.warning):
        assert contrast(colour, theme.paper) >= AA


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_bars_are_seen(theme):
    assert contrast(theme.faint, theme.paper) >= NON_TEXT


def test_names_and_themes_are_accepted():
    assert theme_named("dark") is DARK
    assert theme_named(LIGHT) is LIGHT


def test_an_unknown_theme_says_what_there_is():
    with pytest.raises(SettingError, match=r"unknown theme 'solarized'; choose from \['dark', 'light'\]"):
        theme_named("solarized")
