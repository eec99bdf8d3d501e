"""The marks of what happened to a position: one form each, so that colour is never the only sign.

Every view takes its marks from here: the figures their Plotly symbols and line styles, the widgets their glyphs and
words.
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
    meaning
        One sentence part that explains it.
    symbol
        Plotly marker symbol of the same form.
    dash
        Plotly line style of the underline that stands for it in token grids, or None if it has none.
    """

    glyph: str
    label: str
    meaning: str
    symbol: str
    dash: str | None = None


ACCEPTED = Mark("●", "accepted", "candidate kept after the step", "circle", "solid")
RE_NOISED = Mark("○", "re-noised", "replaced by a random token after the step", "circle-open", "dot")
CHANGED = Mark("▲", "draft changed", "draft differs from the step before", "triangle-up")
TAKEN_BACK = Mark("×", "taken back", "accepted in the step before, re-noised in this one", "x-thin-open")

MARKS = {"accepted": ACCEPTED, "re_noised": RE_NOISED, "changed": CHANGED, "taken_back": TAKEN_BACK}


def outcome(accepted: bool) -> Mark:
    """The mark of a position after a step."""
    return ACCEPTED if accepted else RE_NOISED
