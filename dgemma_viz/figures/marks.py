"""Marks and lines that tell things apart: one form each, so that colour is never the only sign.

There are those of what happened to a position, of two compared runs, and of ways of decoding. Figures take glyphs,
words, Plotly symbols and line styles from here. The token canvas draws its marks in its own style sheet: the same
words, an underline as ``dash`` and ``width`` say, a corner for changed, × for taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.trace.decision import NO_DECISION, Decision, Phase
from dgemma_viz.trace.model import CanvasRun, Trace

if TYPE_CHECKING:
    from dgemma_viz.figures.theme import Theme

Array = npt.NDArray[Any]


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
    width
        Of that underline, in pixels.
    """

    glyph: str
    label: str
    symbol: str
    dash: str | None = None
    width: float = 3.0


ACCEPTED = Mark("●", "accepted", "circle", "solid")
RE_NOISED = Mark("○", "re-noised", "circle-open", "dot", 2.0)
KEPT = Mark("■", "kept", "square", "solid", 1.0)
EDITED = Mark("◆", "edited", "diamond", "dash")
CORRECTED = Mark("▼", "corrected", "triangle-down", "dashdot")
UNRECORDED = Mark("?", "not recorded", "circle-x-open")
UNDECIDED = replace(UNRECORDED, label="no decision")
CHANGED = Mark("▲", "draft changed", "triangle-up")
TAKEN_BACK = Mark("×", "taken back", "x-thin-open")
OUTSIDE = Mark("▢", "not in the output", "square-open")

_UNIFORM: Mapping[int, Mark] = {
    Decision.NOISE: RE_NOISED,
    Decision.ACCEPTED: ACCEPTED,
    Decision.KEPT: KEPT,
    Decision.EDITED: EDITED,
    Decision.CORRECTED: CORRECTED,
    NO_DECISION: UNRECORDED,
}
_MASKED: Mapping[int, Mark] = {
    **_UNIFORM,
    Decision.NOISE: replace(RE_NOISED, label="masked"),
    Decision.ACCEPTED: replace(ACCEPTED, label="unmasked"),
}
_CAUSAL: Mapping[int, Mark] = {
    **_UNIFORM,
    Decision.NOISE: replace(RE_NOISED, label="not written"),
    Decision.ACCEPTED: replace(ACCEPTED, label="written"),
    Decision.KEPT: replace(KEPT, label="written before"),
}

PASS_MARKS: Final[Mapping[int, Mark]] = {Phase.CORRECT: CORRECTED, Phase.EDIT: EDITED}
"""Mark of the steps that are no denoising steps: that of what they do."""


def decision_marks(trace: Trace) -> Mapping[int, Mark]:
    """Mark of each decision, in the words of the trace's kind of sampler."""
    marks = _CAUSAL if sampler_kind(trace) is SamplerKind.CAUSAL else marks_for(trace.facts.mask_token_id)
    return marks if "accepted" in trace.facts.absent else {**marks, NO_DECISION: UNDECIDED}


def marks_for(mask_token_id: int | None) -> Mapping[int, Mark]:
    """:func:`decision_marks` for a mask token, or for none."""
    return _UNIFORM if mask_token_id is None else _MASKED


def decisions(run: CanvasRun) -> Array:
    """What became of each position: uint8 ``(T, C)``, values of ``Decision``; none where they were not recorded."""
    recorded = run.array("decision")
    if "accepted" in run.trace.facts.absent:
        return np.full_like(recorded, NO_DECISION)
    return recorded


def shown_decisions(run: CanvasRun) -> list[int]:
    """Decisions that a figure has marks for: the two of every sampler first, then those that occur in the run."""
    found = set(np.unique(decisions(run)).tolist())
    return [Decision.ACCEPTED, Decision.NOISE, *sorted(found - {Decision.ACCEPTED, Decision.NOISE})]


def outcome(run: CanvasRun, step: int, position: int) -> Mark:
    """The mark of a position after a step."""
    return decision_marks(run.trace)[int(decisions(run)[step, position])]


# -- of two compared runs ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunStyle:
    """How one of two compared runs looks, wherever they are drawn together.

    Attributes
    ----------
    name, glyph
        One character each, for text.
    colour
        A field of :class:`~dgemma_viz.figures.theme.Theme`.
    symbol, dash
        Plotly marker symbol of the glyph's form, and line style.
    line
        The line style in a word.
    """

    name: str
    glyph: str
    colour: str
    symbol: str
    dash: str
    line: str


A = RunStyle("A", "●", "accent", "circle", "solid", "solid")
B = RunStyle("B", "◆", "second", "diamond", "dash", "dashed")


# -- of ways of decoding -----------------------------------------------------------------------------------------

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def way_colour(look: Theme, number: int) -> str:
    """Colour of the way of that number."""
    colours = (look.accent, look.second, look.third, look.warning, look.ink)
    return colours[number % len(colours)]


def way_line(look: Theme, number: int) -> dict[str, Any]:
    """``line`` of a scatter trace."""
    return {"color": way_colour(look, number), "dash": _DASHES[number % len(_DASHES)], "width": 2}


def way_marker(look: Theme, number: int) -> dict[str, Any]:
    """``marker`` of a scatter trace."""
    return {"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 8, "color": way_colour(look, number)}
