"""Contrast of colours after WCAG 2.2, and readable text on any background."""

from __future__ import annotations

from dgemma_viz.errors import SettingError

AA = 4.5
"""Least contrast of normal text at level AA (success criterion 1.4.3)."""

_HEX_DIGITS = 7
_KNEE = 0.04045


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``: 0 black, 1 white."""
    if len(colour) != _HEX_DIGITS or not colour.startswith("#"):
        raise SettingError(f"colour {colour!r} is not of the form '#rrggbb'")
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (s / 12.92 if s <= _KNEE else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours: 1 the same, 21 black on white."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_on(background: str) -> str:
    """Black or white, whichever reads better; one of them always reaches at least 4.58."""
    return "#000000" if contrast(background, "#000000") >= contrast(background, "#ffffff") else "#ffffff"
