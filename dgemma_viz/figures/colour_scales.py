"""Colour scales: one per quantity, for light and dark pages, every one of them monotone in lightness.

Lightness alone orders each scale, so it survives every kind of colour blindness and a grey print. The low end lies near
the page's own colour, so that what is high stands out; commit steps use cividis (Nuñez, Anderton and Renslow 2018,
doi:10.1371/journal.pone.0199239) on both pages, as no end of theirs is "more".

Contrast is that of WCAG 2.2.
"""

from __future__ import annotations

from typing import Final

from dgemma_viz.errors import SettingError

SCALES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "light": {
        "blue": ("#f3efe6", "#cfe0ef", "#7fb0dc", "#2f74b5", "#0f4377"),
        "orange": ("#eef4f8", "#fbe3c4", "#f2b04f", "#cf7410", "#8a4300"),
        "purple": ("#f1eff5", "#cbb9e0", "#9468bd", "#5b2a86"),
        "two_blues": ("#ece9e2", "#2f74b5"),
        "two_oranges": ("#ece9e2", "#b4480b"),
        "cividis": ("#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"),
    },
    "dark": {
        "blue": ("#2b2a27", "#24405c", "#2f6ea8", "#6aaae4", "#c4e1ff"),
        "orange": ("#23292e", "#573a12", "#9c5f0f", "#e09a3a", "#ffdca6"),
        "purple": ("#2a2830", "#4d3a66", "#8b66b8", "#d5bdf2"),
        "two_blues": ("#302e2a", "#6aaae4"),
        "two_oranges": ("#302e2a", "#f08c4a"),
        "cividis": ("#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"),
    },
}
"""Stops ``#rrggbb`` at even distances, by page and name."""


def plotly_scale(stops: tuple[str, ...], *, steps: bool = False) -> list[list[float | str]]:
    """Plotly's form of a scale: continuous, or with sharp ``steps`` of equal width for categories."""
    if steps:
        return [[edge / len(stops), stop] for n, stop in enumerate(stops) for edge in (n, n + 1)]
    return [[n / (len(stops) - 1), stop] for n, stop in enumerate(stops)]


def colour_at(stops: tuple[str, ...], share: float) -> str:
    """Colour at a share (0 to 1, clipped) of a continuous scale, as ``#rrggbb``."""
    at = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    channels = ((int(stops[low][c : c + 2], 16), int(stops[low + 1][c : c + 2], 16)) for c in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * (at - low)):02x}" for a, b in channels)


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
