"""The marks of what happened to a position: one form each, so that colour is never the only sign.

The figures take glyphs, words, Plotly symbols and line styles from here. The token canvas draws its marks in its own
style sheet: the same words, a solid or dotted underline as ``dash`` says, a corner for changed, × for taken back.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """One mark.

    Attributes
    ----------
    glyph
        One character, for text.
    label
        One or two words, as on screen.
    symbol
        Plotly marker symbol of the same form.
    dash
        Plotly line style of the underline that stands for it in token grids, or None if it has none.
    """

    glyph: str
    label: str
    symbol: str
    dash: str | None = None


ACCEPTED = Mark("●", "accepted", "circle", "solid")
RE_NOISED = Mark("○", "re-noised", "circle-open", "dot")
CHANGED = Mark("▲", "draft changed", "triangle-up")
TAKEN_BACK = Mark("×", "taken back", "x-thin-open")

MARKS = {"accepted": ACCEPTED, "re_noised": RE_NOISED, "changed": CHANGED, "taken_back": TAKEN_BACK}


def outcome(accepted: bool) -> Mark:
    """The mark of a position after a step."""
    return ACCEPTED if accepted else RE_NOISED
